"""Wire form of the questions of a stream of forecasts, and which answer belongs to which."""

from __future__ import annotations

import itertools
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from google.protobuf.message import DecodeError

from parlevel.client.errors import InvalidArgument, MalformedAnswer, invalid
from parlevel.client.options import CallOptions, ForecastOptions, check_options
from parlevel.client.status import failure_in
from parlevel.client.wire.demand import forecast_request, forecast_value
from parlevel.v1 import demand_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Iterator

    from parlevel.client.errors import ParlevelError
    from parlevel.client.values.demand import Forecast
    from parlevel.client.values.demand_question import ForecastQuestion

    # A question, and its answer or failure.
    Outcome = tuple[ForecastQuestion, Forecast | ParlevelError]

STREAM_FORECAST_DEMAND = "/parlevel.v1.ForecastService/StreamForecastDemand"


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question without an outcome; ``refused`` is why it was never sent."""

    name: str
    question: ForecastQuestion
    refused: ParlevelError | None = None


class Exchange:
    """The questions of one stream that wait for their outcome, in the order they were asked.

    One thread may write while another reads.
    """

    def __init__(self, request_id: str) -> None:
        """Take the id the stream is sent with."""
        self.broken: Exception | None = None
        """What the caller's own questions failed with, where they ended so."""
        self._request_id = request_id
        self._names = itertools.count(1)
        self._waiting: deque[_Asked] = deque()

    def write(self, question: ForecastQuestion) -> bytes | None:
        """Write a question.

        Args:
            question: The question.

        Returns:
            Its message; None where a field breaks its rule, and it fails in its place unsent.
        """
        name = str(next(self._names))
        try:
            request = _request(question)
        except InvalidArgument as error:
            self._waiting.append(_Asked(name, question, error))
            return None
        self._waiting.append(_Asked(name, question))
        message = pb.StreamForecastDemandRequest(correlation_id=name, question=request)
        return message.SerializeToString()

    def read(self, payload: bytes) -> Iterator[Outcome]:
        """Read an answer; before it come the outcomes of questions that were never sent.

        Args:
            payload: The message as it came.

        Yields:
            Questions with their outcomes, in the order asked.

        Raises:
            MalformedAnswer: The answer belongs to no question, so no later one can be told either.
        """
        yield from self.unsent()
        answer = _parsed(payload)
        expected = self._waiting.popleft() if self._waiting else None
        if expected is None or answer.correlation_id != expected.name:
            breach = f"correlation_id {answer.correlation_id!r} is not that of the next question"
            raise MalformedAnswer(answer.DESCRIPTOR.full_name, breach)
        yield expected.question, self._outcome(answer)

    def unsent(self) -> Iterator[Outcome]:
        """Yield the next questions as far as they were never sent, each with its failure."""
        while self._waiting and (refused := self._waiting[0].refused) is not None:
            yield self._waiting.popleft().question, refused

    def lost(self, failure: ParlevelError) -> Iterator[Outcome]:
        """Yield what still waits, with the failure that ended the stream.

        Args:
            failure: Why no more answers come.

        Yields:
            Questions with their failure, in the order asked.
        """
        while self._waiting:
            asked = self._waiting.popleft()
            yield asked.question, asked.refused or failure

    def ended(self) -> Iterator[Outcome]:
        """Yield what was never sent, once the server has answered all it was sent.

        Yields:
            Questions with their failure, in the order asked.

        Raises:
            MalformedAnswer: It has not answered all.
            Exception: What the caller's own questions failed with.
        """
        yield from self.unsent()
        if self.broken is not None:
            raise self.broken
        if self._waiting:
            kind = pb.StreamForecastDemandResponse.DESCRIPTOR.full_name
            raise MalformedAnswer(kind, f"{len(self._waiting)} questions have no answer")

    def _outcome(self, answer: pb.StreamForecastDemandResponse) -> Forecast | ParlevelError:
        """Read how a question ended."""
        if answer.HasField("error"):
            return failure_in(answer.error, self._request_id)
        try:
            return forecast_value(answer.answer)
        except ValueError as error:
            return MalformedAnswer(answer.answer.DESCRIPTOR.full_name, str(error))


def stream_timeout(options: CallOptions, default_seconds: float) -> float:
    """Read the time a stream may take.

    Args:
        options: Keyword options of the stream.
        default_seconds: Where they name none.

    Returns:
        Seconds, above 0.

    Raises:
        TypeError: An option is unknown.
        InvalidArgument: The timeout is not positive.
    """
    check_options(options, CallOptions)
    timeout = options.get("timeout_seconds", default_seconds)
    if not timeout > 0:
        raise invalid("timeout_seconds", "must be above 0")
    return timeout


def _request(question: ForecastQuestion) -> pb.ForecastDemandRequest:
    """Write a question as ``forecast`` would."""
    options = ForecastOptions(
        quantile_levels=question.quantile_levels,
        target=question.target,
        plan=question.plan,
        history=question.history,
    )
    if question.product is not None:
        options["product"] = question.product
    if question.location_attributes is not None:
        options["location_attributes"] = question.location_attributes
    return forecast_request(question.sku, question.location, question.horizon_days, options)


def _parsed(payload: bytes) -> pb.StreamForecastDemandResponse:
    """Read the message of an answer."""
    try:
        return pb.StreamForecastDemandResponse.FromString(payload)
    except DecodeError as error:
        kind = pb.StreamForecastDemandResponse.DESCRIPTOR.full_name
        raise MalformedAnswer(kind, str(error)) from error
