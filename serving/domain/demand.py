"""The demand question and its answer, valid by construction."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from serving.domain.history import MAX_HORIZON, History
from serving.domain.periods import Frequency
from serving.domain.series import LocationAttributes, PlanDay, ProductAttributes, check_key
from serving.errors import InvalidField, TooLarge

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from serving.domain.routes import Answered
    from serving.domain.series import Provenance, RowStatus

    Floats = NDArray[np.float64]

QUANTILE_LEVELS = (0.02, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98)
MAX_LEVELS = 99
MAX_ROWS = 10_000
MAX_VALUES = 1_000_000
MAX_HISTORY_DAYS = 1_500


class DemandTarget(enum.IntEnum):
    """What a forecast is of; numbers as in the contract."""

    DEMAND = 1
    SALES = 2


class ForecastRoute(enum.IntEnum):
    """Which evidence a forecast rests on; numbers as in the contract."""

    GLOBAL_MODEL = 1
    REQUEST_HISTORY = 2
    COLD_START = 3


class PlanSource(enum.IntEnum):
    """Where a day's plan came from; numbers as in the contract."""

    REQUEST = 1
    STORED = 2
    LAST_REGIME = 3


def check_levels(levels: Sequence[float]) -> tuple[float, ...]:
    """Return the levels asked for, or the trained ones where none was.

    Args:
        levels: Probability levels; empty asks for the trained ones.

    Returns:
        The levels, ascending.

    Raises:
        InvalidField: If a level is no probability or the levels do not ascend.
    """
    if not levels:
        return QUANTILE_LEVELS
    if len(levels) > MAX_LEVELS:
        raise InvalidField("quantile_levels", f"must be at most {MAX_LEVELS}")
    for index, level in enumerate(levels):
        if not 0 < level < 1:
            raise InvalidField(f"quantile_levels[{index}]", "must be above 0 and below 1")
        if index and level <= levels[index - 1]:
            raise InvalidField(f"quantile_levels[{index}]", "must be above the one before it")
    return tuple(levels)


def check_horizon(horizon: int) -> None:
    """Refuse a horizon no model may be asked for.

    Args:
        horizon: Days ahead.

    Raises:
        InvalidField: If the horizon is not from 1 to 90.
    """
    if not 1 <= horizon <= MAX_HORIZON:
        raise InvalidField("horizon_days", f"must be from 1 to {MAX_HORIZON}")


@dataclass(frozen=True, slots=True)
class ForecastQuery:
    """Asks for the forecast of one series.

    Attributes:
        sku: Stock-keeping unit.
        location: Location that sells it.
        horizon: Days ahead.
        levels: Probability levels, ascending; the trained ones where empty.
        target: Demand in stock, or sales.
        plan: Decisions for days to come, each day once.
        history: Days of this one series that replace the stored features, or None.
        product: Attributes of a product in no table.
        location_attributes: Attributes of a location in no table.
    """

    sku: str
    location: str
    horizon: int
    levels: tuple[float, ...] = ()
    target: DemandTarget = DemandTarget.DEMAND
    plan: tuple[PlanDay, ...] = ()
    history: History | None = None
    product: ProductAttributes | None = None
    location_attributes: LocationAttributes | None = None

    def __post_init__(self) -> None:
        """Refuse what no model could answer."""
        check_key("sku", self.sku)
        check_key("location", self.location)
        check_horizon(self.horizon)
        if self.levels is not QUANTILE_LEVELS:
            object.__setattr__(self, "levels", check_levels(self.levels))
        if self.plan:
            check_plan(self.plan)
        if self.history is not None and not 1 <= self.history.days <= MAX_HISTORY_DAYS:
            raise InvalidField("history", f"must have 1 to {MAX_HISTORY_DAYS:,} days")


def check_plan(plan: Sequence[PlanDay]) -> None:
    """Refuse a plan that names a day twice.

    Args:
        plan: Decisions for days to come.

    Raises:
        InvalidField: At the second entry of a day.
    """
    seen: set[dt.date] = set()
    for index, day in enumerate(plan):
        if day.date in seen:
            raise InvalidField(f"plan[{index}].date", f"must stand once, {day.date} stands twice")
        seen.add(day.date)


