"""A tree of cuts as flat arrays, and what each feature took off the expected depth on its way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Rows = NDArray[np.float32]
    Floats = NDArray[np.float64]
    Indices = NDArray[np.int64]

GRAIN = 4096.0  # leaf values are whole multiples of its inverse: their sums in float32 are exact


@dataclass(frozen=True, slots=True)
class Tree:
    """One tree as flat arrays; a node whose feature is -1 is a leaf.

    Attributes:
        features: Column each node cuts, shape (nodes,).
        thresholds: Values up to it go left, shape (nodes,).
        left, right: Next node, shape (nodes,).
        missing_left: Whether a missing value goes left, shape (nodes,).
        depths: Expected depth of a leaf below each node, in cuts, shape (nodes,).
    """

    features: Indices
    thresholds: Rows
    left: Indices
    right: Indices
    missing_left: NDArray[np.bool_]
    depths: Floats

    def credits(self, width: int) -> Floats:
        """Return what each feature took off the expected depth on the way to each node.

        Args:
            width: Number of columns.

        Returns:
            Cuts, positive where the way grew shorter than expected, shape (nodes, width).
        """
        found = np.zeros((self.features.size, width))
        for node in np.flatnonzero(self.features >= 0):  # parents stand before their children
            for child in (self.left[node], self.right[node]):
                found[child] = found[node]
                found[child, self.features[node]] += self.depths[node] - self.depths[child]
        return found

    def leaves(self, rows: Rows) -> Indices:
        """Return the node each row ends in, shape (n,)."""
        at = np.zeros(len(rows), dtype=np.int64)
        inside = np.arange(len(rows))[self.features[at] >= 0]
        while inside.size:
            node = at[inside]
            value = rows[inside, self.features[node]]
            left = np.where(
                np.isnan(value), self.missing_left[node], value <= self.thresholds[node]
            )
            at[inside] = np.where(left, self.left[node], self.right[node])
            inside = inside[self.features[at[inside]] >= 0]
        return at
