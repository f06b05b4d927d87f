"""Reorders that read from tables what they promise and what they may draw on."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from serving.domain.reorder_batch import BatchReorderQuery
from serving.domain.replenishment import Reorder, ReorderMethod, ReorderQuery
from serving.domain.series import SEPARATOR, RowStatus
from serving.domain.supply import (
    ExpediteOption,
    StockLot,
    Supply,
    SupplyKind,
    TargetKind,
    TransferOption,
)
from serving.errors import BeyondTrained, InvalidField, MissingInput
from serving.flows.reorder_tables import ANY, SUPPLY
from serving.flows.replenishment import ReplenishmentFlow
from serving.ports import StockInputs
from tests.flows.test_reorder_options import DAY, STOCK, KnownFeatures
from tests.flows.test_replenishment import ORIGIN, FakeDemand

MONEY = dataclasses.replace(STOCK, underage_cost=9.0, overage_cost=1.0)
NOTHING: dict[str, Any] = {"lots": [], "neighbours": [], "expedite": None}


class StockPlaces(KnownFeatures):
    """Tables whose stock depends on the place as well."""

    def __init__(self, places: dict[str, StockInputs]) -> None:
        super().__init__()
        self.places = places

    def stock(self, sku: str, location: str) -> StockInputs:
        return self.places.get(location, StockInputs()) if sku == "a" else StockInputs()


class Documents:
    """Reference documents held in a dictionary."""

    generation = "1"

    def __init__(self, **changed: object) -> None:
        self.body = NOTHING | changed
        self.asked: list[str] = []

    def document(self, kind: str, key: str) -> dict[str, Any] | None:
        assert kind == SUPPLY
        self.asked.append(key)
        return {ANY: {}, SEPARATOR.join(("a", "x")): self.body}.get(key)


def recommend(
    documents: Documents | None = None, stock: StockInputs = MONEY, **asked: object
) -> Reorder:
    rich, poor = (dataclasses.replace(STOCK, on_hand=units) for units in (500.0, 1.0))
    places = StockPlaces({"x": stock, "rich": rich, "poor": poor})
    flow = ReplenishmentFlow(FakeDemand(), places, documents)
    return flow.recommend(ReorderQuery("a", "x", **asked))  # type: ignore[arg-type]


def test_lots_of_the_table_count_as_lots_that_are_sent() -> None:
    soon = (ORIGIN + DAY).isoformat()
    found = recommend(Documents(lots=[[12.0, soon], [8.0, None]]))
    sent = recommend(supply=Supply(lots=(StockLot(12.0, ORIGIN + DAY), StockLot(8.0))))
    assert found.after_order.waste > 0
    assert (found.order_quantity, found.after_order) == (sent.order_quantity, sent.after_order)
    assert "lots" in found.table_inputs


def test_stock_that_is_sent_goes_before_the_lots_of_the_table() -> None:
    documents = Documents(lots=[[12.0, ORIGIN.isoformat()]])
    assert recommend(documents, on_hand=20.0) == recommend(on_hand=20.0)


def test_a_neighbour_spares_what_it_has_beyond_its_own_level() -> None:
    lanes = [
        {"location": "rich", "days": 1.0, "capacity": None},
        {"location": "poor", "days": 1.0, "capacity": None},
    ]
    found = recommend(Documents(neighbours=lanes), on_hand=0.0)
    (choice,) = found.choices
    assert (choice.kind, choice.source, choice.chosen) == (SupplyKind.TRANSFER, "rich", True)
    level = recommend().order_up_to  # the same forecast and terms as the neighbour's
    spared = TransferOption("rich", 500.0 - level, 1.0)
    sent = recommend(on_hand=0.0, supply=Supply(transfers=(spared,)), underage_cost=9.0)
    assert (found.order_quantity, found.choices) == (sent.order_quantity, sent.choices)
    assert {"transfers", "underage_cost"} <= set(found.table_inputs)
    assert any("0 a unit is assumed" in one for one in found.provenance.warnings)
    narrow = recommend(Documents(neighbours=[{**lanes[0], "capacity": 3.0}]), on_hand=0.0)
    assert 0 < narrow.choices[0].quantity <= 3.0


def test_a_neighbour_of_which_too_little_is_known_is_not_weighed_and_said() -> None:
    lane = {"location": "unheard of", "days": 1.0, "capacity": None}
    found = recommend(Documents(neighbours=[lane]))
    assert not found.choices
    assert any("unheard of is not weighed" in one for one in found.provenance.warnings)


def test_a_faster_source_of_the_table_is_an_expedite() -> None:
    faster = {"lead_time_days": 1.0, "extra_unit_cost": 0.5}
    found = recommend(Documents(expedite=faster), on_hand=0.0)
    sent = recommend(
        on_hand=0.0, supply=Supply(expedite=ExpediteOption(**faster)), underage_cost=9.0
    )
    assert found.choices == sent.choices
    assert found.choices[0].kind is SupplyKind.EXPEDITE
    dearer = Supply(expedite=ExpediteOption(1.0, 50.0))
    own = recommend(Documents(expedite=faster), on_hand=0.0, supply=dearer, underage_cost=9.0)
    assert own.choices[0].quantity == 0, "the request goes before the table"


@pytest.mark.parametrize(
    ("expedite", "stock", "said"),
    [
        ({"lead_time_days": 1.0, "extra_unit_cost": None}, MONEY, "in one currency"),
        ({"lead_time_days": 1.0, "extra_unit_cost": 0.5}, STOCK, "underage_cost is neither"),
    ],
)
def test_what_cannot_be_weighed_is_said(
    expedite: dict[str, object], stock: StockInputs, said: str
) -> None:
    found = recommend(Documents(expedite=expedite), stock)
    assert not found.choices
    assert any(said in one for one in found.provenance.warnings)


def test_tables_that_say_nothing_are_asked_once() -> None:
    documents = Documents()
    documents.document = lambda kind, key: documents.asked.append(kind + key)  # type: ignore[method-assign]
    flow = ReplenishmentFlow(FakeDemand(), StockPlaces({"x": MONEY}), documents)
    for _ in range(3):
        flow.recommend(ReorderQuery("a", "x"))
    assert documents.asked == [SUPPLY + ANY]


KINDS: dict[TargetKind, Any] = {
    TargetKind.FILL_RATE: {"fill_rate": 0.95},
    TargetKind.COST: {"underage_cost": 9.0, "overage_cost": 1.0},
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_kind_of_promise_is_read_from_the_policy_table(kind: TargetKind) -> None:
    stock = dataclasses.replace(MONEY, target_kind=float(kind))
    found, sent = recommend(stock=stock), recommend(None, MONEY, target=kind, **KINDS[kind])
    assert found.target is kind
    assert (found.order_up_to, found.reason) == (sent.order_up_to, sent.reason)
    assert "target_kind" in found.table_inputs
    by_cycle = recommend(stock=stock, service_level=0.95)
    assert by_cycle.target is TargetKind.CYCLE_SERVICE
    assert by_cycle.order_up_to == recommend().order_up_to
    textbook = recommend(stock=stock, method=ReorderMethod.TEXTBOOK)
    assert textbook.target is TargetKind.CYCLE_SERVICE


def test_a_batch_of_promises_of_every_kind_gives_the_bits_of_its_singles() -> None:
    places = {
        "x": MONEY,
        "y": dataclasses.replace(MONEY, target_kind=float(TargetKind.FILL_RATE)),
        "z": dataclasses.replace(MONEY, target_kind=float(TargetKind.COST)),
    }
    flow = ReplenishmentFlow(FakeDemand(), StockPlaces(places))
    found = flow.recommend_batch(BatchReorderQuery(("a",) * 3, tuple(places)))
    singles = [flow.recommend(ReorderQuery("a", place)) for place in places]
    assert found.order_up_to.tolist() == [one.order_up_to for one in singles]
    assert found.order_quantities.tolist() == [one.order_quantity for one in singles]
    assert len(set(found.order_up_to.tolist())) == 3


@pytest.mark.parametrize(
    ("changed", "failure"),
    [
        ({"target_kind": 3.0, "overage_cost": None}, MissingInput),
        ({"target_kind": 3.0, "underage_cost": 0.0, "overage_cost": 0.0}, InvalidField),
        ({"target_kind": 3.0, "overage_cost": 0.0}, BeyondTrained),
        ({"target_kind": 2.0, "service_level": 1.0}, InvalidField),
    ],
)
def test_a_promise_of_the_table_that_cannot_be_kept_is_refused(
    changed: dict[str, Any], failure: type[Exception]
) -> None:
    stock = dataclasses.replace(MONEY, **changed)
    with pytest.raises(failure):
        recommend(stock=stock)
    flow = ReplenishmentFlow(FakeDemand(), StockPlaces({"x": stock}))
    batch = flow.recommend_batch(BatchReorderQuery(("a",), ("x",)))
    assert batch.statuses == (RowStatus.MISSING_INPUT,)
    assert np.isfinite(batch.order_up_to).all()
