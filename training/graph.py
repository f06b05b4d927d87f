"""One ONNX graph for the demand model: boosters, calibration and non-crossing, both heads.

Thresholds and leaf values are kept in double, as LightGBM holds them, and the float32 rows are
cast up inside the graph; every row therefore reaches the leaf LightGBM sends it to, rows that sit
on a threshold included, and the sums agree to the last bit before the final cast.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from serving.adapters.demand import COVER, ROWS, UNITS
from serving.domain.features import COLUMN, FEATURES
from training.leaves import GREATEST

if TYPE_CHECKING:
    from collections.abc import Sequence

    import lightgbm as lgb
    from numpy.typing import NDArray

OPSET, ML_OPSET, IR_VERSION = 21, 5, 10
BRANCH_LEQ, SUM = 0, 1
HALF = 0.5
ZERO = float(np.float32(1e-35))
# Least distance from the median to the outer booster quantiles, in units of the series' scale: a
# series whose trees see no spread still gets the calibrated one.
MIN_SPREAD = 0.05


@dataclass(frozen=True, slots=True)
class Calibration:
    """Conformal factors by group of target, series scale and horizon.

    A quantile is median + factor x spread, where the spread is the boosters' distance from the
    median to the .9 quantile (levels above a half) or from the .1 quantile to the median (levels
    below). Factors ascend with the level and change sign at the median, so quantiles never cross.

    Attributes:
        levels: Probability levels, ascending, .5 among them.
        scale_cuts: Scales at which a group begins, ascending, shape (s - 1,).
        horizon_cuts: Horizons or covers above which a group begins, ascending, shape (h - 1,).
        factors: Factors, shape (2, s, h, levels); first axis demand, sales; 0 at the median.
    """

    levels: tuple[float, ...]
    scale_cuts: tuple[float, ...]
    horizon_cuts: tuple[float, ...]
    factors: NDArray[np.float64]

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of targets, scale groups and horizon groups."""
        return self.factors.shape[:3]

    def groups(self, rows: NDArray[np.float32]) -> NDArray[np.int64]:
        """Return the flat group of each row, shape (n,), rows of shape (n, features)."""
        scale = np.searchsorted(self.scale_cuts, rows[:, COLUMN["scale"]], side="right")
        horizon = np.searchsorted(self.horizon_cuts, rows[:, COLUMN["horizon"]], side="left")
        sales = rows[:, COLUMN["sales_target"]] >= HALF
        flat = np.ravel_multi_index((sales.astype(np.int64), scale, horizon), self.shape)
        return np.asarray(flat, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Head:
    """Four boosters and their calibration.

    Attributes:
        boosters: The .1, .5 and .9 quantile and the mean, each of the target divided by the scale.
        calibration: Conformal factors.
        summed: Multiply by the horizon: the target is a sum over a cover.
    """

    boosters: tuple[lgb.Booster, lgb.Booster, lgb.Booster, lgb.Booster]
    calibration: Calibration
    summed: bool


def build_graph(daily: Head, cover: Head) -> bytes:
    """Build the graph of both heads; a run computes the one it asks for.

    Returns:
        The serialised model. Inputs: ``rows`` float32 (n, features), ``cover`` bool (), whether the
        cover head is asked. Output: ``units`` float32 (n, 1 + levels of the head), the mean and
        then the quantiles.
    """
    parts = _Parts()
    parts.node("Cast", [ROWS], "rows64", to=TensorProto.DOUBLE)
    parts.node("If", [COVER], UNITS, then_branch=_branch(cover), else_branch=_branch(daily))
    graph = helper.make_graph(
        parts.nodes,
        "demand",
        [
            helper.make_tensor_value_info(ROWS, TensorProto.FLOAT, ["n", len(FEATURES)]),
            helper.make_tensor_value_info(COVER, TensorProto.BOOL, []),
        ],
        [helper.make_tensor_value_info(UNITS, TensorProto.FLOAT, ["n", None])],
    )
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", ML_OPSET)],
        ir_version=IR_VERSION,
    )
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


