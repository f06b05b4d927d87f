"""Upper tails beyond the highest booster: quantiles of few rows, kept apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

HIGHEST = 0.95  # level of the highest booster
HALF = 0.5


def rising_tail(factors: Floats, levels: Sequence[float]) -> Floats:
    """Let factors above the highest booster's level rise where too few rows left them equal.

    A factor that is no more than the one before is raised above it as far as an exponential tail
    through the median and the highest booster's level rises between the two: demand without spread
    keeps equal factors.

    Args:
        factors: Factors that never fall with the level, last axis the levels.
        levels: Probability levels, ascending, .5 among them.

    Returns:
        The factors, shape as given.

    Example:
        >>> factors = rising_tail(np.array([0.0, 1.0, 1.2, 1.2]), (0.5, 0.95, 0.98, 0.99))
        >>> factors.round(3).tolist()
        [0.0, 1.0, 1.2, 1.501]
    """
    out, half = factors.copy(), levels.index(HALF)
    top = max(place for place, level in enumerate(levels) if level <= HIGHEST)
    if top == half:
        return out
    spread = (out[..., top] - out[..., half]) / np.log(HALF / (1.0 - levels[top]))
    for place in range(top + 1, len(levels)):
        before = out[..., place - 1]
        step = spread * np.log((1.0 - levels[place - 1]) / (1.0 - levels[place]))
        tied = out[..., place] <= before
        out[..., place] = np.where(tied, before + step, out[..., place])
    return out
