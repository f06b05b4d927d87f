"""Cost analysis at the gRPC door: message to query, answer to message."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlevel.v1 import cost_pb2
from serving.domain.elasticity import ElasticityQuery
from serving.domain.make_or_buy import MakeOrBuyQuery, SourcingOption, Weights
from serving.domain.reductions import ActionType, CandidateAction, PastAction, ReductionsQuery
from serving.domain.variance import ElementCost, VarianceQuery
from serving.grpc.fields import filled, sent_fields
from serving.reading import built, column_of, controls_of, required_member

if TYPE_CHECKING:
    from serving.flows.cost_analysis import CostAnalysisFlow


class CostAnalysisMethods:
    """The methods of parlevel.v1.CostService that need no model."""

    def __init__(self, analysis: CostAnalysisFlow) -> None:
        """Take the flow that answers."""
        self._analysis = analysis

    def ExplainVariance(
        self, request: cost_pb2.ExplainVarianceRequest
    ) -> cost_pb2.ExplainVarianceResponse:
        """Split the difference of actual and budget cost."""
        answer = self._analysis.explain_variance(_variance_query(request))
        return filled(cost_pb2.ExplainVarianceResponse(), answer)

    def CompareMakeOrBuy(
        self, request: cost_pb2.CompareMakeOrBuyRequest
    ) -> cost_pb2.CompareMakeOrBuyResponse:
        """Compare making a part with buying it."""
        sent = sent_fields(request)
        if request.HasField("weights"):
            sent["weights"] = Weights(**sent_fields(request.weights, "weights."))
        query = MakeOrBuyQuery(
            make=built(SourcingOption, sent_fields(request.make, "make."), "make."),
            quotes=tuple(
                built(SourcingOption, sent_fields(one, at := f"quotes[{index}]."), at)
                for index, one in enumerate(request.quotes)
            ),
            **sent,
        )
        return filled(
            cost_pb2.CompareMakeOrBuyResponse(), self._analysis.compare_make_or_buy(query)
        )

    def RecommendReductions(
        self, request: cost_pb2.RecommendReductionsRequest
    ) -> cost_pb2.RecommendReductionsResponse:
        """Choose the actions that pay most."""
        candidates = [
            sent_fields(one, f"candidates[{i}].") for i, one in enumerate(request.candidates)
        ]
        past = [sent_fields(one, f"past[{i}].") for i, one in enumerate(request.past)]
        for field, rows in (("candidates", candidates), ("past", past)):
            for index, row in enumerate(rows):
                at = f"{field}[{index}].action_type"
                row["action_type"] = required_member(ActionType, row["action_type"], at)
        query = ReductionsQuery(
            candidates=tuple(
                built(CandidateAction, row, f"candidates[{i}].") for i, row in enumerate(candidates)
            ),
            past=tuple(built(PastAction, row, f"past[{i}].") for i, row in enumerate(past)),
            **sent_fields(request),
        )
        return filled(
            cost_pb2.RecommendReductionsResponse(), self._analysis.recommend_reductions(query)
        )

    def EstimateElasticity(
        self, request: cost_pb2.EstimateElasticityRequest
    ) -> cost_pb2.EstimateElasticityResponse:
        """Estimate how demand answers to price."""
        sent = sent_fields(request)
        count = len(sent["price"])
        sent["available_fraction"] = column_of(sent["available_fraction"], count)
        sent["instrument"] = sent["instrument"] if sent["instrument"].size else None
        columns = [
            sent_fields(one, f"controls[{index}].")["values"]
            for index, one in enumerate(request.controls)
        ]
        query = ElasticityQuery(**sent, controls=controls_of(columns, count))
        return filled(
            cost_pb2.EstimateElasticityResponse(), self._analysis.estimate_elasticity(query)
        )


def _variance_query(request: cost_pb2.ExplainVarianceRequest) -> VarianceQuery:
    sent = sent_fields(request)
    count = len(request.groups)
    elements = []
    for index, one in enumerate(request.elements):
        said = sent_fields(one, f"elements[{index}].")
        for name in ("budget_usage", "usage"):
            said[name] = column_of(said[name], count)
        elements.append(ElementCost(**said))
    for name in ("budget_exchange_rate", "exchange_rate"):
        sent[name] = column_of(sent[name], count)
    return VarianceQuery(**sent, elements=tuple(elements))
