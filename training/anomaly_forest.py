"""An isolation forest that cuts where the values part, and says which feature led to each leaf.

A tree isolates rows by random cuts in the isolation forest of Liu, Ting and Zhou. Here each cut is
the one, among a few features drawn at random, that leaves the two sides least spread for their
size: tight groups are cut off whole, and what stands apart from all of them is alone sooner.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np
from sklearn.base import BaseEstimator, OutlierMixin

from training.anomaly_guards import guard
from training.anomaly_tree import GRAIN, Tree

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Rows = NDArray[np.float32]
    Floats = NDArray[np.float64]
    Indices = NDArray[np.int64]

EULER = 0.5772156649015329


def usual_depth(rows: int) -> float:
    """Return the mean depth of a leaf in a tree of random cuts.

    Args:
        rows: Rows the tree isolates, 1 or more.

    Returns:
        Cuts; 0 for one row.

    Source: Liu, Ting and Zhou (2008), Isolation forest, equation 1.
    """
    if rows <= 1:
        return 0.0
    return float(2.0 * (np.log(max(rows - 1, 1)) + EULER) - 2.0 * (rows - 1) / rows)


class PartingForest(OutlierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn is untyped
    """A forest of cuts where values part; an estimator as scikit-learn knows it.

    Source: Cortes (2021), Revisiting randomized choices in isolation forests, arXiv:2110.13402,
    for cuts by pooled gain; Saabas (2014) for credit along the way, which is no Shapley value.
    """

    def __init__(self, trees: int = 100, sample: int = 256, tried: int = 3, seed: int = 7) -> None:
        """Take the trees, the rows each isolates, the features tried for a cut, and a seed."""
        self.trees = trees
        self.sample = sample
        self.tried = tried
        self.seed = seed

    def fit(self, X: Rows, y: object = None) -> Self:  # noqa: N803 - scikit-learn's name
        """Grow the trees on rows, shape (n, features); NaN is a missing value."""
        del y
        rows = np.ascontiguousarray(X, dtype=np.float32)
        rng = np.random.default_rng(self.seed)
        size = min(self.sample, len(rows))
        self.n_features_in_ = rows.shape[1]
        self.usual_depth_ = usual_depth(size)
        self.trees_ = [
            _grow(rows[rng.choice(len(rows), size, replace=False)], self.tried, rng)
            for _ in range(self.trees)
        ]
        usual = float(np.mean([tree.depths[0] for tree in self.trees_]))
        self.trees_ += [
            guard(feature, column, usual, self.trees) for feature, column in enumerate(rows.T)
        ]
        return self

    def depths(self, X: Rows) -> Floats:  # noqa: N803 - as above
        """Return the mean depth at which each row is alone, in cuts, shape (n,)."""
        rows = np.ascontiguousarray(X, dtype=np.float32)
        total = np.zeros(len(rows))
        for tree in self.trees_:
            total += tree.depths[tree.leaves(rows)]
        return total / len(self.trees_)

    def score_samples(self, X: Rows) -> Floats:  # noqa: N803 - as above
        """Return minus the anomaly score, 2^(-depth / usual depth), as scikit-learn does."""
        scores: Floats = -np.exp2(-self.depths(X) / max(self.usual_depth_, 1e-9))
        return scores

    def credits(self, X: Rows) -> Floats:  # noqa: N803 - as above
        """Return what each feature takes off the expected depth, in cuts, shape (n, features)."""
        rows = np.ascontiguousarray(X, dtype=np.float32)
        total = np.zeros(rows.shape)
        for tree in self.trees_:
            total += tree.credits(rows.shape[1])[tree.leaves(rows)]
        return total / len(self.trees_)


def _grow(rows: Rows, tried: int, rng: np.random.Generator) -> Tree:
    """Grow one tree to the depth at which random cuts would have isolated most rows."""
    deepest = int(np.ceil(np.log2(max(len(rows), 2))))
    nodes: list[tuple[int, float, bool]] = []
    ways: list[tuple[int, int]] = []
    depths: list[float] = []

    def add(members: Indices, depth: int) -> int:
        node = len(nodes)
        nodes.append((-1, 0.0, False))
        ways.append((-1, -1))
        depths.append(depth + usual_depth(members.size))
        cut = _cut(rows[members], tried, rng) if depth < deepest and members.size > 1 else None
        if cut is None:
            return node
        feature, threshold = cut
        values = rows[members, feature]
        known = ~np.isnan(values)
        low = values <= threshold
        missing_left = bool(low.sum() * 2 >= known.sum())
        goes = np.where(known, low, missing_left)
        nodes[node] = (feature, threshold, missing_left)
        ways[node] = add(members[goes], depth + 1), add(members[~goes], depth + 1)
        share = goes.mean()
        depths[node] = share * depths[ways[node][0]] + (1 - share) * depths[ways[node][1]]
        return node

    add(np.arange(len(rows)), 0)
    return Tree(
        features=np.array([feature for feature, _, _ in nodes], dtype=np.int64),
        thresholds=np.array([threshold for _, threshold, _ in nodes], dtype=np.float32),
        left=np.array([left for left, _ in ways], dtype=np.int64),
        right=np.array([right for _, right in ways], dtype=np.int64),
        missing_left=np.array([missing for _, _, missing in nodes], dtype=bool),
        depths=np.rint(np.array(depths) * GRAIN) / GRAIN,
    )


def _cut(rows: Rows, tried: int, rng: np.random.Generator) -> tuple[int, float] | None:
    """Return the best cut of a few features drawn at random; None where nothing varies."""
    best: tuple[float, int, float] | None = None
    for feature in rng.permutation(rows.shape[1]).tolist():
        values = rows[:, feature]
        values = np.sort(values[~np.isnan(values)])
        if values.size < 2 or values[0] == values[-1]:  # noqa: PLR2004 - a cut has two sides
            continue
        gain, threshold = _parting(values)
        if best is None or gain > best[0]:
            best = gain, feature, threshold
        tried -= 1
        if not tried:
            break
    return None if best is None else best[1:]


def _parting(values: Rows) -> tuple[float, float]:
    """Return the pooled gain and the threshold of the best cut of sorted values that vary."""
    wide = values.astype(np.float64)
    wide -= wide.mean()
    last = np.flatnonzero(values[1:] > values[:-1])  # of the left side
    count, total = np.arange(1, wide.size + 1), np.cumsum(wide)
    squares = np.cumsum(wide**2)
    left, right = count[last], wide.size - count[last]
    within_left = np.sqrt(np.maximum(squares[last] * left - total[last] ** 2, 0.0))
    rest = total[-1] - total[last], squares[-1] - squares[last]
    within_right = np.sqrt(np.maximum(rest[1] * right - rest[0] ** 2, 0.0))
    place = int((within_left + within_right).argmin())  # size x deviation of both sides
    whole = np.sqrt(max(squares[-1] * wide.size - total[-1] ** 2, 1e-300))
    below, above = values[last[place]], values[last[place] + 1]
    middle = np.float32((float(below) + float(above)) / 2.0)
    threshold = middle if below <= middle < above else below
    return 1.0 - float((within_left + within_right)[place] / whole), float(threshold)


def joined(forests: Sequence[tuple[int, int, PartingForest]], width: int) -> PartingForest:
    """Join forests of several kinds of rows to one that first looks which kind a row is of.

    Args:
        forests: The value of column 0 that a kind has, the first column of its features, and its
            forest, by ascending value; all of as many trees and features.
        width: Number of columns, the kind's among them.

    Returns:
        A forest whose trees stand in for a tree of each kind.
    """
    first = forests[0][2]
    whole = PartingForest(first.trees, first.sample, first.tried, first.seed)
    whole.n_features_in_ = width
    whole.usual_depth_ = max(forest.usual_depth_ for _, _, forest in forests)
    alike = zip(*(forest.trees_ for _, _, forest in forests), strict=True)
    whole.trees_ = [
        _branched(
            [(kind, start, tree) for (kind, start, _), tree in zip(forests, row, strict=True)]
        )
        for row in alike
    ]
    return whole


def _branched(parts: Sequence[tuple[int, int, Tree]]) -> Tree:
    """Return a tree that sends each kind of rows down its own tree."""
    if len(parts) == 1:
        _, start, tree = parts[0]
        features = np.where(tree.features >= 0, tree.features + start, -1)
        return Tree(
            features, tree.thresholds, tree.left, tree.right, tree.missing_left, tree.depths
        )
    head, tail = _branched(parts[:1]), _branched(parts[1:])
    split = 1 + head.features.size

    def after(node: int, values: Indices) -> Indices:
        return np.where(values >= 0, values + node, -1)

    # Both ways have the same expectation: which kind a row is of is no evidence.
    return Tree(
        features=np.concatenate([[0], head.features, tail.features]),
        thresholds=np.concatenate(
            [[parts[0][0] + 0.5], head.thresholds, tail.thresholds], dtype=np.float32
        ),
        left=np.concatenate([[1], after(1, head.left), after(split, tail.left)]),
        right=np.concatenate([[split], after(1, head.right), after(split, tail.right)]),
        missing_left=np.concatenate([[True], head.missing_left, tail.missing_left]),
        depths=np.concatenate([[head.depths[0]], head.depths, tail.depths]),
    )
