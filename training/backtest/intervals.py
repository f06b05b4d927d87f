"""How sure a figure is: the bootstrap over locations."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

DRAWS = 1_000
OUTER = (0.025, 0.975)


class Gain(NamedTuple):
    """Bootstrap intervals of a WMAPE and of its gain over another forecast's.

    Attributes:
        wmape: Lower and upper end.
        gain: Lower and upper end of 1 - WMAPE / WMAPE of the other.
    """

    wmape: tuple[float, float]
    gain: tuple[float, float]


def bootstrap_gain(errors: Floats, other: Floats, sold: Floats, *, seed: int) -> Gain | None:
    """Resample clusters with replacement and read off 95 % percentile intervals.

    Days and products of one location share weather, staff and stock, so the location is what is
    drawn anew. With few locations the intervals lean narrow.

    Args:
        errors: Sum of |y - f| of each cluster, shape (clusters,).
        other: The same of the other forecast, shape (clusters,).
        sold: Sum of y of each cluster, shape (clusters,).
        seed: Seed of the draws.

    Returns:
        The intervals, or None with fewer than two clusters that sold anything.

    Source: Field and Welsh (2007), Bootstrapping clustered data, J. R. Statist. Soc. B 69.

    Example:
        >>> same = np.array([2.0, 4.0, 6.0])
        >>> bootstrap_gain(same, 2 * same, 10 * same, seed=1)
        Gain(wmape=(0.1, 0.1), gain=(0.5, 0.5))
    """
    count = errors.size
    if np.count_nonzero(sold > 0) <= 1 or not other.sum() > 0:
        return None
    rng = np.random.default_rng(seed)
    weights = rng.multinomial(count, np.full(count, 1.0 / count), size=DRAWS)
    total, mine, theirs = weights @ sold, weights @ errors, weights @ other
    usable = (total > 0) & (theirs > 0)
    wmape, gain = mine[usable] / total[usable], 1.0 - mine[usable] / theirs[usable]
    low, high = (np.quantile(wmape, OUTER).round(12)).tolist()
    worst, best = (np.quantile(gain, OUTER).round(12)).tolist()
    return Gain((low, high), (worst, best))
