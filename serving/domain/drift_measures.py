"""Measures of how far two sketches of one feature lie apart, and what a sample size can show."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri

from serving.domain.drift import PsiReading

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from serving.domain.sketch import NumberSketch

    Floats = NDArray[np.float64]
    Counts = NDArray[np.int64]

BINS = 10
FLOOR = 1e-4  # share an empty bin counts with: the logarithm of 0 is none
MODERATE, MAJOR = 0.10, 0.25
POWER = 0.8
EFFICIENCY = 0.7  # of the Kolmogorov-Smirnov test beside the t test under a normal shift


def psi(reference: Floats, current: Floats) -> float:
    """Compute the population stability index, sum (c - r) ln(c / r).

    Args:
        reference: Reference share of each bin, shape (b,).
        current: Current share of each bin, shape (b,).

    Returns:
        The index, 0 or more; a share of 0 counts as FLOOR.

    Source: Lewis (1994), An Introduction to Credit Scoring; a symmetrised relative entropy,
    Kullback and Leibler (1951).

    Example:
        >>> round(psi(np.full(4, 0.25), np.array([0.2, 0.25, 0.25, 0.3])), 6)
        0.020273
    """
    before, now = np.maximum(reference, FLOOR), np.maximum(current, FLOOR)
    return float(((now - before) * np.log(now / before)).sum())


def read_psi(index: float) -> PsiReading:
    """Return the conventional reading of a stability index.

    Args:
        index: The index.

    Returns:
        MODERATE from 0.10, MAJOR from 0.25.
    """
    if index >= MAJOR:
        return PsiReading.MAJOR
    return PsiReading.MODERATE if index >= MODERATE else PsiReading.NONE


def decile_bins(reference: Counts, current: Counts) -> tuple[Counts, Counts]:
    """Sum the cells of a grid to at most ten open-ended quantile bins of the reference.

    Args:
        reference: Reference values in each cell, shape (c,).
        current: Current values in each cell, shape (c,).

    Returns:
        Values of each in each bin, shape (b,); fewer than ten where values repeat.
    """
    total = np.cumsum(reference)
    targets = total[-1] * np.arange(1, BINS) / BINS
    ends = np.unique(np.searchsorted(total, targets, side="left")) + 1
    starts = np.append(0, ends[ends < reference.size])
    return np.add.reduceat(reference, starts), np.add.reduceat(current, starts)


def shares(counts: Counts) -> Floats:
    """Return counts as shares of their sum.

    Args:
        counts: Counts, shape (c,).

    Returns:
        Shares, all 0 where there is nothing, shape (c,).
    """
    return np.asarray(counts / max(int(counts.sum()), 1))


def wasserstein(reference: NumberSketch, current: NumberSketch) -> float:
    """Compute the first Wasserstein distance, the area between two distribution functions.

    Args:
        reference: Reference values.
        current: Current values, on the same grid.

    Returns:
        Mean distance values have moved, in the feature's unit; NaN where a side is empty. Within
        an interval of the grid values are taken as spread evenly.

    Source: Vallender (1974), Calculation of the Wasserstein distance, Theory Probab. Appl. 18.

    Example:
        >>> from serving.domain.sketch import sketch_numbers
        >>> a, grid = np.arange(5.0), np.arange(6.0)
        >>> round(wasserstein(sketch_numbers(a, grid), sketch_numbers(a + 1.0, grid)), 12)
        1.0
    """
    if not reference.size or not current.size:
        return float("nan")
    grid = reference.grid
    low, high = min(reference.low, current.low), max(reference.high, current.high)
    ends = np.concatenate([[min(low, grid[0])], grid, [max(high, grid[-1])]])
    gap = np.cumsum(shares(reference.counts)) - np.cumsum(shares(current.counts))
    left = np.append(0.0, gap[1::2])  # at the start of each interval, past the point before it
    right = np.append(gap[::2][: grid.size], 0.0)  # at its end, before the point after it
    same = left * right >= 0
    whole = np.abs(left) + np.abs(right)
    area = np.where(same, whole / 2, (left**2 + right**2) / (2 * np.maximum(whole, 1e-300)))
    return float((area * np.diff(ends)).sum())


def detectable_shift(rows: tuple[int, int], false_alarm_rate: float) -> float:
    """Return the shift of a normal feature that two samples show with probability POWER.

    Args:
        rows: Rows of the two samples.
        false_alarm_rate: Rate of false alarms, above 0 and below 1.

    Returns:
        Standard deviations; infinite where a sample is empty.

    Source: the shift a t test shows, over the root of the test's efficiency beside it, which Capon
    (1965), Ann. Math. Stat. 36, bounds by 2 / pi from below.

    Example:
        >>> round(detectable_shift((1_000, 1_000), 0.05), 2)
        0.15
    """
    if not all(rows):
        return float("inf")
    root = np.sqrt(1.0 / rows[0] + 1.0 / rows[1])
    sure = ndtri(1.0 - false_alarm_rate / 2.0) + ndtri(POWER)
    return float(sure * root / np.sqrt(EFFICIENCY))


def aligned(reference: Mapping[str, int], current: Mapping[str, int]) -> tuple[Counts, Counts]:
    """Lay the categories of two sketches side by side.

    Args:
        reference: Reference rows by category.
        current: Current rows by category.

    Returns:
        Rows of each category of either, in the order of their names, shape (c,) each.
    """
    names = sorted({*reference, *current})
    return (
        np.array([reference.get(name, 0) for name in names], dtype=np.int64),
        np.array([current.get(name, 0) for name in names], dtype=np.int64),
    )
