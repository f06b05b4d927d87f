"""The anomaly forest, its graph, and the batch that scores tables with it."""

from __future__ import annotations

import datetime as dt
import time
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score

from serving.adapters.anomaly import CONTRIBUTIONS, ROWS, SCORE, decoded, encoded
from serving.adapters.onnx import open_session
from serving.domain.anomaly import p_values
from serving.errors import MissingInput
from serving.settings import load
from training.anomaly_certificate import certify
from training.anomaly_forest import PartingForest, joined
from training.anomaly_graph import build_graph
from training.anomaly_rows import LEAST_ROWS, cost_rows, delay_rows

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Rows = NDArray[np.float32]


def usual(rows: int, seed: int, columns: int = 4) -> Rows:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(rows, columns)).astype(np.float32)
    values[rng.random(values.shape) < 0.02] = np.nan
    return values


def laid(rows: Rows, kind: int) -> Rows:
    whole = np.full((len(rows), 9), np.nan, dtype=np.float32)
    whole[:, 0] = kind
    whole[:, 1 + 4 * (kind - 1) : 5 + 4 * (kind - 1)] = rows
    return whole


@pytest.fixture(scope="module")
def forest() -> PartingForest:
    parts = [
        (kind, 1 + 4 * (kind - 1), PartingForest(20).fit(usual(2_000, kind))) for kind in (1, 2)
    ]
    return joined(parts, 9)


@pytest.fixture(scope="module")
def graph(forest: PartingForest) -> bytes:
    return build_graph(forest)


def test_the_graph_passes_its_certificate(forest: PartingForest, graph: bytes) -> None:
    holdout = np.concatenate([laid(usual(100, 5), 1), laid(usual(100, 6), 2)])
    certificate = certify(graph, forest, holdout)
    assert certificate["passed"]
    assert certificate["max_relative_difference"] <= 1e-6
    assert certificate["threshold_row_count"] > 5_000


def test_a_graph_of_another_forest_fails_the_certificate(forest: PartingForest) -> None:
    other = joined([(1, 1, PartingForest(20, seed=9).fit(usual(2_000, 9)))], 9)
    certificate = certify(build_graph(other), forest, laid(usual(50, 5), 1))
    assert not certificate["passed"]


def test_a_kind_answers_as_its_own_forest_does(forest: PartingForest) -> None:
    own = PartingForest(20).fit(usual(2_000, 2))
    rows = usual(200, 7)
    assert np.array_equal(forest.depths(laid(rows, 2)), own.depths(rows))


def test_contributions_add_up_to_what_the_score_says(graph: bytes, forest: PartingForest) -> None:
    session = open_session(graph)
    rows = laid(usual(500, 8), 1)
    scores, credit = session.run((SCORE, CONTRIBUTIONS), {ROWS: rows})
    expected = np.mean([tree.depths[0] for tree in forest.trees_])
    depth = -np.log2(scores[:, 0].astype(np.float64)) * forest.usual_depth_
    assert np.allclose(expected - credit.sum(axis=1), depth, atol=1e-4)


def test_the_feature_that_is_wrong_is_the_first_driver(graph: bytes) -> None:
    session = open_session(graph)
    rng = np.random.default_rng(10)
    rows = laid(np.nan_to_num(usual(300, 11)), 1)
    wrong = rng.integers(1, 5, size=300)
    rows[np.arange(300), wrong] = rng.choice([-6.0, 6.0], size=300)
    _, credit = session.run((SCORE, CONTRIBUTIONS), {ROWS: rows})
    assert (credit.argmax(axis=1) == wrong).mean() >= 0.95


def test_values_far_out_of_range_score_above_every_usual_row(graph: bytes) -> None:
    session = open_session(graph)
    plain = session.run((SCORE,), {ROWS: laid(usual(2_000, 12), 1)})[0]
    far = laid(np.zeros((4, 4), dtype=np.float32), 1)
    far[np.arange(4), np.arange(1, 5)] = 50.0
    assert session.run((SCORE,), {ROWS: far})[0].min() > plain.max()


def test_usual_rows_are_flagged_as_often_as_asked() -> None:
    forest = PartingForest(25).fit(usual(5_000, 13))
    calibration = np.sort(-forest.score_samples(usual(10_000, 14)))
    found = p_values(-forest.score_samples(usual(10_000, 15)), calibration)
    assert 0.007 <= (found <= 0.01).mean() <= 0.013


def test_one_row_with_its_drivers_takes_forty_microseconds(graph: bytes) -> None:
    session = open_session(graph)
    rows = [laid(usual(1, seed), 1) for seed in range(400)]
    taken = []
    for row in rows:
        begun = time.thread_time()
        session.run((SCORE, CONTRIBUTIONS), {ROWS: row})
        taken.append(time.thread_time() - begun)
    assert np.median(taken) <= 40e-6


