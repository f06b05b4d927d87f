"""Trees that tell values far out of a feature's range, and what they find that cuts do not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from serving.domain.anomaly import p_values
from training.anomaly_certificate import certify
from training.anomaly_forest import PartingForest
from training.anomaly_graph import build_graph
from training.anomaly_guards import ENDS, GUARDS, guard

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.anomaly_tree import Tree

    Rows = NDArray[np.float32]

USUAL, TREES = 10.0, 100


def off(tree: Tree, *values: float) -> list[float]:
    """Return the cuts a tree takes off the mean depth of rows of one feature."""
    rows = np.array(values, dtype=np.float32).reshape(-1, 1)
    return [float(cut) for cut in (USUAL - tree.depths[tree.leaves(rows)]) / TREES]


def test_a_value_is_the_odder_the_more_widths_it_lies_beyond_the_range() -> None:
    column = np.linspace(0.0, 1.0, 1_001).astype(np.float32)
    low, high = ENDS
    width = high - low
    tree = guard(0, column, USUAL, TREES)
    assert off(tree, 0.5, low, high, np.nan) == [0.0] * 4
    for beyond, cuts in GUARDS:
        step = (beyond + 0.01) * width
        assert off(tree, low - step, high + step) == [cuts, cuts]
    assert off(tree, high + (GUARDS[0][0] - 0.01) * width) == [0.0]


def test_one_odd_value_does_not_stretch_the_range_for_the_next() -> None:
    column = np.random.default_rng(0).normal(size=5_000).astype(np.float32)
    column[:10] = 1_000.0
    assert off(guard(0, column, USUAL, TREES), 20.0) == [GUARDS[-1][1]]


def test_a_value_nearly_all_share_leaves_the_rest_within_the_range() -> None:
    column = np.zeros(5_000, dtype=np.float32)
    column[:10] = 1.0
    assert off(guard(0, column, USUAL, TREES), 0.0, 1.0, 2.5) == [0.0, 0.0, GUARDS[-1][1]]


def test_a_column_without_values_or_with_one_alone_tells_others_apart() -> None:
    assert off(guard(0, np.full(9, np.nan, np.float32), USUAL, TREES), np.nan, 0.0) == [0.0, 0.0]
    ones = guard(0, np.ones(9, np.float32), USUAL, TREES)
    assert off(ones, 1.0, 2.0, 0.0) == [0.0, GUARDS[-1][1], GUARDS[-1][1]]


def test_what_a_guard_takes_off_is_credited_to_its_feature() -> None:
    tree = guard(1, np.linspace(0.0, 1.0, 100).astype(np.float32), USUAL, TREES)
    leaf = tree.leaves(np.array([[0.5, 9.0]], dtype=np.float32))
    assert tree.credits(2)[leaf].tolist() == [[0.0, GUARDS[-1][1] * TREES]]


def spiked(seed: int, rows: int = 10_000) -> tuple[Rows, NDArray[np.bool_]]:
    """Return usual rows with scattered features, 1 in 1,000 five spreads out in the first one."""
    rng = np.random.default_rng(seed)
    values = rng.standard_t(4, size=(rows, 4)).astype(np.float32)
    values[:, 0] = rng.normal(0.0, 0.5, rows)
    odd = np.arange(rows) < rows // 1_000
    values[odd, 0] = rng.uniform(4.0, 6.0, odd.sum())
    return values, odd


def test_a_spike_in_one_feature_is_found_though_training_rows_hold_greater_ones() -> None:
    train, _ = spiked(1)
    train[:3, 0] = 50.0
    forest = PartingForest(25).fit(train)
    calibrate, usual = spiked(2)
    scores = np.sort(-forest.score_samples(calibrate[~usual]))
    test, odd = spiked(3)
    found = p_values(-forest.score_samples(test), scores)
    assert (found[odd] <= 0.01).all()
    assert 0.007 <= (found[~odd] <= 0.01).mean() <= 0.013


def test_rows_far_out_in_every_feature_score_alike_in_the_graph() -> None:
    forest = PartingForest(25).fit(spiked(4, rows=2_000)[0])
    far = np.full((8, 4), 1e6, dtype=np.float32) * np.array([[1], [-1]] * 4, dtype=np.float32)
    certificate = certify(build_graph(forest), forest, far)
    assert certificate["passed"]
    assert certificate["max_relative_difference"] <= 1e-6
