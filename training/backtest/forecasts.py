"""Forecasts of a past origin beside what came true."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from serving.domain.history import STATE
from serving.flows.evidence import CHUNK
from serving.flows.prediction import predict_cover, predict_daily

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from serving.domain.demand import DemandTarget
    from serving.domain.features import SeriesRecords
    from serving.ports import DemandModel
    from training.panel import Panel

    Floats = NDArray[np.float64]

IN_STOCK = 1.0 - 1e-9
MAX_SERIES = 50_000  # series scored; of more an even spread is


@dataclass(frozen=True, slots=True)
class Truth:
    """What came true after an origin, of the series that were known at it.

    Attributes:
        series: Index of each series in the panel, shape (n,).
        sold: Units sold a day, NaN where not recorded, shape (n, horizon).
        in_stock: Where the day was recorded and in stock throughout, shape (n, horizon).
        closed: Where nothing was sold because the location was planned closed, shape (n, horizon).
    """

    series: NDArray[np.intp]
    sold: Floats
    in_stock: NDArray[np.bool_]
    closed: NDArray[np.bool_]

    @property
    def recorded(self) -> NDArray[np.bool_]:
        """Where the day was recorded, shape (n, horizon)."""
        return ~np.isnan(self.sold)


@dataclass(frozen=True, slots=True)
class Daily:
    """Forecasts of each day.

    Attributes:
        mean: Units a day, shape (n, horizon).
        quantiles: Units a day at the trained levels, shape (n, horizon, levels), float32.
    """

    mean: Floats
    quantiles: NDArray[np.float32]


def truth_after(panel: Panel, records: SeriesRecords, origin: int, horizon: int) -> Truth:
    """Return what came true on the days after an origin; series first seen later are left out."""
    series = np.flatnonzero(records.state[:, STATE["observed_days"].start] > 0)
    if series.size > MAX_SERIES:
        series = series[np.linspace(0, series.size - 1, MAX_SERIES).astype(np.int64)]
    window = slice(origin + 1, origin + 1 + horizon)
    sold = panel.history.quantity[window][:, series].T
    available = panel.history.available[window][:, series].T
    in_stock = ~np.isnan(sold) & (available >= IN_STOCK)
    return Truth(series, sold, in_stock, panel.closed[window][:, series].T)


def forecast_daily(
    model: DemandModel, records: SeriesRecords, horizon: int, target: DemandTarget
) -> Daily:
    """Run the daily head as serving does, some series at a time."""
    count, levels = records.state.shape[0], len(model.description.quantile_levels)
    mean = np.empty((count, horizon))
    quantiles = np.empty((count, horizon, levels), dtype=np.float32)

    def work(part: NDArray[np.intp]) -> None:
        mean[part], quantiles[part] = predict_daily(model, records.take(part), horizon, target)

    _each_part(count, work)
    return Daily(mean, quantiles)


def forecast_cover(
    model: DemandModel,
    records: SeriesRecords,
    days: int | NDArray[np.int64],
    target: DemandTarget,
) -> tuple[Floats, Floats]:
    """Run the cover head as serving does, some series at a time.

    Args:
        model: The model.
        records: Records of n series.
        days: Days of the cover, the same for all or of shape (n,).
        target: Demand in stock, or sales.

    Returns:
        Mean (n,) and quantiles (n, levels) of the sums.
    """
    covers = np.broadcast_to(days, records.state.shape[0])
    count, levels = records.state.shape[0], len(model.description.cover_quantile_levels)
    mean, quantiles = np.empty(count), np.empty((count, levels))

    def work(part: NDArray[np.intp]) -> None:
        mean[part], quantiles[part] = predict_cover(model, records.take(part), covers[part], target)

    _each_part(count, work)
    return mean, quantiles


def without_plan(records: SeriesRecords) -> SeriesRecords:
    """Return the records with nothing planned."""
    return replace(records, future=np.full_like(records.future, np.nan))


def _each_part(count: int, work: Callable[[NDArray[np.intp]], None]) -> None:
    """Do the work for some series at a time, a thread a core: onnxruntime leaves Python's lock."""
    parts = [np.arange(start, min(start + CHUNK, count)) for start in range(0, count, CHUNK)]
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for _ in pool.map(work, parts):
            pass
