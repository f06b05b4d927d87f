"""Parity certificate: the exported graph against LightGBM and a numpy oracle of the other steps.

The rows compared are hold-out rows and, for the splits of every tree, a row that satisfies the
path to the split and sits on its threshold, with both float32 neighbours; rows on the edges of the
calibration groups; then zero and signed zero, NaN in each column, infinities and unseen values.
Each tree must reach the leaf LightGBM reaches, of the same value to the last bit, and the whole
graph must agree within the tolerance.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from serving.adapters.onnx import open_session, run_head
from serving.domain.features import COLUMN
from training.graph import GREATEST, HALF, MIN_SPREAD
from training.leaves import booster_leaves, ensembles

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import lightgbm as lgb
    from numpy.typing import NDArray

    from serving.adapters.onnx import Session
    from training.demand import DemandFit
    from training.graph import Calibration, Head
    from training.leaves import Ensemble

    Rows = NDArray[np.float32]

TOLERANCE = 1e-6
BATCHES = (1, 7, 64, 255)
BATCH_ROWS = 512
PARTS = ("low", "middle", "high", "mean")  # of a head's boosters, as the graph names them


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


def certify(graph: bytes, fit: DemandFit, holdout: Rows) -> dict[str, Any]:
    """Compare a graph with the model it was exported from.

    Args:
        graph: The serialised graph.
        fit: The trained model.
        holdout: Feature rows the model may be asked, shape (n, features).

    Returns:
        The certificate, fit for JSON: graph digest, checks, counts and whether all passed.
    """
    session, trees = open_session(graph), ensembles(graph)
    checks, thresholds, compared = [], 0, 0
    for name, head in (("daily", fit.daily), ("cover", fit.cover)):
        unusual, on_thresholds = unusual_rows(holdout), []
        for part, booster in zip(PARTS, head.boosters, strict=True):
            rows = threshold_rows(booster, holdout)
            on_thresholds.append(rows)
            found = trees.get(f"{name}_{part}") or trees.get(f"{name}_{part}_trees")
            rows = np.concatenate([rows, unusual])
            checks.append(_leaves(f"{name} {part}: leaves reached", found, booster, rows))
        on_threshold = np.concatenate(on_thresholds)
        thresholds += len(on_threshold)
        for kind, rows in (
            ("hold-out rows", holdout),
            ("rows on thresholds and beside them", on_threshold),
            ("rows on the edges of calibration groups", edge_rows(head.calibration, holdout)),
            ("unusual rows", unusual),
        ):
            compared += len(rows)
            got = run_head(session, rows, cover=head.summed)
            checks.append(_compare(f"{name}: {kind}", got, oracle(head, rows)))
        checks.append(_batches(session, name, holdout))
    return {
        "graph_sha256": hashlib.sha256(graph).hexdigest(),
        "tolerance": TOLERANCE,
        "row_count": compared,
        "threshold_row_count": thresholds,
        "max_relative_difference": max(check.max_relative_difference for check in checks),
        "checks": [
            {
                "name": check.name,
                "rows": check.rows,
                "max_relative_difference": check.max_relative_difference,
                "passed": check.passed,
            }
            for check in checks
        ],
        "passed": all(check.passed for check in checks),
    }


def oracle(head: Head, rows: Rows) -> NDArray[np.float64]:
    """Compute a head's answer by LightGBM and numpy alone.

    Returns:
        Mean and quantiles in units, shape (n, 1 + levels).
    """
    # A saved LightGBM model tells infinity from the greatest number, one in memory does not.
    finite = np.clip(rows, -GREATEST, GREATEST)
    low, middle, high, mean = (
        np.asarray(booster.predict(finite), dtype=np.float64) for booster in head.boosters
    )
    calibration = head.calibration
    levels = len(calibration.levels)
    factors = calibration.factors.reshape(-1, levels)[calibration.groups(rows)]
    half = calibration.levels.index(HALF)
    spread = np.empty_like(factors)
    spread[:, :half] = np.maximum(middle - low, MIN_SPREAD)[:, None]
    spread[:, half:] = np.maximum(high - middle, MIN_SPREAD)[:, None]
    ratios = np.column_stack([mean, middle[:, None] + factors * spread])
    unit = rows[:, COLUMN["scale"]].astype(np.float64)
    if head.summed:
        unit = unit * rows[:, COLUMN["horizon"]]
    return np.maximum(ratios * unit[:, None], 0.0)


def threshold_rows(booster: lgb.Booster, holdout: Rows) -> Rows:
    """Return, for every split, a row on its threshold that reaches it, and both its neighbours.

    The rest of each row is taken from the hold-out rows in turn, so that the other trees are
    exercised by rows as they occur.
    """
    rows = [holdout[:0]]
    for tree in booster.dump_model()["tree_info"]:
        for path in _paths(tree["tree_structure"], ()):
            rows.append(_on_threshold(holdout[(len(rows) - 1) % len(holdout)], path))
    return np.concatenate(rows)


def edge_rows(calibration: Calibration, holdout: Rows) -> Rows:
    """Return rows on each edge of each calibration group and beside it, of both targets."""
    edges = {
        "scale": _beside(calibration.scale_cuts),
        "horizon": _beside(calibration.horizon_cuts),
        "sales_target": np.array([0.0, 1.0], dtype=np.float32),
    }
    grid = np.stack(np.meshgrid(*edges.values(), indexing="ij"), axis=-1).reshape(-1, len(edges))
    rows = holdout[np.arange(len(grid)) % len(holdout)]
    rows[:, [COLUMN[name] for name in edges]] = grid
    return rows


def _beside(cuts: Sequence[float]) -> Rows:
    """Return each cut as float32 with both its neighbours; 1 where there is no cut."""
    at = np.asarray(cuts or (1.0,), dtype=np.float32)
    ends = np.float32(-np.inf), np.float32(np.inf)
    return np.concatenate([np.nextafter(at, ends[0]), at, np.nextafter(at, ends[1])])


def _paths(
    node: dict[str, Any], above: tuple[tuple[int, float, bool], ...]
) -> Iterator[tuple[tuple[int, float, bool], ...]]:
    """Yield (feature, threshold, goes left) from the root to each split, the split itself last."""
    if "split_feature" not in node:
        return
    split = (int(node["split_feature"]), float(node["threshold"]))
    yield (*above, (*split, True))
    yield from _paths(node["left_child"], (*above, (*split, True)))
    yield from _paths(node["right_child"], (*above, (*split, False)))


def _on_threshold(base: Rows, path: tuple[tuple[int, float, bool], ...]) -> Rows:
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


def unusual_rows(holdout: Rows) -> Rows:
    """Return rows with zeros, NaN, infinities and unseen values, one column at a time."""
    base = holdout[0]
    rows = [np.zeros_like(base), np.full_like(base, -0.0)]
    for column in range(base.size):
        if column in (COLUMN["scale"], COLUMN["horizon"]):
            continue  # always known, finite and above 0
        for value in (np.nan, np.inf, -np.inf, 0.0, -0.0, 1e30, -1e30):
            row = base.copy()
            row[column] = value
            rows.append(row)
    everything = np.full_like(base, np.nan)
    everything[[COLUMN["scale"], COLUMN["horizon"]]] = 1.0
    return np.stack([*rows, everything])


def _compare(name: str, got: Rows, expected: NDArray[np.float64]) -> Check:
    gap = np.abs(got - expected) / np.maximum(1.0, np.abs(expected))
    difference = float(np.where(np.isnan(gap), np.inf, gap).max())
    return Check(name, len(expected), difference, difference <= TOLERANCE)


def _leaves(name: str, found: Ensemble | None, booster: lgb.Booster, rows: Rows) -> Check:
    """Compare the leaf each row reaches in each tree, and what it adds, to the last bit."""
    # A saved LightGBM model tells infinity from the greatest number, one in memory does not.
    expected = booster_leaves(booster, np.clip(rows, -GREATEST, GREATEST))
    if found is None:  # trees without a split are a constant in the graph
        same = np.full(len(rows), expected.places.shape[1] == 0)
    else:
        same = found.leaves(rows).same_rows(expected) & found.plain
    passed = bool(same.all())
    return Check(name, len(rows), 0.0 if passed else np.inf, passed)


def _batches(session: Session, name: str, holdout: Rows) -> Check:
    """Compare whole batches with smaller ones and with the rows in reverse, bit for bit."""
    rows, cover = holdout[:BATCH_ROWS], name == "cover"
    whole = run_head(session, rows, cover=cover)
    reverse = run_head(session, np.ascontiguousarray(rows[::-1]), cover=cover)
    same = np.array_equal(reverse[::-1], whole)
    for size in BATCHES:
        parts = [
            run_head(session, rows[start : start + size], cover=cover)
            for start in range(0, len(rows), size)
        ]
        same &= np.array_equal(np.concatenate(parts), whole)
    return Check(f"{name}: batches equal singles", len(rows), 0.0 if same else np.inf, bool(same))