class _Parts:
    """Nodes and constants of a graph under construction."""

    def __init__(self, prefix: str = "") -> None:
        self.prefix = prefix
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def node(
        self,
        operator: str,
        inputs: Sequence[str],
        output: str,
        **attributes: Any,  # noqa: ANN401 - each operator has its own
    ) -> str:
        """Add a node and return the name of its output."""
        name = self.prefix + output
        self.nodes.append(helper.make_node(operator, inputs, [name], **attributes))
        return name

    def constant(self, name: str, values: object, dtype: type = np.float64) -> str:
        """Add a constant and return its name."""
        array: NDArray[Any] = np.asarray(values, dtype=dtype)
        self.constants.append(numpy_helper.from_array(array, self.prefix + name))
        return self.prefix + name

    def columns(self, name: str, features: Sequence[str]) -> str:
        """Add the columns of some features, shape (n, features)."""
        index = self.constant(f"{name}_index", [COLUMN[one] for one in features], np.int64)
        return self.node("Gather", ["rows64", index], name, axis=1)


def _branch(head: Head) -> onnx.GraphProto:
    """Return the graph of one head, its answers in units."""
    parts = _Parts("cover_" if head.summed else "daily_")
    low, middle, high, mean = (
        _add_trees(parts, name, booster.dump_model())
        for name, booster in zip(("low", "middle", "high", "mean"), head.boosters, strict=True)
    )
    below, above = _add_sides(parts, (low, middle, high), head.calibration)
    ratios = parts.node("Concat", [mean, below, middle, above], "ratios", axis=1)
    unit = parts.columns("scale", ["scale"])
    if head.summed:
        unit = parts.node("Mul", [unit, parts.columns("days", ["horizon"])], "unit")
    units = parts.node("Mul", [ratios, unit], "signed")
    units = parts.node("Max", [units, parts.constant("zero", 0.0)], "floored")
    units = parts.node("Cast", [units], "units", to=TensorProto.FLOAT)
    shape: list[str | int | None] = ["n", 1 + len(head.calibration.levels)]
    output = helper.make_tensor_value_info(units, TensorProto.FLOAT, shape)
    return helper.make_graph(parts.nodes, parts.prefix + "head", [], [output], parts.constants)


def _add_sides(
    parts: _Parts, trees: tuple[str, str, str], calibration: Calibration
) -> tuple[str, str]:
    """Add the quantiles below and above the median in units of the scale."""
    low, middle, high = trees
    group = _add_group(parts, calibration)
    levels = len(calibration.levels)
    half = calibration.levels.index(HALF)
    flat = calibration.factors.reshape(-1, levels)
    floor = parts.constant("min_spread", MIN_SPREAD)
    sides = []
    for name, (less, more), factors in (
        ("below", (low, middle), flat[:, :half]),
        ("above", (middle, high), flat[:, half + 1 :]),
    ):
        gap = parts.node("Sub", [more, less], f"{name}_gap")
        spread = parts.node("Max", [gap, floor], f"{name}_spread")
        table = parts.constant(f"{name}_factors", factors)
        factor = parts.node("Gather", [table, group], f"{name}_factor", axis=0)
        shift = parts.node("Mul", [spread, factor], f"{name}_shift")
        sides.append(parts.node("Add", [middle, shift], name))
    return sides[0], sides[1]


def _add_group(parts: _Parts, calibration: Calibration) -> str:
    """Add the flat group of each row, shape (n,): the sum of the strides of the cuts it passed."""
    _, scales, horizons = calibration.shape
    # x > cut is x >= the next number after it.
    cuts = [
        *(("scale", cut, horizons) for cut in calibration.scale_cuts),
        *(("horizon", np.nextafter(cut, np.inf), 1) for cut in calibration.horizon_cuts),
        ("sales_target", HALF, scales * horizons),
    ]
    columns = parts.columns("group_columns", [feature for feature, _, _ in cuts])
    bounds = parts.constant("cuts", [[cut for _, cut, _ in cuts]])
    passed = parts.node("GreaterOrEqual", [columns, bounds], "passed")
    passed = parts.node("Cast", [passed], "passed_as_numbers", to=TensorProto.DOUBLE)
    strides = parts.constant("strides", [float(stride) for _, _, stride in cuts])
    total = parts.node("MatMul", [passed, strides], "group_number")
    return parts.node("Cast", [total], "group", to=TensorProto.INT64)


