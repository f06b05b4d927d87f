"""Parity of an uplift graph with EconML: on held rows, on every split's threshold, and beyond."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from serving.adapters.onnx import open_session
from serving.adapters.uplift import run_effects
from training.parity import (
    Check,
    Split,
    answers_agree,
    batches_agree,
    booster_paths,
    certificate_of,
    threshold_rows,
)
from training.uplift.forest_graph import LEAF, forest_of
from training.uplift.learners import FOREST, MEANS, X_BOOSTED, X_STUMPS, S, X
from training.uplift.stages import Boosted, Chosen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from training.uplift.evaluation import Line
    from training.uplift.learners import Fitted

    Floats = NDArray[np.float64]
    Rows = NDArray[np.float32]

SIGNIFICANCE = 0.05
FAR = (0.0, -0.0, 1e6, -1e6)
ANSWERS = ("effect", "lower", "upper", "propensity")


def certify(graph: bytes, fitted: Fitted, line: Line, held: Rows) -> dict[str, Any]:
    """Compare a graph with the learner it was exported from.

    Args:
        graph: The serialised graph.
        fitted: The learner.
        line: Average effect by score, from which the interval comes but for a causal forest.
        held: Rows as they occur, shape (n, features).

    Returns:
        The certificate, fit for JSON.
    """
    session = open_session(graph)
    on_thresholds = threshold_rows(_paths(fitted, held.shape[1]), held)
    checks, compared = [], 0
    for kind, rows in (
        ("rows as they occur", held),
        ("rows on thresholds and beside them", on_thresholds),
        ("rows far from what was seen", _far_rows(held)),
    ):
        if not len(rows):
            continue
        compared += len(rows)
        got, expected = run_effects(session, rows), oracle(fitted, line, rows)
        for at, name in enumerate(ANSWERS):
            checks.append(answers_agree(f"{name}: {kind}", got[:, at], expected[:, at]))
        checks.append(_interval_holds(kind, got))
    checks.append(batches_agree("uplift", lambda rows: run_effects(session, rows), held))
    return certificate_of(graph, checks, rows=compared, on_thresholds=len(on_thresholds))


def oracle(fitted: Fitted, line: Line, rows: Rows) -> Floats:
    """Compute effect, interval and propensity by EconML and numpy alone, shape (n, 4)."""
    effect = fitted.effects(rows)
    if fitted.name == FOREST:
        lower, upper = fitted.estimator.effect_interval(rows.astype(np.float64), alpha=SIGNIFICANCE)
    else:
        lower, upper = line.interval(effect)
    return np.column_stack([effect, lower.ravel(), upper.ravel(), fitted.propensities(rows)])


def _interval_holds(kind: str, got: Rows) -> Check:
    """Check that the interval holds the effect it stands beside in every row."""
    effect, lower, upper, _ = got.T
    held = bool(((lower <= effect) & (effect <= upper)).all())
    return Check(f"interval holds the effect: {kind}", len(got), 0.0 if held else np.inf, held)


def _paths(fitted: Fitted, features: int) -> Iterator[tuple[Split, ...]]:
    """Yield the way to each split of each tree of a learner."""
    if fitted.name == FOREST:
        for one in forest_of(fitted.estimator).estimators_:
            yield from _forest_paths(one.tree_, 0, ())
        return
    for stage in _stages(fitted.name, fitted.estimator):
        inner = stage.stage_ if isinstance(stage, Chosen) else stage
        if isinstance(inner, Boosted):
            for path in booster_paths(inner.booster_):
                if path[-1].feature < features:  # beyond them stands the treatment of an S learner
                    yield tuple(step for step in path if step.feature < features)


def _stages(name: str, model: Any) -> list[Any]:  # noqa: ANN401 - EconML is not typed
    """Return the stages a learner's effect is put together of."""
    if name in MEANS:
        parts = zip(MEANS[name], model.learners, strict=True)
        return [stage for part, one in parts for stage in _stages(part, one)]
    if name == S:
        return [model.overall_model]
    if name in (X, X_BOOSTED, X_STUMPS):
        return [model.cate_controls_models[0], model.cate_treated_models[0]]
    return list(model.models)


def _forest_paths(
    tree: Any,  # noqa: ANN401 - EconML is not typed
    node: int,
    above: tuple[Split, ...],
) -> Iterator[tuple[Split, ...]]:
    if tree.children_left[node] == LEAF:
        return
    feature, threshold = int(tree.feature[node]), float(tree.threshold[node])
    left, right = (Split(feature, threshold, left=side) for side in (True, False))
    yield (*above, left)
    yield from _forest_paths(tree, tree.children_left[node], (*above, left))
    yield from _forest_paths(tree, tree.children_right[node], (*above, right))


def _far_rows(held: Rows) -> Rows:
    """Return rows with zeros and far values, one column at a time.

    Covariates that are not known have a stand-in before they reach the graph, and no covariate is
    infinite, so neither is compared.
    """
    rows = [np.zeros_like(held[0]), np.full_like(held[0], -0.0)]
    for column in range(held.shape[1]):
        for value in FAR:
            row = held[0].copy()
            row[column] = value
            rows.append(row)
    return np.stack(rows)
