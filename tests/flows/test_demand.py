"""The demand flow over a fake model and fake features."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any

import numpy as np
import pytest

from serving.domain.demand import (
    QUANTILE_LEVELS,
    BatchForecastQuery,
    Cover,
    CoverQuery,
    DemandTarget,
    ForecastQuery,
    ForecastRoute,
    PlanSource,
)
from serving.domain.features import FUTURE, KNOWN_DAYS, PRODUCT, WIDTHS
from serving.domain.history import STATE
from serving.domain.overrides import Override
from serving.domain.series import LocationAttributes, PlanDay, ProductAttributes, RowStatus
from serving.errors import (
    BeyondTrained,
    FeatureSetMismatch,
    InvalidField,
    StaleFeatures,
    UnknownSeries,
)
from serving.flows.demand import DemandFlow
from serving.flows.evidence import CHUNK
from tests.fakes.demand import (
    EVENT_TIME,
    MAX_HORIZON,
    ORIGIN,
    FakeClock,
    FakeFeatures,
    FakeModel,
    FakeModels,
    past,
    product_values,
    state_of,
    stored_world,
)


class Rig:
    """The flow and everything behind it."""

    def __init__(self, series: int = 5) -> None:
        self.model = FakeModel()
        self.models = FakeModels(self.model)
        self.features: FakeFeatures = stored_world(series)
        self.clock = FakeClock()
        self.flow = DemandFlow(
            self.models, self.features, self.clock, feature_ttl_seconds=24 * 3600
        )

    def plan(self, sku: str, **days: dict[int, float]) -> None:
        """Store a plan: for each field the days ahead and their values."""
        values = np.full(WIDTHS["known_future"], np.nan, dtype=np.float32)
        for name, entries in days.items():
            for ahead, value in entries.items():
                values[FUTURE[name].start + ahead - 1] = value
        self.features.put("known_future", (sku, "east"), values)


def ask(sku: str = "s1", location: str = "east", horizon: int = 7, **rest: Any) -> ForecastQuery:  # noqa: ANN401 - any field
    return ForecastQuery(sku, location, horizon, **rest)


def ahead(days: int) -> dt.date:
    return ORIGIN + dt.timedelta(days=days)


def test_an_answer_says_where_it_came_from() -> None:
    rig = Rig()
    answer = rig.flow.forecast(ask())
    assert answer.origin == ORIGIN
    assert answer.route is ForecastRoute.GLOBAL_MODEL
    assert answer.mean.shape == (7,)
    assert answer.quantiles.shape == (7, len(QUANTILE_LEVELS))
    said = answer.provenance
    assert (said.model_name, said.model_version) == ("forecast", "7")
    assert said.model_digest == rig.model.description.digest
    assert said.feature_set_hash == rig.features.feature_set_hash
    assert said.features_age_seconds == 0


def test_an_unknown_sku_or_location_is_named() -> None:
    rig = Rig()
    with pytest.raises(UnknownSeries, match="sku 'nobody'") as caught:
        rig.flow.forecast(ask("nobody"))
    assert (caught.value.field, caught.value.value) == ("sku", "nobody")
    with pytest.raises(UnknownSeries, match="location 'nowhere'"):
        rig.flow.forecast(ask("s1", "nowhere"))
    assert rig.model.rows == []


def test_attributes_sent_stand_in_for_what_is_in_no_table() -> None:
    rig = Rig()
    product, place = ProductAttributes("dry"), LocationAttributes("north")
    answer = rig.flow.forecast(ask("nobody", "nowhere", product=product, location_attributes=place))
    assert answer.route is ForecastRoute.COLD_START
    assert any("no history" in warning for warning in answer.provenance.warnings)
    with pytest.raises(UnknownSeries, match="location"):
        rig.flow.forecast(ask("nobody", "nowhere", product=product))


def test_attributes_of_an_unknown_category_invent_nothing() -> None:
    with pytest.raises(UnknownSeries, match="sku"):
        Rig().flow.forecast(ask("nobody", product=ProductAttributes("unheard of")))


def test_attributes_do_not_override_a_known_product() -> None:
    rig = Rig()
    plain = rig.flow.forecast(ask())
    with_attributes = rig.flow.forecast(ask(product=ProductAttributes("dry")))
    assert np.array_equal(plain.mean, with_attributes.mean)


def test_a_known_product_without_history_starts_from_its_category() -> None:
    rig = Rig()
    answer = rig.flow.forecast(ask("new"))
    assert answer.route is ForecastRoute.COLD_START
    state = state_of(past(1_050))
    state[STATE["observed_days"].start] = 0.0  # none of the category's days are its own
    rig.features.put("demand_state", ("new", "east"), state)
    as_its_category = rig.flow.forecast(ask("new"))
    assert as_its_category.route is ForecastRoute.GLOBAL_MODEL
    assert np.array_equal(answer.mean, as_its_category.mean)


def test_a_product_sold_elsewhere_starts_at_the_level_it_has_there() -> None:
    rig = Rig()
    product = product_values(1)
    level = product[PRODUCT["category_level"].start]
    product[PRODUCT["product_level"].start] = level
    rig.features.put("product", ("new",), product.copy())
    assert rig.flow.forecast(ask("new")).route is ForecastRoute.COLD_START
    unsold = {name: rig.model.column(name) for name in ("scale", "lag_7", "product_level")}
    product[PRODUCT["product_level"].start] = level / 8.0
    rig.features.put("product", ("new",), product)
    assert rig.flow.forecast(ask("new")).route is ForecastRoute.COLD_START
    for name, times in (("scale", 1 / 8), ("lag_7", 1.0), ("product_level", 1.0)):
        assert rig.model.column(name) == pytest.approx(unsold[name] * times, rel=1e-5), name


def test_history_sent_gives_the_bits_of_the_stored_features() -> None:
    rig = Rig()
    for number in range(5):
        stored = rig.flow.forecast(ask(f"s{number}", horizon=30))
        sent = rig.flow.forecast(ask(f"s{number}", horizon=30, history=past(number)))
        assert sent.route is ForecastRoute.REQUEST_HISTORY
        assert stored.mean.tobytes() == sent.mean.tobytes()
        assert stored.quantiles.tobytes() == sent.quantiles.tobytes()


@pytest.mark.parametrize("later", [-3, 4])
def test_history_that_ends_another_day_moves_the_known_days_along(later: int) -> None:
    rig = Rig()
    rig.plan("s1", price={day: float(day) for day in range(1, KNOWN_DAYS + 1)})
    history = past(1, last=ORIGIN + dt.timedelta(days=later))
    answer = rig.flow.forecast(ask(history=history))
    assert answer.origin == ORIGIN + dt.timedelta(days=later)
    known = [max(day + later, 0) for day in range(1, 8)]  # before the first one no day is marked
    assert rig.model.column("holiday").tolist() == known
    sources = [PlanSource.STORED if day else PlanSource.LAST_REGIME for day in known]
    assert list(answer.plan_sources) == sources


def test_a_plan_overrides_the_stored_one_field_by_field() -> None:
    rig = Rig()
    rig.plan("s1", price={1: 8.0, 2: 8.0}, discount={1: 0.25, 2: 0.25})
    plan = (PlanDay(ahead(2), discount=0.5), PlanDay(ahead(3), promoted=True))
    answer = rig.flow.forecast(ask(horizon=4, plan=plan))
    discounts = rig.model.column("discount")
    assert discounts[:2].tolist() == [0.25, 0.5]
    ratio = rig.model.column("price_ratio")
    assert ratio[0] == ratio[1], "the stored price of a day stays where only its discount was sent"
    assert rig.model.column("promoted")[2] == 1.0
    assert rig.model.column("planned").tolist() == [1.0, 1.0, 1.0, 0.0]
    assert answer.plan_sources == (
        PlanSource.STORED,
        PlanSource.REQUEST,
        PlanSource.REQUEST,
        PlanSource.LAST_REGIME,
    )
    assert any("nothing is planned for 1 of 4 days" in one for one in answer.provenance.warnings)


def test_a_plan_leaves_the_stored_one_as_it_was() -> None:
    rig = Rig()
    rig.plan("s1", price={1: 8.0})
    before = rig.flow.forecast(ask())
    rig.flow.forecast(ask(plan=(PlanDay(ahead(1), price=4.0),)))
    assert np.array_equal(before.mean, rig.flow.forecast(ask()).mean)


@pytest.mark.parametrize("day", [-1, 0, 8])
def test_a_plan_day_outside_the_horizon_is_refused(day: int) -> None:
    plan = (PlanDay(ahead(1)), PlanDay(ahead(day), price=4.0))
    with pytest.raises(
        InvalidField, match=r"plan\[1\]\.date must be from 2026-07-01 to 2026-07-07"
    ):
        Rig().flow.forecast(ask(plan=plan))
    with pytest.raises(InvalidField, match=r"plan\[1\]\.date"):
        Rig().flow.cover("s1", "east", 7, plan)


def test_features_too_old_are_refused_with_their_age() -> None:
    rig = Rig()
    rig.clock.hours = 24.0
    assert rig.flow.forecast(ask()).provenance.features_age_seconds == 24 * 3600
    rig.clock.hours = 24.1
    with pytest.raises(StaleFeatures, match=r"24\.1 h old, at most 24\.0 h"):
        rig.flow.forecast(ask())
    with pytest.raises(StaleFeatures):
        rig.flow.cover("s1", "east", 7)


def test_the_oldest_record_counts() -> None:
    rig = Rig()
    rig.features.put("product", ("s1",), product_values(1), EVENT_TIME - 25 * 3600)
    with pytest.raises(StaleFeatures):
        rig.flow.forecast(ask())


def test_features_ahead_of_the_clock_are_of_no_age() -> None:
    rig = Rig()
    rig.clock.hours = -5.0
    assert rig.flow.forecast(ask()).provenance.features_age_seconds == 0


def test_features_of_another_set_are_refused_at_every_question() -> None:
    rig = Rig()
    rig.features.feature_set_hash = "0" * 16
    batch = BatchForecastQuery(("s1",), ("east",), 3)
    for question in (
        lambda: rig.flow.forecast(ask()),
        lambda: rig.flow.forecast_batch(batch),
        lambda: rig.flow.cover("s1", "east", 3),
        lambda: rig.flow.cover_batch(("s1",), ("east",), np.array([3])),
    ):
        with pytest.raises(FeatureSetMismatch, match="stored is 0000000000000000"):
            question()


def test_beyond_the_trained_horizon_cover_or_level_is_refused() -> None:
    rig = Rig()
    with pytest.raises(BeyondTrained, match=f"horizon_days must be from 1 to {MAX_HORIZON}"):
        rig.flow.forecast(ask(horizon=MAX_HORIZON + 1))
    with pytest.raises(BeyondTrained, match=r"quantile_levels\[1\] must be from 0\.02 to 0\.98"):
        rig.flow.forecast(ask(levels=(0.5, 0.99)))
    with pytest.raises(BeyondTrained, match="lead_time_days"):
        rig.flow.cover("s1", "east", MAX_HORIZON + 1)
    with pytest.raises(BeyondTrained, match="lead_time_days"):
        rig.flow.cover_batch(("s1", "s2"), ("east", "east"), np.array([1, MAX_HORIZON + 1]))
    assert rig.flow.forecast(ask(horizon=MAX_HORIZON)).mean.shape == (MAX_HORIZON,)


@pytest.mark.parametrize("target", DemandTarget)
def test_a_batch_has_the_bits_of_its_singles(target: DemandTarget) -> None:
    rig = Rig(CHUNK + 40)
    rig.plan("s3", price={1: 8.0}, promoted={2: 1.0})
    skus = (*(f"s{number}" for number in range(CHUNK + 40)), "new")
    levels = (0.02, 0.3, 0.5, 0.98)
    batch = rig.flow.forecast_batch(
        BatchForecastQuery(skus, ("east",) * len(skus), 11, levels, target)
    )
    assert batch.routes[-1] is ForecastRoute.COLD_START
    for row in (0, 3, 17, CHUNK - 1, CHUNK, len(skus) - 1):
        alone = rig.flow.forecast(ask(skus[row], horizon=11, levels=levels, target=target))
        assert batch.mean[row].tobytes() == alone.mean.tobytes()
        assert batch.quantiles[row].tobytes() == alone.quantiles.tobytes()


def test_covers_of_a_batch_have_the_bits_of_their_singles() -> None:
    rig = Rig()
    days = np.array([3, 14, 1, 60, 3])
    batch = rig.flow.cover_batch(tuple(f"s{n}" for n in range(5)), ("east",) * 5, days)
    for row in range(5):
        alone = rig.flow.cover(f"s{row}", "east", int(days[row]))
        assert batch.quantiles[row].tobytes() == alone.quantiles.tobytes()
        for name in ("mean", "daily_mean", "daily_std"):
            assert getattr(batch, name)[row] == getattr(alone, name)


def test_a_batch_of_series_that_end_on_different_days_keeps_their_order() -> None:
    rig = Rig()
    old = EVENT_TIME - 86_400 // 2 * 2
    rig.features.put("demand_state", ("s2", "east"), state_of(past(2)), old)
    skus = ("s1", "s2", "s3")
    batch = rig.flow.forecast_batch(BatchForecastQuery(skus, ("east",) * 3, 5))
    assert batch.origins == (ORIGIN, ORIGIN - dt.timedelta(days=1), ORIGIN)
    for row, sku in enumerate(skus):
        assert batch.mean[row].tobytes() == rig.flow.forecast(ask(sku, horizon=5)).mean.tobytes()


def test_unknown_and_stale_rows_fail_alone() -> None:
    rig = Rig()
    rig.features.put("demand_state", ("s2", "east"), state_of(past(2)), EVENT_TIME - 90_000)
    skus, places = ("s0", "nobody", "s2", "s3", "s4"), ("east",) * 4 + ("nowhere",)
    batch = rig.flow.forecast_batch(BatchForecastQuery(skus, places, 2))
    assert batch.statuses == (
        RowStatus.OK,
        RowStatus.UNKNOWN_SERIES,
        RowStatus.STALE_FEATURES,
        RowStatus.OK,
        RowStatus.UNKNOWN_SERIES,
    )
    assert batch.mean.shape == (2, 2)
    assert batch.mean[1].tobytes() == rig.flow.forecast(ask("s3", horizon=2)).mean.tobytes()


def test_a_batch_of_unknown_rows_only_has_no_values_and_no_age() -> None:
    rig = Rig()
    batch = rig.flow.forecast_batch(BatchForecastQuery(("a", "b"), ("east", "east"), 2))
    assert batch.mean.shape == (0, 2)
    assert batch.quantiles.shape == (0, 2, len(QUANTILE_LEVELS))
    assert batch.provenance.features_age_seconds is None
    covers = rig.flow.cover_batch(("a", "b"), ("east", "east"), np.array([2, 3]))
    assert covers.mean.shape == (0,)


def test_a_request_holds_the_model_it_began_with() -> None:
    rig = Rig()
    old, new = rig.model, FakeModel("8")

    class Swapping(FakeFeatures):
        def snapshot(self) -> FakeFeatures:
            rig.models.model = new  # promoted while the request is under way
            return self

    swapping = Swapping()
    swapping.stored = rig.features.stored
    flow = DemandFlow(rig.models, swapping, rig.clock, feature_ttl_seconds=86_400)
    assert flow.forecast(ask()).provenance.model_version == "7"
    assert (len(old.rows), len(new.rows)) == (1, 0)
    assert flow.forecast(ask()).provenance.model_version == "8"


def test_targets_differ_in_one_column() -> None:
    rig = Rig()
    rig.flow.forecast(ask())
    demand = rig.model.rows[-1]
    rig.flow.forecast(ask(target=DemandTarget.SALES))
    sales = rig.model.rows[-1]
    differing = np.flatnonzero(~((demand == sales) | (np.isnan(demand) & np.isnan(sales))).all(0))
    assert len(differing) == 1


def test_without_a_price_the_answer_says_so() -> None:
    rig = Rig()
    history = past(1)
    history = dataclasses.replace(history, price=np.full_like(history.price, np.nan))
    rig.features.put("demand_state", ("s1", "east"), state_of(history))
    said = rig.flow.forecast(ask()).provenance.warnings
    assert any("no price is known" in warning for warning in said)


def test_an_override_of_a_day_moves_the_demand_of_every_cover_it_lies_in() -> None:
    rig = Rig()
    query = CoverQuery("s1", "east", 5, others=(1, 3))
    (plain,) = rig.flow.cover_many([query])
    daily = rig.flow.forecast(ask(horizon=5)).mean
    third = (ORIGIN - dt.date(1970, 1, 1)).days + 3
    rig.features.said["s1", "east"] = (
        Override(day=third, author="ana", created=third - 5, quantity=float(daily[2]) * 3),
        Override(day=third + 40, author="bob", created=third - 5, factor=9.0),
    )
    (found,) = rig.flow.cover_many([query])
    assert isinstance(plain, Cover)
    assert isinstance(found, Cover)
    for ratio, days, one, other in (
        (1.0, 1, found.others[0], plain.others[0]),
        (None, 3, found.others[1], plain.others[1]),
        (None, 5, found.quantiles, plain.quantiles),
    ):
        wanted = ratio or float(1 + 2 * daily[2] / daily[:days].sum())
        assert np.allclose(one, other * wanted, rtol=1e-6)
    assert "overrides by ana hold on 1 of 5 days" in found.provenance.warnings
    batch = rig.flow.cover_batch(
        ["s0", "s1"], ["east", "east"], np.array([5, 5]), np.array([[1, 3], [1, 3]])
    )
    assert np.array_equal(batch.quantiles[1], found.quantiles)
    assert np.array_equal(batch.others[1], found.others)
    assert batch.mean[1] == found.mean
    assert "overrides hold within the cover of 1 of 2 series" in batch.provenance.warnings


def test_an_override_is_laid_on_top_and_the_models_value_stays_beside() -> None:
    rig = Rig()
    plain = rig.flow.forecast(ask())
    assert plain.model_mean is None
    first = (ORIGIN - dt.date(1970, 1, 1)).days + 1
    rig.features.said["s1", "east"] = (
        Override(day=first, author="ana", created=first - 3, quantity=7.0),
        Override(day=first + 2, author="bob", created=first - 3, factor=2.0),
        Override(day=first + 3, author="late", created=first + 1, factor=9.0),
        Override(day=first + 4, author="past", created=first - 9, factor=9.0, expires=first - 1),
    )
    found = rig.flow.forecast(ask())
    assert found.model_mean is not None
    assert np.array_equal(found.model_mean, plain.mean)
    assert found.mean[0] == 7.0
    assert found.mean[2] == 2.0 * plain.mean[2]
    assert np.array_equal(found.mean[3:], plain.mean[3:])
    assert np.allclose(found.quantiles[0], plain.quantiles[0] * 7.0 / plain.mean[0])
    assert "overrides by ana, bob hold on 2 of 7 days" in found.provenance.warnings
    batch = rig.flow.forecast_batch(BatchForecastQuery(("s0", "s1"), ("east", "east"), 7))
    assert batch.model_mean is not None
    assert np.array_equal(batch.mean[1], found.mean)
    assert np.array_equal(batch.quantiles[1], found.quantiles)
    assert np.array_equal(batch.model_mean[1], plain.mean)
    assert np.array_equal(batch.model_mean[0], batch.mean[0])
