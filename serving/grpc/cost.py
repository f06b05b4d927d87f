"""Cost at the gRPC door: message to query, estimate to message."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from parlevel.v1 import cost_pb2
from serving.domain.cost import (
    BatchShouldCostQuery,
    CostOverrides,
    Incoterm,
    Quote,
    ShouldCostMethod,
    ShouldCostQuery,
    bill_of,
)
from serving.grpc.cost_analysis import CostAnalysisMethods
from serving.grpc.enums import number
from serving.grpc.fields import filled, sent_fields
from serving.grpc.provenance import provenance_message
from serving.reading import date_of, member_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from serving.domain.cost_answers import CostElement, ShouldCost
    from serving.flows.cost import CostFlow
    from serving.flows.cost_analysis import CostAnalysisFlow
    from serving.grpc.desk import Gathered


class CostServicer(CostAnalysisMethods):
    """Methods of parlevel.v1.CostService, free of the kind of server."""

    contract = cost_pb2.DESCRIPTOR.services_by_name["CostService"]

    def __init__(self, cost: CostFlow, analysis: CostAnalysisFlow) -> None:
        """Take the flows that answer."""
        super().__init__(analysis)
        self._cost = cost
        self.gathered: Mapping[str, Gathered] = {}

    def EstimateShouldCost(
        self, request: cost_pb2.EstimateShouldCostRequest
    ) -> cost_pb2.EstimateShouldCostResponse:
        """Estimate what one part should cost."""
        return should_cost_message(self._cost.estimate(should_cost_query(request)))

    def BatchEstimateShouldCost(
        self, request: cost_pb2.BatchEstimateShouldCostRequest
    ) -> cost_pb2.BatchEstimateShouldCostResponse:
        """Estimate what many parts should cost."""
        sent = sent_fields(request)
        sent["method"] = member_of("method", ShouldCostMethod, request.method)
        _read_date(sent, "as_of_date", "as_of_date")
        answer = self._cost.estimate_batch(BatchShouldCostQuery(**sent))
        return filled(cost_pb2.BatchEstimateShouldCostResponse(), answer)


def should_cost_query(request: cost_pb2.EstimateShouldCostRequest) -> ShouldCostQuery:
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
        lines = [sent_fields(line, f"bill[{index}].") for index, line in enumerate(request.bill)]
        sent["bill"] = bill_of(lines)
    if request.HasField("overrides"):
        prices = [
            sent_fields(one, f"overrides.commodity_prices[{index}].")
            for index, one in enumerate(request.overrides.commodity_prices)
        ]
        sent["overrides"] = CostOverrides(
            {one["commodity"]: one["price"] for one in prices},
            **sent_fields(request.overrides, "overrides."),
        )
    if request.HasField("quote"):
        quote = sent_fields(request.quote, "quote.")
        quote["bracket_quantities"] = tuple(quote["bracket_quantities"].tolist())
        _read_date(quote, "valid_until_date", "quote.valid_until_date")
        sent["quote"] = Quote(**quote)
    return ShouldCostQuery(**sent)


def should_cost_message(answer: ShouldCost) -> cost_pb2.EstimateShouldCostResponse:
    """Return the message of an estimate; by hand, as field by field takes three times as long."""
    message = cost_pb2.EstimateShouldCostResponse(
        provenance=provenance_message(answer.provenance),
        sku=answer.sku,
        method=number(answer.method),
        currency_code=answer.currency_code,
        as_of_date=answer.as_of_date,
        should_cost=answer.should_cost,
        should_cost_p10=answer.should_cost_p10,
        should_cost_p50=answer.should_cost_p50,
        should_cost_p90=answer.should_cost_p90,
        elements=[_element_message(element) for element in answer.elements],
    )
    if answer.gap is not None:
        filled(message.gap, answer.gap)
    return message


def _element_message(element: CostElement) -> cost_pb2.CostElement:
    drivers = [
        cost_pb2.CostDriver(
            name=driver.name,
            usage=driver.usage,
            usage_unit=driver.usage_unit,
            rate=driver.rate,
            rate_currency_code=driver.rate_currency_code,
            exchange_rate=driver.exchange_rate,
            cost=driver.cost,
            rate_date=driver.rate_date,
            source=driver.source,
            exchange_rate_date=driver.exchange_rate_date,
        )
        for driver in element.drivers
    ]
    return cost_pb2.CostElement(
        kind=number(element.kind), cost=element.cost, share=element.share, drivers=drivers
    )


def _read_date(sent: dict[str, Any], name: str, field: str) -> None:
    """Read a date in place; an empty one is absent."""
    text = sent.pop(name)
    if text:
        sent[name] = date_of(field, text)