@dataclass(frozen=True, slots=True)
class Forecast:
    """The distribution of each day's demand of one series.

    Attributes:
        query: What was asked.
        origin: Last known day.
        route: Which evidence it rests on.
        mean: Expected units a day, shape (horizon,).
        quantiles: Units a day, shape (horizon, levels), never negative, never crossing.
        plan_sources: Where each day's plan came from, shape (horizon,).
        provenance: Where the answer came from.
        answered: Who answered, and why.
        frequency: Length of the periods that days stand for.
        model_mean: What the model expected where overrides hold, shape (horizon,); None where none
            does.
    """

    query: ForecastQuery
    origin: dt.date
    route: ForecastRoute
    mean: Floats
    quantiles: Floats
    plan_sources: tuple[PlanSource, ...]
    provenance: Provenance
    answered: Answered
    frequency: Frequency = Frequency.DAY
    model_mean: Floats | None = None


@dataclass(frozen=True, slots=True)
class BatchForecastQuery:
    """Asks for the forecasts of many series.

    Attributes:
        skus: Stock-keeping units, one a row.
        locations: Locations, one a row; a pair may stand once.
        horizon: Days ahead for every row.
        levels: Probability levels, ascending; the trained ones where empty.
        target: Demand in stock, or sales.
    """

    skus: tuple[str, ...]
    locations: tuple[str, ...]
    horizon: int
    levels: tuple[float, ...] = ()
    target: DemandTarget = DemandTarget.DEMAND

    def __post_init__(self) -> None:
        """Refuse malformed, duplicate and too many rows."""
        check_horizon(self.horizon)
        object.__setattr__(self, "levels", check_levels(self.levels))
        check_rows(self.skus, self.locations)
        values = len(self.skus) * self.horizon * (len(self.levels) + 1)
        if values > MAX_VALUES:
            raise TooLarge("values asked for (rows x horizon x (levels + 1))", limit=MAX_VALUES)


def check_rows(skus: Sequence[str], locations: Sequence[str]) -> None:
    """Refuse rows that are malformed, duplicate or too many.

    Args:
        skus: Stock-keeping units, one a row.
        locations: Locations, one a row.

    Raises:
        InvalidField: If a row breaks a rule; the index says which.
        TooLarge: If there are more rows than one call takes.
    """
    if not skus:
        raise InvalidField("skus", "is required: one row at the least")
    if len(skus) > MAX_ROWS:
        raise TooLarge("rows", limit=MAX_ROWS)
    if len(skus) != len(locations):
        raise InvalidField("locations", f"must have as many rows as skus ({len(skus)})")
    seen: dict[tuple[str, str], int] = {}
    for index, key in enumerate(zip(skus, locations, strict=True)):
        check_key(f"skus[{index}]", key[0])
        check_key(f"locations[{index}]", key[1])
        if seen.setdefault(key, index) != index:
            raise InvalidField(f"skus[{index}]", f"must stand once, row {seen[key]} is the same")


@dataclass(frozen=True, slots=True)
class ForecastBatch:
    """The forecasts of many series; arrays hold the rows whose status is OK, in order.

    Attributes:
        query: What was asked.
        statuses: Outcome of each asked row.
        origins: Last known day of each valued row.
        routes: Which evidence each valued row rests on.
        mean: Expected units a day, shape (rows, horizon).
        quantiles: Units a day, shape (rows, horizon, levels).
        provenance: Where the answers came from.
        answered: Who answered each valued row, and why.
        frequency: Length of the periods that days stand for.
        model_mean: What the model expected, shape (rows, horizon); None where no override holds.
    """

    query: BatchForecastQuery
    statuses: tuple[RowStatus, ...]
    origins: tuple[dt.date, ...]
    routes: tuple[ForecastRoute, ...]
    mean: Floats
    quantiles: Floats
    provenance: Provenance
    answered: tuple[Answered, ...]
    frequency: Frequency = Frequency.DAY
    model_mean: Floats | None = None


def interpolate_levels(trained: Sequence[float], values: Floats, levels: Sequence[float]) -> Floats:
    """Read quantiles at other levels off the trained ones, linearly in the level.

    Args:
        trained: Trained levels, ascending.
        values: Quantiles at the trained levels, shape (..., len(trained)).
        levels: Levels wanted, each within the trained ones.

    Returns:
        Quantiles of shape (..., len(levels)); at a trained level its own bits.

    Raises:
        ValueError: If a level lies outside the trained ones.

    Example:
        >>> interpolate_levels((0.25, 0.75), np.array([[2.0, 4.0]]), (0.25, 0.5))
        array([[2., 3.]])
    """
    if tuple(levels) == tuple(trained):
        return values
    columns = []
    for level in levels:
        right = int(np.searchsorted(trained, level))
        if right == len(trained) or (right == 0 and level < trained[0]):
            raise ValueError(level)
        if trained[right] == level:
            columns.append(values[..., right])
            continue
        left = right - 1
        share = (level - trained[left]) / (trained[right] - trained[left])
        columns.append(values[..., left] + share * (values[..., right] - values[..., left]))
    return np.stack(columns, axis=-1)


