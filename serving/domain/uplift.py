"""Questions about the effect of an action on units, and their answers."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from serving.domain.series import check_key
from serving.errors import InvalidField, TooLarge

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from serving.domain.series import Provenance

    Floats = NDArray[np.float64]

MAX_UNITS = 10_000
LARGEST = 1e12
# A propensity nearer to 0 or 1 says that units like this were seen in one arm only.
LEAST_PROPENSITY = 0.02
CURVE_POINTS = 101


class OverlapFlag(enum.IntEnum):
    """Whether the data a model learned from says anything of a unit; numbers as in the contract."""

    OK = 1
    ONE_ARM = 2
    OUTSIDE_RANGE = 3


class UpliftRowStatus(enum.IntEnum):
    """Outcome of one unit of a question; numbers as in the contract."""

    OK = 1
    UNKNOWN_UNIT = 2
    MISSING_COVARIATE = 3


class UpliftInterval(enum.IntEnum):
    """What the interval of an effect covers; numbers as in the contract."""

    COVARIATES = 1
    SCORE = 2


@dataclass(frozen=True, slots=True)
class NumericCovariate:
    """A covariate that is a number, as sent.

    Attributes:
        name: Its name.
        values: Value of each unit, shape (n,).
        missing_rows: Units whose value is not known, ascending, shape (m,).
    """

    name: str
    values: Floats
    missing_rows: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, dtype=np.int64))


@dataclass(frozen=True, slots=True)
class CategoricalCovariate:
    """A covariate that is a category, as sent.

    Attributes:
        name: Its name.
        values: Value of each unit; empty where not known.
    """

    name: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class UnitsQuery:
    """Units with their covariates.

    Attributes:
        unit_ids: Units, 1 to 200 characters each, each once.
        numeric: Covariates that are numbers.
        categorical: Covariates that are categories.
    """

    unit_ids: tuple[str, ...]
    numeric: tuple[NumericCovariate, ...] = ()
    categorical: tuple[CategoricalCovariate, ...] = ()

    def __post_init__(self) -> None:
        """Refuse units that repeat and columns that do not fit them."""
        if not self.unit_ids:
            raise InvalidField("unit_ids", "is required")
        if len(self.unit_ids) > MAX_UNITS:
            raise TooLarge("unit_ids", limit=MAX_UNITS)
        for index, unit in enumerate(self.unit_ids):
            check_key(f"unit_ids[{index}]", unit)
        if len(set(self.unit_ids)) < len(self.unit_ids):
            raise InvalidField("unit_ids", "must hold each unit once")
        self._check_columns("numeric", self.numeric)
        self._check_columns("categorical", self.categorical)
        for index, number in enumerate(self.numeric):
            if number.missing_rows.size:
                self._check_rows(f"numeric[{index}].missing_rows", number.missing_rows)
        self._check_numbers()

    def _check_columns(
        self, kind: str, columns: tuple[NumericCovariate | CategoricalCovariate, ...]
    ) -> None:
        if len({column.name for column in columns}) < len(columns):
            raise InvalidField(kind, "must hold each covariate once")
        for index, column in enumerate(columns):
            if len(column.values) != len(self.unit_ids):
                requirement = "must have as many entries as unit_ids"
                raise InvalidField(f"{kind}[{index}].values", requirement)

    def _check_rows(self, at: str, rows: NDArray[np.int64]) -> None:
        ascending = rows[0] >= 0 and rows[-1] < len(self.unit_ids) and (np.diff(rows) > 0).all()
        if not ascending:
            raise InvalidField(at, "must be rows of the request, ascending")

    def _check_numbers(self) -> None:
        values = np.array([number.values for number in self.numeric])
        if not values.size or np.abs(values).max() <= LARGEST:
            return
        for index, number in enumerate(self.numeric):
            known = np.delete(number.values, number.missing_rows)
            if not (np.abs(known) <= LARGEST).all():
                requirement = f"must be numbers of at most {LARGEST:g} either way"
                raise InvalidField(f"numeric[{index}].values", requirement)


@dataclass(frozen=True, slots=True)
class TargetingQuery:
    """Asks which units to act on.

    Attributes:
        units: The units and their covariates.
        budget: Money to spend, 0 or more.
        action_costs: Money an action costs, above 0, shape (1,) or (n,).
        minimum_effect: Least effect a unit must promise, 0 or more.
        value_per_effect: Money one unit of effect is worth, above 0.
    """

    units: UnitsQuery
    budget: float
    action_costs: Floats
    minimum_effect: float = 0.0
    value_per_effect: float = 1.0

    def __post_init__(self) -> None:
        """Refuse money and effects out of range."""
        if not 0 <= self.budget <= LARGEST:
            raise InvalidField("budget", "must be 0 or more")
        if self.action_costs.size not in (1, len(self.units.unit_ids)):
            raise InvalidField("action_costs", "must be one number, or as many as unit_ids")
        if not ((self.action_costs > 0) & (self.action_costs <= LARGEST)).all():
            raise InvalidField("action_costs", "must be above 0")
        if not 0 <= self.minimum_effect <= LARGEST:
            raise InvalidField("minimum_effect", "must be 0 or more")
        if not 0 < self.value_per_effect <= LARGEST:
            raise InvalidField("value_per_effect", "must be above 0")


@dataclass(frozen=True, slots=True)
class Uplift:
    """The effect on units; fields as in the contract.

    Attributes:
        provenance: Where the answer came from.
        row_count: Units answered.
        effects: With the action less without, shape (n,).
        lower: Lower end of the 95 % interval, shape (n,).
        upper: Upper end of it, shape (n,).
        propensities: Probability that a unit like this was treated, shape (n,).
        overlap_flags: Whether the data says anything of the unit.
        interval: What the interval covers.
        row_statuses: Outcome of each asked unit; arrays have an entry for each OK among them.
    """

    provenance: Provenance
    row_count: int
    effects: Floats
    lower: Floats
    upper: Floats
    propensities: Floats
    overlap_flags: tuple[OverlapFlag, ...]
    interval: UpliftInterval
    row_statuses: tuple[UpliftRowStatus, ...]


@dataclass(frozen=True, slots=True)
class Targeting:
    """Which units to act on; fields as in the contract.

    Attributes:
        provenance: Where the answer came from.
        unit_ids: Units to act on, most gain per money first.
        total_cost: Money the actions cost together.
        expected_gain: Gain expected of the chosen units.
        lower: Lower end of its 95 % interval.
        upper: Upper end of it.
        curve_units: Units acted on at each point of the curve, shape (k,).
        curve_costs: Money at each point, shape (k,).
        curve_gains: Gain at each point, shape (k,).
        curve_lower: Lower end of its interval at each point, shape (k,).
        curve_upper: Upper end of it, shape (k,).
    """

    provenance: Provenance
    unit_ids: tuple[str, ...]
    total_cost: float
    expected_gain: float
    lower: float
    upper: float
    curve_units: NDArray[np.int64]
    curve_costs: Floats
    curve_gains: Floats
    curve_lower: Floats
    curve_upper: Floats
