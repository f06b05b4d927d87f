"""Demand over a protection interval: quantiles made whole, mixed over lead times, and their loss.

A forecast gives quantiles of the sum over a cover at a few levels. `complete` makes them a whole
distribution: from 0 to the lowest one linearly, above the highest one an exponential tail through
it and the last but two, which ends where less than one in ten thousand is left. Between levels a
quantile function is linear, so probabilities and losses are exact, and so are their mixtures over
the covers of an uncertain lead time. Every step is elementwise in the series, so that a series'
figures have the same bits in any batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Answer = Callable[["Protection", Floats], Floats]

# Shares of what is left above the highest trained level at which the tail is noted.
_TAIL = np.array((0.5, 0.2, 0.1, 0.05, 0.01))
_HALVINGS = 52  # leaves nothing between the ends that a float can tell
_SAME = 1e-12  # probabilities that differ by less are the same


@dataclass(frozen=True, slots=True)
class Protection:
    """The distributions of n series' demand over intervals of uncertain length.

    Attributes:
        levels: Probabilities from 0 to 1, ascending, shape (levels,).
        quantiles: Units over each cover, 0 or more, never falling along a row, shape
            (n, covers, levels).
        weights: Probabilities of the covers, 0 for one that only pads, shape (n, covers).
    """

    levels: Floats
    quantiles: Floats
    weights: Floats

    def take(self, rows: NDArray[np.intp]) -> Protection:
        """Return the distributions of some series."""
        return Protection(self.levels, self.quantiles[rows], self.weights[rows])


def complete(levels: Sequence[float], quantiles: Floats, weights: Floats) -> Protection:
    """Make distributions of trained quantiles, mixed by the probability of each cover.

    Demand over an uncertain lead time: P(D <= x) = sum over l of P(L = l) P(D_l <= x).

    Args:
        levels: Trained levels, two or more, ascending, above 0 and below 1.
        quantiles: Units at those levels, 0 or more, shape (n, covers, levels).
        weights: Probabilities of the covers, shape (n, covers).

    Returns:
        The distributions.

    Example:
        >>> one = complete((0.5, 0.9), np.array([[[2.0, 4.0]]]), np.ones((1, 1)))
        >>> one.quantiles[0, 0, :3], one.levels[-1].item()
        (array([0., 2., 4.]), 1.0)
    """
    trained = np.asarray(levels, dtype=np.float64)
    top, left = quantiles[..., -1], 1.0 - trained[-1]
    before = max(trained.size - 3, 0)  # two neighbours may be equal, and say nothing of the tail
    scale = (top - quantiles[..., before]) / np.log((1.0 - trained[before]) / left)
    tail = top[..., None] + scale[..., None] * np.log(1.0 / _TAIL)
    # The last piece is linear: its middle lies where the mean of the rest of the tail does.
    end = tail[..., -1:] + 2.0 * scale[..., None]
    whole = np.concatenate((np.zeros_like(end), quantiles, tail, end), axis=-1)
    return Protection(np.concatenate(([0.0], trained, 1.0 - left * _TAIL, [1.0])), whole, weights)


def nothing(series: int) -> Protection:
    """Return demand over no time at all, which is 0, of so many series."""
    return Protection(np.array([0.0, 1.0]), np.zeros((series, 1, 2)), np.ones((series, 1)))


def at_most(demand: Protection, units: Floats) -> Floats:
    """Return the probability that demand is at most so many units.

    Args:
        demand: Distributions of n series.
        units: Units, shape (n,).

    Returns:
        Probabilities, shape (n,).

    Example:
        >>> one = complete((0.5, 0.9), np.array([[[2.0, 4.0]]]), np.ones((1, 1)))
        >>> at_most(one, np.array([3.0])).round(6)
        array([0.7])
    """
    return _reached(demand, units, demand.quantiles <= units[:, None, None])


def loss(demand: Protection, units: Floats) -> Floats:
    """Return the expected units of demand beyond so many, E(D - x)+.

    Args:
        demand: Distributions of n series.
        units: Units x, shape (n,).

    Returns:
        Expected units, 0 or more, shape (n,).

    Example:
        >>> even = Protection(np.array([0.0, 1.0]), np.array([[[0.0, 10.0]]]), np.ones((1, 1)))
        >>> loss(even, np.array([5.0]))
        array([1.25])
    """
    above = demand.quantiles - units[:, None, None]
    low, high = above[..., :-1], np.maximum(above[..., 1:], 0.0)
    part = np.zeros(low.shape)
    np.divide(high * high, high - low, out=part, where=low < 0)
    return _area(demand, np.where(low < 0, part, low + high))


def mean(demand: Protection) -> Floats:
    """Return the expected units of demand of n distributions, shape (n,)."""
    return _area(demand, demand.quantiles[..., :-1] + demand.quantiles[..., 1:])


def quantile(demand: Protection, wanted: Floats) -> Floats:
    """Find the least units that demand stays within with the wanted probability.

    Args:
        demand: Distributions of n series.
        wanted: Probabilities from 0 to 1, shape (n,).

    Returns:
        Units, shape (n,).

    Example:
        >>> two = np.array([[[0.0, 2.0], [0.0, 4.0]]])
        >>> both = Protection(np.array([0.0, 1.0]), two, np.array([[0.5, 0.5]]))
        >>> quantile(both, np.array([0.75]))
        array([2.])
    """
    certain = (demand.weights > 0).sum(axis=1) == 1
    if certain.all():
        return _between(demand, wanted)
    mixed = np.flatnonzero(~certain)
    found = np.empty(wanted.size)
    found[certain] = _between(demand.take(np.flatnonzero(certain)), wanted[certain])
    found[mixed] = _within(demand.take(mixed), wanted[mixed])
    return found


def _within(demand: Protection, wanted: Floats) -> Floats:
    """Find the quantiles of mixtures."""
    series = wanted.size
    kept = np.where(demand.weights[:, :, None] > 0, demand.quantiles, 0.0)
    knots = np.sort(kept.reshape(series, -1), axis=1)
    rows, last = np.arange(series), knots.shape[1] - 1
    # The least knot that is reached, by halving: between it and the one before all is linear.
    low, high = np.full(series, -1), np.full(series, last)
    while (high - low > 1).any():
        middle = (low + high + 1) // 2
        enough = at_most(demand, knots[rows, middle]) >= wanted - _SAME
        open_ = high - low > 1
        high = np.where(enough & open_, middle, high)
        low = np.where(~enough & open_, middle, low)
    left, right = knots[rows, np.maximum(low, 0)], knots[rows, high]
    start, end = at_most(demand, left), _below(demand, right)
    share = np.ones(series)
    np.divide(wanted - start, end - start, out=share, where=end > start)
    found: Floats = left + np.clip(share, 0.0, 1.0) * (right - left)
    return found


def fill_rate(over_cover: Protection, over_lead: Protection, up_to: Floats) -> Floats:
    """Return the share of demand met from stock at once under an order-up-to level.

    1 - (E(D_{L+R} - S)+ - E(D_L - S)+) / E[D_R], unmet demand waiting. Without a review period, or
    without demand in it, P(D_L <= S): the share of single units met.

    Args:
        over_cover: Demand over lead time plus review period, n series.
        over_lead: Demand over the lead time.
        up_to: Order-up-to levels S in units, shape (n,).

    Returns:
        Shares from 0 to 1, shape (n,).

    Source: Silver, Pyke and Thomas, Inventory and Production Management in Supply Chains,
    4th ed. (2017), chapter 6.

    Example:
        >>> even = Protection(np.array([0.0, 1.0]), np.array([[[0.0, 10.0]]]), np.ones((1, 1)))
        >>> fill_rate(even, nothing(1), np.array([5.0]))
        array([0.75])
    """
    asked = mean(over_cover) - mean(over_lead)
    short = loss(over_cover, up_to) - loss(over_lead, up_to)
    some = asked > 0
    missed = np.zeros(some.shape) if some.all() else 1.0 - at_most(over_cover, up_to)
    np.divide(short, asked, out=missed, where=some)
    return 1.0 - np.clip(missed, 0.0, 1.0)


def level_for_fill_rate(over_cover: Protection, over_lead: Protection, wanted: Floats) -> Floats:
    """Find the least order-up-to levels whose fill rate is the wanted one or more.

    Args:
        over_cover: Demand over lead time plus review period, n series.
        over_lead: Demand over the lead time.
        wanted: Shares of demand met at once, from 0 to below 1, shape (n,).

    Returns:
        Levels in units, shape (n,).
    """
    low: Floats = np.zeros(wanted.shape)
    high: Floats = over_cover.quantiles[:, :, -1].max(axis=1)
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        enough = fill_rate(over_cover, over_lead, middle) >= wanted
        high = np.where(enough, middle, high)
        low = np.where(enough, low, middle)
    return high


def _area(demand: Protection, sums: Floats) -> Floats:
    """Add half the widths of the levels times sums of their ends, shape (n, covers, pieces)."""
    pieces = np.diff(demand.levels) * 0.5 * sums
    # Added one after the other, as a running sum is: the same bits in any batch.
    return _mixed(demand, pieces.cumsum(axis=-1)[..., -1])


def _mixed(demand: Protection, parts: Floats) -> Floats:
    """Add what each cover gives, shape (n, covers), by its probability, in their order."""
    if parts.shape[1] == 1:
        return parts[:, 0]
    total = demand.weights[:, 0] * parts[:, 0]
    for cover in range(1, parts.shape[1]):
        total = total + demand.weights[:, cover] * parts[:, cover]
    return total


def _below(demand: Protection, units: Floats) -> Floats:
    """Return P(D < x) at each series' units x, shape (n,)."""
    return _reached(demand, units, demand.quantiles < units[:, None, None])


