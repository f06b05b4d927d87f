"""Suppliers at the HTTP door: JSON to query, answer to JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from serving.domain.supplier import LeadTimeQuery, RankingQuery
from serving.domain.supplier import SupplierWeights as Weights
from serving.http.fields import body_of, sent_fields
from serving.http.shape import Shape

if TYPE_CHECKING:
    from serving.gate import Flows


class GetPerformanceRequest(Shape):
    """Asks how a supplier performed."""

    supplier_id: str = ""


class PredictLeadTimeRequest(Shape):
    """Asks how long an order will take."""

    supplier_id: str = ""
    plant_id: str = ""
    sku: str = ""
    promised_days: float | None = None
    levels: tuple[float, ...] = ()


class SupplierWeights(Shape):
    """What each criterion counts."""

    on_time: float = 0.0
    quality: float = 0.0
    price: float = 0.0
    lead_time: float = 0.0


class RankSuppliersRequest(Shape):
    """Asks which supplier is best."""

    supplier_ids: tuple[str, ...] = ()
    weights: SupplierWeights | None = None


def get_performance(flows: Flows, request: GetPerformanceRequest) -> dict[str, Any]:
    """Tell how a supplier performed."""
    return body_of(flows.supplier.get_performance(request.supplier_id))


def predict_lead_time(flows: Flows, request: PredictLeadTimeRequest) -> dict[str, Any]:
    """Predict how long an order will take."""
    sent = sent_fields(request)
    levels = tuple(sent.pop("levels").tolist())
    if levels:
        sent["levels"] = levels
    query = LeadTimeQuery(**sent)
    return body_of(flows.supplier.predict_lead_time(query))


def rank_suppliers(flows: Flows, request: RankSuppliersRequest) -> dict[str, Any]:
    """Rank suppliers by weighted criteria."""
    weights = Weights()
    if request.weights is not None:
        weights = Weights(**sent_fields(request.weights))
    return body_of(flows.supplier.rank_suppliers(RankingQuery(request.supplier_ids, weights)))
