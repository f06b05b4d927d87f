"""What will sell: the values of the forecast questions."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from parlevel.client import frames

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

    from parlevel.client.values.provenance import Provenance


class DemandTarget(StrEnum):
    """What a forecast is of."""

    DEMAND = "demand"
    """What customers would buy with the product in stock all day."""
    SALES = "sales"
    """What will be sold, stock-outs included."""


class ForecastRoute(StrEnum):
    """Which evidence a forecast rests on."""

    GLOBAL_MODEL = "global_model"
    """The global model on the series' own stored history."""
    REQUEST_HISTORY = "request_history"
    """The global model on the history sent with the request."""
    COLD_START = "cold_start"
    """The global model on the mean series of the product's category."""
    OTHER = "other"
    """A route younger than this client."""


class DemandTier(StrEnum):
    """Who answers for a series."""

    GLOBAL_MODEL = "global_model"
    """The global model."""
    MULTIPLICATIVE = "multiplicative"
    """Level x weekday x season."""
    SPARSE = "sparse"
    """A smoothed rate for sparse demand."""
    SIMILAR = "similar"
    """What similar products sell."""
    SEASONAL_NAIVE = "seasonal_naive"
    """The last week repeated."""
    OTHER = "other"
    """A tier younger than this client."""


class DemandFrequency(StrEnum):
    """Length of the periods that days stand for."""

    DAY = "day"
    """Days."""
    WEEK = "week"
    """Weeks, Monday to Sunday."""
    MONTH = "month"
    """Months."""
    OTHER = "other"
    """A length younger than this client; dates are then unknown."""


class DemandPattern(StrEnum):
    """Demand pattern of a series."""

    NEVER_SOLD = "never_sold"
    """No demand has been seen."""
    SMOOTH = "smooth"
    """Frequent and even."""
    ERRATIC = "erratic"
    """Frequent and uneven."""
    INTERMITTENT = "intermittent"
    """Rare and even."""
    LUMPY = "lumpy"
    """Rare and uneven."""
    OTHER = "other"
    """A pattern younger than this client."""


class PlanSource(StrEnum):
    """Where a day's price, discount and promotion came from."""

    REQUEST = "request"
    """The request."""
    STORED = "stored"
    """The stored plan and campaigns."""
    LAST_REGIME = "last_regime"
    """Nothing is planned for the day: the last known regime goes on."""
    OTHER = "other"
    """A source younger than this client."""