def _reached(demand: Protection, units: Floats, passed: NDArray[np.bool_]) -> Floats:
    """Return the probability reached at each series' units x, given the quantiles passed, (n,)."""
    return _mixed(demand, _read(demand, units[:, None], np.count_nonzero(passed, axis=2)))


def _read(demand: Protection, units: Floats, passed: NDArray[np.intp]) -> Floats:
    """Read probabilities between the last quantile that was passed and the next, (n, covers)."""
    levels = demand.levels
    left, right = np.maximum(passed - 1, 0), np.minimum(passed, levels.size - 1)
    low = np.take_along_axis(demand.quantiles, left[..., None], axis=2)[..., 0]
    high = np.take_along_axis(demand.quantiles, right[..., None], axis=2)[..., 0]
    share = np.zeros(low.shape)
    np.divide(units - low, high - low, out=share, where=(high > low) & (passed > 0))
    read: Floats = levels[left] + share * (levels[right] - levels[left])
    return np.where(passed > 0, read, 0.0)


def _between(demand: Protection, wanted: Floats) -> Floats:
    """Read the quantiles of distributions over one cover, linearly between the levels."""
    rows, levels = np.arange(wanted.size), demand.levels
    quantiles = demand.quantiles[rows, (demand.weights > 0).argmax(axis=1)]
    right = np.maximum(levels.searchsorted(wanted), 1)
    below, above = quantiles[rows, right - 1], quantiles[rows, right]
    share = (wanted - levels[right - 1]) / (levels[right] - levels[right - 1])
    read: Floats = below + share * (above - below)
    # At a trained level its own bits, as `interpolate_levels` reads them.
    return np.where(levels[right] == wanted, above, read)
