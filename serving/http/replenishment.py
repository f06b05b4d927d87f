"""Replenishment at the HTTP door: JSON to query, decision to JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from parlevel.v1 import replenishment_pb2
from serving.domain.echelons import EchelonQuery
from serving.domain.lanes import LaneQuery
from serving.domain.law_inputs import LeadTimeInputs
from serving.domain.policies import FORMULAS
from serving.domain.reorder_batch import BatchReorderQuery
from serving.domain.replenishment import ReorderMethod, ReorderQuery
from serving.domain.stockout_risk import RiskQuery
from serving.domain.supply import TargetKind
from serving.http.demand import sent_plan
from serving.http.fields import body_of
from serving.http.nested import plain, shape_of
from serving.http.provenance import provenance_body
from serving.http.shape import FLAG_NAMES, METHOD_NAMES, ROW_STATUS_NAMES
from serving.reading import (
    FORMULA_OF_RESULT,
    SUPPLY_FIELDS,
    built,
    check_one_formula,
    member_of,
    plan_of,
    supply_of,
)

if TYPE_CHECKING:
    from serving.domain.policies import PolicyAnswer, PolicyInputs
    from serving.domain.reorder_batch import ReorderBatch
    from serving.domain.replenishment import Reorder
    from serving.domain.stockout_risk import RiskBatch
    from serving.gate import Call, Flows
    from serving.http.shape import Shape


_NOTHING = (None, (), "")
_COLUMNS = (
    "lead_time_days",
    "review_days",
    "service_levels",
    "on_hand",
    "on_order",
    "backorders",
)


RecommendReorderRequest = shape_of(replenishment_pb2.RecommendReorderRequest.DESCRIPTOR)
BatchRecommendReorderRequest = shape_of(replenishment_pb2.BatchRecommendReorderRequest.DESCRIPTOR)
ComputePolicyRequest = shape_of(replenishment_pb2.ComputePolicyRequest.DESCRIPTOR)
ScoreStockoutRiskRequest = shape_of(replenishment_pb2.ScoreStockoutRiskRequest.DESCRIPTOR)
AllocateEchelonsRequest = shape_of(replenishment_pb2.AllocateEchelonsRequest.DESCRIPTOR)
AssessLaneRequest = shape_of(replenishment_pb2.AssessLaneRequest.DESCRIPTOR)
_NUMBERS = (
    "lead_time_days",
    "review_days",
    "service_level",
    "lead_time_std_days",
    "on_hand",
    "on_order",
    "backorders",
    "minimum_order_quantity",
    "pack_size",
    "fill_rate",
    "underage_cost",
    "overage_cost",
)


def recommend(flows: Flows, request: Shape) -> dict[str, Any]:
    """Recommend what to order for one series."""
    return reorder_body(flows.replenishment.recommend(reorder_query(request)))


async def recommend_gathered(flows: Flows, request: Shape, call: Call) -> dict[str, Any]:
    """Recommend what to order for one series together with others."""
    answer = await flows.reorders.ask(reorder_query(request), call.check_deadline)
    return reorder_body(answer)


def reorder_query(request: Any) -> ReorderQuery:  # noqa: ANN401 - a shape made from the contract
    """Read the question about one series.

    Raises:
        InvalidField: If a field breaks its rule.
        BeyondTrained: If a field is beyond the trained range.
    """
    sent: dict[str, Any] = {name: getattr(request, name) for name in _NUMBERS}
    if request.lead_time is not None:
        sent["lead_time"] = built(LeadTimeInputs, plain(request.lead_time), "lead_time.")
    if request.target_kind:
        sent["target"] = member_of("target_kind", TargetKind, request.target_kind)
    if any(getattr(request, name) not in _NOTHING for name in SUPPLY_FIELDS):
        said = plain(request)
        sent["supply"] = supply_of({name: said[name] for name in SUPPLY_FIELDS if name in said})
    return ReorderQuery(
        request.sku,
        request.location,
        **sent,
        method=member_of("method", ReorderMethod, request.method),
        plan=plan_of(sent_plan(request.plan)) if request.plan else (),
    )


def batch_recommend(flows: Flows, request: Shape) -> dict[str, Any]:
    """Recommend what to order for many series."""
    sent: dict[str, Any] = dict(request)
    for name in _COLUMNS:
        sent[name] = np.array(sent[name], dtype=np.float64)
    sent["method"] = member_of("method", ReorderMethod, sent["method"])
    return batch_body(flows.replenishment.recommend_batch(BatchReorderQuery(**sent)))


def compute_policy(flows: Flows, request: Shape) -> dict[str, Any]:
    """Compute one formula."""
    return policy_body(flows.replenishment.compute_policy(policy_inputs(request)))


def policy_inputs(request: Shape) -> PolicyInputs:
    """Read the formula asked for and its inputs.

    Raises:
        InvalidField: If not exactly one formula was asked for, or an input breaks its rule.
    """
    asked = plain(request)
    formula = check_one_formula(list(asked))
    inputs: PolicyInputs = built(FORMULAS[formula].inputs, asked[formula], f"{formula}.")
    return inputs


def score_risk(flows: Flows, request: Shape) -> dict[str, Any]:
    """Score the risk of running out for many series."""
    sent = plain(request)
    for name in ("on_hand", "on_order", "backorders", "unit_values"):
        sent[name] = np.array(sent[name], dtype=np.float64)
    return risk_body(flows.replenishment.score_risk(RiskQuery(**sent)))


def allocate_echelons(flows: Flows, request: Shape) -> dict[str, Any]:
    """Place safety stock over a network."""
    query = built(EchelonQuery, plain(request))
    return body_of(flows.replenishment.allocate_echelons(query))


def assess_lane(flows: Flows, request: Shape) -> dict[str, Any]:
    """Assess a lane."""
    lane = body_of(flows.replenishment.assess_lane(built(LaneQuery, plain(request))))
    for name in ("heat_map_costs", "heat_map_safety_stocks"):
        lane[name] = lane[name].reshape(-1)
    return lane


def reorder_body(reorder: Reorder) -> dict[str, Any]:
    """Return the JSON object of a recommendation for one series."""
    after = reorder.after_order
    body = {
        "provenance": provenance_body(reorder.provenance),
        "sku": reorder.query.sku,
        "location": reorder.query.location,
        "origin_date": reorder.origin.isoformat(),
        "order_quantity": reorder.order_quantity,
        "order_up_to": reorder.order_up_to,
        "reorder_point": reorder.reorder_point,
        "safety_stock": reorder.safety_stock,
        "expected_demand": reorder.expected_demand,
        "inventory_position": reorder.inventory_position,
        "stockout_probability": reorder.stockout_probability,
        "cover_days": reorder.cover_days,
        "service_level": reorder.service_level,
        "method": METHOD_NAMES[reorder.query.method],
        "table_inputs": reorder.table_inputs,
        "reason": reorder.reason,
        "expected_fill_rate": reorder.expected_fill_rate,
        "stockout_probability_after_order": after.stockout_probability,
        "expected_shortage": after.shortage,
        "expected_holding": after.holding,
        "expected_waste": after.waste,
        "order_date": "" if reorder.order_date is None else reorder.order_date.isoformat(),
        "target_kind": f"TARGET_KIND_{reorder.target.name}",
        "supplier_id": reorder.supplier_id,
        "choices": [body_of(one) for one in reorder.choices],
    }
    if reorder.cheapest_change is not None:
        body["cheapest_change"] = body_of(reorder.cheapest_change)
    return body


def batch_body(batch: ReorderBatch) -> dict[str, Any]:
    """Return the JSON object of the recommendations for many series, in flat packed arrays."""
    return {
        "provenance": provenance_body(batch.provenance),
        "row_count": len(batch.order_quantities),
        "row_statuses": [ROW_STATUS_NAMES[status] for status in batch.statuses],
        "order_quantities": batch.order_quantities,
        "order_up_to": batch.order_up_to,
        "reorder_points": batch.reorder_points,
        "safety_stocks": batch.safety_stocks,
        "expected_demand": batch.expected_demand,
        "stockout_probabilities": batch.stockout_probabilities,
        "cover_days": batch.cover_days,
        "method": METHOD_NAMES[batch.query.method],
        "expected_fill_rates": batch.expected_fill_rates,
        "expected_shortages": batch.expected_shortages,
        "expected_holdings": batch.expected_holdings,
    }


def policy_body(answer: PolicyAnswer) -> dict[str, Any]:
    """Return the JSON object of the result of a formula; absent figures are left out."""
    return {
        "provenance": provenance_body(answer.provenance),
        FORMULA_OF_RESULT[type(answer.result)]: body_of(answer.result),
    }


def risk_body(batch: RiskBatch) -> dict[str, Any]:
    """Return the JSON object of the risk of many series, in flat packed arrays."""
    figures = body_of(batch.figures)
    figures["flags"] = [FLAG_NAMES[flag] for flag in batch.figures.flags.tolist()]
    return {
        "provenance": provenance_body(batch.provenance),
        "row_count": len(batch.horizon_days),
        "row_statuses": [ROW_STATUS_NAMES[status] for status in batch.statuses],
        "horizon_days": batch.horizon_days,
        **figures,
    }
