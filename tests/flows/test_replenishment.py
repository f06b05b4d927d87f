"""The reorder flow over a fake demand flow and fake tables."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import TYPE_CHECKING

import numpy as np
import pytest

from serving.domain.demand import Cover, CoverBatch, CoverQuery, ForecastRoute
from serving.domain.inventory_policy import (
    EconomicOrderQuantityInputs,
    EconomicOrderQuantityResult,
    NewsvendorInputs,
    NewsvendorResult,
    ReorderPointInputs,
    ReorderPointResult,
    SafetyStockInputs,
    SafetyStockResult,
)
from serving.domain.reorder_batch import BatchReorderQuery
from serving.domain.replenishment import ReorderMethod, ReorderQuery
from serving.domain.series import PlanDay, Provenance, RowStatus
from serving.errors import (
    BeyondTrained,
    InvalidField,
    MissingInput,
    ParlevelError,
    StaleFeatures,
    UnknownSeries,
)
from serving.flows.replenishment import ReplenishmentFlow
from serving.ports import StockInputs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from serving.domain.overrides import Override
    from serving.domain.policies import PolicyInputs
    from serving.ports import StoredRecord

    Floats = NDArray[np.float64]

LEVELS = (0.02, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98, 0.99)
ORIGIN = dt.date(2024, 6, 30)
MODEL = Provenance(
    model_name="demand",
    model_version="3",
    model_digest="ab",
    feature_set_hash="cd",
    features_age_seconds=60,
    warnings=("nothing is planned",),
)
FULL = StockInputs(
    on_hand=20.0,
    on_order=6.0,
    backorders=2.0,
    lead_time_days=4.0,
    lead_time_std_days=1.5,
    review_days=3.0,
    service_level=0.95,
    minimum_order_quantity=10.0,
    pack_size=6.0,
)
SENT = ReorderQuery("a", "x", 4.0, 3.0, 0.95, on_hand=20.0, on_order=6.0, backorders=2.0)


class FakeDemand:
    """Answers with a distribution that depends on sku and cover; some skus it knows not."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int, Sequence[PlanDay]]] = []

    def cover_many(self, queries: Sequence[CoverQuery]) -> list[Cover | ParlevelError]:
        return [self._cover(query) for query in queries]

    def _cover(self, query: CoverQuery) -> Cover | ParlevelError:
        self.asked.append((query.sku, query.cover_days, query.plan))
        batch = self.cover_batch(
            [query.sku],
            [query.location],
            np.array([query.cover_days]),
            np.array([query.others], dtype=np.int64),
        )
        if batch.statuses == (RowStatus.UNKNOWN_SERIES,):
            return UnknownSeries("sku", query.sku)
        if batch.statuses == (RowStatus.STALE_FEATURES,):
            return StaleFeatures("demand_state", age_seconds=9, limit_seconds=5)
        return Cover(
            origin=batch.origins[0],
            route=batch.routes[0],
            levels=batch.levels,
            quantiles=batch.quantiles[0],
            mean=float(batch.mean[0]),
            daily_mean=float(batch.daily_mean[0]),
            daily_std=float(batch.daily_std[0]),
            provenance=batch.provenance,
            others=batch.others[0],
            other_means=batch.other_means[0],
        )

    def max_cover(self) -> int:
        return 90

    def cover_batch(
        self,
        skus: Sequence[str],
        locations: Sequence[str],
        cover_days: NDArray[np.int64],
        others: NDArray[np.int64] | None = None,
    ) -> CoverBatch:
        assert len(skus) == len(locations) == len(cover_days)
        known = [self.status(sku) for sku in skus]
        rows = [row for row, status in enumerate(known) if status is RowStatus.OK]
        covers = cover_days[rows]
        more = covers[:, None] if others is None else others[rows].astype(np.float64)
        daily = np.array([1.0 + sum(map(ord, skus[row])) % 17 / 3.0 for row in rows])
        mean: Floats = daily * covers.astype(np.float64)
        ladder = np.linspace(0.2, 2.6, len(LEVELS)) ** 1.3
        return CoverBatch(
            statuses=tuple(known),
            origins=(ORIGIN,) * len(rows),
            routes=(ForecastRoute.GLOBAL_MODEL,) * len(rows),
            levels=LEVELS,
            quantiles=mean[:, None] * ladder[None, :],
            mean=mean,
            daily_mean=daily,
            daily_std=0.7 * daily,
            provenance=MODEL,
            others=(daily[:, None] * more)[..., None] * ladder,
            other_means=daily[:, None] * more,
        )

    @staticmethod
    def status(sku: str) -> RowStatus:
        if sku.startswith("unknown"):
            return RowStatus.UNKNOWN_SERIES
        return RowStatus.STALE_FEATURES if sku.startswith("stale") else RowStatus.OK


