"""Parity of an exported graph with its model: the rows it is tried on and the checks they pass.

The rows are hold-out rows and, for each split of each tree, a row that satisfies the path to the
split and sits on its threshold, with both float32 neighbours; then zero and signed zero, NaN in
each column, infinities and unseen values. Trees must reach the same leaves of the same value to the
last bit, and answers must agree within the tolerance.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from training.leaves import GREATEST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    import lightgbm as lgb
    from numpy.typing import NDArray

    from training.leaves import Ensemble, Leaves

    Rows = NDArray[np.float32]

TOLERANCE = 1e-6
BATCHES = (1, 7, 64, 255)
BATCH_ROWS = 512
UNUSUAL = (np.nan, np.inf, -np.inf, 0.0, -0.0, 1e30, -1e30)


class Split(NamedTuple):
    """One step on the way from the root of a tree: values up to the threshold go left."""

    feature: int
    threshold: float
    left: bool


@dataclass(frozen=True, slots=True)
class Check:
    """One comparison of the certificate.

    Attributes:
        name: What was compared.
        rows: Rows it was compared on.
        max_relative_difference: Greatest |a - b| / max(1, |b|).
        passed: Whether it held.
    """

    name: str
    rows: int
    max_relative_difference: float
    passed: bool


def certificate_of(
    graph: bytes, checks: Sequence[Check], *, rows: int, on_thresholds: int
) -> dict[str, Any]:
    """Return a certificate, fit for JSON.

    Args:
        graph: The serialised graph.
        checks: What was compared.
        rows: Rows on which answers were compared.
        on_thresholds: Rows of these on a threshold or beside one.
    """
    return {
        "graph_sha256": hashlib.sha256(graph).hexdigest(),
        "tolerance": TOLERANCE,
        "row_count": rows,
        "threshold_row_count": on_thresholds,
        "max_relative_difference": max(check.max_relative_difference for check in checks),
        "checks": [asdict(check) for check in checks],
        "passed": all(check.passed for check in checks),
    }


def booster_paths(booster: lgb.Booster) -> Iterator[tuple[Split, ...]]:
    """Yield the way from the root to each split of each tree, the split itself last."""
    for tree in booster.dump_model()["tree_info"]:
        yield from _paths(tree["tree_structure"], ())


def threshold_rows(paths: Iterable[tuple[Split, ...]], holdout: Rows) -> Rows:
    """Return, for every split, a row on its threshold that reaches it, and both its neighbours.

    The rest of each row is taken from the hold-out rows in turn, so that the other trees are
    exercised by rows as they occur.

    Args:
        paths: The way to each split, the split last, as `booster_paths` gives them.
        holdout: Rows as they occur, shape (n, features).
    """
    rows = [holdout[:0]]
    for path in paths:
        rows.append(_on_threshold(holdout[(len(rows) - 1) % len(holdout)], path))
    return np.concatenate(rows)


def unusual_rows(holdout: Rows, always: Mapping[int, float]) -> Rows:
    """Return rows with zeros, NaN, infinities and unseen values, one column at a time.

    Args:
        holdout: Rows as they occur, shape (n, features).
        always: Columns that are always known, finite and above 0, with a value they may have.
    """
    base = holdout[0]
    rows = [np.zeros_like(base), np.full_like(base, -0.0)]
    for column in range(base.size):
        if column in always:
            continue
        for value in UNUSUAL:
            row = base.copy()
            row[column] = value
            rows.append(row)
    everything = np.full_like(base, np.nan)
    everything[list(always)] = list(always.values())
    return np.stack([*rows, everything])


def answers_agree(name: str, got: NDArray[Any], expected: NDArray[np.float64]) -> Check:
    """Compare answers within the tolerance; a difference that is no number fails."""
    gap = np.abs(got - expected) / np.maximum(1.0, np.abs(expected))
    difference = float(np.where(np.isnan(gap), np.inf, gap).max())
    return Check(name, len(expected), difference, difference <= TOLERANCE)


def leaves_agree(name: str, found: Ensemble | None, expected: Leaves, rows: Rows) -> Check:
    """Compare the leaf each row reaches in each tree, and what it adds, to the last bit."""
    if found is None:  # trees without a split are a constant in the graph
        same = np.full(len(rows), expected.places.shape[1] == 0)
    else:
        same = found.leaves(rows).same_rows(expected) & found.plain
    passed = bool(same.all())
    return Check(name, len(rows), 0.0 if passed else np.inf, passed)


def batches_agree(name: str, run: Callable[[Rows], NDArray[Any]], holdout: Rows) -> Check:
    """Compare whole batches with smaller ones and with the rows in reverse, bit for bit."""
    rows = holdout[:BATCH_ROWS]
    whole = run(rows)
    same = np.array_equal(run(np.ascontiguousarray(rows[::-1]))[::-1], whole)
    for size in BATCHES:
        parts = [run(rows[start : start + size]) for start in range(0, len(rows), size)]
        same &= np.array_equal(np.concatenate(parts), whole)
    return Check(f"{name}: batches equal singles", len(rows), 0.0 if same else np.inf, bool(same))


def _paths(node: dict[str, Any], above: tuple[Split, ...]) -> Iterator[tuple[Split, ...]]:
    if "split_feature" not in node:
        return
    feature, threshold = int(node["split_feature"]), float(node["threshold"])
    left, right = (Split(feature, threshold, left=side) for side in (True, False))
    yield (*above, left)
    yield from _paths(node["left_child"], (*above, left))
    yield from _paths(node["right_child"], (*above, right))


def _on_threshold(base: Rows, path: tuple[Split, ...]) -> Rows:
    row = base.copy()
    bounds: dict[int, tuple[float, float]] = {}
    for feature, threshold, left in path[:-1]:
        low, high = bounds.get(feature, (-np.inf, np.inf))
        bounds[feature] = (low, min(high, threshold)) if left else (max(low, threshold), high)
    for feature, (low, high) in bounds.items():
        if not low < float(row[feature]) <= high:  # NaN included: its way depends on the split
            row[feature] = _within(low, high)
    feature, threshold, _ = path[-1]
    at = np.float32(min(threshold, GREATEST))
    rows = np.stack([row] * 3)
    up, down = np.float32(np.inf), np.float32(-np.inf)
    with np.errstate(over="ignore"):  # beyond the greatest number comes infinity
        rows[:, feature] = (np.nextafter(at, down), at, np.nextafter(at, up))
    return rows


def _within(low: float, high: float) -> np.float32:
    """Return a float32 in (low, high], or NaN where no number but NaN passes above `low`."""
    if low >= GREATEST:
        return np.float32(np.nan)
    if high > GREATEST:
        value, toward = np.float32(max(low, -GREATEST)), np.float32(GREATEST)
        return value if float(value) > low else np.float32(np.nextafter(value, toward))
    value = np.float32(max(high, -GREATEST))
    return value if float(value) <= high else np.float32(np.nextafter(value, np.float32(-np.inf)))