def _as_split(threshold: float) -> float:
    """Return the threshold at which a plain comparison sends every float32 as LightGBM does.

    LightGBM reads values within ZERO of 0 as 0. A split of all numbers from NaN is infinity in
    memory and 1e300 once saved: infinity it is, so that an infinite value counts as a number.
    """
    if -ZERO <= threshold < 0.0:
        return float(np.nextafter(-ZERO, -np.inf))
    if 0.0 <= threshold < ZERO:
        return ZERO
    return float("inf") if threshold > GREATEST else threshold


@dataclass(slots=True)
class _Ensemble:
    """Flat arrays of an ai.onnx.ml 5 TreeEnsemble."""

    features: list[int]
    thresholds: list[float]
    missing_left: list[int]
    left: list[tuple[int, int]]
    right: list[tuple[int, int]]
    leaves: list[float]
    roots: list[int]

    def add(self, node: dict[str, Any]) -> tuple[int, int]:
        """Add a subtree; return its index and whether it is a leaf."""
        if "split_feature" not in node:
            self.leaves.append(float(node["leaf_value"]))
            return len(self.leaves) - 1, 1
        if node["decision_type"] != "<=":
            raise ValueError(f"split by {node['decision_type']!r} is not supported")
        index = len(self.features)
        threshold = _as_split(float(node["threshold"]))
        self.features.append(int(node["split_feature"]))
        self.thresholds.append(threshold)
        # LightGBM reads NaN as 0 where a feature had none in training.
        as_zero = node["missing_type"] != "NaN"
        self.missing_left.append(int(threshold >= 0 if as_zero else bool(node["default_left"])))
        self.left.append((0, 0))
        self.right.append((0, 0))
        self.left[index] = self.add(node["left_child"])
        self.right[index] = self.add(node["right_child"])
        return index, 0


def _add_trees(parts: _Parts, name: str, booster: dict[str, Any]) -> str:
    """Add a booster as one TreeEnsemble in double, shape (n, 1)."""
    flat = _Ensemble([], [], [], [], [], [], [])
    constant = 0.0
    for tree in booster["tree_info"]:
        root = tree["tree_structure"]
        if "split_feature" not in root:  # a tree without a split is a constant
            constant += float(root["leaf_value"])
            continue
        flat.roots.append(flat.add(root)[0])
    if not flat.roots:  # the operator needs a tree
        any_column = parts.columns(f"{name}_column", ["scale"])
        none = parts.node("Mul", [any_column, parts.constant(f"{name}_zero", 0.0)], f"{name}_none")
        return parts.node("Add", [none, parts.constant(f"{name}_constant", constant)], name)

    def tensor(values: Sequence[float], dtype: type) -> onnx.TensorProto:
        return numpy_helper.from_array(np.asarray(values, dtype=dtype))

    trees = parts.node(
        "TreeEnsemble",
        ["rows64"],
        name if constant == 0.0 else f"{name}_trees",
        domain="ai.onnx.ml",
        n_targets=1,
        aggregate_function=SUM,
        post_transform=0,
        nodes_featureids=flat.features,
        nodes_splits=tensor(flat.thresholds, np.float64),
        nodes_modes=tensor([BRANCH_LEQ] * len(flat.features), np.uint8),
        nodes_truenodeids=[index for index, _ in flat.left],
        nodes_trueleafs=[leaf for _, leaf in flat.left],
        nodes_falsenodeids=[index for index, _ in flat.right],
        nodes_falseleafs=[leaf for _, leaf in flat.right],
        nodes_missing_value_tracks_true=flat.missing_left,
        leaf_targetids=[0] * len(flat.leaves),
        leaf_weights=tensor(flat.leaves, np.float64),
        tree_roots=flat.roots,
    )
    if constant == 0.0:
        return trees
    return parts.node("Add", [trees, parts.constant(f"{name}_constant", constant)], name)