class FakeFeatures:
    """Stock tables held in a dictionary; one generation."""

    generation = "1"
    feature_set_hash = "cd"

    def __init__(self, stocks: dict[str, StockInputs] | None = None) -> None:
        self.stocks = stocks or {}

    def snapshot(self) -> FakeFeatures:
        return self

    def stock(self, sku: str, location: str) -> StockInputs:
        assert location
        return self.stocks.get(sku, StockInputs())

    def overrides(self, sku: str, location: str) -> tuple[Override, ...]:
        del sku, location
        return ()

    def fetched(self, series: Sequence[tuple[str, str]], *tables: str) -> FakeFeatures:
        assert series
        assert tables == ("stock",)
        return self

    def record(self, view: str, key: tuple[str, ...]) -> StoredRecord | None:
        raise AssertionError((view, key))

    def records(self, view: str, keys: Sequence[tuple[str, ...]]) -> list[StoredRecord | None]:
        raise AssertionError((view, keys))


def flow_over(**stocks: StockInputs) -> ReplenishmentFlow:
    return ReplenishmentFlow(FakeDemand(), FakeFeatures(stocks))


def without(*names: str) -> StockInputs:
    return dataclasses.replace(FULL, **dict.fromkeys(names))


def test_what_is_sent_needs_no_table() -> None:
    reorder = flow_over().recommend(SENT)
    assert reorder.table_inputs == ()
    assert reorder.inventory_position == 24.0
    assert reorder.cover_days == 7
    assert reorder.order_quantity == reorder.order_up_to - 24.0
    assert reorder.reorder_point == reorder.order_up_to
    assert reorder.safety_stock == reorder.order_up_to - reorder.expected_demand


def test_what_is_not_sent_comes_from_the_tables_and_is_said() -> None:
    reorder = flow_over(a=FULL).recommend(ReorderQuery("a", "x"))
    assert reorder.table_inputs == (
        "backorders",
        "lead_time_days",
        "lead_time_std_days",
        "minimum_order_quantity",
        "on_hand",
        "on_order",
        "pack_size",
        "review_days",
        "service_level",
    )
    assert reorder.order_quantity % 6.0 == 0
    assert reorder.service_level == 0.95


def test_what_is_sent_comes_before_the_table() -> None:
    reorder = flow_over(a=FULL).recommend(ReorderQuery("a", "x", on_hand=0.0, service_level=0.9))
    assert reorder.inventory_position == 4.0
    assert reorder.service_level == 0.9
    assert not {"on_hand", "service_level"} & set(reorder.table_inputs)


@pytest.mark.parametrize(
    ("field", "table"),
    [
        ("on_hand", "inventory"),
        ("lead_time_days", "sourcing"),
        ("review_days", "policy"),
        ("service_level", "policy"),
    ],
)
def test_an_input_found_nowhere_is_named_with_its_table(field: str, table: str) -> None:
    with pytest.raises(MissingInput) as refused:
        flow_over(a=without(field)).recommend(ReorderQuery("a", "x"))
    assert (refused.value.field, refused.value.table) == (field, table)


def test_a_series_nobody_knows_is_unknown_rather_than_missing_an_input() -> None:
    with pytest.raises(UnknownSeries):
        flow_over().recommend(ReorderQuery("unknown", "x"))


