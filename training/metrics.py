"""Forecast metrics, as product documents name them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


def wmape(actual: Floats, forecast: Floats) -> float:
    """Return sum |y - f| / sum y, NaN where sum y = 0.

    Example:
        >>> round(wmape(np.array([0, 10, 20, 5, 0, 15.0]), np.array([1, 8, 25, 5, 2, 12.0])), 2)
        0.26
    """
    total = float(actual.sum())
    return float(np.abs(actual - forecast).sum()) / total if total else float("nan")


def bias(actual: Floats, forecast: Floats) -> float:
    """Return (sum f - sum y) / sum y: positive means over-forecast; NaN where sum y = 0.

    Example:
        >>> round(bias(np.array([0, 10, 20, 5, 0, 15.0]), np.array([1, 8, 25, 5, 2, 12.0])), 2)
        0.06
    """
    total = float(actual.sum())
    return (float(forecast.sum()) - total) / total if total else float("nan")


def coverage(actual: Floats, low: Floats, high: Floats) -> float:
    """Return the share of actuals within [low, high], NaN where there is none."""
    return float(((actual >= low) & (actual <= high)).mean()) if actual.size else float("nan")


def pinball(actual: Floats, quantiles: Floats, levels: Sequence[float]) -> Floats:
    """Return the mean pinball loss at each level, shape (levels,).

    Args:
        actual: Units, shape (n,).
        quantiles: Units, shape (n, levels).
        levels: Probability levels.
    """
    gap = actual[:, None] - quantiles
    tau = np.asarray(levels)
    loss: Floats = np.maximum(tau * gap, (tau - 1.0) * gap).mean(axis=0)
    return loss


def point_metrics(actual: Floats, median: Floats, mean: Floats) -> dict[str, float]:
    """Return WMAPE, MAE, RMSE and RMSPE of the median and the bias of the mean.

    RMSPE is the root of the mean squared error as a share of what was sold, on days it was any.
    """
    gap = actual - median
    sold = actual > 0
    return {
        "wmape": wmape(actual, median),
        "bias": bias(actual, mean),
        "mae": float(np.abs(gap).mean()),
        "rmse": float(np.sqrt((gap**2).mean())),
        "rmspe": float(np.sqrt(((gap[sold] / actual[sold]) ** 2).mean())) if sold.any() else np.nan,
    }


def rmsse(actual: Floats, forecast: Floats, history: Floats) -> Floats:
    """Return each series' root mean squared error over that of the one-day naive forecast.

    Args:
        actual: Units, shape (days, series).
        forecast: Units, shape (days, series).
        history: Past units, shape (past days, series), NaN where not recorded.

    Returns:
        Shape (series,), NaN where the history never changes.
    """
    naive = np.nanmean(np.diff(history, axis=0) ** 2, axis=0)
    scaled = ((actual - forecast) ** 2).mean(axis=0) / np.where(naive > 0, naive, np.nan)
    root: Floats = np.sqrt(scaled)
    return root
