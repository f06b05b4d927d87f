"""Wire form of the question what a forecast is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlevel.client.options import ExplainOptions, check_options
from parlevel.client.values.demand import DemandTarget, DemandTier
from parlevel.client.values.explanation import DemandDriver, Explanation
from parlevel.client.wire.demand import frequency_of, plan_days
from parlevel.client.wire.provenance import provenance
from parlevel.client.wire.question import (
    Question,
    date_of,
    expect_length,
    name_of,
    named,
    question,
)
from parlevel.v1 import demand_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Sequence

EXPLAIN_FORECAST = "/parlevel.v1.ForecastService/ExplainForecast"


def explain_forecast(
    sku: str, location: str, horizon_days: int, options: ExplainOptions
) -> Question[Explanation]:
    """Ask what the forecast of one series is made of.

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
    check_options(options, ExplainOptions)
    target = options.get("target", DemandTarget.DEMAND)
    request = pb.ExplainForecastRequest(
        sku=sku,
        location=location,
        horizon_days=horizon_days,
        target=named(target, DemandTarget, pb.DemandTarget, "target"),
        plan=plan_days(options.get("plan", ())),
    )
    return question(EXPLAIN_FORECAST, request, pb.ExplainForecastResponse, _explanation, options)


def _explanation(answer: pb.ExplainForecastResponse) -> Explanation:
    """Read what a forecast is made of."""
    days = len(answer.mean)
    expect_length("base", len(answer.base), days)
    expect_length("contributions", len(answer.contributions), days * len(answer.drivers))
    return Explanation(
        provenance=provenance(answer.provenance),
        sku=answer.sku,
        location=answer.location,
        origin_date=date_of(answer.origin_date),
        target=name_of(answer.target or pb.DEMAND_TARGET_DEMAND, DemandTarget, pb.DemandTarget),
        tier=name_of(answer.tier, DemandTier, pb.DemandTier),
        route_reason=answer.route_reason,
        frequency=frequency_of(answer.frequency),
        mean=tuple(answer.mean),
        base=tuple(answer.base),
        contributions=_by_driver(answer.drivers, tuple(answer.contributions)),
        sentence=answer.sentence,
    )


def _by_driver(
    drivers: Sequence[pb.DemandDriver.ValueType], flat: tuple[float, ...]
) -> dict[DemandDriver, tuple[float, ...]]:
    """Take each driver's column; drivers younger than this client are summed."""
    found: dict[DemandDriver, tuple[float, ...]] = {}
    for column, number in enumerate(drivers):
        driver = name_of(number, DemandDriver, pb.DemandDriver)
        values = flat[column :: len(drivers)]
        before = found.get(driver, (0.0,) * len(values))
        found[driver] = tuple(one + other for one, other in zip(before, values, strict=True))
    return found
