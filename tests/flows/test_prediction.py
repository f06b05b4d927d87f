"""Who answers for each series, and the answers brought together."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from serving.domain.demand import BatchForecastQuery, DemandTarget, ForecastQuery
from serving.domain.features import FUTURE
from serving.domain.history import STATE
from serving.domain.periods import Frequency, period_of
from serving.domain.routes import Routes, cells_of
from serving.domain.tiers import DemandTier
from serving.flows.demand import DemandFlow
from serving.flows.evidence import stack, stored
from serving.flows.prediction import answered_by, plan_effect, predict_cover, predict_daily
from tests.fakes.demand import FakeClock, FakeModel, FakeModels, past, state_of, stored_world
from tests.fakes.routes import routes

SERIES = 40
PAIRS = [(f"s{number}", "east") for number in range(SERIES)]


def world() -> object:
    """Store series of many patterns and lengths of history."""
    features = stored_world(SERIES)
    for number, key in enumerate(PAIRS):
        history = past(number, days=(3, 20, 90, 500)[number % 4])
        rare = np.random.default_rng(number).random(history.quantity.shape) < (number % 5) / 5
        quantity = np.where(rare, 0.0, history.quantity)
        features.put("demand_state", key, state_of(dataclasses.replace(history, quantity=quantity)))
    return features


FEATURES = world()
RECORDS = stack([stored(FEATURES, *key) for key in PAIRS], Frequency.DAY)  # type: ignore[arg-type]


def with_cells(tier: DemandTier, weight: float) -> Routes:
    """Return a table that says the same of every cell."""
    table = routes()
    cells = table.cells._replace(
        tier=np.full_like(table.cells.tier, tier), weight=np.full_like(table.cells.weight, weight)
    )
    return dataclasses.replace(table, cells=cells, cover_cells=cells)


def test_without_a_table_the_model_answers_for_all() -> None:
    model = FakeModel()
    assert {one.tier for one in answered_by(model, RECORDS)} == {DemandTier.GLOBAL_MODEL}
    plain = predict_daily(model, RECORDS, 7, DemandTarget.DEMAND)
    routed = predict_daily(
        FakeModel(routes=with_cells(DemandTier.SPARSE, 0.0)), RECORDS, 7, DemandTarget.DEMAND
    )
    assert all(np.array_equal(*pair) for pair in zip(plain, routed, strict=True))


@pytest.mark.parametrize("tier", [one for one in DemandTier if one is not DemandTier.GLOBAL_MODEL])
def test_a_tier_alone_leaves_the_model_unasked(tier: DemandTier) -> None:
    model = FakeModel(routes=with_cells(tier, 1.0))
    mean, quantiles = predict_daily(model, RECORDS, 9, DemandTarget.SALES)
    assert model.rows == []
    assert {one.tier for one in answered_by(model, RECORDS)} == {tier}
    assert np.isfinite(mean).all()
    assert (np.diff(quantiles, axis=2) >= 0).all()
    assert (quantiles >= 0).all()


def test_half_a_tier_lies_halfway() -> None:
    parts = [
        predict_daily(
            FakeModel(routes=with_cells(DemandTier.SPARSE, weight)), RECORDS, 5, DemandTarget.DEMAND
        )
        for weight in (0.0, 0.5, 1.0)
    ]
    for model, both, tier in zip(*parts, strict=True):
        assert np.allclose(both, (model + tier) / 2)


@pytest.mark.parametrize("target", list(DemandTarget))
def test_each_series_has_the_bits_it_has_alone(target: DemandTarget) -> None:
    model = FakeModel(routes=routes())
    assert len(set(cells_of(RECORDS.state).tolist())) > 8
    covers = np.arange(SERIES) % 30 + 1
    together = (
        *predict_daily(model, RECORDS, 30, target),
        *predict_cover(model, RECORDS, covers, target),
    )
    for row, key in enumerate(PAIRS):
        one = stack([stored(FEATURES, *key)], Frequency.DAY)  # type: ignore[arg-type]
        alone = (
            *predict_daily(model, one, 30, target),
            *predict_cover(model, one, covers[row : row + 1], target),
        )
        for many, single in zip(together, alone, strict=True):
            assert np.array_equal(many[row], single[0])


def test_single_and_batch_name_the_same_tier_pattern_and_reason() -> None:
    flow = DemandFlow(
        FakeModels(FakeModel(routes=routes())),
        FEATURES,  # type: ignore[arg-type]
        FakeClock(),
        feature_ttl_seconds=86_400,
    )
    skus = (*(sku for sku, _ in PAIRS), "new")
    batch = flow.forecast_batch(BatchForecastQuery(skus, ("east",) * len(skus), 4))
    singles = [flow.forecast(ForecastQuery(sku, "east", 4)) for sku in skus]
    assert batch.answered == tuple(one.answered for one in singles)
    assert np.array_equal(batch.mean, np.stack([one.mean for one in singles]))
    assert "with no history" in batch.answered[-1].reason


def test_months_are_counted_in_months() -> None:
    evidence = [stored(FEATURES, *PAIRS[0])]  # type: ignore[arg-type]
    records = stack(evidence, Frequency.MONTH)
    assert records.origin == period_of(np.datetime64(evidence[0].origin, "D"), Frequency.MONTH)
    model = FakeModel()
    predict_daily(model, records, 3, DemandTarget.DEMAND)
    assert model.column("month").tolist() == [7, 8, 9]
    assert model.column("day_of_month").tolist() == [1, 1, 1]


def test_a_promotion_moves_a_tier_as_it_moves_the_model() -> None:
    model = FakeModel(routes=with_cells(DemandTier.SPARSE, 1.0))
    promoted = RECORDS.future.copy()
    promoted[:, FUTURE["promoted"].start : FUTURE["promoted"].start + 3] = 1.0
    planned = dataclasses.replace(RECORDS, future=promoted)
    usual, _ = predict_daily(model, RECORDS, 5, DemandTarget.DEMAND)
    found, _ = predict_daily(model, planned, 5, DemandTarget.DEMAND)
    started = RECORDS.state[:, STATE["promoted_last"].start] == 0
    assert started.any()
    effect = plan_effect(model, planned, 5, DemandTarget.DEMAND)
    assert (effect[started, :3] > 1).all()
    assert (effect[~started] == 1).all()
    assert np.array_equal(found[:, 3:], usual[:, 3:])
    moved = started & (usual[:, 0] > 0)
    assert (found[moved, 0] > usual[moved, 0]).any()


def test_a_series_the_model_is_not_asked_about_takes_no_part_in_what_another_is_asked() -> None:
    plain, dense = with_cells(DemandTier.SPARSE, 1.0), cells_of(RECORDS.state)
    promoted = RECORDS.future.copy()
    promoted[:, FUTURE["promoted"].start : FUTURE["promoted"].start + 3] = 1.0
    started = np.flatnonzero(RECORDS.state[:, STATE["promoted_last"].start] == 0)
    one = int(started[0])
    other = int(np.flatnonzero(dense != dense[one])[0])
    promoted[other] = np.nan
    weight = plain.cells.weight.copy()
    weight.reshape(-1)[dense[one]] = 0.5
    model = FakeModel(routes=dataclasses.replace(plain, cells=plain.cells._replace(weight=weight)))
    both = dataclasses.replace(RECORDS, future=promoted).take(np.array([other, one]))
    # The model is asked twice about one of two series and not at all about the other.
    together = predict_daily(model, both, 5, DemandTarget.DEMAND)
    for row in range(2):
        alone = predict_daily(model, both.take(np.array([row])), 5, DemandTarget.DEMAND)
        for many, single in zip(together, alone, strict=True):
            assert np.array_equal(many[row], single[0])
