"""How far a day of sales usually gets from the median of its forecast."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


def spread_above(median: Floats, high: Floats, usual_sale: Floats) -> Floats:
    """Return how far above the median of its forecast a day of sales usually gets.

    A count varies by about its root, so that an end that sits on the median is not taken at its
    word. Where most days sell nothing, a usual sale is no surprise on the day it comes.

    Args:
        median: Median of the day's forecast, units, shape (n,).
        high: Its 98 % quantile, units, shape (n,).
        usual_sale: Mean of earlier days that sold something, units, NaN where none, shape (n,).

    Returns:
        Units, 1 or more, shape (n,).

    Example:
        >>> none = np.array([0.0])
        >>> spread_above(none, none, np.array([8.0])).tolist()
        [8.0]
    """
    return np.asarray(np.fmax(np.maximum(high - median, _root(median)), usual_sale - median))


def spread_below(low: Floats, median: Floats) -> Floats:
    """Return how far below the median of its forecast a day of sales usually gets.

    Args:
        low: 2 % quantile of the day's forecast, units, shape (n,).
        median: Its median, units, shape (n,).

    Returns:
        Units, 1 or more, shape (n,).

    Example:
        >>> spread_below(np.array([2.0]), np.array([10.0])).tolist()
        [8.0]
    """
    return np.asarray(np.maximum(median - low, _root(median)))


def _root(median: Floats) -> Floats:
    return np.asarray(np.sqrt(np.maximum(median, 0.0) + 1.0))
