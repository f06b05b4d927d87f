"""What will sell, for many series at once: kept packed, read row by row or as a frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from parlevel.client import frames
from parlevel.client.values.demand import RowStatus, days_after, quantile_column

if TYPE_CHECKING:
    import datetime as dt
    from array import array
    from collections.abc import Iterator

    import pandas as pd
    import polars as pl

    from parlevel.client.values.demand import (
        DemandFrequency,
        DemandPattern,
        DemandTarget,
        DemandTier,
        ForecastRoute,
    )
    from parlevel.client.values.provenance import Provenance


@dataclass(frozen=True, slots=True, kw_only=True)
class ForecastFigures:
    """The distribution of each day's demand of one row of a batch."""

    origin_date: dt.date
    """Last day whose sales are known to the forecast."""
    route: ForecastRoute
    """Which evidence the forecast rests on."""
    tier: DemandTier
    """Who answered; of several together the one with the greatest weight."""
    pattern: DemandPattern
    """Demand pattern of the series."""
    route_reason: str
    """Why that one answered; empty where the release has no other tier."""
    mean: tuple[float, ...]
    """Expected units per day, from the day after the origin; length H days."""
    quantiles: tuple[tuple[float, ...], ...]
    """Units per day, H rows of one value a level."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForecastRow:
    """One asked row of a batch."""

    sku: str
    """Stock-keeping unit, as asked."""
    location: str
    """Location, as asked."""
    status: RowStatus
    """Outcome."""
    figures: ForecastFigures | None
    """The forecast; None unless the status is OK."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForecastBatch:
    """Forecasts of many series, kept packed; iterating yields a ``ForecastRow`` per asked row.

    R rows were asked, V of them have the status OK, H days, Q levels.
    """

    provenances: tuple[Provenance, ...]
    """Where the answers came from; one for each call the batch was split into."""
    skus: tuple[str, ...]
    """Stock-keeping units as asked; length R."""
    locations: tuple[str, ...]
    """Locations as asked; length R."""
    statuses: tuple[RowStatus, ...]
    """Outcome of each asked row; length R."""
    horizon_days: int
    """Days ahead: H."""
    target: DemandTarget
    """What was forecast."""
    quantile_levels: tuple[float, ...]
    """Probability levels, ascending; length Q."""
    origin_dates: tuple[dt.date, ...]
    """Origin of each row with values; length V."""
    routes: tuple[ForecastRoute, ...]
    """Which evidence each row with values rests on; length V."""
    tiers: tuple[DemandTier, ...]
    """Who answered, for each row with values; length V."""
    patterns: tuple[DemandPattern, ...]
    """Demand pattern of each row with values; length V."""
    frequency: DemandFrequency
    """Length of the periods that days stand for."""
    route_reasons: tuple[str, ...]
    """Why those answered, for each row with values; length V."""
    mean: array[float]
    """Expected units per day, row-major V x H; not to be changed."""
    quantiles: array[float]
    """Units per day, row-major V x H x Q; not to be changed."""
    model_mean: array[float]
    """Expected units per day before overrides, row-major V x H; empty where none holds."""

    def __len__(self) -> int:
        """Count the asked rows."""
        return len(self.skus)

    def __iter__(self) -> Iterator[ForecastRow]:
        """Yield the asked rows in order."""
        valued = 0
        for sku, location, status in zip(self.skus, self.locations, self.statuses, strict=True):
            figures = None
            if status is RowStatus.OK:
                figures = self._figures(valued)
                valued += 1
            yield ForecastRow(sku=sku, location=location, status=status, figures=figures)

    @property
    def failures(self) -> tuple[tuple[str, str, RowStatus], ...]:
        """The (sku, location, status) of every row without figures, in order."""
        asked = zip(self.skus, self.locations, self.statuses, strict=True)
        return tuple(row for row in asked if row[2] is not RowStatus.OK)

    def to_pandas(self) -> pd.DataFrame:
        """Lay out the rows with values as a long pandas frame, one line a series and day.

        Returns:
            Columns sku, location, date, mean and one a quantile (``q0.5``); V x H lines.

        Raises:
            MissingLibrary: pandas is not installed.
        """
        return frames.to_pandas(self._columns())

    def to_polars(self) -> pl.DataFrame:
        """Lay out the rows with values as a long polars frame, one line a series and day.

        Returns:
            Columns sku, location, date, mean and one a quantile (``q0.5``); V x H lines.

        Raises:
            MissingLibrary: polars is not installed.
        """
        return frames.to_polars(self._columns())

    def _figures(self, valued: int) -> ForecastFigures:
        """Unpack the figures of one row with values."""
        days, levels = self.horizon_days, len(self.quantile_levels)
        first = valued * days
        return ForecastFigures(
            origin_date=self.origin_dates[valued],
            route=self.routes[valued],
            tier=self.tiers[valued],
            pattern=self.patterns[valued],
            route_reason=self.route_reasons[valued],
            mean=tuple(self.mean[first : first + days]),
            quantiles=tuple(
                tuple(self.quantiles[day * levels : (day + 1) * levels])
                for day in range(first, first + days)
            ),
        )

    def _columns(self) -> frames.Columns:
        """Lay out one line a series with values and day."""
        days, levels = self.horizon_days, len(self.quantile_levels)
        calendar = {
            origin: days_after(origin, days, self.frequency) for origin in set(self.origin_dates)
        }
        series = [
            (sku, location)
            for sku, location, status in zip(self.skus, self.locations, self.statuses, strict=True)
            if status is RowStatus.OK
        ]
        quantiles = {
            quantile_column(level): self.quantiles[column::levels]
            for column, level in enumerate(self.quantile_levels)
        }
        return {
            "sku": [sku for sku, _ in series for _ in range(days)],
            "location": [location for _, location in series for _ in range(days)],
            "date": [day for origin in self.origin_dates for day in calendar[origin]],
            "mean": self.mean,
            **quantiles,
        }
