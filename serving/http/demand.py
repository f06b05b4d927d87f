"""Demand at the HTTP door: JSON to query, forecast to JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from serving.domain.attribution import Driver
from serving.domain.demand import BatchForecastQuery, DemandTarget, ForecastQuery
from serving.domain.series import LocationAttributes, ProductAttributes
from serving.http.provenance import provenance_body
from serving.http.shape import (
    DRIVER_NAMES,
    FREQUENCY_NAMES,
    PATTERN_NAMES,
    PLAN_SOURCE_NAMES,
    ROUTE_NAMES,
    ROW_STATUS_NAMES,
    TARGET_NAMES,
    TIER_NAMES,
    DemandTargetNumber,
    Shape,
)
from serving.reading import SentDay, SentPlan, distinct, history_of, member_of, plan_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serving.domain.demand import Forecast, ForecastBatch
    from serving.domain.explanation import Explanation
    from serving.gate import Call, Flows


class PlanDay(Shape):
    """What is decided for one day to come."""

    date: str = ""
    price: float | None = None
    discount: float | None = None
    promoted: bool | None = None


class DemandObservation(Shape):
    """What was seen on one past day."""

    date: str = ""
    quantity: float | None = None
    available_fraction: float | None = None
    price: float | None = None
    discount: float | None = None
    promoted: bool | None = None


class Product(Shape):
    """What is known of a product that is in no table."""

    category: str = ""
    price: float | None = None


class Location(Shape):
    """What is known of a location that is in no table."""

    region: str | None = None


class ForecastDemandRequest(Shape):
    """Asks for the forecast of one series."""

    sku: str = ""
    location: str = ""
    horizon_days: int = 0
    quantile_levels: tuple[float, ...] = ()
    target: DemandTargetNumber = 0
    plan: tuple[PlanDay, ...] = ()
    history: tuple[DemandObservation, ...] = ()
    product: Product | None = None
    location_attributes: Location | None = None


class BatchForecastDemandRequest(Shape):
    """Asks for the forecasts of many series."""

    skus: tuple[str, ...] = ()
    locations: tuple[str, ...] = ()
    horizon_days: int = 0
    quantile_levels: tuple[float, ...] = ()
    target: DemandTargetNumber = 0


class ExplainForecastRequest(Shape):
    """Asks what the forecast of one series is made of."""

    sku: str = ""
    location: str = ""
    horizon_days: int = 0
    target: DemandTargetNumber = 0
    plan: tuple[PlanDay, ...] = ()


def forecast(flows: Flows, request: ForecastDemandRequest) -> dict[str, Any]:
    """Forecast one series."""
    return forecast_body(flows.demand.forecast(forecast_query(request)))


async def forecast_gathered(
    flows: Flows, request: ForecastDemandRequest, call: Call
) -> dict[str, Any]:
    """Forecast one series together with others."""
    answer = await flows.forecasts.ask(forecast_query(request), call.check_deadline)
    return forecast_body(answer)


def batch_forecast(flows: Flows, request: BatchForecastDemandRequest) -> dict[str, Any]:
    """Forecast many series."""
    query = BatchForecastQuery(
        skus=request.skus,
        locations=request.locations,
        horizon=request.horizon_days,
        levels=request.quantile_levels,
        target=member_of("target", DemandTarget, request.target),
    )
    return batch_body(flows.demand.forecast_batch(query))


def explain(flows: Flows, request: ExplainForecastRequest) -> dict[str, Any]:
    """Explain the forecast of one series."""
    query = ForecastQuery(
        sku=request.sku,
        location=request.location,
        horizon=request.horizon_days,
        target=member_of("target", DemandTarget, request.target),
        plan=plan_of(sent_plan(request.plan)),
    )
    return explanation_body(flows.demand.explain(query))


def forecast_query(request: ForecastDemandRequest) -> ForecastQuery:
    """Read the question about one series.

    Raises:
        InvalidField: If a field breaks its rule.
    """
    product, location = request.product, request.location_attributes
    return ForecastQuery(
        sku=request.sku,
        location=request.location,
        horizon=request.horizon_days,
        levels=request.quantile_levels,
        target=member_of("target", DemandTarget, request.target),
        plan=plan_of(sent_plan(request.plan)),
        history=history_of([SentDay(**dict(day)) for day in request.history]),
        product=ProductAttributes(product.category, product.price) if product else None,
        location_attributes=LocationAttributes(location.region) if location else None,
    )


def sent_plan(plan: Sequence[PlanDay]) -> list[SentPlan]:
    """Return the days of a plan as the reader of both doors takes them."""
    return [SentPlan(**dict(day)) for day in plan]


def forecast_body(forecast: Forecast) -> dict[str, Any]:
    """Return the JSON object of a forecast of one series."""
    query = forecast.query
    return {
        "provenance": provenance_body(forecast.provenance),
        "sku": query.sku,
        "location": query.location,
        "origin_date": forecast.origin.isoformat(),
        "target": TARGET_NAMES[query.target],
        "route": ROUTE_NAMES[forecast.route],
        "mean": forecast.mean,
        "quantile_levels": query.levels,
        "quantiles": forecast.quantiles.ravel(),
        "plan_sources": [PLAN_SOURCE_NAMES[source] for source in forecast.plan_sources],
        "tier": TIER_NAMES[forecast.answered.tier],
        "pattern": PATTERN_NAMES[forecast.answered.pattern],
        "route_reason": forecast.answered.reason,
        "frequency": FREQUENCY_NAMES[forecast.frequency],
        "model_mean": [] if forecast.model_mean is None else forecast.model_mean,
    }


def batch_body(batch: ForecastBatch) -> dict[str, Any]:
    """Return the JSON object of the forecasts of many series, in flat packed arrays."""
    reasons, places = distinct([one.reason for one in batch.answered])
    return {
        "provenance": provenance_body(batch.provenance),
        "row_count": len(batch.origins),
        "horizon_days": batch.query.horizon,
        "target": TARGET_NAMES[batch.query.target],
        "row_statuses": [ROW_STATUS_NAMES[status] for status in batch.statuses],
        "origin_dates": [origin.isoformat() for origin in batch.origins],
        "routes": [ROUTE_NAMES[route] for route in batch.routes],
        "mean": batch.mean.ravel(),
        "quantile_levels": batch.query.levels,
        "quantiles": batch.quantiles.ravel(),
        "tiers": [TIER_NAMES[one.tier] for one in batch.answered],
        "patterns": [PATTERN_NAMES[one.pattern] for one in batch.answered],
        "route_reasons": reasons,
        "route_reason_indices": places,
        "frequency": FREQUENCY_NAMES[batch.frequency],
        "model_mean": [] if batch.model_mean is None else batch.model_mean.ravel(),
    }


def explanation_body(explanation: Explanation) -> dict[str, Any]:
    """Return the JSON object of what a forecast is made of."""
    forecast = explanation.forecast
    return {
        "provenance": provenance_body(forecast.provenance),
        "sku": forecast.query.sku,
        "location": forecast.query.location,
        "origin_date": forecast.origin.isoformat(),
        "target": TARGET_NAMES[forecast.query.target],
        "tier": TIER_NAMES[forecast.answered.tier],
        "route_reason": forecast.answered.reason,
        "frequency": FREQUENCY_NAMES[forecast.frequency],
        "mean": forecast.mean,
        "base": explanation.base,
        "drivers": [DRIVER_NAMES[driver] for driver in Driver],
        "contributions": explanation.contributions.ravel(),
        "sentence": explanation.sentence,
    }
