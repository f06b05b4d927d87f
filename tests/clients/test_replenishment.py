"""The replenishment questions, through both clients."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import TYPE_CHECKING, Any

import pandas as pd
import polars as pl
import pytest

from parlevel.client import (
    AsyncClient,
    Client,
    Limits,
    PlanDay,
    ReorderMethod,
    RowStatus,
    errors,
)
from parlevel.client.values.supply import SupplyKind, TargetKind
from parlevel.v1 import demand_pb2, policy_pb2, replenishment_pb2, supply_pb2
from tests.clients.conftest import Asker, call

if TYPE_CHECKING:
    from tests.clients.fake_server import Script

SERIES = [("S1", "L1"), ("unknown", "L1"), ("S2", "L1")]


def test_a_recommendation_is_a_typed_value(ask: Asker) -> None:
    order = ask.one(call("recommend_reorder", "S3", "L1", on_hand=4.0, service_level=0.95))
    assert order.order_quantity == 26.0
    assert order.origin_date == dt.date(2025, 6, 30)
    assert order.method is ReorderMethod.DISTRIBUTION
    assert order.table_inputs == ("backorders", "on_order")
    assert order.service_level == 0.95
    assert order.reason


def test_a_zero_is_sent_and_an_absent_input_is_not(ask: Asker, script: Script) -> None:
    ask.one(
        call(
            "recommend_reorder",
            "S3",
            "L1",
            review_days=0,
            method=ReorderMethod.TEXTBOOK,
            plan=[PlanDay(date=dt.date(2025, 7, 1), price=2.0)],
        )
    )
    assert script.seen[0].request == replenishment_pb2.RecommendReorderRequest(
        sku="S3",
        location="L1",
        review_days=0.0,
        method=replenishment_pb2.REORDER_METHOD_TEXTBOOK,
        plan=[demand_pb2.PlanDay(date="2025-07-01", price=2.0)],
    )


def test_a_batch_answers_in_order_and_row_by_row(ask: Asker) -> None:
    batch = ask.one(call("recommend_reorder_batch", SERIES))
    assert [(row.sku, row.location) for row in batch] == SERIES
    assert [row.status for row in batch] == [RowStatus.OK, RowStatus.UNKNOWN_SERIES, RowStatus.OK]
    assert batch.rows[2].figures.order_quantity == 20.0
    assert batch.rows[2].figures.cover_days == 9
    assert batch.failures == (("unknown", "L1", RowStatus.UNKNOWN_SERIES),)


def test_a_split_batch_equals_a_whole_one_and_takes_its_inputs_along(
    ask: Asker, script: Script
) -> None:
    asked = call("recommend_reorder_batch", SERIES, on_hand=[1, 2, 3], service_level=0.9)
    split = ask.one(asked, limits=Limits(batch_rows=2))
    sent: list[Any] = [seen.request for seen in script.seen]
    assert [list(request.on_hand) for request in sent] == [[1.0, 2.0], [3.0]]
    assert [list(request.service_levels) for request in sent] == [[0.9, 0.9], [0.9]]
    assert [list(request.lead_time_days) for request in sent] == [[], []]
    assert split.rows == ask.one(asked).rows


@pytest.mark.parametrize("library", [pd, pl], ids=["pandas", "polars"])
def test_the_columns_of_a_frame_are_inputs_unless_an_option_says_otherwise(
    ask: Asker,
    script: Script,
    library: Any,  # noqa: ANN401 - either library
) -> None:
    frame = library.DataFrame(
        {
            "sku": ["S1", "S2"],
            "location": ["L1", "L1"],
            "on_hand": [5, 6],
            "lead_time_days": [7.0, 8.0],
        }
    )
    ask.one(call("recommend_reorder_batch", frame, lead_time_days=3))
    sent: Any = script.seen[0].request
    assert list(sent.on_hand) == [5.0, 6.0]
    assert list(sent.lead_time_days) == [3.0, 3.0]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([1.0], r"on_hand must be one number, or one for each of the 3 rows"),
        ("many", r"on_hand must be one number"),
        ([1.0, None, 2.0], r"on_hand\[1\] must be a number, got None"),
        ([1.0, 2.0, float("nan")], r"on_hand\[2\] must be a number, got nan"),
    ],
)
def test_an_input_that_does_not_fit_the_rows_is_refused(
    ask: Asker,
    given: Any,  # noqa: ANN401 - wrong on purpose
    message: str,
) -> None:
    with pytest.raises(errors.InvalidArgument, match=message):
        ask.one(call("recommend_reorder_batch", SERIES, on_hand=given))


def test_every_asked_row_is_a_line_of_the_frame(ask: Asker) -> None:
    batch = ask.one(call("recommend_reorder_batch", SERIES))
    frame = batch.to_polars()
    assert frame.select("sku", "status", "order_quantity", "cover_days").rows() == [
        ("S1", "ok", 10.0, 9),
        ("unknown", "unknown_series", None, None),
        ("S2", "ok", 20.0, 9),
    ]
    assert list(batch.to_pandas().columns) == frame.columns
    assert batch.to_pandas()["order_quantity"].isna().tolist() == [False, True, False]


def test_the_formulas_answer(ask: Asker, script: Script) -> None:
    quantity, stock, bare, full, season = ask.all(
        [
            call("economic_order_quantity", annual_demand=1e3, ordering_cost=5.0, holding_cost=2.0),
            call(
                "safety_stock",
                demand_std=2.0,
                lead_time_days=4,
                service_level=0.95,
                method="demand_only",
            ),
            call("reorder_point", annual_demand=365, lead_time_days=4),
            call("reorder_point", annual_demand=365, lead_time_days=4, order_quantity=0),
            call(
                "newsvendor", underage_cost=3.0, overage_cost=1.0, mean_demand=9.0, demand_std=0.0
            ),
        ]
    )
    assert quantity.order_quantity == 200.0
    assert quantity.provenance.formula_version == "policy/1"
    assert quantity.provenance.features_age_seconds is None
    assert stock.safety_factor == 0.95
    assert bare.average_inventory is None
    assert full.average_inventory == 0.0
    assert season.critical_ratio == 0.75
    sent: Any = script.seen[1].request
    assert sent.safety_stock.method == replenishment_pb2.SAFETY_STOCK_METHOD_DEMAND_ONLY


@pytest.mark.parametrize(
    ("method", "missing"),
    [
        ("economic_order_quantity", "annual_demand"),
        ("safety_stock", "service_level"),
        ("reorder_point", "lead_time_days"),
        ("newsvendor", "overage_cost"),
    ],
)
def test_a_formula_without_an_input_it_needs_is_a_type_error(
    ask: Asker, method: str, missing: str
) -> None:
    with pytest.raises(TypeError, match=f"'{missing}' is required"):
        ask.one(call(method))


def test_an_order_may_draw_on_more_than_stock(ask: Asker, script: Script) -> None:
    lots = [supply_pb2.StockLot(quantity=3.0, expiry_date="2025-07-03")]
    order = ask.one(
        call(
            "recommend_reorder",
            "S3",
            "L1",
            lots=lots,
            suppliers=[supply_pb2.SupplierOption(supplier_id="near")],
            target_kind="fill_rate",
            fill_rate=0.9,
            budget=0.0,
        )
    )
    sent: Any = script.seen[0].request
    assert list(sent.lots) == lots
    assert sent.HasField("budget")
    assert sent.target_kind == supply_pb2.TARGET_KIND_FILL_RATE
    assert order.order_date == dt.date(2025, 7, 4)
    assert order.target_kind is TargetKind.FILL_RATE
    assert [(one.kind, one.source) for one in order.choices] == [(SupplyKind.SUPPLIER, "near")]
    assert order.cheapest_change.turning_value == 3.0


def test_without_options_there_is_no_choice_and_no_date(ask: Asker) -> None:
    order = ask.one(call("recommend_reorder", "S3", "L1"))
    assert order.order_date is None
    assert order.choices == ()
    assert order.cheapest_change is None
    assert order.expected_fill_rate == 0.9


PLANNING = [
    (
        "compute_policy",
        replenishment_pb2.ComputePolicyRequest(season=policy_pb2.SeasonInputs(underage_cost=3)),
        lambda answer: answer.season.order_quantity == 7.0,
    ),
    (
        "score_stockout_risk",
        replenishment_pb2.ScoreStockoutRiskRequest(skus=["S1"], locations=["L1"]),
        lambda answer: list(answer.row_statuses) == [demand_pb2.ROW_STATUS_OK],
    ),
    (
        "allocate_echelons",
        replenishment_pb2.AllocateEchelonsRequest(service_level=0.95),
        lambda answer: answer.exact,
    ),
    (
        "assess_lane",
        replenishment_pb2.AssessLaneRequest(required_units=1.0),
        lambda answer: answer.resilience == 50.0,
    ),
]


@pytest.mark.parametrize(("method", "request_", "holds"), PLANNING)
def test_planning_takes_and_gives_the_messages_of_the_contract(
    address: str,
    script: Script,
    method: str,
    request_: Any,  # noqa: ANN401 - any message
    holds: Any,  # noqa: ANN401 - a predicate
) -> None:
    with Client(address) as client:
        assert holds(getattr(client.replenishment, method)(request_, timeout_seconds=5.0))

    async def awaited() -> Any:  # noqa: ANN401 - any message
        async with AsyncClient(address) as client:
            return await getattr(client.replenishment, method)(request_, request_id="r")

    assert holds(asyncio.run(awaited()))
    assert [seen.request for seen in script.seen] == [request_, request_]
    assert script.seen[1].request_id == "r"