@dataclass(frozen=True, slots=True)
class CoverQuery:
    """Asks for the sum of one series' demand in stock over the days after the origin.

    Attributes:
        sku: Stock-keeping unit.
        location: Location that sells it.
        cover_days: Days the sum runs over.
        plan: Decisions for days of the cover, each day once.
        others: Further days whose sums are wanted beside.
    """

    sku: str
    location: str
    cover_days: int
    plan: tuple[PlanDay, ...] = ()
    others: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        """Refuse malformed keys and a plan that names a day twice."""
        check_key("sku", self.sku)
        check_key("location", self.location)
        check_plan(self.plan)


@dataclass(frozen=True, slots=True)
class CoverBatch:
    """The distribution of the sum of demand over each series' cover.

    Attributes:
        statuses: Outcome of each asked row; the arrays hold the rows whose status is OK, in order.
        origins: Last known day of each valued row.
        routes: Which evidence each valued row rests on.
        levels: Trained probability levels, ascending.
        quantiles: Units over the cover, shape (rows, levels).
        mean: Expected units over the cover, shape (rows,).
        daily_mean: Expected units a day over the cover, shape (rows,).
        daily_std: Standard deviation of a day's forecast error in units, shape (rows,).
        provenance: Where the answers came from.
        others: Units over the other covers asked for, shape (rows, others, levels).
        other_means: Expected units over them, shape (rows, others).
    """

    statuses: tuple[RowStatus, ...]
    origins: tuple[dt.date, ...]
    routes: tuple[ForecastRoute, ...]
    levels: tuple[float, ...]
    quantiles: Floats
    mean: Floats
    daily_mean: Floats
    daily_std: Floats
    provenance: Provenance
    others: Floats = field(default_factory=lambda: np.empty((0, 0, 0)))
    other_means: Floats = field(default_factory=lambda: np.empty((0, 0)))


@dataclass(frozen=True, slots=True)
class Cover:
    """The distribution of the sum of one series' demand over its cover.

    Attributes:
        origin: Last known day.
        route: Which evidence it rests on.
        levels: Trained probability levels, ascending.
        quantiles: Units over the cover, shape (levels,).
        mean: Expected units over the cover.
        daily_mean: Expected units a day over the cover.
        daily_std: Standard deviation of a day's forecast error in units.
        provenance: Where the answer came from.
        others: Units over the other covers asked for, shape (others, levels).
        other_means: Expected units over them, shape (others,).
    """

    origin: dt.date
    route: ForecastRoute
    levels: tuple[float, ...]
    quantiles: Floats
    mean: float
    daily_mean: float
    daily_std: float
    provenance: Provenance
    others: Floats = field(default_factory=lambda: np.empty((0, 0)))
    other_means: Floats = field(default_factory=lambda: np.empty(0))


def distribution_std(levels: Sequence[float], quantiles: Floats, mean: Floats) -> Floats:
    """Return the standard deviation of distributions given by quantiles, shape (n,).

    The quantile function is taken as linear between levels and flat beyond the outer ones, so the
    result leans low for heavy tails.

    Args:
        levels: Probability levels, ascending.
        quantiles: Quantiles of n distributions, shape (n, levels).
        mean: Means of the distributions, shape (n,).

    Returns:
        Standard deviations, shape (n,), 0 or more.

    Example:
        >>> distribution_std((0.25, 0.75), np.array([[1.0, 3.0]]), np.array([2.0])).round(4)
        array([0.8165])
    """
    gaps = quantiles - mean[:, None]
    variance = levels[0] * gaps[:, 0] ** 2 + (1.0 - levels[-1]) * gaps[:, -1] ** 2
    for right in range(1, len(levels)):
        a, b = gaps[:, right - 1], gaps[:, right]
        variance = variance + (levels[right] - levels[right - 1]) * (a * a + a * b + b * b) / 3.0
    return np.sqrt(variance)
