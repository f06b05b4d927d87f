"""Simple forecasts a model must beat, from the same history up to the same origin."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from serving.domain.history import STATE, TAIL, WEEK, demand_states

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from serving.domain.history import History

    Floats = NDArray[np.float64]
    State = NDArray[np.float32]


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


def sales_states(history: History) -> State:
    """Return states of sales as they were, stock-out days not completed, shape (n, STATE_WIDTH).

    Args:
        history: Days up to the origin and no further.
    """
    as_sold = replace(history, available=np.ones_like(history.available))
    ((_, state, _),) = demand_states(as_sold, [history.days - 1])
    return state
