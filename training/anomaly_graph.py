"""One ONNX graph for an anomaly forest: a single tree operator gives score and credits in one run.

Each leaf holds its depth and what every feature on its way took off the expected depth, as targets
of one TreeEnsembleRegressor. The converter is registered with skl2onnx, so that
`skl2onnx.to_onnx` knows the forest as it knows any estimator.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import TensorProto
from skl2onnx import to_onnx, update_registered_converter
from skl2onnx.common.data_types import FloatTensorType

from serving.adapters.anomaly import CONTRIBUTIONS, ROWS, SCORE
from training.anomaly_forest import PartingForest

if TYPE_CHECKING:
    from skl2onnx.common._container import ModelComponentContainer
    from skl2onnx.common._topology import Operator, Scope

OPSET, ML_OPSET, IR_VERSION = 21, 3, 10


def build_graph(forest: PartingForest) -> bytes:
    """Build the graph of a fitted forest.

    Returns:
        The serialised model. Input: ``rows`` float32 (n, features), NaN where missing. Outputs:
        ``score`` float32 (n, 1) above 0, greater is more unusual; ``contributions`` float32
        (n, features), what each feature takes off the expected depth, in cuts.
    """
    update_registered_converter(
        PartingForest, "ParlevelPartingForest", _shapes, _convert, overwrite=True
    )
    model = to_onnx(
        forest,
        initial_types=[(ROWS, FloatTensorType([None, forest.n_features_in_]))],
        final_types=[
            (SCORE, FloatTensorType([None, 1])),
            (CONTRIBUTIONS, FloatTensorType([None, forest.n_features_in_])),
        ],
        target_opset={"": OPSET, "ai.onnx.ml": ML_OPSET},
        options={PartingForest: {}},
    )
    model.ir_version = IR_VERSION
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "n"
    for output in model.graph.output:
        output.type.tensor_type.shape.dim[0].dim_param = "n"
    return bytes(model.SerializeToString())


def _shapes(operator: Operator) -> None:
    rows, width = operator.inputs[0].type.shape
    operator.outputs[0].type = FloatTensorType([rows, 1])
    operator.outputs[1].type = FloatTensorType([rows, width])


def _convert(scope: Scope, operator: Operator, container: ModelComponentContainer) -> None:
    forest: PartingForest = operator.raw_operator
    width = forest.n_features_in_

    def name(what: str) -> str:
        return str(scope.get_unique_variable_name(what))

    found, depth, exponent = name("found"), name("depth"), name("exponent")
    container.add_node(
        "TreeEnsembleRegressor",
        [operator.inputs[0].full_name],
        [found],
        op_domain="ai.onnx.ml",
        op_version=ML_OPSET,
        name=scope.get_unique_operator_name("forest"),
        **_ensemble(forest),
    )
    sizes, scale = name("sizes"), name("scale")
    container.add_initializer(sizes, TensorProto.INT64, [2], [1, width])
    per_cut = -np.log(2.0) / max(forest.usual_depth_, 1e-9)
    container.add_initializer(scale, TensorProto.FLOAT, [], [per_cut])
    credit = operator.outputs[1].full_name
    container.add_node("Split", [found, sizes], [depth, credit], op_version=18, axis=1)
    container.add_node("Mul", [depth, scale], [exponent], op_version=14)
    container.add_node("Exp", [exponent], [operator.outputs[0].full_name], op_version=13)


def _ensemble(forest: PartingForest) -> dict[str, Any]:
    """Return the attributes of the tree operator: target 0 is depth, target 1 + f is feature f."""
    nodes: dict[str, list[Any]] = {
        key: []
        for key in (
            "nodes_treeids",
            "nodes_nodeids",
            "nodes_featureids",
            "nodes_values",
            "nodes_modes",
            "nodes_truenodeids",
            "nodes_falsenodeids",
            "nodes_missing_value_tracks_true",
            "target_treeids",
            "target_nodeids",
            "target_ids",
            "target_weights",
        )
    }
    for number, tree in enumerate(forest.trees_):
        inside = tree.features >= 0
        size = tree.features.size
        nodes["nodes_treeids"] += [number] * size
        nodes["nodes_nodeids"] += range(size)
        nodes["nodes_featureids"] += np.where(inside, tree.features, 0).tolist()
        nodes["nodes_values"] += tree.thresholds.tolist()
        nodes["nodes_modes"] += np.where(inside, "BRANCH_LEQ", "LEAF").tolist()
        nodes["nodes_truenodeids"] += np.where(inside, tree.left, 0).tolist()
        nodes["nodes_falsenodeids"] += np.where(inside, tree.right, 0).tolist()
        nodes["nodes_missing_value_tracks_true"] += tree.missing_left.astype(int).tolist()
        values = np.column_stack([tree.depths, tree.credits(forest.n_features_in_)])
        values[inside] = 0.0
        values[~inside, 0] = tree.depths[~inside]
        node, target = np.nonzero(values)
        nodes["target_treeids"] += [number] * node.size
        nodes["target_nodeids"] += node.tolist()
        nodes["target_ids"] += target.tolist()
        nodes["target_weights"] += values[node, target].tolist()
    return {
        **nodes,
        "n_targets": 1 + forest.n_features_in_,
        "aggregate_function": "AVERAGE",
        "post_transform": "NONE",
    }
