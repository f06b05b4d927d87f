"""Wire form of the forecast questions and answers."""

from __future__ import annotations

from array import array
from functools import partial
from typing import TYPE_CHECKING

from parlevel.client.frames import asked_rows
from parlevel.client.options import ForecastBatchOptions, ForecastOptions, check_options
from parlevel.client.values.demand import (
    DemandFrequency,
    DemandPattern,
    DemandTarget,
    DemandTier,
    Forecast,
    ForecastRoute,
    PlanSource,
    RowStatus,
)
from parlevel.client.values.demand_batch import ForecastBatch
from parlevel.client.wire.provenance import provenance
from parlevel.client.wire.question import (
    Question,
    SplitQuestion,
    date_of,
    expect_length,
    name_of,
    named,
    question,
)
from parlevel.v1 import demand_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from parlevel.client.frames import Series
    from parlevel.client.limits import Limits
    from parlevel.client.values.demand import (
        DemandObservation,
        LocationAttributes,
        PlanDay,
        ProductAttributes,
    )

FORECAST_DEMAND = "/parlevel.v1.ForecastService/ForecastDemand"
BATCH_FORECAST_DEMAND = "/parlevel.v1.ForecastService/BatchForecastDemand"

# Levels the server answers with where none are asked for; only the split of a batch rests on it.
_TRAINED_LEVELS = 9


def forecast(
    sku: str, location: str, horizon_days: int, options: ForecastOptions
) -> Question[Forecast]:
    """Ask for the forecast of one series.

    Args:
        sku: Stock-keeping unit.
        location: Location that sells it.
        horizon_days: Days ahead.
        options: Keyword options of the question.

    Returns:
        The question.

    Raises:
        TypeError: An option is unknown.
        InvalidArgument: The target or timeout breaks its rule.
    """
    check_options(options, ForecastOptions)
    request = forecast_request(sku, location, horizon_days, options)
    return question(FORECAST_DEMAND, request, pb.ForecastDemandResponse, forecast_value, options)


def forecast_request(
    sku: str, location: str, horizon_days: int, options: ForecastOptions
) -> pb.ForecastDemandRequest:
    """Write the question about one series.

    Args:
        sku: Stock-keeping unit.
        location: Location that sells it.
        horizon_days: Days ahead.
        options: Keyword options of the question.

    Returns:
        Its message.

    Raises:
        InvalidArgument: The target breaks its rule.
    """
    return pb.ForecastDemandRequest(
        sku=sku,
        location=location,
        horizon_days=horizon_days,
        quantile_levels=options.get("quantile_levels", ()),
        target=_target(options),
        plan=plan_days(options.get("plan", ())),
        history=[_observation(day) for day in options.get("history", ())],
        product=_product(options.get("product")),
        location_attributes=_location(options.get("location_attributes")),
    )


def forecast_batch(
    series: Series, horizon_days: int, limits: Limits, options: ForecastBatchOptions
) -> SplitQuestion[ForecastBatch]:
    """Ask for the forecasts of many series, in as many calls as the limits need.

    Args:
        series: Pairs (sku, location), or a frame.
        horizon_days: Days ahead for every row.
        limits: What the server takes in one call.
        options: Keyword options of the question.

    Returns:
        The question in one part or more.

    Raises:
        TypeError: An option is unknown.
        InvalidArgument: The series, target or timeout breaks its rule.
    """
    check_options(options, ForecastBatchOptions)
    rows = asked_rows(series)
    levels = tuple(options.get("quantile_levels", ()))
    step = limits.rows_per_call(horizon_days * ((len(levels) or _TRAINED_LEVELS) + 1))
    parts = []
    for first in range(0, len(rows.skus), step):
        skus, locations = rows.skus[first : first + step], rows.locations[first : first + step]
        request = pb.BatchForecastDemandRequest(
            skus=skus,
            locations=locations,
            horizon_days=horizon_days,
            quantile_levels=levels,
            target=_target(options),
        )
        read = partial(_forecast_batch, skus, locations)
        parts.append(
            question(BATCH_FORECAST_DEMAND, request, pb.BatchForecastDemandResponse, read, options)
        )
    return SplitQuestion(tuple(parts), _join)


def plan_days(plan: Iterable[PlanDay]) -> list[pb.PlanDay]:
    """Write the decisions for days to come.

    Args:
        plan: The decisions.

    Returns:
        Their messages, in order.
    """
    return [
        pb.PlanDay(
            date=day.date.isoformat(),
            price=day.price,
            discount=day.discount,
            promoted=day.promoted,
        )
        for day in plan
    ]


def row_statuses(
    numbers: Sequence[pb.RowStatus.ValueType], asked: int, valued: int
) -> tuple[RowStatus, ...]:
    """Read the outcomes of the rows of a batch.

    Args:
        numbers: As they came.
        asked: Rows asked.
        valued: Rows the answer says have values.

    Returns:
        The outcomes; length asked.

    Raises:
        ValueError: The counts contradict each other.
    """
    statuses = tuple(name_of(number, RowStatus, pb.RowStatus) for number in numbers)
    expect_length("row_statuses", len(statuses), asked)
    expect_length("ROW_STATUS_OK in row_statuses", statuses.count(RowStatus.OK), valued)
    return statuses


def _target(options: ForecastBatchOptions) -> pb.DemandTarget.ValueType:
    """Write the target, demand where none is asked for."""
    target = options.get("target", DemandTarget.DEMAND)
    return named(target, DemandTarget, pb.DemandTarget, "target")


