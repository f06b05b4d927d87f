"""Training rows of the demand model: past origins of sampled series, days and covers ahead."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from serving.domain.features import (
    COLUMN,
    FEATURES,
    YEARLY,
    SeriesRecords,
    cover_rows,
    daily_rows,
)
from serving.domain.history import STATE
from training.boosters import FitRows
from training.features.records import records_at

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from training.panel import Panel

# Share of training rows that are shown no plan, so that the model also knows how to do without.
NO_PLAN_SHARE = 0.3
# A cover's sum is a demand, not a sale, where at most this share of it was completed.
MAX_COMPLETED_SHARE = 0.02
# Days drawn of a series at an origin. They resemble each other, so few are taken of many series;
# where series are few, more of each.
LEAST_DAYS, MOST_DAYS = 2, 7
# Covers drawn of a series where series are few; of many, fewer in the proportion of the days.
COVERS_PER_SERIES = 3
# Few origins are calibrated on: more covers of each cost little and halve the noise of a quantile.
SEEN_COVERS_PER_SERIES = 9
NEAR_DAYS = 14.0  # days ahead at which a day is drawn half as often as the next one
IN_STOCK = 1.0 - 1e-9
# History below which what changes over the year cannot be told from trend.
MIN_YEARLY_DAYS = 396
# Days around a holiday that are told apart in such a history: further ones are nearer to a date.
NEAR_HOLIDAY_DAYS = 7.0
LEAST_WEIGHT = 0.02  # of a row, over that of a row of mean scale


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of one head with their targets.

    Attributes:
        features: Shape (n, features).
        target: Units a day over the series' scale, shape (n,).
        scale: Units a day, shape (n,).
        series: Index of the series, shape (n,).
        origin: Index of the origin, shape (n,).
    """

    features: NDArray[np.float32]
    target: NDArray[np.float64]
    scale: NDArray[np.float64]
    series: NDArray[np.int64]
    origin: NDArray[np.int64]

    @staticmethod
    def join(parts: Sequence[Rows]) -> Rows:
        """Return all rows of the parts, in order."""
        return Rows(
            *(
                np.concatenate([getattr(part, name) for part in parts])
                for name in ("features", "target", "scale", "series", "origin")
            )
        )


@dataclass(frozen=True, slots=True)
class Sampling:
    """What rows are asked for.

    Attributes:
        horizon: Longest horizon and cover.
        last: Index of the last day a target may lie on.
        count: Daily rows wanted; series are drawn evenly over the origins.
        seed: Seed of the draw.
        seen: Take only covers all of whose demand was seen, in stock on every day, and more of
            them.
    """

    horizon: int
    last: int
    count: int
    seed: int
    seen: bool = False


def sample_rows(
    panel: Panel,
    completed: NDArray[np.float64],
    origins: Sequence[int],
    ask: Sampling,
) -> tuple[Rows, Rows]:
    """Sample about `count` daily rows, and the cover rows of the same series and origins.

    Args:
        panel: All series.
        completed: Demand with stock-out days completed, shape (days, series).
        origins: Indices of the last known day, ascending.
        ask: How many rows, how far ahead.

    Returns:
        The rows of the daily and of the cover head.
    """
    sold = panel.with_closed(panel.history.quantity)
    days = days_per_series(ask, len(origins), sold.shape[1])
    share = days / min(ask.horizon, MOST_DAYS)
    draw = _Draw(panel, sold, completed, np.random.default_rng(ask.seed), days, share)
    drawn = max(1, round(ask.count / days / len(origins)))
    daily_parts, cover_parts = [], []
    for origin, records in records_at(panel, origins, future="realised"):
        reach = min(ask.horizon, ask.last - origin)
        alive = np.flatnonzero(records.state[:, STATE["level"].start] > 0)
        if not alive.size or reach < 1:
            continue
        chosen = draw.rng.permutation(alive)[:drawn]
        half = (chosen.size + 1) // 2
        for sales, series in ((False, chosen[:half]), (True, chosen[half:])):
            if series.size:
                daily = draw.daily(records.take(np.sort(series)), reach, sales=sales)
                at = _At(origin, np.sort(series), sales=sales)
                daily_parts.append(draw.daily_targets(daily, at))
                cover_parts.append(draw.cover_targets(daily, at, seen=ask.seen))
    return Rows.join(daily_parts), Rows.join(cover_parts)


