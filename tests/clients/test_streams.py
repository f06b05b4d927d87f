"""Streams of forecasts, through both clients."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2

from parlevel.client import (
    AsyncClient,
    Client,
    DemandObservation,
    DemandTarget,
    Forecast,
    ForecastQuestion,
    LocationAttributes,
    PlanDay,
    ProductAttributes,
    errors,
)
from parlevel.client.wire.demand_stream import Exchange
from tests.clients.fake_server import Script, status
from tests.clients.test_demand import JULY_1, JULY_2

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator

PAUSE = error_details_pb2.RetryInfo(retry_delay=Duration(seconds=1))


def about(*skus: str) -> list[ForecastQuestion]:
    return [ForecastQuestion(sku, "L1", 1) for sku in skus]


def briefly(outcome: Forecast | errors.ParlevelError) -> float | str:
    """Return the mean of the first day, or the kind of failure."""
    return outcome.mean[0] if isinstance(outcome, Forecast) else type(outcome).__name__


@dataclass(frozen=True, slots=True)
class Streamer:
    """Asks on a stream of either client; the failure that ended it stands last."""

    kind: str
    address: str

    def all(self, questions: Iterable[ForecastQuestion], **options: Any) -> list[Any]:  # noqa: ANN401 - any option
        if self.kind == "async":
            return asyncio.run(self._awaited(questions, options))
        got: list[Any] = []
        with Client(self.address) as client:
            try:
                got.extend(client.stream_forecasts(questions, **options))
            except (errors.ParlevelError, ZeroDivisionError, TypeError) as error:
                got.append(error)
        return got

    async def _awaited(
        self, questions: Iterable[ForecastQuestion], options: dict[str, Any]
    ) -> list[Any]:
        got: list[Any] = []
        async with AsyncClient(self.address) as client:
            try:
                async for outcome in client.stream_forecasts(questions, **options):
                    got.append(outcome)  # noqa: PERF401 - what came before a failure is kept
            except (errors.ParlevelError, ZeroDivisionError, TypeError) as error:
                got.append(error)
        return got


@pytest.fixture(params=["sync", "async"])
def stream(request: pytest.FixtureRequest, address: str) -> Streamer:
    return Streamer(request.param, address)


def test_each_question_comes_back_with_its_forecast_in_order(stream: Streamer) -> None:
    questions = about(*(f"S{level}" for level in range(200)))
    got = stream.all(questions)
    assert [question for question, _ in got] == questions
    assert [forecast.mean for _, forecast in got] == [(float(level),) for level in range(200)]


def test_a_streamed_forecast_is_that_of_a_single_question(stream: Streamer, script: Script) -> None:
    question = ForecastQuestion(
        sku="S7",
        location="L1",
        horizon_days=2,
        quantile_levels=(0.25, 0.5),
        target="sales",
        plan=(PlanDay(date=JULY_2, discount=0.1),),
        history=(DemandObservation(date=JULY_1, quantity=3.0),),
        product=ProductAttributes(category="dairy", price=2.0),
        location_attributes=LocationAttributes(region="north"),
    )
    ((_, streamed),) = stream.all([question])
    with Client(stream.address) as client:
        single = client.forecast(
            question.sku,
            question.location,
            question.horizon_days,
            quantile_levels=question.quantile_levels,
            target=question.target,
            plan=question.plan,
            history=question.history,
            product=ProductAttributes(category="dairy", price=2.0),
            location_attributes=LocationAttributes(region="north"),
        )
    assert streamed == single
    assert streamed.target is DemandTarget.SALES
    assert script.seen[0].request == script.seen[1].request


def test_a_bad_question_has_its_failure_as_outcome_and_the_stream_goes_on(
    stream: Streamer,
) -> None:
    got = stream.all(about("S1", "unknown", "S2"), request_id="mine")
    assert [briefly(outcome) for _, outcome in got] == [1.0, "NotFound", 2.0]
    failure = got[1][1].failure
    assert (failure.message, failure.request_id) == ("import it", "mine")


def test_a_question_that_cannot_be_sent_fails_in_its_place(stream: Streamer) -> None:
    wrong = ForecastQuestion("S9", "L1", 1, target="profit")  # type: ignore[arg-type]
    got = stream.all([wrong, *about("S1"), wrong, wrong, *about("S2"), wrong])
    refused = "InvalidArgument"
    assert [briefly(one) for _, one in got] == [refused, 1.0, refused, refused, 2.0, refused]
    assert got[0][1].failure.violations[0].field == "target"


def test_a_broken_stream_fails_what_is_open_and_says_so(stream: Streamer, script: Script) -> None:
    script.failures.append(status(grpc.StatusCode.UNAVAILABLE, "closing", PAUSE))
    *outcomes, ended = stream.all(about("unknown", "S1", "S2"))
    assert [briefly(outcome) for _, outcome in outcomes][:2] == ["NotFound", "Unavailable"]
    assert isinstance(ended, errors.Unavailable)
    assert ended.failure.retry_after_seconds == 1.0


def test_a_value_that_is_lost_on_the_way_fails_its_question_alone(
    stream: Streamer, script: Script
) -> None:
    script.lose_a_value = True
    got = stream.all(about("S1", "unknown"))
    assert [briefly(outcome) for _, outcome in got] == ["MalformedAnswer", "NotFound"]


@pytest.mark.parametrize("odd", ["misnamed", "unanswered"])
def test_an_answer_that_belongs_to_no_question_ends_the_stream(stream: Streamer, odd: str) -> None:
    first, ended = stream.all(about("S1", odd))
    assert briefly(first[1]) == 1.0
    assert isinstance(ended, errors.MalformedAnswer)


def test_questions_that_break_off_are_answered_first(stream: Streamer) -> None:
    def breaking() -> Iterator[ForecastQuestion]:
        yield from about("S1", "S2")
        raise ZeroDivisionError

    *outcomes, ended = stream.all(breaking())
    assert [briefly(outcome) for _, outcome in outcomes] == [1.0, 2.0]
    assert isinstance(ended, ZeroDivisionError)


def test_no_questions_have_no_outcomes(stream: Streamer) -> None:
    assert stream.all([]) == []


def test_a_stream_has_a_deadline(stream: Streamer, script: Script) -> None:
    script.delay_seconds = 0.15
    *_, ended = stream.all(about("S1", "S2", "S3"), timeout_seconds=0.2)
    assert isinstance(ended, errors.DeadlineExceeded)


@pytest.mark.parametrize("options", [{"timeout_seconds": 0.0}, {"target": "sales"}])
def test_options_of_a_stream_are_checked(stream: Streamer, options: dict[str, Any]) -> None:
    (ended,) = stream.all(about("S1"), **options)
    assert isinstance(ended, errors.InvalidArgument | TypeError)


def test_a_caller_may_leave_and_ask_on(address: str, script: Script) -> None:
    more = threading.Event()

    def asked() -> Iterator[ForecastQuestion]:
        yield from about("S1")
        more.wait(5)

    with Client(address) as client:
        outcomes = client.stream_forecasts(asked())
        assert briefly(next(outcomes)[1]) == 1.0
        outcomes.close()
        more.set()
        assert client.forecast("S2", "L1", 1).mean == (2.0,)
    assert len(script.seen) == 2


def test_questions_may_be_awaited_too(address: str) -> None:
    async def asked() -> AsyncIterator[ForecastQuestion]:
        for question in about("S1", "S2"):
            await asyncio.sleep(0)
            yield question

    async def ask() -> list[float | str]:
        async with AsyncClient(address) as client:
            return [briefly(outcome) async for _, outcome in client.stream_forecasts(asked())]

    assert asyncio.run(ask()) == [1.0, 2.0]


def test_a_closed_client_streams_no_more(address: str) -> None:
    client = Client(address)
    client.close()
    with pytest.raises(errors.ClientClosed):
        next(client.stream_forecasts(about("S1")))


def test_bytes_that_are_no_answer_end_the_stream() -> None:
    exchange = Exchange("mine")
    exchange.write(about("S1")[0])
    with pytest.raises(errors.MalformedAnswer):
        next(exchange.read(b"\xff\xff"))