class RowStatus(StrEnum):
    """Outcome of one row of a batch."""

    OK = "ok"
    """The row has figures."""
    UNKNOWN_SERIES = "unknown_series"
    """The sku or location is in no table."""
    STALE_FEATURES = "stale_features"
    """The row's stored features are older than their view allows."""
    MISSING_INPUT = "missing_input"
    """An input of the row is neither in the request nor in a table."""
    OTHER = "other"
    """An outcome younger than this client."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanDay:
    """What is decided for one day to come; None leaves a field to the stored plan."""

    date: dt.date
    """The day, after the origin and within the horizon."""
    price: float | None = None
    """Selling price in the product's currency, above 0."""
    discount: float | None = None
    """Share off the price, 0 to 1."""
    promoted: bool | None = None
    """A promotion runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemandObservation:
    """What was seen on one past day."""

    date: dt.date
    """The day."""
    quantity: float | None
    """Units sold, 0 or more; None where the day was not recorded."""
    available_fraction: float | None = None
    """Share of opening hours in stock, 0 to 1; None is 1."""
    price: float | None = None
    """Selling price in the product's currency, above 0; None is unknown."""
    discount: float | None = None
    """Share off the price, 0 to 1; None is 0."""
    promoted: bool | None = None
    """A promotion ran; None is no."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductAttributes:
    """What is known of a product that is in no table."""

    category: str
    """Category whose history stands in, 1 to 200 characters."""
    price: float | None = None
    """Regular selling price in the product's currency, above 0; None is unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocationAttributes:
    """What is known of a location that is in no table."""

    region: str | None = None
    """Region whose history stands in; None is all regions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """The distribution of each day's demand of one series."""

    provenance: Provenance
    """Where the answer came from."""
    sku: str
    """Stock-keeping unit."""
    location: str
    """Location that sells it."""
    origin_date: dt.date
    """Last day whose sales are known to the forecast."""
    target: DemandTarget
    """What was forecast."""
    route: ForecastRoute
    """Which evidence the forecast rests on."""
    mean: tuple[float, ...]
    """Expected units per day, from the day after the origin; length H days."""
    quantile_levels: tuple[float, ...]
    """Probability levels, ascending; length Q."""
    quantiles: tuple[tuple[float, ...], ...]
    """Units per day, H rows of Q, never negative, never crossing."""
    plan_sources: tuple[PlanSource, ...]
    """Where each day's plan came from; length H."""
    tier: DemandTier
    """Who answered; of several together the one with the greatest weight."""
    pattern: DemandPattern
    """Demand pattern of the series."""
    route_reason: str
    """Why that one answered; empty where the release has no other tier."""
    frequency: DemandFrequency
    """Length of the periods that days stand for."""
    model_mean: tuple[float, ...]
    """Expected units per day before overrides of planners; empty where none holds."""

    @property
    def dates(self) -> tuple[dt.date, ...]:
        """The forecast days, or the first days of the periods, one for each mean."""
        return days_after(self.origin_date, len(self.mean), self.frequency)

    def quantile(self, level: float) -> tuple[float, ...]:
        """Return one quantile of every day.

        Args:
            level: One of ``quantile_levels``.

        Returns:
            Units per day; length H.

        Raises:
            ValueError: The level was not forecast.
        """
        column = self.quantile_levels.index(level)
        return tuple(row[column] for row in self.quantiles)

    def to_pandas(self) -> pd.DataFrame:
        """Lay out sku, location, date, mean and one column a quantile as a pandas frame.

        Returns:
            One line a day.

        Raises:
            MissingLibrary: pandas is not installed.
        """
        return frames.to_pandas(self._columns())

    def to_polars(self) -> pl.DataFrame:
        """Lay out sku, location, date, mean and one column a quantile as a polars frame.

        Returns:
            One line a day.

        Raises:
            MissingLibrary: polars is not installed.
        """
        return frames.to_polars(self._columns())

    def _columns(self) -> frames.Columns:
        """Lay out one row a day."""
        quantiles = {quantile_column(level): self.quantile(level) for level in self.quantile_levels}
        return {
            "sku": [self.sku] * len(self.mean),
            "location": [self.location] * len(self.mean),
            "date": self.dates,
            "mean": self.mean,
            **quantiles,
        }


def days_after(
    origin: dt.date, count: int, frequency: DemandFrequency = DemandFrequency.DAY
) -> tuple[dt.date, ...]:
    """List the days after an origin, or the first days of the periods after it.

    Args:
        origin: The last day of the period before the first.
        count: How many, 0 or more.
        frequency: Length of the periods.

    Returns:
        Consecutive first days; length count.

    >>> [str(day) for day in days_after(dt.date(2024, 11, 30), 2, DemandFrequency.MONTH)]
    ['2024-12-01', '2025-01-01']
    """
    first = origin + dt.timedelta(days=1)
    if frequency is DemandFrequency.MONTH:
        months = [first.year * 12 + first.month - 1 + ahead for ahead in range(count)]
        return tuple(dt.date(month // 12, month % 12 + 1, 1) for month in months)
    step = dt.timedelta(days=7 if frequency is DemandFrequency.WEEK else 1)
    return tuple(first + ahead * step for ahead in range(count))


def quantile_column(level: float) -> str:
    """Name the column of a quantile.

    >>> quantile_column(0.5), quantile_column(0.975)
    ('q0.5', 'q0.975')
    """
    return f"q{level!r}"
