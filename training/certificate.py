"""Parity certificate: the exported graph against LightGBM and a numpy oracle of the other steps.

The rows compared are hold-out rows and, for the splits of every tree, a row that satisfies the
path to the split and sits on its threshold, with both float32 neighbours; rows on the edges of the
calibration groups; then zero and signed zero, NaN in each column, infinities and unseen values.
Each tree must reach the leaf LightGBM reaches, of the same value to the last bit, and the whole
graph must agree within the tolerance.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from serving.adapters.demand import run_head
from serving.adapters.onnx import open_session
from serving.domain.features import COLUMN
from training.boosters import outline
from training.graph import HALF
from training.leaves import GREATEST, booster_leaves, ensembles
from training.parity import (
    answers_agree,
    batches_agree,
    booster_paths,
    certificate_of,
    leaves_agree,
    threshold_rows,
    unusual_rows,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from training.demand import DemandFit
    from training.graph import Calibration, Head

    Rows = NDArray[np.float32]

ALWAYS = {COLUMN["scale"]: 1.0, COLUMN["horizon"]: 1.0}  # known, finite and above 0


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
    unusual = unusual_rows(holdout, ALWAYS)
    for name, head in (("daily", fit.daily), ("cover", fit.cover)):
        on_thresholds = []
        for part, booster in zip(head.boosters._fields, head.boosters, strict=True):
            rows = threshold_rows(booster_paths(booster), holdout)
            on_thresholds.append(rows)
            found = trees.get(f"{name}_{part}") or trees.get(f"{name}_{part}_trees")
            rows = np.concatenate([rows, unusual])
            # A saved LightGBM model tells infinity from the greatest number, one in memory does
            # not.
            reached = booster_leaves(booster, np.clip(rows, -GREATEST, GREATEST))
            checks.append(leaves_agree(f"{name} {part}: leaves reached", found, reached, rows))
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
            checks.append(answers_agree(f"{name}: {kind}", got, oracle(head, rows)))
        run = partial(run_head, session, cover=head.summed)
        checks.append(batches_agree(name, run, holdout))
    return certificate_of(graph, checks, rows=compared, on_thresholds=thresholds)


def oracle(head: Head, rows: Rows) -> NDArray[np.float64]:
    """Compute a head's answer by LightGBM and numpy alone.

    Returns:
        Mean and quantiles in units, shape (n, 1 + levels).
    """
    # A saved LightGBM model tells infinity from the greatest number, one in memory does not.
    finite = np.clip(rows, -GREATEST, GREATEST)
    said = outline(head.boosters, finite)
    calibration = head.calibration
    levels = len(calibration.levels)
    factors = calibration.factors.reshape(-1, levels)[calibration.groups(rows)]
    half = calibration.levels.index(HALF)
    spread = np.empty_like(factors)
    spread[:, :half] = said.below[:, None]
    spread[:, half:] = said.above[:, None]
    ratios = np.column_stack([said.mean, said.middle[:, None] + factors * spread])
    unit = rows[:, COLUMN["scale"]].astype(np.float64)
    if head.summed:
        unit = unit * rows[:, COLUMN["horizon"]]
    return np.maximum(ratios * unit[:, None], 0.0)


def edge_rows(calibration: Calibration, holdout: Rows) -> Rows:
    """Return rows on each edge of each calibration group and beside it, in every combination."""
    edges = {feature: _beside(values) for feature, values in calibration.cuts}
    grid = np.stack(np.meshgrid(*edges.values(), indexing="ij"), axis=-1).reshape(-1, len(edges))
    rows = holdout[np.arange(len(grid)) % len(holdout)]
    rows[:, [COLUMN[name] for name in edges]] = grid
    return rows


def _beside(cuts: Sequence[float]) -> Rows:
    """Return each cut as float32 with both its neighbours; 1 where there is no cut."""
    at = np.asarray(cuts or (1.0,), dtype=np.float32)
    ends = np.float32(-np.inf), np.float32(np.inf)
    return np.concatenate([np.nextafter(at, ends[0]), at, np.nextafter(at, ends[1])])
