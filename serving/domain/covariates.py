"""How the covariates of units become the columns of an uplift model."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from serving.errors import InvalidField

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from serving.domain.uplift import UnitsQuery

    Floats = NDArray[np.float64]
    Rows = NDArray[np.float32]
    Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class NumericSource:
    """A covariate that is a number, as a model learned from it.

    Attributes:
        name: Its name.
        low: Least value seen.
        high: Greatest value seen.
        stand_in: Value a row without one is read as.
        may_miss: Whether rows without a value were seen; the feature ``<name>:missing`` tells.
    """

    name: str
    low: float
    high: float
    stand_in: float
    may_miss: bool


@dataclass(frozen=True, slots=True)
class CategoricalSource:
    """A covariate that is a category, as a model learned from it.

    Attributes:
        name: Its name.
        levels: Values seen; the feature ``<name>=<level>`` tells whether it is that one.
        places: Place of each level among them.
    """

    name: str
    levels: tuple[str, ...]
    places: Mapping[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Note the place of each level."""
        object.__setattr__(self, "places", {one: at for at, one in enumerate(self.levels)})


@dataclass(frozen=True, slots=True)
class Layout:
    """Where numbers go among the columns; arrays have one entry a covariate.

    Attributes:
        lows: Least value seen, shape (k, 1).
        highs: Greatest value seen, shape (k, 1).
        stand_ins: Value a row without one is read as, shape (k, 1).
        columns: Column of the number, shape (k,).
        flagged: Covariates that may miss, shape (m,).
        flag_columns: Columns that tell whether they do, shape (m,).
    """

    lows: Floats
    highs: Floats
    stand_ins: Floats
    columns: NDArray[np.intp]
    flagged: NDArray[np.intp]
    flag_columns: NDArray[np.intp]

    @classmethod
    def of(cls, numeric: tuple[NumericSource, ...]) -> Layout:
        """Lay out covariates, each followed by its flag where it may miss.

        Args:
            numeric: The covariates.

        Returns:
            Where they go.
        """
        wide = np.array([1 + one.may_miss for one in numeric], dtype=np.intp)
        columns = np.cumsum(wide) - wide
        flagged = np.flatnonzero(wide > 1)
        lows, highs, stand_ins = (
            np.array([getattr(one, name) for one in numeric], dtype=np.float64)[:, None]
            for name in ("low", "high", "stand_in")
        )
        return cls(lows, highs, stand_ins, columns, flagged, columns[flagged] + 1)


@dataclass(frozen=True, slots=True)
class Encoding:
    """How covariates become the columns of a model.

    Attributes:
        numeric: Covariates that are numbers.
        categorical: Covariates that are categories.
        layout: Where the numbers go.
        width: Number of columns.
    """

    numeric: tuple[NumericSource, ...]
    categorical: tuple[CategoricalSource, ...]
    layout: Layout = field(init=False, repr=False, compare=False)
    width: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Note where numbers go, and how many columns there are."""
        object.__setattr__(self, "layout", Layout.of(self.numeric))
        object.__setattr__(self, "width", len(self.features))

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the columns, in order."""
        names = []
        for number in self.numeric:
            names += [number.name, f"{number.name}:missing"][: 1 + number.may_miss]
        for kind in self.categorical:
            names += [f"{kind.name}={level}" for level in kind.levels]
        return tuple(names)

    @property
    def digest(self) -> str:
        """Hash of the encoding, lower-case hex."""
        return hashlib.sha256(json.dumps(self.as_json(), sort_keys=True).encode()).hexdigest()[:16]

    def as_json(self) -> dict[str, Any]:
        """Return the encoding as a manifest holds it."""
        return {
            "numeric": [
                {
                    "name": one.name,
                    "low": one.low,
                    "high": one.high,
                    "stand_in": one.stand_in,
                    "may_miss": one.may_miss,
                }
                for one in self.numeric
            ],
            "categorical": [
                {"name": one.name, "levels": list(one.levels)} for one in self.categorical
            ],
        }

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> Encoding:
        """Return the encoding a manifest holds.

        Args:
            said: What `as_json` returned.

        Returns:
            The encoding.
        """
        return cls(
            tuple(NumericSource(**one) for one in said["numeric"]),
            tuple(
                CategoricalSource(one["name"], tuple(one["levels"])) for one in said["categorical"]
            ),
        )

    def encode(
        self, numbers: Mapping[str, Floats], kinds: Mapping[str, Sequence[str | None]]
    ) -> tuple[Rows, Flags]:
        """Turn covariates into the columns of the model.

        Args:
            numbers: Values of each covariate that is a number, NaN where not known, shape (n,).
            kinds: Values of each covariate that is a category; None or empty where not known.

        Returns:
            Rows of shape (n, features), and whether a covariate lies outside what was seen,
            shape (n,).
        """
        size = len(next(iter((*numbers.values(), *kinds.values())), ()))
        rows = np.zeros((size, self.width), dtype=np.float32)
        outside = np.zeros(size, dtype=np.bool_)
        if self.numeric:
            at = self.layout
            values = np.array([numbers[one.name] for one in self.numeric])
            outside |= ((values < at.lows) | (values > at.highs)).any(axis=0)
            missing = np.isnan(values)
            if missing.any():
                rows[:, at.flag_columns] = missing[at.flagged].T
                values = np.where(missing, at.stand_ins, values)
            rows[:, at.columns] = values.T
        at_column = self.width - sum(len(one.levels) for one in self.categorical)
        for kind in self.categorical:
            for row, value in enumerate(kinds[kind.name]):
                place = kind.places.get(value or "", -1)
                if place < 0:
                    outside[row] = True
                else:
                    rows[row, at_column + place] = 1.0
            at_column += len(kind.levels)
        return rows, outside

    def rows_of(self, query: UnitsQuery) -> tuple[Rows, Flags]:
        """Turn the covariates of a question into the columns of the model.

        Args:
            query: Units and covariates.

        Returns:
            As `encode`.

        Raises:
            InvalidField: If a covariate of the model is not sent, or misses a value where the
                model learned from none that did.
        """
        numbers = {column.name: column for column in query.numeric}
        kinds = {column.name: column.values for column in query.categorical}
        _check_sent("numeric", self.numeric, numbers)
        _check_sent("categorical", self.categorical, kinds)
        found = {}
        for source in self.numeric:
            column = numbers[source.name]
            if column.missing_rows.size and not source.may_miss:
                at = [one.name for one in query.numeric].index(source.name)
                requirement = f"must be empty: the model learned from no unknown {source.name!r}"
                raise InvalidField(f"numeric[{at}].missing_rows", requirement)
            found[source.name] = column.values
            if column.missing_rows.size:
                found[source.name] = column.values.copy()
                found[source.name][column.missing_rows] = math.nan
        return self.encode(found, kinds)


def _check_sent(
    field_name: str,
    sources: Sequence[NumericSource | CategoricalSource],
    sent: Mapping[str, object],
) -> None:
    for source in sources:
        if source.name not in sent:
            requirement = f"must hold covariate {source.name!r}: the model reads it"
            raise InvalidField(field_name, requirement)
