"""Parity certificate of a cost graph: against LightGBM and a numpy oracle of the other steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from serving.adapters.cost_model import PRICES, ROWS
from serving.adapters.onnx import open_session
from training.cost.graph import GROUPED_BY, PARTS
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
    from collections.abc import Iterator

    import lightgbm as lgb
    from numpy.typing import NDArray

    from training.cost.graph import CostFit
    from training.leaves import Ensemble
    from training.parity import Check

    Rows = NDArray[np.float32]

ALWAYS = {0: 1.0, GROUPED_BY: 1.0}  # a quote always has a quantity
PATH_STEP = 7  # of the splits of estimators every so many are tried: there are tens of thousands


def certify(graph: bytes, fit: CostFit, holdout: Rows) -> dict[str, Any]:
    """Compare a graph with the model it was exported from.

    Args:
        graph: The serialised graph.
        fit: The trained model.
        holdout: Rows as they occur, shape (n, features).

    Returns:
        The certificate, fit for JSON.
    """
    session, trees = open_session(graph), ensembles(graph)
    unusual = unusual_rows(holdout, ALWAYS)

    def run(rows: Rows) -> NDArray[Any]:
        prices: NDArray[Any] = session.run((PRICES,), {ROWS: rows})[0]
        return prices

    checks, on_thresholds = [], []
    for name, booster in _boosters(fit):
        paths = [path for at, path in enumerate(booster_paths(booster)) if at % PATH_STEP == 0]
        rows = threshold_rows(paths, holdout)
        on_thresholds.append(rows)
        checks.append(_leaves(name, trees, booster, np.concatenate([rows, unusual])))
    on_threshold = np.concatenate(on_thresholds)
    compared = 0
    for kind, rows in (
        ("hold-out rows", holdout),
        ("rows on thresholds and beside them", on_threshold),
        ("rows on the edges of calibration groups", edge_rows(fit, holdout)),
        ("unusual rows", unusual),
    ):
        compared += len(rows)
        expected = fit.answer(np.clip(rows, -GREATEST, GREATEST))
        checks.append(answers_agree(f"prices: {kind}", run(rows), expected))
    checks.append(batches_agree("prices", run, holdout))
    return certificate_of(graph, checks, rows=compared, on_thresholds=len(on_threshold))


def edge_rows(fit: CostFit, holdout: Rows) -> Rows:
    """Return rows on each edge of each calibration group and beside it."""
    at = np.asarray(fit.cuts or (1.0,), dtype=np.float32)
    up, down = np.float32(np.inf), np.float32(-np.inf)
    edges = np.concatenate([np.nextafter(at, down), at, np.nextafter(at, up)])
    rows = holdout[np.arange(len(edges)) % len(holdout)].copy()
    rows[:, GROUPED_BY] = edges
    return rows


def _boosters(fit: CostFit) -> Iterator[tuple[str, lgb.Booster]]:
    """Yield each booster with the name of its trees in the graph."""
    for number, estimator in enumerate(fit.estimators):
        for name, side in zip(PARTS, estimator.sides, strict=True):
            # A side answers what a comparison asks of a booster.
            yield f"estimate_{number}_{name}", cast("lgb.Booster", side)
    yield "spread_log", fit.spread


def _leaves(name: str, trees: dict[str, Ensemble], booster: lgb.Booster, rows: Rows) -> Check:
    found = trees.get(name) or trees.get(f"{name}_trees")
    # A saved LightGBM model tells infinity from the greatest number, one in memory does not.
    reached = booster_leaves(booster, np.clip(rows, -GREATEST, GREATEST))
    return leaves_agree(f"{name}: leaves reached", found, reached, rows)