@pytest.mark.real_data
def test_labelled_sets_are_told_better_than_by_scikit_learns_forest() -> None:
    folder = load().real_data
    if folder is None or not (folder / "adbench").is_dir():
        pytest.skip("PARLEVEL_REAL_DATA names no folder with adbench")
    gaps = []
    for file in sorted((folder / "adbench").glob("*.npz")):
        with np.load(file) as stored:
            rows, labels = stored["X"].astype(np.float32), stored["y"].ravel()
        if len(rows) > 2_000:
            continue
        ours, theirs = PartingForest(), IsolationForest(random_state=0)
        areas = [
            roc_auc_score(labels, -one.fit(rows).score_samples(rows)) for one in (ours, theirs)
        ]
        gaps.append(areas[0] - areas[1])
    assert len(gaps) >= 5
    assert np.mean(gaps) > 0


def test_scores_keep_their_last_bit_in_a_manifest() -> None:
    scores = np.random.default_rng(17).random(1_000).astype(np.float32)
    assert np.array_equal(decoded(encoded(scores)), scores)


def test_a_constant_or_missing_feature_grows_a_forest_all_the_same() -> None:
    rows = np.column_stack([np.ones(50), np.full(50, np.nan), np.arange(50.0)]).astype(np.float32)
    scores = PartingForest(5).fit(rows).score_samples(rows)
    assert np.isfinite(scores).all()


def orders(folder: Path) -> Path:
    rng = np.random.default_rng(18)
    count = 400
    placed = np.datetime64("2026-01-01") + np.sort(rng.integers(0, 150, count))
    taken = rng.integers(8, 13, count)
    frame = pl.DataFrame(
        {
            "po_id": [f"PO-{place}" for place in range(count)],
            "sku": [f"S{place % 10}" for place in range(count)],
            "supplier_id": [f"V{place % 3}" for place in range(count)],
            "order_date": placed,
            "promised_date": placed + 12,
            "delivered_date": placed + taken,
            "quantity": rng.integers(50, 150, count).astype(float),
            "unit_price": rng.normal(10, 0.2, count),
            "freight_cost": rng.normal(20, 1, count),
        }
    )
    open_order = pl.col("po_id") == "PO-300"
    frame = frame.with_columns(
        delivered_date=pl.when(open_order).then(None).otherwise(pl.col("delivered_date"))
    )
    frame.write_parquet(folder / "purchase_orders.parquet")
    return folder


def test_prices_stand_beside_the_median_of_earlier_orders_only(tmp_path: Path) -> None:
    rows = cost_rows(orders(tmp_path), None)
    first = rows.filter(pl.col("sku") == "S0").sort("date").row(0, named=True)
    past = pl.read_parquet(tmp_path / "purchase_orders.parquet").filter(
        (pl.col("sku") == "S0") & (pl.col("order_date") < first["date"])
    )
    assert first["usual_unit_price"] == pytest.approx(past["unit_price"].median())
    assert first["last_unit_price"] == pytest.approx(past.sort("order_date")["unit_price"][-1])


def test_an_open_order_is_a_row_once_it_is_late(tmp_path: Path) -> None:
    rows = delay_rows(orders(tmp_path), None)
    (late,) = rows.filter(pl.col("entity") == "PO-300").to_dicts()
    assert late["days_taken"] > late["promised_days"] == 12.0
    assert rows["usual_days"].is_between(8, 13).all()


def booked(folder: Path) -> Path:
    """Write monthly unit costs of two plants beside each other."""
    months = np.arange("2025-01", "2026-01", dtype="datetime64[M]").astype("datetime64[D]")
    frames = [
        pl.DataFrame(
            {
                "date": months,
                "sku": ["S0"] * 12,
                "plant_id": [plant] * 12,
                "logistics_rate": [0.05] * 12,
                "logistics_usage": [2.0] * 12,
                "total_unit_cost": cost + np.arange(12.0) / 100,
                "volume": [500.0] * 12,
            }
        )
        for plant, cost in (("P1", 10.0), ("P2", 20.0))
    ]
    pl.concat(frames).write_parquet(folder / "cost_transactions.parquet")
    return folder


def test_booked_costs_stand_beside_those_of_their_own_plant(tmp_path: Path) -> None:
    rows = cost_rows(booked(tmp_path), None)
    assert set(rows["source"]) == {"cost_transactions"}
    assert rows.height == 2 * (12 - LEAST_ROWS)
    last = rows.filter(pl.col("entity") == "P2").sort("date").row(-1, named=True)
    assert last["unit_price"] == pytest.approx(20.11)
    assert last["usual_unit_price"] == pytest.approx(20.05)
    assert last["freight_share"] == pytest.approx(0.1 / 20.11)
    assert last["usual_quantity"] == 500.0


def test_prices_paid_and_costs_booked_are_rows_of_one_kind(tmp_path: Path) -> None:
    rows = cost_rows(booked(orders(tmp_path)), None)
    assert set(rows["source"]) == {"purchase_orders", "cost_transactions"}
    early = cost_rows(tmp_path, dt.date(2025, 12, 31))
    assert set(early["source"]) == {"cost_transactions"}
    with pytest.raises(MissingInput, match="cost_transactions"):
        cost_rows(tmp_path / "nowhere", None)
