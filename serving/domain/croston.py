"""Croston's family: the rate of demand that comes in some periods only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


class Rate(NamedTuple):
    """What Croston's family smooths.

    Attributes:
        size: Units of a demand, shape (n,).
        interval: Periods from one demand to the next, shape (n,).
    """

    size: Floats
    interval: Floats


def croston(demand: Floats, start: Rate, alpha: float) -> Rate:
    """Smooth sizes and intervals of demand, each time demand occurs.

    Args:
        demand: Units a period, oldest first, shape (n, periods); NaN where not recorded.
        start: Size and interval to start from; a demand closed the interval before the first.
        alpha: Smoothing constant, above 0 and below 1.

    Returns:
        Size and interval after the last period; size / interval is the expected demand a period.

    Source: Croston (1972), Forecasting and stock control for intermittent demands, Operational
    Research Quarterly 23.

    Example:
        >>> y = np.array([[0, 0, 0, 4, 0, 6, 0.0]])
        >>> found = croston(y, Rate(np.array([5.0]), np.array([3.0])), 0.1)
        >>> found.size.round(4), found.interval.round(4), (found.size / found.interval).round(6)
        (array([5.01]), array([2.99]), array([1.675585]))
    """
    size, interval = start
    gap = np.ones_like(size)
    for period in demand.T:
        occurred = period > 0
        size = np.where(occurred, size + alpha * (period - size), size)
        interval = np.where(occurred, interval + alpha * (gap - interval), interval)
        gap = np.where(occurred, 1.0, gap + ~np.isnan(period))
    return Rate(size, interval)


def teunter_syntetos_babai(demand: Floats, start: Rate, alpha: float) -> Floats:
    """Smooth the probability of demand each period, and its size each time it occurs.

    Unlike Croston's, the rate of a series that stops selling sinks with every empty period.

    Args:
        demand: Units a period, oldest first, shape (n, periods); NaN where not recorded.
        start: Size and interval to start from.
        alpha: Smoothing constant of both, above 0 and below 1.

    Returns:
        The expected demand a period, shape (n,).

    Source: Teunter, Syntetos and Babai (2011), Intermittent demand: linking forecasting to
    inventory obsolescence, Eur. J. Oper. Res. 214.

    Example:
        >>> start = Rate(np.array([4.0]), np.array([2.0]))
        >>> teunter_syntetos_babai(np.array([[0.0, 0.0]]), start, 0.5)
        array([0.5])
    """
    seen, occurred = ~np.isnan(demand), demand > 0
    sizes = np.where(occurred, demand, 0.0)
    size = _smoothed(start.size, sizes, occurred, alpha)
    rate: Floats = size * _smoothed(1.0 / start.interval, occurred, seen, alpha)
    return rate


def _smoothed(
    start: Floats, values: NDArray[Any], where: NDArray[np.bool_], alpha: float
) -> Floats:
    """Smooth values exponentially in the periods where there is one, shape (n,).

    Summed at once: each value weighs alpha, and as much less as values came after it.
    """
    passed = where.cumsum(axis=1)
    count = passed[:, -1:]
    keep = (1.0 - alpha) ** np.arange(values.shape[1] + 1)
    weight = np.where(where, keep[count - passed], 0.0)
    smoothed: Floats = keep[count[:, 0]] * start + alpha * (weight * values).sum(axis=1)
    return smoothed