def test_a_default_that_stands_in_for_stock_is_said() -> None:
    silent = without("on_order", "backorders", "minimum_order_quantity", "pack_size")
    reorder = flow_over(a=silent).recommend(ReorderQuery("a", "x"))
    assert reorder.inventory_position == 20.0
    assert [text for text in reorder.provenance.warnings if "0 is assumed" in text] == [
        "on_order is neither sent nor in table 'inventory' for 1 of 1 series: 0 is assumed",
        "backorders is neither sent nor in table 'inventory' for 1 of 1 series: 0 is assumed",
    ]


def test_the_answer_says_which_model_and_which_formula_made_it() -> None:
    provenance = flow_over().recommend(SENT).provenance
    assert provenance.model_digest == MODEL.model_digest
    assert provenance.features_age_seconds == 60
    assert provenance.formula_version == "replenishment/2"
    assert provenance.warnings[0] == "nothing is planned"


def test_a_stock_out_probability_beyond_the_quantiles_is_called_a_bound() -> None:
    rich = dataclasses.replace(SENT, on_hand=1e6)
    reorder = flow_over().recommend(rich)
    assert reorder.order_quantity == 0
    assert reorder.stockout_probability == pytest.approx(0.01)
    assert "is a bound" in reorder.provenance.warnings[-1]


def test_the_spread_of_the_lead_time_raises_the_level_of_all_who_do_not_take_it_as_certain() -> (
    None
):
    flow = flow_over(a=FULL)
    for method in ReorderMethod:
        spread = flow.recommend(ReorderQuery("a", "x", method=method))
        certain = flow.recommend(ReorderQuery("a", "x", method=method, lead_time_std_days=0.0))
        reads = method is not ReorderMethod.TEXTBOOK_DEMAND_ONLY
        assert ("lead_time_std_days" in spread.table_inputs) is reads
        assert (spread.safety_stock > certain.safety_stock) is reads


def test_plan_and_cover_reach_the_forecast() -> None:
    demand = FakeDemand()
    plan = (PlanDay(dt.date(2024, 7, 1), price=3.0),)
    query = dataclasses.replace(SENT, lead_time_days=0.0, review_days=0.0, plan=plan)
    assert ReplenishmentFlow(demand, FakeFeatures()).recommend(query).cover_days == 1
    assert demand.asked == [("a", 1, plan)]  # no day beside: there is no lead time to cover


@pytest.mark.parametrize(
    ("stock", "failure"),
    [
        (dataclasses.replace(FULL, service_level=0.995), BeyondTrained),
        (dataclasses.replace(FULL, service_level=0.3), InvalidField),
        (dataclasses.replace(FULL, lead_time_days=1e300), BeyondTrained),
    ],
)
def test_a_stored_input_that_cannot_be_served_is_refused(
    stock: StockInputs, failure: type[Exception]
) -> None:
    with pytest.raises(failure):
        flow_over(a=stock).recommend(ReorderQuery("a", "x"))


@pytest.mark.parametrize("method", ReorderMethod)
def test_a_batch_gives_the_bits_of_its_singles(method: ReorderMethod) -> None:
    random = np.random.default_rng(11)
    rows = 60
    skus = tuple(f"s{row}" for row in range(rows))
    stocks = {
        sku: StockInputs(
            on_hand=float(random.gamma(2.0, 20.0)),
            on_order=float(random.integers(0, 9)),
            backorders=float(random.integers(0, 3)),
            lead_time_days=float(random.uniform(0, 20)),
            lead_time_std_days=float(random.uniform(0, 4)),
            review_days=float(random.integers(0, 8)),
            service_level=float(random.uniform(0.5, 0.99)),
            minimum_order_quantity=float(random.integers(0, 30)),
            pack_size=float(random.integers(1, 13)),
        )
        for sku in skus
    }
    flow = flow_over(**stocks)
    on_hand = random.gamma(2.0, 30.0, rows)
    batch = flow.recommend_batch(
        BatchReorderQuery(skus, ("x",) * rows, on_hand=on_hand, method=method)
    )
    singles = [
        flow.recommend(ReorderQuery(sku, "x", on_hand=float(on_hand[row]), method=method))
        for row, sku in enumerate(skus)
    ]
    for plural, name in (
        ("order_quantities", "order_quantity"),
        ("order_up_to", "order_up_to"),
        ("reorder_points", "reorder_point"),
        ("safety_stocks", "safety_stock"),
        ("expected_demand", "expected_demand"),
        ("stockout_probabilities", "stockout_probability"),
    ):
        alone = np.array([getattr(one, name) for one in singles])
        assert getattr(batch, plural).tobytes() == alone.tobytes()
    assert batch.cover_days.tolist() == [one.cover_days for one in singles]
    assert batch.statuses == (RowStatus.OK,) * rows