def days_per_series(ask: Sampling, origins: int, series: int) -> int:
    """Return how many days are drawn of each series drawn at an origin.

    Example:
        >>> ask = Sampling(horizon=14, last=60, count=100_000, seed=1)
        >>> days_per_series(ask, 50, 40_000), days_per_series(ask, 50, 500)
        (2, 4)
    """
    needed = -(-ask.count // (origins * series))
    return min(ask.horizon, max(LEAST_DAYS, min(needed, MOST_DAYS)))


@dataclass(frozen=True, slots=True)
class _At:
    """Series whose rows are drawn at an origin, for one target."""

    origin: int
    series: NDArray[np.int64]
    sales: bool


@dataclass(frozen=True, slots=True)
class _Draw:
    """Draws rows and their targets from a panel."""

    panel: Panel
    sold: NDArray[np.float64]
    completed: NDArray[np.float64]
    rng: np.random.Generator
    days: int  # drawn of each series
    share: float  # of the days, and covers, that are drawn of each where series are few

    def daily(self, records: SeriesRecords, reach: int, *, sales: bool) -> NDArray[np.float32]:
        """Return the rows of every day ahead, shape (series, reach, features)."""
        future = records.future.copy()
        future[self.rng.random(len(future)) < NO_PLAN_SHARE] = np.nan
        return daily_rows(replace(records, future=future), reach, sales_target=sales)

    def daily_targets(self, daily: NDArray[np.float32], at: _At) -> Rows:
        """Return some days of each series; of a demand only days in stock."""
        reach, days = daily.shape[1], min(daily.shape[1], self.days)
        sold = self._ahead(self.panel.history.quantity, at, reach)
        available = self._ahead(self.panel.history.available, at, reach)
        # Days are drawn without replacement, near ones more often (Efraimidis and Spirakis 2006).
        keys = self.rng.random(sold.shape) ** (1.0 / _nearness(reach))
        chosen = np.sort(np.argsort(-keys, axis=1)[:, :days], axis=1)
        one = np.arange(len(sold))[:, None]
        keep = ~np.isnan(sold[one, chosen]) & (at.sales | (available[one, chosen] >= IN_STOCK))
        scale = np.broadcast_to(_scale(daily)[:, None], chosen.shape)[keep]
        return Rows(
            features=daily[one, chosen][keep],
            target=sold[one, chosen][keep] / scale,
            scale=scale,
            series=np.broadcast_to(at.series[:, None], chosen.shape)[keep],
            origin=np.full(scale.size, at.origin),
        )

    def cover_targets(self, daily: NDArray[np.float32], at: _At, *, seen: bool) -> Rows:
        """Return some covers of each series: sums of sales, or of demand little of it completed."""
        reach = daily.shape[1]
        sums = np.cumsum(self._ahead(self.sold, at, reach), axis=1)
        demanded = np.cumsum(self._ahead(self.completed, at, reach), axis=1)
        available = self._ahead(self.panel.history.available, at, reach)
        in_stock = np.logical_and.accumulate(available >= IN_STOCK, axis=1)
        near = _nearness(reach)
        parts = []
        most = SEEN_COVERS_PER_SERIES if seen else COVERS_PER_SERIES
        for _ in range(max(1, round(most * self.share))):
            covers = self.rng.choice(reach, len(sums), p=near / near.sum()) + 1
            last = (np.arange(len(sums)), covers - 1)
            total = (sums if at.sales else demanded)[last]
            keep = ~np.isnan(total) & (total - sums[last] <= MAX_COMPLETED_SHARE * total)
            if seen and not at.sales:
                keep &= in_stock[last]
            features = cover_rows(daily, covers)
            keep &= features[:, COLUMN["horizon"]] > 0  # some day of it is open
            scale, features = _scale(daily)[keep], features[keep]
            parts.append(
                Rows(
                    features=features,
                    target=total[keep] / features[:, COLUMN["horizon"]] / scale,
                    scale=scale,
                    series=at.series[keep],
                    origin=np.full(scale.size, at.origin),
                )
            )
        return Rows.join(parts)

    @staticmethod
    def _ahead(values: NDArray[np.float64], at: _At, reach: int) -> NDArray[np.float64]:
        """Return the values of the days after the origin, shape (series, reach)."""
        return values[at.origin + 1 : at.origin + 1 + reach][:, at.series].T


def _nearness(reach: int) -> NDArray[np.float64]:
    """Return how often each day ahead is drawn, relative to the next day, shape (reach,)."""
    return 1.0 / (1.0 + np.arange(reach) / NEAR_DAYS)


def _scale(daily: NDArray[np.float32]) -> NDArray[np.float64]:
    # That of a day planned closed is 0.
    scale: NDArray[np.float64] = daily[:, :, COLUMN["scale"]].max(axis=1).astype(np.float64)
    return scale


def hidden_columns(days: int, yearly: Sequence[str]) -> NDArray[np.bool_]:
    """Return which columns to hide from training: the yearly ones below MIN_YEARLY_DAYS."""
    short = days < MIN_YEARLY_DAYS
    return np.array([short and name in yearly for name in FEATURES])


def fit_rows(rows: Rows, days: int, *, near_holidays_only: bool = False) -> FitRows:
    """Return what boosters are fitted to, without what a short history cannot teach.

    Args:
        rows: Rows of a head.
        days: Days of history.
        near_holidays_only: In a short history, take holidays further than a week away for all as
            far. Every longer distance is that of one or two weeks there, and learned it is those
            weeks' shock. Splits then lie within a week, so rows to be forecast need no change.
    """
    features = rows.features.copy()
    features[:, hidden_columns(days, YEARLY)] = 0.0
    if near_holidays_only and days < MIN_YEARLY_DAYS:
        for name in ("days_to_holiday", "days_since_holiday"):
            features[:, COLUMN[name]] = np.minimum(features[:, COLUMN[name]], NEAR_HOLIDAY_DAYS)
    return FitRows(features, rows.target, np.maximum(rows.scale / rows.scale.mean(), LEAST_WEIGHT))
