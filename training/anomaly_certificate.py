"""Parity certificate of an anomaly graph: onnxruntime against the forest it was made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from serving.adapters.anomaly import CONTRIBUTIONS, ROWS, SCORE
from serving.adapters.onnx import open_session
from training.parity import (
    Split,
    answers_agree,
    batches_agree,
    certificate_of,
    threshold_rows,
    unusual_rows,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from serving.adapters.onnx import Session
    from training.anomaly_forest import PartingForest
    from training.anomaly_tree import Tree

    Rows = NDArray[np.float32]

MOST_SPLITS = 20_000  # whose thresholds are tried: about 60,000 rows


def certify(graph: bytes, forest: PartingForest, holdout: Rows) -> dict[str, Any]:
    """Compare a graph with its forest and return the certificate, fit for JSON.

    Args:
        graph: The serialised graph.
        forest: The forest it was made of.
        holdout: Rows as they occur, one or more of each kind, shape (n, features).
    """
    session = open_session(graph)
    paths = [path for tree in forest.trees_ for path in _paths(tree)]
    step = -(-len(paths) // MOST_SPLITS)
    edges = threshold_rows(paths[::step], holdout)
    odd = unusual_rows(holdout, {0: float(holdout[0, 0])})
    rows = np.concatenate([holdout, edges, odd])
    expected = np.column_stack([-forest.score_samples(rows), forest.credits(rows)])
    checks = [
        answers_agree("scores and contributions", _run(session, rows), expected),
        batches_agree("forest", lambda some: _run(session, some), holdout),
    ]
    return certificate_of(graph, checks, rows=len(rows), on_thresholds=len(edges))


def _run(session: Session, rows: Rows) -> NDArray[np.float32]:
    found: NDArray[np.float32] = np.concatenate(
        session.run((SCORE, CONTRIBUTIONS), {ROWS: rows}), axis=1
    )
    return found


def _paths(tree: Tree) -> Iterator[tuple[Split, ...]]:
    """Yield the way from the root to each split of a tree, the split itself last."""
    ways: dict[int, tuple[Split, ...]] = {0: ()}
    for node in np.flatnonzero(tree.features >= 0).tolist():
        feature, threshold = int(tree.features[node]), float(tree.thresholds[node])
        left, right = (Split(feature, threshold, left=side) for side in (True, False))
        yield (*ways[node], left)
        ways[int(tree.left[node])] = (*ways[node], left)
        ways[int(tree.right[node])] = (*ways[node], right)
