"""The certificate passes on a faithful export and on nothing else: faults planted one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from serving.domain.features import COLUMN
from tests.fakes.fits import MadeUp, made_up
from training.certificate import certify, edge_rows, oracle
from training.leaves import OPERATOR, booster_leaves, ensembles
from training.parity import booster_paths, threshold_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Fault = Callable[[onnx.GraphProto], None]


@pytest.fixture(scope="module")
def made() -> MadeUp:
    return made_up()


@pytest.fixture(scope="module")
def graph(made: MadeUp) -> bytes:
    return made.fit.graph()


def branches(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield attribute.g


def trees(head: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    return (node for node in head.node if node.op_type == OPERATOR)


def given(node: onnx.NodeProto, name: str) -> onnx.AttributeProto:
    return next(one for one in node.attribute if one.name == name)


def replace_tensor(node: onnx.NodeProto, name: str, change: Callable[[Any], Any]) -> None:
    attribute = given(node, name)
    changed = np.ascontiguousarray(change(numpy_helper.to_array(attribute.t).copy()))
    attribute.t.CopyFrom(numpy_helper.from_array(changed))


def replace_constant(head: onnx.GraphProto, ending: str, change: Callable[[Any], Any]) -> None:
    (found,) = [one for one in head.initializer if one.name.endswith(ending)]
    changed = np.ascontiguousarray(change(numpy_helper.to_array(found).copy()))
    found.CopyFrom(numpy_helper.from_array(changed, found.name))


def thresholds_in_float32(head: onnx.GraphProto) -> None:
    for node in trees(head):
        replace_tensor(node, "nodes_splits", lambda t: t.astype(np.float32).astype(np.float64))


def columns_swapped(head: onnx.GraphProto) -> None:
    one, other = COLUMN["lag_7"], COLUMN["lag_14"]
    swap = {one: other, other: one}
    for node in trees(head):
        features = given(node, "nodes_featureids").ints
        features[:] = [swap.get(feature, feature) for feature in features]


def targets_mixed_up(head: onnx.GraphProto) -> None:
    replace_constant(head, "above_factors", lambda table: np.roll(table, len(table) // 2, axis=0))


def horizon_cut_moved(head: onnx.GraphProto) -> None:
    replace_constant(head, "cuts", lambda cuts: np.where(cuts == 8.0, np.nextafter(8.0, 9.0), cuts))


def scale_cut_exclusive(head: onnx.GraphProto) -> None:
    replace_constant(head, "cuts", lambda cuts: np.where(cuts == 2.0, np.nextafter(2.0, 3.0), cuts))


def calibration_stale(head: onnx.GraphProto) -> None:
    replace_constant(head, "below_factors", lambda table: table * 1.001)


def trees_averaged(head: onnx.GraphProto) -> None:
    for node in trees(head):
        given(node, "aggregate_function").i = 0


def missing_sent_right(head: onnx.GraphProto) -> None:
    for node in trees(head):
        ways = given(node, "nodes_missing_value_tracks_true").ints
        ways[:] = [0] * len(ways)


def missing_turned_round(head: onnx.GraphProto) -> None:
    for node in trees(head):
        ways = given(node, "nodes_missing_value_tracks_true").ints
        ways[:] = [1 - way for way in ways]


def split_strict(head: onnx.GraphProto) -> None:
    for node in trees(head):
        replace_tensor(node, "nodes_modes", np.ones_like)


def leaf_off_by_little(head: onnx.GraphProto) -> None:
    def change(values: Any) -> Any:  # noqa: ANN401 - any array
        values[3] += 1e-12  # far below the tolerance of the whole graph
        return values

    replace_tensor(next(trees(head)), "leaf_weights", change)


def tree_lost(head: onnx.GraphProto) -> None:
    del given(next(trees(head)), "tree_roots").ints[-1]


def floor_gone(head: onnx.GraphProto) -> None:
    replace_constant(head, "zero", lambda zero: zero - 10.0)


FAULTS: list[Fault] = [
    thresholds_in_float32,
    columns_swapped,
    targets_mixed_up,
    horizon_cut_moved,
    scale_cut_exclusive,
    calibration_stale,
    trees_averaged,
    missing_sent_right,
    missing_turned_round,
    split_strict,
    leaf_off_by_little,
    tree_lost,
    floor_gone,
]


def with_fault(graph: bytes, fault: Fault, branch: int) -> bytes:
    model = onnx.load_model_from_string(graph)
    fault(list(branches(model.graph))[branch])
    return bytes(model.SerializeToString())


def test_a_faithful_export_passes_every_check(made: MadeUp, graph: bytes) -> None:
    certificate = certify(graph, made.fit, made.rows)
    assert certificate["passed"]
    assert len(certificate["checks"]) == (3 + 5) + (4 + 5)  # boosters and whole answers
    assert certificate["max_relative_difference"] < 1e-7
    splits = sum(len(found.features) for found in ensembles(graph).values())
    assert certificate["threshold_row_count"] == 3 * splits
    assert certificate["row_count"] > certificate["threshold_row_count"]


@pytest.mark.parametrize("branch", [0, 1], ids=["first head", "second head"])
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_planted_fault_fails_the_certificate(
    made: MadeUp, graph: bytes, fault: Fault, branch: int
) -> None:
    broken = with_fault(graph, fault, branch)
    assert broken != graph
    certificate = certify(broken, made.fit, made.rows)
    assert not certificate["passed"]
    heads = {check["name"].split()[0].rstrip(":") for check in certificate["checks"]}
    failed = {
        check["name"].split()[0].rstrip(":")
        for check in certificate["checks"]
        if not check["passed"]
    }
    assert heads == {"daily", "cover"}
    assert len(failed) == 1, "a fault in one head must not be blamed on the other"


def test_heads_that_changed_places_fail_the_certificate(made: MadeUp, graph: bytes) -> None:
    model = onnx.load_model_from_string(graph)
    (choice,) = [node for node in model.graph.node if node.op_type == "If"]
    then, other = given(choice, "then_branch"), given(choice, "else_branch")
    then.name, other.name = "else_branch", "then_branch"
    assert not certify(bytes(model.SerializeToString()), made.fit, made.rows)["passed"]


def test_another_models_graph_fails_the_certificate(made: MadeUp) -> None:
    assert not certify(made_up(1).fit.graph(), made.fit, made.rows)["passed"]


def test_boosters_without_a_split_pass(made: MadeUp) -> None:
    flat = made_up(2, trees=1).fit
    assert certify(flat.graph(), flat, made.rows[:50])["passed"]


def test_threshold_rows_reach_their_split_on_its_threshold(made: MadeUp) -> None:
    booster = made.fit.daily.boosters.mean
    rows = threshold_rows(booster_paths(booster), made.rows)
    below, at, above = (booster_leaves(booster, rows[start::3]).places for start in range(3))
    # The three rows of a split differ in one value by its last bit, and the first and the last
    # part company at the split they were made for.
    parted = (below != above).any(axis=1)
    assert parted.mean() > 0.95
    assert ((at == below) | (at == above)).all()


def test_edge_rows_fall_into_every_calibration_group(made: MadeUp) -> None:
    calibration = made.fit.daily.calibration
    groups = calibration.groups(edge_rows(calibration, made.rows))
    assert set(groups.tolist()) == set(range(int(np.prod(calibration.shape))))


def test_the_oracle_never_crosses_and_is_never_negative(made: MadeUp) -> None:
    for head in (made.fit.daily, made.fit.cover):
        units = oracle(head, made.rows)
        assert (units >= 0).all()
        assert (np.diff(units[:, 1:], axis=1) >= 0).all()
