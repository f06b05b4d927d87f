"""Questions about what parts should cost: ``client.cost``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlevel.client.options import CallOptions, check_options
from parlevel.client.wire.question import as_it_is, question
from parlevel.v1 import cost_pb2 as pb

if TYPE_CHECKING:
    from typing import Unpack

    from parlevel.client.asks.asking import Ask, AsyncAsk
    from parlevel.client.wire.question import Question

SERVICE = "/parlevel.v1.CostService/"


def estimate_should_cost(
    request: pb.EstimateShouldCostRequest, options: CallOptions
) -> Question[pb.EstimateShouldCostResponse]:
    """Ask what one part should cost."""
    check_options(options, CallOptions)
    answer = pb.EstimateShouldCostResponse
    return question(f"{SERVICE}EstimateShouldCost", request, answer, as_it_is, options)


def batch_estimate_should_cost(
    request: pb.BatchEstimateShouldCostRequest, options: CallOptions
) -> Question[pb.BatchEstimateShouldCostResponse]:
    """Ask what many parts should cost."""
    check_options(options, CallOptions)
    answer = pb.BatchEstimateShouldCostResponse
    method = f"{SERVICE}BatchEstimateShouldCost"
    return question(method, request, answer, as_it_is, options)


class CostQuestions:
    """What parts should cost, and where quotes stand against it."""

    def __init__(self, ask: Ask) -> None:
        """Take what sends a question."""
        self._ask = ask

    def estimate_should_cost(
        self, request: pb.EstimateShouldCostRequest, **options: Unpack[CallOptions]
    ) -> pb.EstimateShouldCostResponse:
        """Estimate what one part should cost, element by element.

        Args:
            request: The part, and whatever takes the place of what the tables say.
            **options: See ``CallOptions``.

        Returns:
            The estimate with its elements, and the gap of the quote where one was sent.

        Raises:
            ParlevelError: See ``parlevel.client.errors``.
        """
        return self._ask(estimate_should_cost(request, options))

    def batch_estimate_should_cost(
        self, request: pb.BatchEstimateShouldCostRequest, **options: Unpack[CallOptions]
    ) -> pb.BatchEstimateShouldCostResponse:
        """Estimate what up to 1,000 parts should cost.

        Args:
            request: Parts and their quotes, in flat arrays.
            **options: See ``CallOptions``.

        Returns:
            Estimates of the rows whose status is OK, in flat arrays.

        Raises:
            ParlevelError: See ``parlevel.client.errors``.
        """
        return self._ask(batch_estimate_should_cost(request, options))


class AsyncCostQuestions:
    """The same questions, awaited."""

    def __init__(self, ask: AsyncAsk) -> None:
        """Take what sends a question."""
        self._ask = ask

    async def estimate_should_cost(
        self, request: pb.EstimateShouldCostRequest, **options: Unpack[CallOptions]
    ) -> pb.EstimateShouldCostResponse:
        """Estimate what one part should cost; see ``CostQuestions``."""
        return await self._ask(estimate_should_cost(request, options))

    async def batch_estimate_should_cost(
        self, request: pb.BatchEstimateShouldCostRequest, **options: Unpack[CallOptions]
    ) -> pb.BatchEstimateShouldCostResponse:
        """Estimate what many parts should cost; see ``CostQuestions``."""
        return await self._ask(batch_estimate_should_cost(request, options))
