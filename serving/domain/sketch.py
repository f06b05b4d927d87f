"""Sketches of one feature: counts on a fixed grid, which add up over shards, days and machines.

A grid is a list of points; its cells are the points themselves and the open intervals around them,
the outermost without end. Counts on it are exact, so nothing is lost in one pass but where inside
an interval a value lay. Sketches on one grid add, in any order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from serving.errors import InvalidField

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Counts = NDArray[np.int64]

POINTS = 511  # of a grid: its intervals hold about a 500th of the values each
SAMPLED = 16_384  # values a grid is laid through; it bounds resolution, never correctness
MAX_CATEGORIES = 1_000  # kept by name; the rest of them are counted together
OTHER = "\x00other"  # no key may hold a control character, so no category is called this


def lay_grid(values: Floats, points: int = POINTS) -> Floats:
    """Lay a grid through values: their ends, and evenly spaced quantiles between.

    Args:
        values: Values of any order; those that are not finite are left out, shape (n,).
        points: Most points of the grid, 3 or more.

    Returns:
        The points, ascending, shape (k,), k at most `points`; empty where no value is finite.
    """
    known = values[np.isfinite(values)]
    if not known.size:
        return known
    ends = known.min(), known.max()
    known = np.sort(known[:: -(-known.size // SAMPLED)])
    distinct = np.unique(known)
    if distinct.size > points - len(ends):
        places = np.linspace(0, known.size - 1, points - len(ends)).round().astype(np.int64)
        distinct = known[places]
    return np.unique(np.append(distinct, ends))


@dataclass(frozen=True, slots=True)
class NumberSketch:
    """What is kept of the values of a numeric feature.

    Attributes:
        grid: Points, ascending, shape (k,).
        counts: Values in each cell, shape (2 k + 1,): below the first point, on it, between it and
            the second, and so on.
        missing: Rows without a value.
        infinite: Rows whose value is infinite; they are in no cell.
        low: Least finite value; NaN where there is none.
        high: Greatest finite value; NaN where there is none.
        mean: Mean of the finite values; NaN where there is none.
        squares: Sum of squared deviations from the mean.
    """

    grid: Floats
    counts: Counts
    missing: int
    infinite: int
    low: float
    high: float
    mean: float
    squares: float

    @property
    def size(self) -> int:
        """Finite values."""
        return int(self.counts.sum())

    @property
    def rows(self) -> int:
        """Rows, those without a value and with an infinite one among them."""
        return self.size + self.missing + self.infinite

    @property
    def std(self) -> float:
        """Standard deviation of the values; NaN where there is none."""
        size = self.size
        return float(np.sqrt(self.squares / size)) if size else float("nan")

    def plus(self, other: Sketch) -> NumberSketch:
        """Return the sketch of both sets of values.

        Args:
            other: A sketch on the same grid.

        Returns:
            The sketch of all values; the moments are those of one pass over them.

        Raises:
            InvalidField: If the other is not numeric or its grid differs.

        Source: Chan, Golub and LeVeque (1983), Algorithms for computing the sample variance.
        """
        if not isinstance(other, NumberSketch) or not np.array_equal(self.grid, other.grid):
            raise InvalidField("grid", "must be the same for sketches that are added")
        if not other.size or not self.size:
            full = self if self.size else other
            mean, squares = full.mean, full.squares
        else:
            both = self.size + other.size
            gap = other.mean - self.mean
            mean = self.mean + gap * other.size / both
            squares = self.squares + other.squares + gap**2 * self.size * other.size / both
        return NumberSketch(
            grid=self.grid,
            counts=self.counts + other.counts,
            missing=self.missing + other.missing,
            infinite=self.infinite + other.infinite,
            low=float(np.fmin(self.low, other.low)),
            high=float(np.fmax(self.high, other.high)),
            mean=mean,
            squares=squares,
        )


def sketch_numbers(values: Floats, grid: Floats) -> NumberSketch:
    """Sketch the values of a numeric feature in one pass.

    Args:
        values: Values; NaN is a missing one, shape (n,).
        grid: Points, ascending, shape (k,).

    Returns:
        The sketch.

    Example:
        >>> sketch_numbers(np.array([0.0, 0.0, 1.5, 2.0, np.nan]), np.array([0.0, 2.0])).counts
        array([0, 2, 1, 1, 0])
    """
    known = np.sort(values)  # NaN last; one sort is cheaper than a search for each value
    known = known[: known.size - int(np.isnan(known).sum())]
    missing = values.size - known.size
    known = known[np.searchsorted(known, -np.inf, "right") : np.searchsorted(known, np.inf)]
    below, upto = (np.searchsorted(known, grid, side=side) for side in ("left", "right"))
    ends = np.append(np.column_stack([below, upto]).ravel(), known.size)
    counts = np.diff(ends, prepend=0)
    nan, mean = float("nan"), float(known.mean()) if known.size else float("nan")
    return NumberSketch(
        grid=grid,
        counts=counts.astype(np.int64),
        missing=missing,
        infinite=values.size - known.size - missing,
        low=float(known[0]) if known.size else nan,
        high=float(known[-1]) if known.size else nan,
        mean=mean,
        squares=float(np.square(known - mean).sum()) if known.size else 0.0,
    )


@dataclass(frozen=True, slots=True)
class CategorySketch:
    """What is kept of the values of a categorical feature.

    Attributes:
        counts: Rows of each category; those beyond MAX_CATEGORIES together under OTHER.
        missing: Rows without a value.
    """

    counts: Mapping[str, int]
    missing: int

    @property
    def size(self) -> int:
        """Rows with a value."""
        return sum(self.counts.values())

    @property
    def rows(self) -> int:
        """Rows, those without a value among them."""
        return self.size + self.missing

    def plus(self, other: Sketch) -> CategorySketch:
        """Return the sketch of both sets of values.

        Args:
            other: A sketch of the same feature.

        Returns:
            The sketch of all values.

        Raises:
            InvalidField: If the other is not categorical.
        """
        if not isinstance(other, CategorySketch):
            raise InvalidField("sketch", "must be categorical as the one it is added to")
        both = dict(self.counts)
        for name, count in other.counts.items():
            both[name] = both.get(name, 0) + count
        return CategorySketch(_kept(both), self.missing + other.missing)


def sketch_categories(values: Iterable[str], missing: int = 0) -> CategorySketch:
    """Sketch the values of a categorical feature in one pass.

    Args:
        values: Category of each row that has one.
        missing: Rows that have none.

    Returns:
        The sketch.

    Example:
        >>> sketch_categories(["a", "b", "a"]).counts
        {'a': 2, 'b': 1}
    """
    counts: dict[str, int] = {}
    for value in values:
        counts[value] = counts.get(value, 0) + 1
    return CategorySketch(_kept(counts), missing)


def _kept(counts: dict[str, int]) -> dict[str, int]:
    """Return the most frequent categories by name and the rest as OTHER."""
    if len(counts) <= MAX_CATEGORIES:
        return counts
    ranked = sorted(counts, key=lambda name: (name != OTHER, -counts[name], name))
    kept = {name: counts[name] for name in ranked[:MAX_CATEGORIES]}
    rest = sum(counts[name] for name in ranked[MAX_CATEGORIES:])
    kept[OTHER] = kept.get(OTHER, 0) + rest
    return kept


Sketch = NumberSketch | CategorySketch


def summed(sketches: Sequence[Sketch]) -> Sketch:
    """Return the sum of one or more sketches of one feature.

    Args:
        sketches: Sketches, all numeric on one grid or all categorical.

    Returns:
        The sketch of all their values.

    Raises:
        InvalidField: If they are of different kinds or grids.
    """
    total = sketches[0]
    for one in sketches[1:]:
        total = total.plus(one)
    return total
