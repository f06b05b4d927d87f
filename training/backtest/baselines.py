"""Simple forecasts a model must beat, from the same history up to the same origin."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from serving.domain.history import STATE, TAIL, WEEK, demand_states

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from serving.domain.history import History
    from training.panel import Panel

    Floats = NDArray[np.float64]
    State = NDArray[np.float32]

POOLED_WINDOWS = 8  # past windows whose errors are pooled


def baselines(state: State, horizon: int) -> dict[str, Floats]:
    """Forecast each series in three simple ways.

    Args:
        state: States at the origin, shape (n, STATE_WIDTH): of demand, or of sales by
            `sales_states`.
        horizon: Days ahead.

    Returns:
        Units a day by name, each of shape (n, horizon): ``seasonal_naive`` (the last same
        weekday), ``mean_28`` (the mean of four weeks) and ``weighted_level_weekday`` (the
        exponentially weighted level times the weekday's factor).
    """
    recent = state[:, STATE["tail"]].astype(np.float64)
    seen = ~np.isnan(recent)
    mean = np.where(seen, recent, 0.0).sum(axis=1) / np.maximum(seen.sum(axis=1), 1)
    naive = recent[:, TAIL - WEEK + np.arange(horizon) % WEEK]
    factor = state[:, STATE["weekday"]][:, np.arange(horizon) % WEEK].astype(np.float64)
    level = state[:, STATE["level"]].astype(np.float64)
    return {
        "seasonal_naive": np.where(np.isnan(naive), mean[:, None], naive),
        "mean_28": np.repeat(mean[:, None], horizon, axis=1),
        "weighted_level_weekday": level * factor,
    }


def expected_cover(state: State, opened: NDArray[np.bool_]) -> Floats:
    """Return the level times the weekdays' factors summed over the open days ahead, shape (n,).

    Args:
        state: States at the origin, shape (n, STATE_WIDTH).
        opened: Which days ahead are not planned closed, shape (n, days).
    """
    columns = np.arange(opened.shape[1]) % WEEK
    factor = state[:, STATE["weekday"]][:, columns].astype(np.float64) * opened
    total: Floats = state[:, STATE["level"].start].astype(np.float64) * factor.sum(axis=1)
    return total


def pooled_covers(panel: Panel, origin: int, days: int, levels: Sequence[float]) -> Floats:
    """Return what to multiply `expected_cover` by at each level, from the errors of all series.

    The quantiles of demand over forecast are taken over all series together, on windows in stock
    throughout before the end of the history, each as long as the cover.

    Args:
        panel: All series.
        origin: Index of the last known day; nothing after it is read.
        days: Days of the cover.
        levels: Probability levels.

    Returns:
        Shape (levels,); NaN where no past window was in stock.
    """
    ratios = [np.empty(0)]
    history = panel.history.between(0, origin + 1)
    sold, closed = panel.with_closed(history.quantity), panel.closed
    for past, state, _ in demand_states(history, _pooled_origins(history, days)):
        window = slice(past + 1, past + 1 + days)
        demand, expected = sold[window].sum(axis=0), expected_cover(state, ~closed[window].T)
        full = (history.available[window] >= 1.0 - 1e-9).all(axis=0)
        known = full & ~np.isnan(demand) & (expected > 0)
        ratios.append(demand[known] / expected[known])
    pooled = np.concatenate(ratios)
    return np.quantile(pooled, levels) if pooled.size else np.full(len(levels), np.nan)


def pooled_days(history: History, horizon: int, levels: Sequence[float]) -> Floats:
    """Return what to multiply the level x weekday of a day by at each level, as `pooled_covers`.

    Args:
        history: Days up to the origin and no further.
        horizon: Days ahead.
        levels: Probability levels.

    Returns:
        Shape (levels,); NaN where no past day was in stock.
    """
    ratios = [np.empty(0)]
    for origin, state, _ in demand_states(history, _pooled_origins(history, horizon)):
        window = slice(origin + 1, origin + 1 + horizon)
        demand = history.quantity[window].T
        expected = baselines(state, horizon)["weighted_level_weekday"]
        in_stock = history.available[window].T >= 1.0 - 1e-9
        known = in_stock & ~np.isnan(demand) & (expected > 0)
        ratios.append(demand[known] / expected[known])
    pooled = np.concatenate(ratios)
    return np.quantile(pooled, levels) if pooled.size else np.full(len(levels), np.nan)


def _pooled_origins(history: History, days: int) -> list[int]:
    """Return the last origins with so many days after them, ascending, windows apart."""
    last = history.days - 1 - days
    return list(range(last, WEEK - 1, -days))[:POOLED_WINDOWS][::-1]


def sales_states(history: History) -> State:
    """Return states of sales as they were, stock-out days not completed, shape (n, STATE_WIDTH).

    Args:
        history: Days up to the origin and no further.
    """
    as_sold = replace(history, available=np.ones_like(history.available))
    ((_, state, _),) = demand_states(as_sold, [history.days - 1])
    return state
