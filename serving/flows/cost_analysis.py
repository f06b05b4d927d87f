"""The path of a question of cost analysis: query -> formula -> answer; no model."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from serving.domain.elasticity import estimate_elasticity
from serving.domain.make_or_buy import compare_make_or_buy
from serving.domain.reductions import ActionType, PastAction, recommend_reductions
from serving.domain.variance import explain_variance

if TYPE_CHECKING:
    from serving.domain.elasticity import Elasticity, ElasticityQuery
    from serving.domain.make_or_buy import MakeOrBuy, MakeOrBuyQuery
    from serving.domain.reductions import Reductions, ReductionsQuery
    from serving.domain.variance import VarianceQuery, VarianceReport
    from serving.ports import ReferenceReader

PAST_ACTIONS = "past_actions"


class CostAnalysisFlow:
    """Answers why cost moved, what to make or buy, how demand answers to price, what to do."""

    def __init__(self, reference: ReferenceReader) -> None:
        """Take the reader of what the tables say of past actions."""
        self._reference = reference

    def explain_variance(self, query: VarianceQuery) -> VarianceReport:
        """Split the difference of actual and budget cost exactly.

        Raises:
            InvalidField: If the figures are together beyond a float's range.
        """
        return explain_variance(query)

    def compare_make_or_buy(self, query: MakeOrBuyQuery) -> MakeOrBuy:
        """Score the own plant beside the quotes."""
        return compare_make_or_buy(query)

    def estimate_elasticity(self, query: ElasticityQuery) -> Elasticity:
        """Estimate how demand answers to price.

        Raises:
            InvalidField: If the price never moves, or a control is a mixture of others.
            TooFewObservations: If fewer periods are in stock than the estimate needs.
        """
        return estimate_elasticity(query)

    def recommend_reductions(self, query: ReductionsQuery) -> Reductions:
        """Value actions by past ones, of the request or else of the tables."""
        if not query.past:
            body = self._reference.document(PAST_ACTIONS, "") or {"actions": []}
            past = tuple(PastAction(ActionType(kind), *said) for kind, *said in body["actions"])
            query = replace(query, past=past)
        return recommend_reductions(query)
