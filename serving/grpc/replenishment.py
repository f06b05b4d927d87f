"""Replenishment at the gRPC door: message to query, decision to message."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from parlevel.v1 import replenishment_pb2, supply_pb2
from serving.domain.echelons import EchelonQuery
from serving.domain.lanes import LaneQuery
from serving.domain.law_inputs import LeadTimeInputs
from serving.domain.policies import FORMULAS
from serving.domain.reorder_batch import BatchReorderQuery
from serving.domain.replenishment import ReorderMethod, ReorderQuery
from serving.domain.stockout_risk import RiskQuery
from serving.domain.supply import TargetKind
from serving.grpc.demand import plan_days
from serving.grpc.desk import Gathered
from serving.grpc.enums import number, numbers
from serving.grpc.fields import filled, sent_fields
from serving.grpc.nested import plain
from serving.grpc.packed import put_doubles
from serving.grpc.provenance import provenance_message
from serving.reading import (
    FORMULA_OF_RESULT,
    SUPPLY_FIELDS,
    all_finite,
    built,
    check_one_formula,
    finite,
    member_of,
    supply_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from google.protobuf.message import Message

    from serving.domain.policies import PolicyAnswer, PolicyInputs
    from serving.domain.reorder_batch import ReorderBatch
    from serving.domain.replenishment import Reorder
    from serving.domain.stockout_risk import RiskBatch
    from serving.flows.replenishment import ReplenishmentFlow
    from serving.gather import Gather

_SENT = (
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
_LIMITS = ("expedite", "capacity_units", "shelf_life_days", "budget", "unit_price")
_COLUMNS = (
    "lead_time_days",
    "review_days",
    "service_levels",
    "on_hand",
    "on_order",
    "backorders",
)


class ReplenishmentServicer:
    """Methods of parlevel.v1.ReplenishmentService, free of the kind of server."""

    contract = replenishment_pb2.DESCRIPTOR.services_by_name["ReplenishmentService"]

    def __init__(self, flow: ReplenishmentFlow, gather: Gather[ReorderQuery, Reorder]) -> None:
        """Take the flow that answers, and what gathers questions about one series."""
        self._flow = flow
        self.gathered: Mapping[str, Gathered] = {
            "RecommendReorder": Gathered(reorder_query, gather, reorder_message)
        }

    def RecommendReorder(
        self, request: replenishment_pb2.RecommendReorderRequest
    ) -> replenishment_pb2.RecommendReorderResponse:
        """Recommend what to order for one series."""
        return reorder_message(self._flow.recommend(reorder_query(request)))

    def BatchRecommendReorder(
        self, request: replenishment_pb2.BatchRecommendReorderRequest
    ) -> replenishment_pb2.BatchRecommendReorderResponse:
        """Recommend what to order for many series."""
        return batch_message(self._flow.recommend_batch(batch_query(request)))

    def ComputePolicy(
        self, request: replenishment_pb2.ComputePolicyRequest
    ) -> replenishment_pb2.ComputePolicyResponse:
        """Compute one formula."""
        return policy_message(self._flow.compute_policy(policy_inputs(request)))

    def ScoreStockoutRisk(
        self, request: replenishment_pb2.ScoreStockoutRiskRequest
    ) -> replenishment_pb2.ScoreStockoutRiskResponse:
        """Score the risk of running out for many series."""
        return risk_message(self._flow.score_risk(risk_query(request)))

    def AllocateEchelons(
        self, request: replenishment_pb2.AllocateEchelonsRequest
    ) -> replenishment_pb2.AllocateEchelonsResponse:
        """Place safety stock over a network."""
        plan = self._flow.allocate_echelons(built(EchelonQuery, plain(request)))
        return filled(replenishment_pb2.AllocateEchelonsResponse(), plan)

    def AssessLane(
        self, request: replenishment_pb2.AssessLaneRequest
    ) -> replenishment_pb2.AssessLaneResponse:
        """Assess a lane."""
        lane = self._flow.assess_lane(built(LaneQuery, plain(request)))
        return filled(replenishment_pb2.AssessLaneResponse(), lane)


def reorder_query(request: replenishment_pb2.RecommendReorderRequest) -> ReorderQuery:
    """Read the question about one series.

    Raises:
        InvalidField: If a field breaks its rule.
        BeyondTrained: If a field is beyond the trained range.
    """
    message: Message = request  # the stub knows each field by a literal of its own
    sent: dict[str, Any] = {
        name: finite(name, getattr(request, name)) for name in _SENT if message.HasField(name)
    }
    if request.HasField("lead_time"):
        sent["lead_time"] = built(
            LeadTimeInputs, plain(request.lead_time, "lead_time."), "lead_time."
        )
    if request.target_kind:
        sent["target"] = member_of("target_kind", TargetKind, request.target_kind)
    if _draws_on_more(request):
        sent["supply"] = supply_of(
            {name: value for name, value in plain(request).items() if name in SUPPLY_FIELDS}
        )
    return ReorderQuery(
        request.sku,
        request.location,
        **sent,
        method=member_of("method", ReorderMethod, request.method),
        plan=plan_days(request.plan) if request.plan else (),
    )


def _draws_on_more(request: replenishment_pb2.RecommendReorderRequest) -> bool:
    """Return whether a question names more than stock and one supplier."""
    message: Message = request
    return any(
        message.HasField(name) if name in _LIMITS else getattr(request, name)
        for name in SUPPLY_FIELDS
    )


def reorder_message(reorder: Reorder) -> replenishment_pb2.RecommendReorderResponse:
    """Return the message of a recommendation for one series."""
    after, change = reorder.after_order, reorder.cheapest_change
    return replenishment_pb2.RecommendReorderResponse(
        provenance=provenance_message(reorder.provenance),
        sku=reorder.query.sku,
        location=reorder.query.location,
        origin_date=reorder.origin.isoformat(),
        order_quantity=reorder.order_quantity,
        order_up_to=reorder.order_up_to,
        reorder_point=reorder.reorder_point,
        safety_stock=reorder.safety_stock,
        expected_demand=reorder.expected_demand,
        inventory_position=reorder.inventory_position,
        stockout_probability=reorder.stockout_probability,
        cover_days=reorder.cover_days,
        service_level=reorder.service_level,
        method=number(reorder.query.method),
        table_inputs=reorder.table_inputs,
        reason=reorder.reason,
        expected_fill_rate=reorder.expected_fill_rate,
        stockout_probability_after_order=after.stockout_probability,
        expected_shortage=after.shortage,
        expected_holding=after.holding,
        expected_waste=after.waste,
        order_date="" if reorder.order_date is None else reorder.order_date.isoformat(),
        target_kind=number(reorder.target),
        supplier_id=reorder.supplier_id,
        choices=[filled(supply_pb2.SupplyChoice(), one) for one in reorder.choices],
        cheapest_change=None
        if change is None
        else supply_pb2.DecisionChange(
            field=change.field,
            value=change.value,
            turning_value=change.turning_value,
            sentence=change.sentence,
        ),
    )


def batch_query(request: replenishment_pb2.BatchRecommendReorderRequest) -> BatchReorderQuery:
    """Read the question about many series.

    Raises:
        InvalidField: If a field breaks its rule.
        BeyondTrained: If a field is beyond the trained range.
        TooLarge: If there are more rows than one call takes.
    """
    for name in _COLUMNS:
        all_finite(name, getattr(request, name))
    return BatchReorderQuery(
        tuple(request.skus),
        tuple(request.locations),
        **{name: np.array(getattr(request, name), dtype=np.float64) for name in _COLUMNS},
        method=member_of("method", ReorderMethod, request.method),
    )


def batch_message(batch: ReorderBatch) -> replenishment_pb2.BatchRecommendReorderResponse:
    """Return the message of the recommendations for many series, in flat packed arrays."""
    message = replenishment_pb2.BatchRecommendReorderResponse(
        provenance=provenance_message(batch.provenance),
        row_count=len(batch.order_quantities),
        row_statuses=numbers(batch.statuses),
        cover_days=batch.cover_days.tolist(),
        method=number(batch.query.method),
    )
    put_doubles(
        message,
        order_quantities=batch.order_quantities,
        order_up_to=batch.order_up_to,
        reorder_points=batch.reorder_points,
        safety_stocks=batch.safety_stocks,
        expected_demand=batch.expected_demand,
        stockout_probabilities=batch.stockout_probabilities,
        expected_fill_rates=batch.expected_fill_rates,
        expected_shortages=batch.expected_shortages,
        expected_holdings=batch.expected_holdings,
    )
    return message


def policy_inputs(request: replenishment_pb2.ComputePolicyRequest) -> PolicyInputs:
    """Read the formula asked for and its inputs.

    Raises:
        InvalidField: If no formula was asked for or an input breaks its rule.
    """
    asked = request.WhichOneof("formula")
    formula = check_one_formula([asked] if asked else [])
    said = plain(getattr(request, formula), f"{formula}.")
    inputs: PolicyInputs = built(FORMULAS[formula].inputs, said, f"{formula}.")
    return inputs


def policy_message(answer: PolicyAnswer) -> replenishment_pb2.ComputePolicyResponse:
    """Return the message of the result of a formula."""
    message = replenishment_pb2.ComputePolicyResponse(
        provenance=provenance_message(answer.provenance)
    )
    result = getattr(message, FORMULA_OF_RESULT[type(answer.result)])
    result.SetInParent()
    filled(result, answer.result)
    return message


def risk_query(request: replenishment_pb2.ScoreStockoutRiskRequest) -> RiskQuery:
    """Read the question about the risk of many series.

    Raises:
        InvalidField: If a field breaks its rule.
        TooLarge: If there are more rows than one call takes.
    """
    return RiskQuery(**sent_fields(request))


def risk_message(batch: RiskBatch) -> replenishment_pb2.ScoreStockoutRiskResponse:
    """Return the message of the risk of many series, in flat packed arrays."""
    message = replenishment_pb2.ScoreStockoutRiskResponse(
        provenance=provenance_message(batch.provenance),
        row_count=len(batch.horizon_days),
        row_statuses=numbers(batch.statuses),
        horizon_days=batch.horizon_days.tolist(),
    )
    return filled(message, batch.figures)
