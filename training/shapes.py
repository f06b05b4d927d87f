"""Distributions of demand over expectation, fitted to past origins, pooled where rows are few."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from serving.domain.routes import SHAPE_GROUPS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Indices = NDArray[np.int64]

MIN_ROWS = 200  # rows below which a group is pooled with others
# Axes of SHAPE_GROUPS (target, history, pattern, days ahead, size) that tell rows apart, coarse to
# fine. History comes first: what a few days expect is off by far more than what many do.
_POOLS = ((), (1,), (1, 4), (0, 1, 4), (0, 1, 2, 4), (0, 1, 2, 3, 4))
_MEAN_RANGE = (0.2, 5.0)  # a mean off by more than this says the tier is wrong, not its scale


def fit_shape(
    groups: Indices,
    expected: Floats,
    actual: Floats,
    levels: Sequence[float],
    *,
    least: int = MIN_ROWS,
) -> tuple[Floats, Floats]:
    """Fit the mean and the quantiles of actual over expected by group.

    Quantiles lean outward as conformal ones do: they cover a new exchangeable row with at least
    their level. Rows that expect nothing say nothing of a ratio and are left out.

    Args:
        groups: Place of each row in SHAPE_GROUPS, shape (5, rows).
        expected: Units expected, shape (rows,).
        actual: Units that came, shape (rows,).
        levels: Probability levels, ascending.
        least: Rows below which a group is pooled with others.

    Returns:
        Mean factors, shape SHAPE_GROUPS, and quantile factors, shape (*SHAPE_GROUPS, levels).
    """
    kept = (expected > 0) & ~np.isnan(actual)
    groups, expected, actual = groups[:, kept], expected[kept], actual[kept]
    mean = np.ones(SHAPE_GROUPS)
    factors = np.ones((*SHAPE_GROUPS, len(levels)))
    if not expected.size:
        return mean, factors
    ratio = actual / expected
    places = np.indices(SHAPE_GROUPS).reshape(len(SHAPE_GROUPS), -1)
    for axes in _POOLS:
        sizes = [SHAPE_GROUPS[axis] for axis in axes]
        flat, wanted = _flat(groups, axes, sizes), _flat(places, axes, sizes)
        slots = int(np.prod(sizes)) if axes else 1
        count = np.bincount(flat, minlength=slots)
        enough = count >= (least if axes else 1)
        came, due = (np.bincount(flat, part, slots) for part in (actual, expected))
        found = _quantiles(ratio, flat, count, levels)
        taken = enough[wanted]
        mean.reshape(-1)[taken] = np.clip(came / np.maximum(due, 1e-12), *_MEAN_RANGE)[wanted][
            taken
        ]
        factors.reshape(-1, len(levels))[taken] = found[wanted][taken]
    return mean, factors


def _flat(groups: Indices, axes: Sequence[int], sizes: Sequence[int]) -> Indices:
    if not axes:
        return np.zeros(groups.shape[1], dtype=np.int64)
    return np.asarray(np.ravel_multi_index(tuple(groups[list(axes)]), sizes), dtype=np.int64)


def _quantiles(ratio: Floats, slot: Indices, count: Indices, levels: Sequence[float]) -> Floats:
    """Return the conformal quantiles of each slot, shape (slots, levels); 1 where it is empty."""
    ordered = ratio[np.lexsort((ratio, slot))]
    first = np.cumsum(count) - count
    columns = []
    for level in levels:
        upper = np.ceil((count + 1) * level - 1e-9) - 1
        lower = np.floor((count + 1) * level + 1e-9) - 1
        rank = np.clip(upper if level >= 0.5 else lower, 0, np.maximum(count - 1, 0))  # noqa: PLR2004 - the median
        at = np.minimum(first + rank.astype(np.int64), ordered.size - 1)
        columns.append(np.where(count > 0, ordered[at], 1.0))
    return np.stack(columns, axis=1)
