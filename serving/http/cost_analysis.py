"""Cost analysis at the HTTP door: JSON to query, answer to JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from serving.domain.elasticity import ElasticityQuery
from serving.domain.make_or_buy import MakeOrBuyQuery, Weights
from serving.domain.make_or_buy import SourcingOption as Option
from serving.domain.reductions import ActionType, ReductionsQuery
from serving.domain.reductions import CandidateAction as Candidate
from serving.domain.reductions import PastAction as Past
from serving.domain.variance import ElementCost as Element
from serving.domain.variance import VarianceQuery
from serving.http.fields import body_of, sent_fields
from serving.http.shape import ActionTypeNumber, Shape
from serving.reading import built, column_of, controls_of, required_member

if TYPE_CHECKING:
    from serving.gate import Flows


class ElementCost(Shape):
    """What one cost element takes of each line, budget and actual."""

    name: str = ""
    budget_price: tuple[float, ...] = ()
    price: tuple[float, ...] = ()
    budget_usage: tuple[float, ...] = ()
    usage: tuple[float, ...] = ()


class ExplainVarianceRequest(Shape):
    """Asks why cost differs from budget."""

    groups: tuple[str, ...] = ()
    budget_volume: tuple[float, ...] = ()
    volume: tuple[float, ...] = ()
    elements: tuple[ElementCost, ...] = ()
    budget_exchange_rate: tuple[float, ...] = ()
    exchange_rate: tuple[float, ...] = ()
    alert_share: float | None = None


class SourcingOption(Shape):
    """One way to get the part."""

    name: str = ""
    unit_cost: float = 0.0
    fixed_cost: float = 0.0
    lead_time_days: float = 0.0
    quality: float = 0.0
    strategic: float = 0.0


class MakeOrBuyWeights(Shape):
    """What each criterion counts."""

    cost: float = 0.0
    quality: float = 0.0
    lead_time: float = 0.0
    strategic: float = 0.0


class CompareMakeOrBuyRequest(Shape):
    """Asks whether to make a part or to buy it, and of whom."""

    make: SourcingOption = SourcingOption()
    quotes: tuple[SourcingOption, ...] = ()
    volume: float = 0.0
    weights: MakeOrBuyWeights | None = None
    noise_share: float | None = None
    confidence: float | None = None


class CandidateAction(Shape):
    """An action that could be taken."""

    action_id: str = ""
    action_type: ActionTypeNumber = 0
    projected_saving: float = 0.0
    effort: float = 0.0
    exclusive_group: str = ""


class PastAction(Shape):
    """An action that is done."""

    action_type: ActionTypeNumber = 0
    projected_saving: float = 0.0
    actual_saving: float = 0.0


class RecommendReductionsRequest(Shape):
    """Asks which actions to take."""

    candidates: tuple[CandidateAction, ...] = ()
    past: tuple[PastAction, ...] = ()
    budget: float | None = None
    confidence: float | None = None


class ElasticityControl(Shape):
    """One column that moves demand."""

    values: tuple[float, ...] = ()


class EstimateElasticityRequest(Shape):
    """Asks how demand answers to price."""

    price: tuple[float, ...] = ()
    quantity: tuple[float, ...] = ()
    available_fraction: tuple[float, ...] = ()
    controls: tuple[ElasticityControl, ...] = ()
    instrument: tuple[float, ...] = ()
    confidence: float | None = None


def explain_variance(flows: Flows, request: ExplainVarianceRequest) -> dict[str, Any]:
    """Split the difference of actual and budget cost."""
    sent, count = sent_fields(request), len(request.groups)
    elements = []
    for one in request.elements:
        said = sent_fields(one)
        for name in ("budget_usage", "usage"):
            said[name] = column_of(said[name], count)
        elements.append(Element(**said))
    for name in ("budget_exchange_rate", "exchange_rate"):
        sent[name] = column_of(sent[name], count)
    query = VarianceQuery(**sent | {"elements": tuple(elements)})
    return body_of(flows.cost_analysis.explain_variance(query))


def compare_make_or_buy(flows: Flows, request: CompareMakeOrBuyRequest) -> dict[str, Any]:
    """Compare making a part with buying it."""
    sent = sent_fields(request)
    sent["make"] = built(Option, sent_fields(request.make), "make.")
    sent["quotes"] = tuple(
        built(Option, sent_fields(one), f"quotes[{index}].")
        for index, one in enumerate(request.quotes)
    )
    if request.weights is not None:
        sent["weights"] = Weights(**sent_fields(request.weights))
    return body_of(flows.cost_analysis.compare_make_or_buy(MakeOrBuyQuery(**sent)))


def recommend_reductions(flows: Flows, request: RecommendReductionsRequest) -> dict[str, Any]:
    """Choose the actions that pay most."""
    sent = sent_fields(request)
    for field, kind in (("candidates", Candidate), ("past", Past)):
        rows = []
        for index, one in enumerate(getattr(request, field)):
            row = sent_fields(one)
            at = f"{field}[{index}]."
            row["action_type"] = required_member(ActionType, one.action_type, f"{at}action_type")
            rows.append(built(kind, row, at))
        sent[field] = tuple(rows)
    return body_of(flows.cost_analysis.recommend_reductions(ReductionsQuery(**sent)))


def estimate_elasticity(flows: Flows, request: EstimateElasticityRequest) -> dict[str, Any]:
    """Estimate how demand answers to price."""
    sent, count = sent_fields(request), len(request.price)
    sent["available_fraction"] = column_of(sent["available_fraction"], count)
    sent["instrument"] = sent["instrument"] if request.instrument else None
    columns = [sent_fields(one)["values"] for one in request.controls]
    sent["controls"] = controls_of(columns, count)
    return body_of(flows.cost_analysis.estimate_elasticity(ElasticityQuery(**sent)))
