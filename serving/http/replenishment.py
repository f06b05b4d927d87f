"""Replenishment at the HTTP door: JSON to query, decision to JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from serving.domain.inventory_policy import SafetyStockMethod
from serving.domain.replenishment import BatchReorderQuery, ReorderMethod, ReorderQuery
from serving.http.demand import PlanDay, sent_plan
from serving.http.provenance import provenance_body
from serving.http.shape import (
    METHOD_NAMES,
    ROW_STATUS_NAMES,
    ReorderMethodNumber,
    SafetyStockMethodNumber,
    Shape,
)
from serving.reading import (
    FORMULA_INPUTS,
    FORMULA_OF_RESULT,
    check_one_formula,
    member_of,
    plan_of,
)

if TYPE_CHECKING:
    from serving.domain.inventory_policy import PolicyInputs
    from serving.domain.replenishment import PolicyAnswer, Reorder, ReorderBatch
    from serving.gate import Call, Flows


_COLUMNS = (
    "lead_time_days",
    "review_days",
    "service_levels",
    "on_hand",
    "on_order",
    "backorders",
)


class RecommendReorderRequest(Shape):
    """Asks what to order for one series."""

    sku: str = ""
    location: str = ""
    lead_time_days: float | None = None
    review_days: float | None = None
    service_level: float | None = None
    lead_time_std_days: float | None = None
    on_hand: float | None = None
    on_order: float | None = None
    backorders: float | None = None
    minimum_order_quantity: float | None = None
    pack_size: float | None = None
    method: ReorderMethodNumber = 0
    plan: tuple[PlanDay, ...] = ()


class BatchRecommendReorderRequest(Shape):
    """Asks what to order for many series."""

    skus: tuple[str, ...] = ()
    locations: tuple[str, ...] = ()
    lead_time_days: tuple[float, ...] = ()
    review_days: tuple[float, ...] = ()
    service_levels: tuple[float, ...] = ()
    on_hand: tuple[float, ...] = ()
    on_order: tuple[float, ...] = ()
    backorders: tuple[float, ...] = ()
    method: ReorderMethodNumber = 0


class EconomicOrderQuantity(Shape):
    """Inputs of the economic order quantity."""

    annual_demand: float = 0.0
    ordering_cost: float = 0.0
    holding_cost: float = 0.0


class SafetyStock(Shape):
    """Inputs of the safety stock."""

    mean_demand: float = 0.0
    demand_std: float = 0.0
    lead_time_days: float = 0.0
    review_days: float = 0.0
    lead_time_std_days: float = 0.0
    service_level: float = 0.0
    method: SafetyStockMethodNumber = 0


class ReorderPoint(Shape):
    """Inputs of the reorder point."""

    annual_demand: float = 0.0
    lead_time_days: float = 0.0
    review_days: float = 0.0
    safety_stock: float = 0.0
    order_quantity: float | None = None


class Newsvendor(Shape):
    """Inputs of the newsvendor with normal demand."""

    underage_cost: float = 0.0
    overage_cost: float = 0.0
    mean_demand: float = 0.0
    demand_std: float = 0.0


class ComputePolicyRequest(Shape):
    """Asks for one formula."""

    economic_order_quantity: EconomicOrderQuantity | None = None
    safety_stock: SafetyStock | None = None
    reorder_point: ReorderPoint | None = None
    newsvendor: Newsvendor | None = None


def recommend(flows: Flows, request: RecommendReorderRequest) -> dict[str, Any]:
    """Recommend what to order for one series."""
    return reorder_body(flows.replenishment.recommend(reorder_query(request)))


async def recommend_gathered(
    flows: Flows, request: RecommendReorderRequest, call: Call
) -> dict[str, Any]:
    """Recommend what to order for one series together with others."""
    answer = await flows.reorders.ask(reorder_query(request), call.check_deadline)
    return reorder_body(answer)


def reorder_query(request: RecommendReorderRequest) -> ReorderQuery:
    """Read the question about one series.

    Raises:
        InvalidField: If a field breaks its rule.
        BeyondTrained: If a field is beyond the trained range.
    """
    sent: dict[str, Any] = dict(request)
    sent["method"] = member_of("method", ReorderMethod, request.method)
    sent["plan"] = plan_of(sent_plan(request.plan))
    return ReorderQuery(**sent)


def batch_recommend(flows: Flows, request: BatchRecommendReorderRequest) -> dict[str, Any]:
    """Recommend what to order for many series."""
    sent: dict[str, Any] = dict(request)
    for name in _COLUMNS:
        sent[name] = np.array(sent[name], dtype=np.float64)
    sent["method"] = member_of("method", ReorderMethod, request.method)
    return batch_body(flows.replenishment.recommend_batch(BatchReorderQuery(**sent)))


def compute_policy(flows: Flows, request: ComputePolicyRequest) -> dict[str, Any]:
    """Compute one formula."""
    return policy_body(flows.replenishment.compute_policy(policy_inputs(request)))


def policy_inputs(request: ComputePolicyRequest) -> PolicyInputs:
    """Read the formula asked for and its inputs.

    Raises:
        InvalidField: If not exactly one formula was asked for, or an input breaks its rule.
    """
    asked = {name: inputs for name, inputs in request if inputs is not None}
    formula = check_one_formula(list(asked))
    numbers = dict(asked[formula])
    if "method" in numbers:
        numbers["method"] = member_of(f"{formula}.method", SafetyStockMethod, numbers["method"])
    return FORMULA_INPUTS[formula](**numbers)


def reorder_body(reorder: Reorder) -> dict[str, Any]:
    """Return the JSON object of a recommendation for one series."""
    return {
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
    }


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
    }


def policy_body(answer: PolicyAnswer) -> dict[str, Any]:
    """Return the JSON object of the result of a formula; absent figures are left out."""
    result = {name: value for name, value in asdict(answer.result).items() if value is not None}
    return {
        "provenance": provenance_body(answer.provenance),
        FORMULA_OF_RESULT[type(answer.result)]: result,
    }
