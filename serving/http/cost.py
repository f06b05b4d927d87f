"""Cost at the HTTP door: JSON to query, estimate to JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from parlevel.v1 import cost_pb2
from serving.domain.cost import (
    BatchShouldCostQuery,
    Incoterm,
    ShouldCostMethod,
    ShouldCostQuery,
    bill_of,
)
from serving.domain.cost import CostOverrides as Overrides
from serving.domain.cost import Quote as QuoteTerms
from serving.http.fields import body_of, sent_fields
from serving.http.shape import Shape, enum_number
from serving.reading import date_of, member_of

if TYPE_CHECKING:
    from serving.gate import Flows

MethodNumber = Annotated[int, enum_number(cost_pb2.ShouldCostMethod.DESCRIPTOR)]
IncotermNumber = Annotated[int, enum_number(cost_pb2.Incoterm.DESCRIPTOR)]


class BillLine(Shape):
    """One line of a bill of materials."""

    component: str = ""
    quantity: float = 0.0
    commodity: str = ""
    mass_kg: float = 0.0
    yield_rate: float | None = None
    labor_minutes: float = 0.0


class CommodityPrice(Shape):
    """A price of a commodity."""

    commodity: str = ""
    price: float = 0.0


class CostOverrides(Shape):
    """Values that take the place of what the tables say."""

    commodity_prices: tuple[CommodityPrice, ...] = ()
    labor_rate_hourly: float | None = None
    overhead_rate: float | None = None
    freight_per_kg: float | None = None
    tariff_rate: float | None = None
    labor_minutes_factor: float | None = None
    mass_factor: float | None = None


class Quote(Shape):
    """A quote to judge, or the terms of one."""

    unit_price: float | None = None
    quantity: float | None = None
    supplier_id: str = ""
    minimum_order_quantity: float | None = None
    annual_usage: float | None = None
    bracket_quantities: tuple[float, ...] = ()
    valid_until_date: str = ""
    bracket_pricing: bool | None = None


class EstimateShouldCostRequest(Shape):
    """Asks what one part should cost."""

    sku: str = ""
    method: MethodNumber = 0
    bill: tuple[BillLine, ...] = ()
    currency_code: str = ""
    as_of_date: str = ""
    plant_id: str = ""
    destination_country: str = ""
    incoterm: IncotermNumber = 0
    overrides: CostOverrides | None = None
    quote: Quote | None = None
    allowed_margin: float = 0.0
    false_alarm_rate: float | None = None


class BatchEstimateShouldCostRequest(Shape):
    """Asks what many parts should cost."""

    skus: tuple[str, ...] = ()
    method: MethodNumber = 0
    currency_code: str = ""
    as_of_date: str = ""
    unit_prices: tuple[float, ...] = ()
    quantities: tuple[float, ...] = ()
    supplier_ids: tuple[str, ...] = ()
    minimum_order_quantities: tuple[float, ...] = ()
    annual_usages: tuple[float, ...] = ()
    allowed_margin: float = 0.0
    false_alarm_rate: float | None = None


def estimate(flows: Flows, request: EstimateShouldCostRequest) -> dict[str, Any]:
    """Estimate what one part should cost."""
    return body_of(flows.cost.estimate(should_cost_query(request)))


def batch_estimate(flows: Flows, request: BatchEstimateShouldCostRequest) -> dict[str, Any]:
    """Estimate what many parts should cost."""
    sent = sent_fields(request)
    sent["method"] = member_of("method", ShouldCostMethod, request.method)
    _read_date(sent, "as_of_date", "as_of_date")
    body = body_of(flows.cost.estimate_batch(BatchShouldCostQuery(**sent)))
    body["element_costs"] = body["element_costs"].ravel()
    return body


def should_cost_query(request: EstimateShouldCostRequest) -> ShouldCostQuery:
    """Read the question about one part.

    Raises:
        InvalidField: If a field breaks its rule.
        TooLarge: If the bill has more lines than one call takes.
    """
    sent = sent_fields(request)
    sent["method"] = member_of("method", ShouldCostMethod, request.method)
    del sent["incoterm"]
    if request.incoterm:
        sent["incoterm"] = member_of("incoterm", Incoterm, request.incoterm)
    _read_date(sent, "as_of_date", "as_of_date")
    if request.bill:
        sent["bill"] = bill_of([sent_fields(line) for line in request.bill])
    if request.overrides is not None:
        prices = {one.commodity: one.price for one in request.overrides.commodity_prices}
        sent["overrides"] = Overrides(prices, **sent_fields(request.overrides))
    if request.quote is not None:
        quote = sent_fields(request.quote)
        quote["bracket_quantities"] = request.quote.bracket_quantities
        _read_date(quote, "valid_until_date", "quote.valid_until_date")
        sent["quote"] = QuoteTerms(**quote)
    return ShouldCostQuery(**sent)


def _read_date(sent: dict[str, Any], name: str, field: str) -> None:
    """Read a date in place; an empty one is absent."""
    text = sent.pop(name)
    if text:
        sent[name] = date_of(field, text)
