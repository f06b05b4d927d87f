"""One ONNX graph for an uplift learner: effect, interval and propensity, float32 rows in.

All arithmetic is in double; the answers are cast to float32 at the end, so the graph agrees with
EconML to the rounding of the answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import TensorProto, helper

from serving.adapters.uplift import EFFECTS, OUTPUTS, ROWS
from training.trees import ROWS64, Parts, model_bytes
from training.uplift.blend import (
    Blend,
    add_blends,
    add_pieces,
    blend_of,
    blend_of_bends,
    blend_of_difference,
)
from training.uplift.evaluation import HALF_WIDTH
from training.uplift.forest_graph import ENDS, add_forest
from training.uplift.learners import FOREST, MEANS, X_BOOSTED, X_STUMPS, S, X

if TYPE_CHECKING:
    from training.uplift.blend import Piece
    from training.uplift.evaluation import Line
    from training.uplift.learners import Fitted
    from training.uplift.stages import Propensity

IMPOSSIBLE = -1e4  # log odds of a probability that is 0 in double


def build_graph(fitted: Fitted, line: Line, features: int) -> bytes:
    """Build the graph of a learner.

    Args:
        fitted: The learner.
        line: Average effect by score, from which the interval comes but for a causal forest.
        features: Columns it reads.

    Returns:
        The serialised model. Input: ``rows`` float32 (n, features). Output: ``effects`` float32
        (n, 4): effect, lower and upper end of its interval, propensity.
    """
    parts = Parts()
    if fitted.name != FOREST or not fitted.propensity.constant:
        parts.node("Cast", [ROWS], ROWS64, to=TensorProto.DOUBLE)
    beside = _add_propensity(parts, fitted.propensity, features)
    if fitted.name == FOREST:
        answers = add_forest(parts, fitted.estimator, beside)
    else:
        effect = _add_effect(parts, fitted, features, beside)
        answers = _add_ends(parts, effect, line, beside)
    parts.node("Cast", [answers], EFFECTS, to=TensorProto.FLOAT)
    graph = helper.make_graph(
        parts.nodes,
        "uplift",
        [helper.make_tensor_value_info(ROWS, TensorProto.FLOAT, ["n", features])],
        [helper.make_tensor_value_info(EFFECTS, TensorProto.FLOAT, ["n", OUTPUTS])],
        parts.constants,
    )
    return model_bytes(graph)


def _add_effect(parts: Parts, fitted: Fitted, features: int, beside: str) -> str:
    """Add the effect of a learner that is put together of stages, shape (n, 1)."""
    base, gap = _effect(fitted.name, fitted.estimator, features)
    if gap.empty:
        return add_blends(parts, "effect", [base], features)
    both = add_blends(parts, "both", [base, gap], features)
    last = parts.constant("weight_places", np.outer(np.eye(OUTPUTS)[-1], [0.0, 1.0]))
    whole = parts.constant("whole", [[1.0, 0.0]])
    weights = parts.node("Gemm", [beside, last, whole], "weights")  # 1 and the propensity
    weighed = parts.node("Mul", [both, weights], "weighed")
    axis = parts.constant("blends", [1], np.int64)
    return parts.node("ReduceSum", [weighed, axis], "effect", keepdims=1)


def _effect(
    name: str,
    model: Any,  # noqa: ANN401 - EconML is not typed
    features: int,
) -> tuple[Blend, Blend]:
    """Return an effect as a blend, plus the propensity, where it differs, times another."""
    if name in MEANS:
        base, gap = Blend(), Blend()
        for part, one in zip(MEANS[name], model.learners, strict=True):
            more, beside = _effect(part, one, features)
            base, gap = base + more, gap + beside
        share = 1.0 / len(model.learners)
        return base.times(share), gap.times(share)
    if name == S:  # EconML lays a column of the controls and one of the treated beside
        held = ({features: 0.0, features + 1: 1.0}, {features: 1.0, features + 1: 0.0})
        return blend_of_difference(model.overall_model, held), Blend()
    if name not in (X, X_BOOSTED, X_STUMPS):
        without, with_ = model.models
        return blend_of(with_) + blend_of(without).times(-1.0), Blend()
    # EconML weighs the effect imputed to the controls by the propensity, that to the treated by
    # its complement.
    propensity = model.propensity_models[0]
    controls = blend_of(model.cate_controls_models[0])
    treated = blend_of(model.cate_treated_models[0])
    if not propensity.constant:
        return treated, controls + treated.times(-1.0)
    share = _share(propensity)
    return controls.times(share) + treated.times(1.0 - share), Blend()


def _add_propensity(parts: Parts, model: Propensity, features: int) -> str:
    """Add three zeros and the propensity, as answers are summed: shape (1, 4) or (n, 4)."""
    place = np.eye(OUTPUTS)[-1]
    if model.constant:
        return parts.constant("beside", [place * _share(model)])
    lines = blend_of_bends(model.bends_, model.slopes_, model.start_)
    starts = parts.constant("odds_starts", [np.where(place > 0, lines.start, IMPOSSIBLE)])
    columns: list[list[Piece]] = [[], [], [], lines.pieces]
    odds = add_pieces(parts, "odds", columns, starts, features)
    return parts.node("Sigmoid", [odds], "beside")


def _share(model: Propensity) -> float:
    return float(model.predict_proba(np.empty((1, 0)))[0, 1])


def _add_ends(parts: Parts, effect: str, line: Line, beside: str) -> str:
    """Add effect, interval and propensity, shape (n, 4).

    The interval is the band of the average effect among units of one predicted effect, reaching to
    the predicted one where the band does not hold it: a width below 0 is none.
    """
    sides = np.array(ENDS)
    tilt = parts.constant("line_tilt", [(line.slope - 1.0) * sides])
    level = parts.constant("line_level", [(line.level - line.slope * line.center) * sides])
    off = parts.node("Gemm", [effect, tilt, level], "line_off")
    away = parts.node("Sub", [effect, parts.constant("line_center", line.center)], "line_away")
    square = parts.node("Mul", [away, away], "line_square")
    spread = parts.constant("line_spread", [HALF_WIDTH**2 * line.slope_variance * sides**2])
    flat = parts.constant("line_flat", [HALF_WIDTH**2 * line.level_variance * sides**2])
    half = parts.node(
        "Sqrt", [parts.node("Gemm", [square, spread, flat], "line_width")], "line_half"
    )
    reach = parts.node("Relu", [parts.node("Add", [off, half], "line_beyond")], "line_reach")
    everywhere = parts.constant("line_everywhere", [[1.0, 1.0, 1.0, 0.0]])
    middle = parts.node("Gemm", [effect, everywhere, beside], "line_middle")
    return parts.node(
        "Gemm", [reach, parts.constant("line_ends", np.diag(sides)), middle], "answers"
    )
