"""Parts of an ONNX graph: nodes, constants, and LightGBM trees in double.

Thresholds and leaf values are kept in double, as LightGBM holds them, and float32 rows are cast up
inside the graph; every row therefore reaches the leaf LightGBM sends it to, rows that sit on a
threshold included.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from training.leaves import GREATEST

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

OPSET, ML_OPSET, IR_VERSION = 21, 5, 10
BRANCH_LEQ, SUM = 0, 1
ZERO = float(np.float32(1e-35))
ROWS64 = "rows64"  # the rows of a graph, cast up


class Parts:
    """Nodes and constants of a graph under construction."""

    def __init__(self, prefix: str = "") -> None:
        """Take what the names of its nodes and constants begin with."""
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


def model_bytes(graph: onnx.GraphProto) -> bytes:
    """Return a graph as a serialised model of the operator sets onnxruntime reads."""
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", ML_OPSET)],
        ir_version=IR_VERSION,
    )
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def as_split(threshold: float) -> float:
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
        threshold = as_split(float(node["threshold"]))
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


def add_trees(parts: Parts, name: str, booster: dict[str, Any], *, rows: str = ROWS64) -> str:
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
        return _add_constant(parts, name, constant)

    def tensor(values: Sequence[float], dtype: type) -> onnx.TensorProto:
        return numpy_helper.from_array(np.asarray(values, dtype=dtype))

    trees = parts.node(
        "TreeEnsemble",
        [rows],
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


def _add_constant(parts: Parts, name: str, value: float) -> str:
    """Add a number for every row, whatever the row holds, shape (n, 1)."""
    index = parts.constant(f"{name}_index", [0], np.int64)
    column = parts.node("Gather", [ROWS64, index], f"{name}_column", axis=1)
    unknown = parts.node("IsNaN", [column], f"{name}_unknown")
    flag = parts.node("Cast", [unknown], f"{name}_flag", to=TensorProto.DOUBLE)
    none = parts.node("Mul", [flag, parts.constant(f"{name}_zero", 0.0)], f"{name}_none")
    return parts.node("Add", [none, parts.constant(f"{name}_constant", value)], name)
