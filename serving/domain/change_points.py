"""Change points: the day from which on the values of a feature are others than before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Counts = NDArray[np.int64]
    Floats = NDArray[np.float64]

DEALS = 999
MIN_BLOCKS = 3  # before and after a change
SEED = 20_260_630


@dataclass(frozen=True, slots=True)
class ChangePoint:
    """Where a sequence of blocks changes.

    Attributes:
        first: Index of the first block after the change.
        p_value: Probability of a change as clear in blocks whose order means nothing.
    """

    first: int
    p_value: float


def change_point(blocks: Counts) -> ChangePoint | None:
    """Find the place where the blocks before and after differ most.

    A change is seen at the earliest MIN_BLOCKS blocks after it began.

    Args:
        blocks: Values in each cell by block, in the order of time, shape (b, c).

    Returns:
        The place and its p-value; None of fewer than 2 MIN_BLOCKS blocks or without values.

    Source: Csorgo and Horvath (1997), Limit Theorems in Change-Point Analysis, chapter 2: the
    greatest weighted gap of two empirical distributions; its null by dealing the blocks anew.

    Example:
        >>> day, other = [9, 1], [1, 9]
        >>> change_point(np.array([day] * 10 + [other] * 6)).first
        10
    """
    if len(blocks) < 2 * MIN_BLOCKS or not blocks.sum():
        return None
    cells = blocks.astype(np.float64)
    seen = _gaps(cells)
    rng = np.random.default_rng(SEED)
    greater = sum(
        _gaps(cells[rng.permutation(len(cells))]).max() >= seen.max() - 1e-12 for _ in range(DEALS)
    )
    return ChangePoint(int(seen.argmax()) + MIN_BLOCKS, (1.0 + greater) / (DEALS + 1.0))


def _gaps(cells: Floats) -> Floats:
    """Return the weighted gap at every place a change may be, shape (b - 2 MIN_BLOCKS + 1,)."""
    before = np.cumsum(cells, axis=0)[MIN_BLOCKS - 1 : len(cells) - MIN_BLOCKS]
    after = cells.sum(axis=0) - before
    n, m = before.sum(axis=1), after.sum(axis=1)
    shares = (
        np.cumsum(part, axis=1) / np.maximum(size, 1.0)[:, None]
        for part, size in ((before, n), (after, m))
    )
    gap = np.abs(np.subtract(*shares)).max(axis=1)
    weighted: Floats = gap * np.sqrt(n * m / np.maximum(n + m, 1.0))
    return weighted
