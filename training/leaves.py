"""Which leaf of each tree a row reaches: in an exported graph, and in the booster behind it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import numpy_helper

if TYPE_CHECKING:
    from collections.abc import Iterator

    import lightgbm as lgb
    from numpy.typing import NDArray

    Rows = NDArray[np.float32]
    Places = NDArray[np.int64]

OPERATOR = "TreeEnsemble"
GREATEST = float(np.finfo(np.float32).max)
BRANCH_LEQ, SUM = 0, 1


@dataclass(frozen=True, slots=True)
class Leaves:
    """Leaves reached by n rows in t trees.

    Attributes:
        places: Place of the leaf among its tree's leaves from left to right, shape (n, t).
        values: What the leaf adds to the sum, shape (n, t).
    """

    places: Places
    values: NDArray[np.float64]

    def same_rows(self, other: Leaves) -> NDArray[np.bool_]:
        """Return which rows reach the same leaves with the same values, shape (n,)."""
        if self.places.shape != other.places.shape:
            return np.zeros(len(self.places), dtype=bool)
        same: NDArray[np.bool_] = (
            (self.places == other.places) & (self.values == other.values)
        ).all(axis=1)
        return same


@dataclass(frozen=True, slots=True)
class Ensemble:
    """The arrays of a TreeEnsemble node.

    Attributes:
        features: Column each node splits on, shape (nodes,).
        thresholds: Greatest value that goes to the true branch, shape (nodes,).
        missing_true: Whether NaN goes to the true branch, shape (nodes,).
        true, false: Next node, or minus one minus the leaf, shape (nodes,).
        weights: Value of each leaf, shape (leaves,).
        roots: First node of each tree, shape (t,).
        plain: Nodes compare by <= and trees are summed as they stand.
    """

    features: Places
    thresholds: NDArray[np.float64]
    missing_true: NDArray[np.bool_]
    true: Places
    false: Places
    weights: NDArray[np.float64]
    roots: Places
    plain: bool

    def leaves(self, rows: Rows) -> Leaves:
        """Walk every row down every tree, as the operator's standard says, in double."""
        wide = np.asarray(rows, dtype=np.float64)
        at = np.broadcast_to(self.roots, (len(rows), len(self.roots))).copy()
        row, tree = np.nonzero(at >= 0)
        while row.size:
            node = at[row, tree]
            value = wide[row, self.features[node]]
            goes = (value <= self.thresholds[node]) | (np.isnan(value) & self.missing_true[node])
            step = np.where(goes, self.true[node], self.false[node])
            at[row, tree] = step
            inside = step >= 0
            row, tree = row[inside], tree[inside]
        leaf = -1 - at
        return Leaves(places=leaf - self._first_leaves(), values=self.weights[leaf])

    def _first_leaves(self) -> Places:
        """Return the first leaf of each tree; the graph numbers leaves from left to right."""
        first = self.roots.copy()
        while (first >= 0).any():
            first = np.where(first >= 0, self.true[np.maximum(first, 0)], first)
        return -1 - first


def ensembles(graph: bytes) -> dict[str, Ensemble]:
    """Return the tree ensembles of a graph and of its branches by the name of their output."""
    nodes = _nodes(onnx.load_model_from_string(graph).graph)
    return {node.output[0]: _ensemble(node) for node in nodes if node.op_type == OPERATOR}


def _nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """Yield the nodes of a graph and of every graph within it."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _nodes(attribute.g)


def booster_leaves(booster: lgb.Booster, rows: Rows) -> Leaves:
    """Return the leaves LightGBM says the rows reach, of its trees that have a split."""
    indices = np.asarray(booster.predict(rows, pred_leaf=True)).reshape(len(rows), -1)
    places, values = [], []
    for number, tree in enumerate(booster.dump_model()["tree_info"]):
        leaves = list(_leaves(tree["tree_structure"]))
        if len(leaves) == 1:
            continue
        order, weights = np.empty(len(leaves), dtype=np.int64), np.empty(len(leaves))
        for place, (index, weight) in enumerate(leaves):
            order[index], weights[index] = place, weight
        reached = indices[:, number].astype(np.int64)
        places.append(order[reached])
        values.append(weights[reached])
    empty = np.empty((len(rows), 0))
    return Leaves(
        places=np.stack(places, axis=1) if places else empty.astype(np.int64),
        values=np.stack(values, axis=1) if values else empty,
    )


def _leaves(node: dict[str, Any]) -> Iterator[tuple[int, float]]:
    """Yield index and value of each leaf below a node, from left to right."""
    if "split_feature" in node:
        yield from _leaves(node["left_child"])
        yield from _leaves(node["right_child"])
    else:
        yield int(node.get("leaf_index", 0)), float(node["leaf_value"])


def _ensemble(node: onnx.NodeProto) -> Ensemble:
    given = {one.name: onnx.helper.get_attribute_value(one) for one in node.attribute}

    def whole(name: str) -> Places:
        return np.asarray(given[name], dtype=np.int64)

    def branch(side: str) -> Places:
        to = whole(f"nodes_{side}nodeids")
        return np.where(whole(f"nodes_{side}leafs") == 1, -1 - to, to)

    modes = numpy_helper.to_array(given["nodes_modes"])
    return Ensemble(
        features=whole("nodes_featureids"),
        thresholds=numpy_helper.to_array(given["nodes_splits"]).astype(np.float64),
        missing_true=whole("nodes_missing_value_tracks_true").astype(bool),
        true=branch("true"),
        false=branch("false"),
        weights=numpy_helper.to_array(given["leaf_weights"]).astype(np.float64),
        roots=whole("tree_roots"),
        plain=bool((modes == BRANCH_LEQ).all())
        and given["aggregate_function"] == SUM
        and given["post_transform"] == 0,
    )
