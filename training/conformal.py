"""Conformal calibration of a head: factors by group of rows, with a margin between weeks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from serving.domain.features import COLUMN
from training.boosters import outline
from training.graph import HALF, Calibration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from training.boosters import CoverBoosters, DayBoosters
    from training.demand_rows import Rows

    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]

HORIZON_STARTS = (4.0, 8.0, 15.0, 29.0, 57.0)
SCALE_SHARES = (0.25, 0.5, 0.75)
RARE = 1.32  # days between sales from which demand counts as intermittent
# Columns a group is told by, and the wider groups that stand in for one with too few rows.
_AXES = ("sales_target", "interval", "scale", "horizon")
_WIDER = ((0, 1, 2, 3), (0, 1, 3), (0, 3), (0,))
MIN_GROUP = 200  # rows below which a group is widened
MIN_ORIGINS = 3  # origins below which weeks cannot be told from each other
_SHARES = np.linspace(0.0, 0.9, 19)  # of the way from a level to certainty


def calibrate(
    boosters: DayBoosters | CoverBoosters, rows: Rows, levels: Sequence[float]
) -> Calibration:
    """Find the conformal factors of a head on rows its boosters have not seen.

    Rows of one origin share that week's shock, so a factor found on some weeks covers less than it
    says on the next. Each level is therefore first moved outward until factors found without an
    origin cover that origin on average as promised; the groups then take the quantile at the level
    so moved. A margin for the worst week instead would promise one level and give a higher one.

    Args:
        boosters: Those of the head.
        rows: Rows of several origins.
        levels: Probability levels, ascending, .5 among them.

    Returns:
        The factors. Coverage is marginal, over all series and days of a group, and holds as far as
        the weeks to come are exchangeable with those of the rows.

    Source: Vovk, Gammerman, Shafer (2005), Algorithmic Learning in a Random World; Barber, Candes,
    Ramdas, Tibshirani (2021), Predictive inference with the jackknife+, Ann. Statist. 49, for
    leaving out what is covered.
    """
    said = outline(boosters, rows.features)
    found = _empty(rows, levels)
    group = np.array(np.unravel_index(found.groups(rows.features), found.shape))
    above = (rows.target - said.middle) / said.above
    below = (rows.target - said.middle) / said.below
    half = levels.index(HALF)  # the median is left as fitted: the point forecast is its own
    asked = {
        (target, column): moved_level(side[of], rows.origin[of], level)
        for target in range(found.shape[0])
        for of in [group[0] == target]
        for column, level in enumerate(levels)
        if column != half and of.any()
        for side in [above if column > half else below]
    }
    for index in np.ndindex(found.shape):
        members, factors = _members(group, index), found.factors[index]
        for (target, column), level in asked.items():
            if target == index[0]:
                side = above if column > half else below
                factors[column] = conformal_quantile(side[members], level)
        # Factors of the right sign that ascend with the level are what keeps quantiles in order.
        factors[half + 1 :] = np.maximum.accumulate(np.maximum(factors[half + 1 :], 0.0))
        factors[:half] = np.minimum.accumulate(np.minimum(factors[:half], 0.0)[::-1])[::-1]
    return found


def _empty(rows: Rows, levels: Sequence[float]) -> Calibration:
    """Return the groups of some rows, all their factors 0."""
    longest = rows.features[:, COLUMN["horizon"]].max(initial=1.0)
    scales = np.unique(np.quantile(rows.scale, SCALE_SHARES))
    cuts = {
        "sales_target": (HALF,),
        "interval": (RARE,),
        "scale": tuple(scales.tolist()),
        "horizon": tuple(start for start in HORIZON_STARTS if start <= longest),
    }
    shape = (*(len(cuts[name]) + 1 for name in _AXES), len(levels))
    return Calibration(tuple(levels), tuple((name, cuts[name]) for name in _AXES), np.zeros(shape))


def _members(group: NDArray[np.int64], index: tuple[int, ...]) -> Flags:
    """Return the rows of a group, of wider and wider groups where it is too small."""
    for axes in _WIDER:
        wanted = np.array(index)[list(axes), None]
        within: Flags = (group[list(axes)] == wanted).all(axis=0)
        if within.sum() >= MIN_GROUP:
            return within
    return np.ones(group.shape[1], dtype=bool)


def moved_level(scores: Floats, origin: NDArray[np.int64], level: float) -> float:
    """Return the level whose quantile, found without an origin, covers that origin on average.

    Args:
        scores: Calibration scores, shape (n,).
        origin: Origin of each, shape (n,).
        level: The level that is promised; below a half the mirror image is taken.

    Returns:
        The level, or one further out, at most nine tenths of the way to certainty.

    Example:
        >>> same = np.tile(np.arange(100.0), 4)
        >>> moved_level(same, np.repeat(np.arange(4), 100), 0.9)
        0.9
    """
    if level < HALF:
        return 1.0 - moved_level(-scores, origin, 1.0 - level)
    weeks = [origin == one for one in np.unique(origin)]
    if len(weeks) < MIN_ORIGINS:
        return level
    others = [np.sort(scores[~week]) for week in weeks]
    for moved in level + _SHARES * (1.0 - level):
        shares = [
            float((scores[week] <= _ranked(other, moved)).mean())
            for week, other in zip(weeks, others, strict=True)
        ]
        if np.mean(shares) >= level:
            break
    # Found on all weeks, factors are nearer to a new week than those that lacked one.
    return float(level + (moved - level) * (len(weeks) - 1) / len(weeks))


def conformal_quantile(scores: Floats, level: float) -> float:
    """Return the quantile of n scores that covers a new exchangeable one with at least `level`.

    Below a half the mirror image is taken, so that both tails lean outward.

    Args:
        scores: Calibration scores, shape (n,).
        level: Probability level.

    Returns:
        The ceil((n + 1) level)-th smallest score, at most the largest.

    Source: Vovk, Gammerman, Shafer (2005), Algorithmic Learning in a Random World.

    Example:
        >>> conformal_quantile(np.arange(1.0, 10.0), 0.9)
        9.0
        >>> conformal_quantile(np.arange(1.0, 10.0), 0.1)
        1.0
    """
    if level < HALF:
        return -conformal_quantile(-scores, 1.0 - level)
    return _ranked(np.sort(scores), level)


def _ranked(ascending: Floats, level: float) -> float:
    rank = min(ascending.size, int(np.ceil((ascending.size + 1) * level - 1e-9)))
    return float(ascending[rank - 1])
