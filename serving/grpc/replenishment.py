"""Replenishment at the gRPC door: message to query, decision to message."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from parlevel.v1 import replenishment_pb2
from serving.domain.inventory_policy import SafetyStockMethod
from serving.domain.replenishment import BatchReorderQuery, ReorderMethod, ReorderQuery
from serving.grpc.demand import plan_days
from serving.grpc.enums import number, numbers
from serving.grpc.packed import put_doubles
from serving.grpc.provenance import provenance_message
from serving.reading import (
    FORMULA_INPUTS,
    FORMULA_OF_RESULT,
    all_finite,
    check_one_formula,
    finite,
    member_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from google.protobuf.message import Message

    from serving.domain.inventory_policy import PolicyInputs
    from serving.domain.replenishment import PolicyAnswer, Reorder, ReorderBatch
    from serving.flows.replenishment import ReplenishmentFlow
    from serving.gate import Call
    from serving.gather import Gather
    from serving.grpc.desk import Gathered

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
)
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
        self._gather = gather
        self.gathered: Mapping[str, Gathered] = {"RecommendReorder": self._recommend}

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

    async def _recommend(
        self, request: replenishment_pb2.RecommendReorderRequest, call: Call
    ) -> replenishment_pb2.RecommendReorderResponse:
        """Answer `RecommendReorder` together with others."""
        answer = await self._gather.ask(reorder_query(request), call.check_deadline)
        return reorder_message(answer)


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
    return ReorderQuery(
        request.sku,
        request.location,
        **sent,
        method=member_of("method", ReorderMethod, request.method),
        plan=plan_days(request.plan) if request.plan else (),
    )


def reorder_message(reorder: Reorder) -> replenishment_pb2.RecommendReorderResponse:
    """Return the message of a recommendation for one series."""
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
    )
    return message


def policy_inputs(request: replenishment_pb2.ComputePolicyRequest) -> PolicyInputs:
    """Read the formula asked for and its inputs.

    Raises:
        InvalidField: If no formula was asked for or an input breaks its rule.
    """
    asked = request.WhichOneof("formula")
    formula = check_one_formula([asked] if asked else [])
    return FORMULA_INPUTS[formula](**_sent_inputs(formula, getattr(request, formula)))


def _sent_inputs(formula: str, message: Message) -> dict[str, Any]:
    inputs: dict[str, Any] = {}
    for field in message.DESCRIPTOR.fields:
        value = getattr(message, field.name)
        at = f"{formula}.{field.name}"
        if field.enum_type is not None:
            inputs[field.name] = member_of(at, SafetyStockMethod, value)
        elif not field.has_presence or message.HasField(field.name):
            inputs[field.name] = finite(at, value)
    return inputs


def policy_message(answer: PolicyAnswer) -> replenishment_pb2.ComputePolicyResponse:
    """Return the message of the result of a formula."""
    message = replenishment_pb2.ComputePolicyResponse(
        provenance=provenance_message(answer.provenance)
    )
    result = getattr(message, FORMULA_OF_RESULT[type(answer.result)])
    result.SetInParent()
    for name, value in asdict(answer.result).items():
        if value is not None:
            setattr(result, name, value)
    return message
