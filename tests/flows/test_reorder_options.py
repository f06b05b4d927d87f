"""Reorders that draw on lots, receipts, suppliers, transfers, an expedite and limits."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from serving.domain.features import WIDTHS
from serving.domain.law_inputs import DiscreteLeadTime, GammaLeadTime, LeadTimeInputs
from serving.domain.replenishment import Reorder, ReorderQuery
from serving.domain.supply import (
    ExpectedReceipt,
    ExpediteOption,
    StockLot,
    SupplierOption,
    Supply,
    SupplyKind,
    TargetKind,
    TransferOption,
)
from serving.errors import BeyondTrained, InvalidField, UnknownSeries
from serving.flows.replenishment import ReplenishmentFlow
from serving.ports import StockInputs, StoredRecord
from tests.flows.test_replenishment import ORIGIN, FakeDemand, FakeFeatures

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

DAY = dt.timedelta(days=1)
STOCK = StockInputs(
    on_hand=20.0,
    on_order=6.0,
    backorders=0.0,
    lead_time_days=4.0,
    lead_time_std_days=0.0,
    review_days=3.0,
    service_level=0.95,
)
COSTS: dict[str, Any] = {"underage_cost": 9.0, "overage_cost": 1.0}


class KnownFeatures(FakeFeatures):
    """Tables of stock, and records that know the last day."""

    def record(self, view: str, key: tuple[str, ...]) -> StoredRecord | None:
        if view == "known_future" or key[0] == "nobody":
            return None
        seconds = ((ORIGIN - dt.date(1970, 1, 1)).days + 1) * 86_400
        return StoredRecord(seconds, np.zeros(WIDTHS[view], dtype=np.float32))

    def records(self, view: str, keys: Sequence[tuple[str, ...]]) -> list[StoredRecord | None]:
        return [self.record(view, key) for key in keys]


def recommend(supply: Supply | None = None, **asked: object) -> Reorder:
    flow = ReplenishmentFlow(FakeDemand(), KnownFeatures({"a": STOCK}))
    return flow.recommend(ReorderQuery("a", "x", supply=supply, **asked))  # type: ignore[arg-type]


def test_limits_that_do_not_bind_change_no_bit() -> None:
    plain = recommend()
    for supply in (Supply(capacity_units=1e6), Supply(budget=1e9, unit_price=1.0)):
        limited = recommend(supply)
        for name in ("order_quantity", "order_up_to", "safety_stock", "expected_fill_rate"):
            assert getattr(limited, name) == getattr(plain, name)
        assert limited.after_order == plain.after_order
        assert limited.reason == plain.reason


def test_lots_are_stock_and_what_expires_before_it_sells_is_not_counted_on() -> None:
    fresh = recommend(Supply(lots=(StockLot(20.0),)))
    assert fresh.order_quantity == recommend().order_quantity
    spoiling = recommend(Supply(lots=(StockLot(20.0, ORIGIN + DAY),)))
    assert spoiling.after_order.waste > 0
    assert spoiling.inventory_position == pytest.approx(26.0 - spoiling.after_order.waste)
    assert spoiling.order_quantity > fresh.order_quantity
    gone = recommend(Supply(lots=(StockLot(20.0, ORIGIN - DAY),)))
    assert gone.after_order.waste == 20.0
    assert gone.inventory_position == 6.0
    assert "expected to expire" in gone.reason


def test_receipts_count_unless_they_come_too_late() -> None:
    soon = ExpectedReceipt(6.0, ORIGIN + 2 * DAY)
    assert recommend(Supply(receipts=(soon,))).order_quantity == recommend().order_quantity
    late = ExpectedReceipt(6.0, ORIGIN + 30 * DAY)
    without = recommend(Supply(receipts=(late,)))
    assert without.inventory_position == 20.0
    assert without.order_quantity == recommend(on_order=0.0).order_quantity


def test_an_order_stays_within_place_and_budget_and_says_what_was_cut() -> None:
    wanted = recommend(pack_size=6.0).order_quantity
    small = recommend(Supply(capacity_units=26.0 + wanted - 1.0), pack_size=6.0)
    assert small.order_quantity == wanted - 6.0
    assert "6 units are cut: the location has room for" in small.reason
    assert small.reason.startswith(f"Order {wanted - 6:g}: ")
    poor = recommend(Supply(budget=2.0 * wanted - 1.0, unit_price=2.0), pack_size=6.0)
    assert poor.order_quantity == wanted - 6.0
    assert "the budget pays for" in poor.reason
    nothing = recommend(
        Supply(budget=1.0, unit_price=2.0), pack_size=6.0, minimum_order_quantity=6.0
    )
    assert nothing.order_quantity == 0.0
    assert "less than the minimum order of 6" in nothing.reason
    full = recommend(Supply(capacity_units=26.0))
    assert full.order_quantity == 0.0


def test_goods_that_spoil_cover_no_longer_than_they_last() -> None:
    lasting, spoiling = recommend(), recommend(Supply(shelf_life_days=1.0))
    assert spoiling.cover_days == 5
    assert spoiling.order_up_to < lasting.order_up_to
    assert spoiling.after_order.waste > 0


def test_the_cheapest_supplier_is_chosen_and_the_others_are_told() -> None:
    near = SupplierOption("near", lead_time_days=1.0, unit_price=3.0)
    far = SupplierOption("far", lead_time_days=9.0, unit_price=2.0, pack_size=5.0)
    cheap = recommend(Supply(suppliers=(near, far)), **COSTS)
    assert cheap.supplier_id == "far"
    assert cheap.order_quantity % 5.0 == 0
    assert [(one.source, one.chosen) for one in cheap.choices] == [("far", True), ("near", False)]
    assert cheap.cover_days == 12
    dear = dataclasses.replace(far, ordering_cost=500.0)
    assert recommend(Supply(suppliers=(near, dear)), **COSTS).supplier_id == "near"


def test_a_supplier_alone_gives_the_terms_it_has() -> None:
    alone = SupplierOption("near", lead_time_days=4.0, unit_price=3.0)
    assert recommend(Supply(suppliers=(alone,))).order_quantity == recommend().order_quantity


def test_a_transfer_pays_where_running_out_costs_more_than_it() -> None:
    offer = TransferOption("y", available_units=30.0, days=1.0, unit_cost=0.5)
    low: dict[str, Any] = {"on_hand": 1.0, "on_order": 0.0, "backorders": 0.0, **COSTS}
    bare, helped = recommend(**low), recommend(Supply(transfers=(offer,)), **low)
    (choice,) = helped.choices
    assert choice.kind is SupplyKind.TRANSFER
    assert choice.chosen
    assert 0 < choice.quantity <= 30.0
    assert choice.money > 0
    assert helped.order_quantity == pytest.approx(bare.order_quantity - choice.quantity)
    assert "Take" in helped.reason
    dear = dataclasses.replace(offer, unit_cost=100.0)
    refused = recommend(Supply(transfers=(dear,)), **low)
    assert (refused.choices[0].quantity, refused.choices[0].chosen) == (0.0, False)
    assert refused.order_quantity == bare.order_quantity


def test_an_expedite_speeds_up_part_of_the_order() -> None:
    low: dict[str, Any] = {"on_hand": 1.0, "on_order": 0.0, "backorders": 0.0, **COSTS}
    fast = recommend(Supply(expedite=ExpediteOption(1.0, 0.2)), **low)
    assert fast.choices[0].kind is SupplyKind.EXPEDITE
    assert fast.choices[0].chosen
    assert fast.order_quantity == recommend(**low).order_quantity
    assert "Expedite" in fast.reason
    slow = recommend(Supply(expedite=ExpediteOption(9.0, 0.2)), **low)
    assert not slow.choices[0].chosen


def test_a_fill_rate_and_a_cost_are_targets_of_their_own() -> None:
    by_fill = recommend(target=TargetKind.FILL_RATE, fill_rate=0.95)
    assert by_fill.expected_fill_rate == pytest.approx(0.95)
    assert by_fill.service_level == 0.95
    assert "a fill rate of 0.95" in by_fill.reason
    assert "service_level" not in by_fill.table_inputs
    by_cost = recommend(target=TargetKind.COST, underage_cost=19.0, overage_cost=1.0)
    assert by_cost.order_up_to == recommend().order_up_to
    assert by_fill.order_up_to < by_cost.order_up_to


def test_a_lead_time_of_two_lengths_is_mixed_exactly() -> None:
    form = LeadTimeInputs(discrete=DiscreteLeadTime((2.0, 6.0), (0.5, 0.5)))
    mixed = recommend(lead_time=form)
    short = recommend(lead_time_days=2.0, lead_time_std_days=0.0)
    long = recommend(lead_time_days=6.0, lead_time_std_days=0.0)
    assert short.order_up_to < mixed.order_up_to < long.order_up_to
    assert mixed.expected_demand == pytest.approx(
        0.5 * (short.expected_demand + long.expected_demand)
    )


def test_an_order_that_can_wait_has_its_day_and_what_would_turn_it() -> None:
    rich = recommend(on_hand=200.0)
    assert rich.order_quantity == 0.0
    assert rich.order_date is not None
    daily = rich.expected_demand / 7.0
    assert (rich.order_date - ORIGIN).days == int(np.ceil((206.0 - rich.order_up_to) / daily))
    assert recommend().order_date is None
    change = recommend().cheapest_change
    assert change is not None
    changed: dict[str, Any] = {change.field: change.turning_value}
    turned = recommend(**changed)
    assert turned.order_quantity == pytest.approx(0.0, abs=1e-6)


def test_a_series_nobody_knows_stays_unknown_with_lots() -> None:
    flow = ReplenishmentFlow(FakeDemand(), KnownFeatures({"nobody": STOCK}))
    with pytest.raises(UnknownSeries):
        flow.recommend(ReorderQuery("nobody", "x", supply=Supply(lots=(StockLot(1.0),))))


@pytest.mark.parametrize(
    ("make", "failure", "field"),
    [
        (lambda: StockLot(-1.0), InvalidField, "quantity"),
        (lambda: ExpectedReceipt(1.0, ORIGIN, ORIGIN - DAY), InvalidField, "expiry_date"),
        (lambda: ExpectedReceipt(0.0, ORIGIN), InvalidField, "quantity"),
        (lambda: Supply(capacity_units=0.0), InvalidField, "capacity_units"),
        (lambda: Supply(budget=1.0), InvalidField, "unit_price"),
        (lambda: Supply(lots=(StockLot(1.0),) * 101), InvalidField, "lots"),
        (
            lambda: Supply(suppliers=(SupplierOption("s"), SupplierOption("s"))),
            InvalidField,
            "suppliers[1].supplier_id",
        ),
        (
            lambda: Supply(
                suppliers=(SupplierOption("s", currency_code="USD"),), currency_code="EUR"
            ),
            InvalidField,
            "suppliers[0].currency_code",
        ),
        (
            lambda: Supply(transfers=(TransferOption("y", 1.0, currency_code="USD"),)),
            InvalidField,
            "transfers[0].currency_code",
        ),
        (
            lambda: Supply(suppliers=(SupplierOption("s", pack_size=9.0),), capacity_units=5.0),
            InvalidField,
            "suppliers[0].pack_size",
        ),
        (
            lambda: recommend(Supply(capacity_units=5.0), pack_size=9.0),
            InvalidField,
            "pack_size",
        ),
        (
            lambda: recommend(Supply(lots=(StockLot(1.0),)), on_hand=1.0),
            InvalidField,
            "on_hand",
        ),
        (
            lambda: recommend(Supply(expedite=ExpediteOption(1.0, 1.0))),
            InvalidField,
            "underage_cost",
        ),
        (lambda: recommend(target=TargetKind.FILL_RATE), InvalidField, "fill_rate"),
        (
            lambda: recommend(target=TargetKind.COST, underage_cost=0.0, overage_cost=0.0),
            InvalidField,
            "overage_cost",
        ),
        (
            lambda: recommend(target=TargetKind.COST, underage_cost=999.0, overage_cost=1.0),
            BeyondTrained,
            "underage_cost",
        ),
        (lambda: recommend(service_level=0.0), InvalidField, "service_level"),
        (lambda: recommend(service_level=1.0), InvalidField, "service_level"),
        (lambda: recommend(on_hand=-1.0), InvalidField, "on_hand"),
        (lambda: recommend(lead_time_std_days=float("inf")), InvalidField, "lead_time_std_days"),
        (lambda: recommend(lead_time_std_days=1e9), InvalidField, "lead_time_std_days"),
        (lambda: GammaLeadTime(4.0, 1e9), InvalidField, "std_days"),
    ],
)
def test_what_breaks_a_rule_is_refused_by_name(
    make: Callable[[], object], failure: type[InvalidField | BeyondTrained], field: str
) -> None:
    with pytest.raises((InvalidField, BeyondTrained)) as refused:
        make()
    assert isinstance(refused.value, failure)
    assert refused.value.field == field


def test_a_lead_time_of_zero_orders_for_the_review_period() -> None:
    found = recommend(lead_time_days=0.0)
    assert found.cover_days == 3
    assert found.expected_fill_rate > 0.9