def test_a_row_that_fails_fails_alone() -> None:
    skus = ("a", "unknown", "silent", "b", "stale", "unknown silent", "far", "c")
    stocks = dict.fromkeys(("a", "unknown", "b", "stale", "c"), FULL)
    stocks["far"] = dataclasses.replace(FULL, lead_time_days=88.0)
    flow = ReplenishmentFlow(FakeDemand(), FakeFeatures(stocks))
    batch = flow.recommend_batch(BatchReorderQuery(skus, ("x",) * len(skus)))
    assert batch.statuses == (
        RowStatus.OK,
        RowStatus.UNKNOWN_SERIES,
        RowStatus.MISSING_INPUT,
        RowStatus.OK,
        RowStatus.STALE_FEATURES,
        RowStatus.UNKNOWN_SERIES,
        RowStatus.MISSING_INPUT,
        RowStatus.OK,
    )
    alone = [flow.recommend(ReorderQuery(sku, "x")) for sku in ("a", "b", "c")]
    assert batch.order_quantities.tolist() == [one.order_quantity for one in alone]
    assert batch.cover_days.tolist() == [7, 7, 7]
    assert batch.provenance.formula_version == "replenishment/2"
    assert any("the first in row 6" in text for text in batch.provenance.warnings)


def test_a_batch_without_a_usable_row_has_no_values() -> None:
    batch = flow_over().recommend_batch(BatchReorderQuery(("a", "unknown"), ("x", "x")))
    assert batch.statuses == (RowStatus.MISSING_INPUT, RowStatus.UNKNOWN_SERIES)
    assert batch.order_quantities.shape == batch.cover_days.shape == (0,)


def test_arrays_sent_with_a_batch_are_used_row_by_row() -> None:
    batch = flow_over().recommend_batch(
        BatchReorderQuery(
            ("a", "b"),
            ("x", "x"),
            lead_time_days=np.array([4.0, 1.0]),
            review_days=np.array([3.0, 0.0]),
            service_levels=np.array([0.95, 0.9]),
            on_hand=np.array([20.0, 0.0]),
            on_order=np.array([6.0, 0.0]),
            backorders=np.array([2.0, 5.0]),
        )
    )
    assert batch.cover_days.tolist() == [7, 1]
    assert batch.order_quantities[0] == flow_over().recommend(SENT).order_quantity
    assert batch.stockout_probabilities[1] == 1.0


@pytest.mark.parametrize(
    ("inputs", "result"),
    [
        (EconomicOrderQuantityInputs(50_000, 100, 37.5), EconomicOrderQuantityResult),
        (SafetyStockInputs(25, 21, 0.98), SafetyStockResult),
        (ReorderPointInputs(50_000, 21), ReorderPointResult),
        (NewsvendorInputs(35, 15, 1_000, 200), NewsvendorResult),
    ],
)
def test_a_formula_answers_with_its_version_and_no_model(
    inputs: PolicyInputs, result: type
) -> None:
    answer = flow_over().compute_policy(inputs)
    assert isinstance(answer.result, result)
    assert answer.provenance == Provenance(formula_version="replenishment/2")
