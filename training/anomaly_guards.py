"""Trees that tell values far out of a feature's range from all others, whatever the other features.

A tree of random cuts sees no difference between the greatest value it was grown on and ten times
that, and one feature far out counts for little beside others that lie in the middle.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from training.anomaly_tree import GRAIN, Tree

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Rows = NDArray[np.float32]
    Floats = NDArray[np.float64]

# Ends of a feature's range. Least and greatest value would do where training rows hold nothing odd;
# where they do, one anomaly would stretch the range until no other lies out of it.
ENDS = (0.005, 0.995)
# Beyond the range by so many of its widths a feature alone takes so many cuts off the mean depth:
# more than a whole tree at the last. More yet, and sums of float32 would no longer be exact.
GUARDS = ((0.25, 3.0), (0.5, 6.0), (0.75, 9.0), (1.0, 12.0))


def guard(feature: int, column: Rows, usual: float, trees: int) -> Tree:
    """Return a tree that takes depth off values out of a feature's range, the farther the more.

    Args:
        feature: Column it looks at.
        column: Values of the column, NaN where missing, shape (n,).
        usual: Depth of every other value, in cuts.
        trees: Trees the depth is averaged over, which it must be felt among.

    Returns:
        A tree with a leaf within the range, where missing values go too, and one a step outside it.
    """
    low, high = _range(column[np.isfinite(column)].astype(np.float64))
    width = max(high - low, 1e-6 * max(abs(low), abs(high)), 1e-6)
    beyond, cuts = np.array(GUARDS).T
    thresholds = np.concatenate([low - beyond[::-1] * width, high + beyond * width])
    off = np.concatenate([cuts[::-1], [0.0], cuts]) * trees
    return _ladder(feature, thresholds, np.rint((usual - off) * GRAIN) / GRAIN)


def _range(known: Floats) -> tuple[float, float]:
    """Return the ends of a feature's range; of one nearly all rows share, of the others too."""
    if not known.size:
        return 0.0, 0.0
    low, high = np.quantile(known, ENDS)
    return (low, high) if low < high else (known.min(), known.max())


def _ladder(feature: int, thresholds: Floats, depths: Floats) -> Tree:
    """Return a tree with a leaf below, between and above ascending thresholds of one feature."""
    within = thresholds.size // 2
    nodes: list[tuple[int, float, bool, float]] = []
    ways: list[tuple[int, int]] = []

    def add(first: int, last: int) -> int:
        node, middle = len(nodes), (first + last) // 2
        ways.append((-1, -1))
        if first == last:
            nodes.append((-1, 0.0, False, depths[first]))
            return node
        nodes.append((feature, thresholds[middle], within <= middle, depths[within]))
        ways[node] = add(first, middle), add(middle + 1, last)
        return node

    add(0, depths.size - 1)
    features, cuts, missing_left, expected = zip(*nodes, strict=True)
    left, right = zip(*ways, strict=True)
    return Tree(
        features=np.array(features, dtype=np.int64),
        thresholds=np.array(cuts, dtype=np.float32),
        left=np.array(left, dtype=np.int64),
        right=np.array(right, dtype=np.int64),
        missing_left=np.array(missing_left, dtype=bool),
        depths=np.array(expected),
    )
