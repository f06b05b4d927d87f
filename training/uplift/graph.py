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
    add_blend,
    blend_of,
    blend_of_bends,
    blend_of_difference,
)
from training.uplift.evaluation import HALF_WIDTH
from training.uplift.forest_graph import ENDS, add_forest
from training.uplift.learners import FOREST, MEANS, X_BOOSTED, X_LINEAR, S, X
from training.uplift.stages import LEAST_PROPENSITY

if TYPE_CHECKING:
    from training.uplift.evaluation import Line
    from training.uplift.learners import Fitted
    from training.uplift.stages import Propensity


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
    if fitted.name == FOREST:
        known = add_forest(parts, fitted.estimator)
    else:
        known = _add_ends(parts, _add_effect(parts, fitted, features), line)
    share = _add_share(parts, fitted.propensity)
    answers = parts.node("Add", [known, share], "answers")
    parts.node("Cast", [answers], EFFECTS, to=TensorProto.FLOAT)
    graph = helper.make_graph(
        parts.nodes,
        "uplift",
        [helper.make_tensor_value_info(ROWS, TensorProto.FLOAT, ["n", features])],
        [helper.make_tensor_value_info(EFFECTS, TensorProto.FLOAT, ["n", OUTPUTS])],
        parts.constants,
    )
    return model_bytes(graph)


def _add_effect(parts: Parts, fitted: Fitted, features: int) -> str:
    """Add the effect of a learner that is put together of stages, shape (n, 1)."""
    base, gap, propensity = _effect(fitted.name, fitted.estimator, features)
    if propensity is None:
        return add_blend(parts, "effect", base)
    found = add_blend(parts, "gap", gap)
    share = add_propensity(parts, "weight", propensity)
    part = parts.node("Mul", [share, found], "part")
    return parts.node("Add", [add_blend(parts, "base", base), part], "effect")


def _effect(
    name: str,
    model: Any,  # noqa: ANN401 - EconML is not typed
    features: int,
) -> tuple[Blend, Blend, Propensity | None]:
    """Return an effect as a blend, plus the propensity, where it differs, times another."""
    if name in MEANS:
        base, gap, propensity = Blend(), Blend(), None
        for part, one in zip(MEANS[name], model.learners, strict=True):
            more, beside, found = _effect(part, one, features)
            base, gap, propensity = base + more, gap + beside, found or propensity
        share = 1.0 / len(model.learners)
        return base.times(share), gap.times(share), propensity
    if name == S:  # EconML lays a column of the controls and one of the treated beside
        held = ({features: 0.0, features + 1: 1.0}, {features: 1.0, features + 1: 0.0})
        return blend_of_difference(model.overall_model, held), Blend(), None
    if name not in (X, X_BOOSTED, X_LINEAR):
        without, with_ = model.models
        return blend_of(with_) + blend_of(without).times(-1.0), Blend(), None
    # EconML weighs the effect imputed to the controls by the propensity, that to the treated by
    # its complement.
    propensity = model.propensity_models[0]
    controls = blend_of(model.cate_controls_models[0])
    treated = blend_of(model.cate_treated_models[0])
    if not propensity.constant:
        return treated, controls + treated.times(-1.0), propensity
    share = _share(propensity)
    return controls.times(share) + treated.times(1.0 - share), Blend(), None


def _add_share(parts: Parts, model: Propensity) -> str:
    """Add the propensity with zeros before it, as answers are summed: shape (1, 4) or (n, 4)."""
    place = np.eye(OUTPUTS)[[-1]]
    if model.constant:
        return parts.constant("share", place * _share(model))
    found = add_propensity(parts, "propensity", model)
    return parts.node("Mul", [found, parts.constant("share_place", place)], "share")


def _add_ends(parts: Parts, effect: str, line: Line) -> str:
    """Add effect, the ends of the band of the average effect at it, and a 0, shape (n, 4)."""
    away = parts.node("Sub", [effect, parts.constant("line_center", line.center)], "line_away")
    slopes = parts.constant("line_slopes", [[1.0, line.slope, line.slope, 0.0]])
    levels = parts.constant("line_levels", [[line.center, line.level, line.level, 0.0]])
    rise = parts.node("Mul", [away, slopes], "line_rise")
    middle = parts.node("Add", [rise, levels], "line_middle")
    square = parts.node("Mul", [away, away], "line_square")
    tilt = parts.constant("line_tilt", HALF_WIDTH**2 * line.slope_variance)
    spread = parts.node("Mul", [square, tilt], "line_spread")
    flat = parts.constant("line_flat", HALF_WIDTH**2 * line.level_variance)
    half = parts.node("Sqrt", [parts.node("Add", [spread, flat], "line_width")], "line_half")
    width = parts.node("Mul", [half, parts.constant("line_ends", ENDS)], "line_band")
    return parts.node("Add", [middle, width], "line_known")


def _share(model: Propensity) -> float:
    return float(model.predict_proba(np.empty((1, 0)))[0, 1])


def add_propensity(parts: Parts, name: str, model: Propensity) -> str:
    """Add the probability of being treated, shape (n, 1), where it is not the same for all."""
    blend = blend_of_bends(model.bends_, model.slopes_, model.start_)
    score = add_blend(parts, f"{name}_score", blend)
    chance = parts.node("Sigmoid", [score], f"{name}_chance")
    low = parts.constant(f"{name}_low", LEAST_PROPENSITY)
    high = parts.constant(f"{name}_high", 1.0 - LEAST_PROPENSITY)
    return parts.node("Clip", [chance, low, high], name)