def frequency_of(number: pb.DemandFrequency.ValueType) -> DemandFrequency:
    """Read the length of a period; a server that sends none counts days.

    Args:
        number: As it came.

    Returns:
        The length.
    """
    return name_of(number or pb.DEMAND_FREQUENCY_DAY, DemandFrequency, pb.DemandFrequency)


def _observation(day: DemandObservation) -> pb.DemandObservation:
    """Write one past day."""
    return pb.DemandObservation(
        date=day.date.isoformat(),
        quantity=day.quantity,
        available_fraction=day.available_fraction,
        price=day.price,
        discount=day.discount,
        promoted=day.promoted,
    )


def _product(product: ProductAttributes | None) -> pb.ProductAttributes | None:
    """Write the attributes of an unlisted product."""
    if product is None:
        return None
    return pb.ProductAttributes(category=product.category, price=product.price)


def _location(location: LocationAttributes | None) -> pb.LocationAttributes | None:
    """Write the attributes of an unlisted location."""
    return None if location is None else pb.LocationAttributes(region=location.region)


def forecast_value(answer: pb.ForecastDemandResponse) -> Forecast:
    """Read the forecast of one series.

    Args:
        answer: As it came.

    Returns:
        The forecast.

    Raises:
        ValueError: It breaks the contract.
    """
    days, levels = len(answer.mean), len(answer.quantile_levels)
    expect_length("quantiles", len(answer.quantiles), days * levels)
    flat = tuple(answer.quantiles)
    return Forecast(
        provenance=provenance(answer.provenance),
        sku=answer.sku,
        location=answer.location,
        origin_date=date_of(answer.origin_date),
        target=name_of(answer.target or pb.DEMAND_TARGET_DEMAND, DemandTarget, pb.DemandTarget),
        route=name_of(answer.route, ForecastRoute, pb.ForecastRoute),
        mean=tuple(answer.mean),
        quantile_levels=tuple(answer.quantile_levels),
        quantiles=tuple(flat[day * levels : (day + 1) * levels] for day in range(days)),
        plan_sources=tuple(
            name_of(source, PlanSource, pb.PlanSource) for source in answer.plan_sources
        ),
        tier=name_of(answer.tier, DemandTier, pb.DemandTier),
        pattern=name_of(answer.pattern, DemandPattern, pb.DemandPattern),
        route_reason=answer.route_reason,
        frequency=frequency_of(answer.frequency),
        model_mean=tuple(answer.model_mean),
    )


def _forecast_batch(
    skus: tuple[str, ...], locations: tuple[str, ...], answer: pb.BatchForecastDemandResponse
) -> ForecastBatch:
    """Read the forecasts of the rows of one call."""
    valued, days, levels = answer.row_count, answer.horizon_days, len(answer.quantile_levels)
    expect_length("origin_dates", len(answer.origin_dates), valued)
    expect_length("routes", len(answer.routes), valued)
    # A server older than these fields sends none of them.
    tiers = answer.tiers or [pb.DEMAND_TIER_UNSPECIFIED] * valued
    patterns = answer.patterns or [pb.DEMAND_PATTERN_UNSPECIFIED] * valued
    places = answer.route_reason_indices
    reasons = tuple(answer.route_reasons[place] for place in places) or ("",) * valued
    for name, one in (("tiers", tiers), ("patterns", patterns), ("route_reason_indices", reasons)):
        expect_length(name, len(one), valued)
    expect_length("mean", len(answer.mean), valued * days)
    expect_length("quantiles", len(answer.quantiles), valued * days * levels)
    return ForecastBatch(
        provenances=(provenance(answer.provenance),),
        skus=skus,
        locations=locations,
        statuses=row_statuses(answer.row_statuses, len(skus), valued),
        horizon_days=days,
        target=name_of(answer.target or pb.DEMAND_TARGET_DEMAND, DemandTarget, pb.DemandTarget),
        quantile_levels=tuple(answer.quantile_levels),
        origin_dates=tuple(date_of(text) for text in answer.origin_dates),
        routes=tuple(name_of(route, ForecastRoute, pb.ForecastRoute) for route in answer.routes),
        tiers=tuple(name_of(tier, DemandTier, pb.DemandTier) for tier in tiers),
        patterns=tuple(name_of(one, DemandPattern, pb.DemandPattern) for one in patterns),
        frequency=frequency_of(answer.frequency),
        route_reasons=reasons,
        mean=array("d", answer.mean),
        quantiles=array("d", answer.quantiles),
        model_mean=array("d", answer.model_mean),
    )


def _join(parts: Sequence[ForecastBatch]) -> ForecastBatch:
    """Join the answers of the calls a batch was split into."""
    first = parts[0]
    mean, quantiles, model_mean = array("d"), array("d"), array("d")
    overridden = any(part.model_mean for part in parts)
    for part in parts:
        mean.extend(part.mean)
        if overridden:
            model_mean.extend(part.model_mean or part.mean)
        quantiles.extend(part.quantiles)
    return ForecastBatch(
        provenances=tuple(origin for part in parts for origin in part.provenances),
        skus=tuple(sku for part in parts for sku in part.skus),
        locations=tuple(location for part in parts for location in part.locations),
        statuses=tuple(status for part in parts for status in part.statuses),
        horizon_days=first.horizon_days,
        target=first.target,
        quantile_levels=first.quantile_levels,
        origin_dates=tuple(origin for part in parts for origin in part.origin_dates),
        frequency=first.frequency,
        routes=tuple(route for part in parts for route in part.routes),
        tiers=tuple(tier for part in parts for tier in part.tiers),
        patterns=tuple(one for part in parts for one in part.patterns),
        route_reasons=tuple(reason for part in parts for reason in part.route_reasons),
        mean=mean,
        quantiles=quantiles,
        model_mean=model_mean,
    )
