"""Demand at the gRPC door: message to query, forecast to message."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlevel.v1 import demand_pb2
from serving.domain.attribution import Driver
from serving.domain.demand import BatchForecastQuery, DemandTarget, ForecastQuery
from serving.domain.series import LocationAttributes, ProductAttributes
from serving.grpc.desk import Gathered
from serving.grpc.enums import number, numbers
from serving.grpc.packed import put_doubles
from serving.grpc.provenance import provenance_message
from serving.reading import (
    SentDay,
    SentPlan,
    all_finite,
    distinct,
    finite,
    history_of,
    member_of,
    plan_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from serving.domain.demand import Forecast, ForecastBatch
    from serving.domain.explanation import Explanation
    from serving.domain.series import PlanDay
    from serving.flows.demand import DemandFlow
    from serving.gather import Gather


class ForecastServicer:
    """Methods of parlevel.v1.ForecastService, free of the kind of server."""

    contract = demand_pb2.DESCRIPTOR.services_by_name["ForecastService"]

    def __init__(self, flow: DemandFlow, gather: Gather[ForecastQuery, Forecast]) -> None:
        """Take the flow that answers, and what gathers questions about one series."""
        self._flow = flow
        self.gathered: Mapping[str, Gathered] = {
            "ForecastDemand": Gathered(forecast_query, gather, forecast_message)
        }

    def ForecastDemand(
        self, request: demand_pb2.ForecastDemandRequest
    ) -> demand_pb2.ForecastDemandResponse:
        """Forecast one series."""
        return forecast_message(self._flow.forecast(forecast_query(request)))

    def BatchForecastDemand(
        self, request: demand_pb2.BatchForecastDemandRequest
    ) -> demand_pb2.BatchForecastDemandResponse:
        """Forecast many series."""
        return batch_message(self._flow.forecast_batch(batch_query(request)))

    def ExplainForecast(
        self, request: demand_pb2.ExplainForecastRequest
    ) -> demand_pb2.ExplainForecastResponse:
        """Explain the forecast of one series."""
        return explanation_message(self._flow.explain(explain_query(request)))


def forecast_query(request: demand_pb2.ForecastDemandRequest) -> ForecastQuery:
    """Read the question about one series.

    Raises:
        InvalidField: If a field breaks its rule.
    """
    levels = tuple(request.quantile_levels)
    all_finite("quantile_levels", levels)
    return ForecastQuery(
        sku=request.sku,
        location=request.location,
        horizon=request.horizon_days,
        levels=levels,
        target=member_of("target", DemandTarget, request.target),
        plan=plan_days(request.plan) if request.plan else (),
        history=history_of([_day(day) for day in request.history]) if request.history else None,
        product=_product(request),
        location_attributes=_location(request),
    )


def plan_days(plan: Iterable[demand_pb2.PlanDay]) -> tuple[PlanDay, ...]:
    """Read a plan.

    Raises:
        InvalidField: If a day breaks its rule.
    """
    return plan_of(
        [
            SentPlan(
                day.date,
                day.price if day.HasField("price") else None,
                day.discount if day.HasField("discount") else None,
                day.promoted if day.HasField("promoted") else None,
            )
            for day in plan
        ]
    )


def _day(day: demand_pb2.DemandObservation) -> SentDay:
    return SentDay(
        day.date,
        day.quantity if day.HasField("quantity") else None,
        day.available_fraction if day.HasField("available_fraction") else None,
        day.price if day.HasField("price") else None,
        day.discount if day.HasField("discount") else None,
        day.promoted if day.HasField("promoted") else None,
    )


def _product(request: demand_pb2.ForecastDemandRequest) -> ProductAttributes | None:
    if not request.HasField("product"):
        return None
    product = request.product
    price = finite("product.price", product.price) if product.HasField("price") else None
    return ProductAttributes(product.category, price)


def _location(request: demand_pb2.ForecastDemandRequest) -> LocationAttributes | None:
    if not request.HasField("location_attributes"):
        return None
    sent = request.location_attributes
    return LocationAttributes(sent.region if sent.HasField("region") else None)


def forecast_message(forecast: Forecast) -> demand_pb2.ForecastDemandResponse:
    """Return the message of a forecast of one series."""
    query = forecast.query
    message = demand_pb2.ForecastDemandResponse(
        provenance=provenance_message(forecast.provenance),
        sku=query.sku,
        location=query.location,
        origin_date=forecast.origin.isoformat(),
        target=number(query.target),
        route=number(forecast.route),
        quantile_levels=query.levels,
        plan_sources=numbers(forecast.plan_sources),
        tier=number(forecast.answered.tier),
        pattern=number(forecast.answered.pattern),
        route_reason=forecast.answered.reason,
        frequency=number(forecast.frequency),
    )
    put_doubles(message, mean=forecast.mean, quantiles=forecast.quantiles)
    if forecast.model_mean is not None:
        put_doubles(message, model_mean=forecast.model_mean)
    return message


def batch_query(request: demand_pb2.BatchForecastDemandRequest) -> BatchForecastQuery:
    """Read the question about many series.

    Raises:
        InvalidField: If a field breaks its rule.
        TooLarge: If there are more rows or values than one call takes.
    """
    levels = tuple(request.quantile_levels)
    all_finite("quantile_levels", levels)
    return BatchForecastQuery(
        skus=tuple(request.skus),
        locations=tuple(request.locations),
        horizon=request.horizon_days,
        levels=levels,
        target=member_of("target", DemandTarget, request.target),
    )


def batch_message(batch: ForecastBatch) -> demand_pb2.BatchForecastDemandResponse:
    """Return the message of the forecasts of many series, in flat packed arrays."""
    reasons, places = distinct([one.reason for one in batch.answered])
    message = demand_pb2.BatchForecastDemandResponse(
        provenance=provenance_message(batch.provenance),
        row_count=len(batch.origins),
        horizon_days=batch.query.horizon,
        target=number(batch.query.target),
        row_statuses=numbers(batch.statuses),
        origin_dates=[origin.isoformat() for origin in batch.origins],
        routes=numbers(batch.routes),
        quantile_levels=batch.query.levels,
        tiers=numbers([one.tier for one in batch.answered]),
        patterns=numbers([one.pattern for one in batch.answered]),
        route_reasons=reasons,
        route_reason_indices=places,
        frequency=number(batch.frequency),
    )
    put_doubles(message, mean=batch.mean, quantiles=batch.quantiles)
    if batch.model_mean is not None:
        put_doubles(message, model_mean=batch.model_mean)
    return message


def explain_query(request: demand_pb2.ExplainForecastRequest) -> ForecastQuery:
    """Read the question what a forecast is made of.

    Raises:
        InvalidField: If a field breaks its rule.
    """
    return ForecastQuery(
        sku=request.sku,
        location=request.location,
        horizon=request.horizon_days,
        target=member_of("target", DemandTarget, request.target),
        plan=plan_days(request.plan) if request.plan else (),
    )


def explanation_message(explanation: Explanation) -> demand_pb2.ExplainForecastResponse:
    """Return the message of what a forecast is made of."""
    forecast = explanation.forecast
    message = demand_pb2.ExplainForecastResponse(
        provenance=provenance_message(forecast.provenance),
        sku=forecast.query.sku,
        location=forecast.query.location,
        origin_date=forecast.origin.isoformat(),
        target=number(forecast.query.target),
        tier=number(forecast.answered.tier),
        route_reason=forecast.answered.reason,
        frequency=number(forecast.frequency),
        drivers=numbers(Driver),
        sentence=explanation.sentence,
    )
    put_doubles(
        message,
        mean=forecast.mean,
        base=explanation.base,
        contributions=explanation.contributions,
    )
    return message
