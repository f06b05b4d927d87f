"""Suppliers at the gRPC door: message to query, answer to message."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlevel.v1 import supplier_pb2
from serving.domain.supplier import LeadTimeQuery, RankingQuery, SupplierWeights
from serving.grpc.fields import filled, sent_fields

if TYPE_CHECKING:
    from collections.abc import Mapping

    from serving.flows.supplier import SupplierFlow
    from serving.grpc.desk import Gathered


class SupplierServicer:
    """Methods of parlevel.v1.SupplierService, free of the kind of server."""

    contract = supplier_pb2.DESCRIPTOR.services_by_name["SupplierService"]

    def __init__(self, flow: SupplierFlow) -> None:
        """Take the flow that answers."""
        self._flow = flow
        self.gathered: Mapping[str, Gathered] = {}

    def GetPerformance(
        self, request: supplier_pb2.GetPerformanceRequest
    ) -> supplier_pb2.GetPerformanceResponse:
        """Tell how a supplier performed."""
        answer = self._flow.get_performance(request.supplier_id)
        return filled(supplier_pb2.GetPerformanceResponse(), answer)

    def PredictLeadTime(
        self, request: supplier_pb2.PredictLeadTimeRequest
    ) -> supplier_pb2.PredictLeadTimeResponse:
        """Predict how long an order will take."""
        sent = sent_fields(request)
        levels = tuple(sent.pop("levels").tolist())
        if levels:
            sent["levels"] = levels
        query = LeadTimeQuery(**sent)
        return filled(supplier_pb2.PredictLeadTimeResponse(), self._flow.predict_lead_time(query))

    def RankSuppliers(
        self, request: supplier_pb2.RankSuppliersRequest
    ) -> supplier_pb2.RankSuppliersResponse:
        """Rank suppliers by weighted criteria."""
        weights = SupplierWeights()
        if request.HasField("weights"):
            weights = SupplierWeights(**sent_fields(request.weights, "weights."))
        query = RankingQuery(tuple(request.supplier_ids), weights)
        return filled(supplier_pb2.RankSuppliersResponse(), self._flow.rank_suppliers(query))
