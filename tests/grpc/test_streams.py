"""Streams of questions at the gRPC door: order, equality, failures, bounds, cancellation, drain."""

from __future__ import annotations

import datetime as dt
import threading
import time
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from parlevel.v1 import demand_pb2
from serving.gate import INLINE_BYTES
from serving.grpc.streams import LONGEST_ID, READ_AHEAD, STREAMS
from tests.fakes.doors import Rig
from tests.grpc.conftest import OpenDoor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PATH = "/parlevel.v1.ForecastService/StreamForecastDemand"


def asked(sku: str, **fields: Any) -> demand_pb2.ForecastDemandRequest:  # noqa: ANN401 - any field
    fields = {"horizon_days": 3, **fields}
    return demand_pb2.ForecastDemandRequest(sku=sku, location="S1", **fields)


def named(
    name: str, question: demand_pb2.ForecastDemandRequest
) -> demand_pb2.StreamForecastDemandRequest:
    return demand_pb2.StreamForecastDemandRequest(correlation_id=name, question=question)


def many(count: int) -> list[demand_pb2.StreamForecastDemandRequest]:
    return [named(str(number), asked(f"P{number}")) for number in range(count)]


def long(sku: str) -> demand_pb2.ForecastDemandRequest:
    first = dt.date(2026, 1, 1)
    days = [(first + dt.timedelta(day)).isoformat() for day in range(60)]
    history = [demand_pb2.DemandObservation(date=day, quantity=1.0) for day in days]
    question = asked(sku, history=history)
    assert question.ByteSize() > INLINE_BYTES
    return question


def until(reached: Callable[[], bool], seconds: float = 5.0) -> None:
    end = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < end, "not reached in time"
        time.sleep(0.005)


def retry_of(status: status_pb2.Status | None) -> float:
    assert status is not None
    retry = error_details_pb2.RetryInfo()
    assert any(detail.Unpack(retry) for detail in status.details)
    seconds: float = retry.retry_delay.seconds + retry.retry_delay.nanos / 1e9
    return seconds


def held(release: threading.Event) -> None:
    assert release.wait(5)


class Held:
    """Questions that go out, then a stream that stays open until it is let go."""

    def __init__(
        self,
        *questions: demand_pb2.StreamForecastDemandRequest,
        then: demand_pb2.StreamForecastDemandRequest | None = None,
    ) -> None:
        self._questions = questions
        self._then = then
        self._let_go = threading.Event()

    def __iter__(self) -> Iterator[demand_pb2.StreamForecastDemandRequest]:
        yield from self._questions
        self._let_go.wait(10)
        if self._then is not None:
            yield self._then

    def let_go(self) -> None:
        self._let_go.set()


@pytest.fixture(params=["asyncio", "threads"])
def roomy(request: pytest.FixtureRequest) -> Iterator[OpenDoor]:
    opened = OpenDoor(Rig(limit=512), request.param)
    yield opened
    opened.end()


def quiet(door: OpenDoor) -> bool:
    streams: Any = door.door
    return door.rig.grpc_gate.in_flight == 0 and streams._streams.count == 0


def test_answers_come_in_order_and_are_those_of_single_calls_to_the_bit(roomy: OpenDoor) -> None:
    questions = [asked("a"), long("b"), asked("c", quantile_levels=[0.1, 0.5]), asked("a")]
    sent = [named(f"id-{number}", one) for number, one in enumerate(questions)]
    got = list(roomy.demand.StreamForecastDemand(iter(sent), timeout=10))
    assert [one.correlation_id for one in got] == ["id-0", "id-1", "id-2", "id-3"]
    for question, one in zip(questions, got, strict=True):
        single = roomy.demand.ForecastDemand(question, timeout=10)
        assert one.answer.SerializeToString() == single.SerializeToString()


def test_more_questions_than_are_read_ahead_are_all_answered(roomy: OpenDoor) -> None:
    count = 3 * READ_AHEAD + 1
    got = list(roomy.demand.StreamForecastDemand(iter(many(count)), timeout=20))
    assert [one.correlation_id for one in got] == [str(number) for number in range(count)]
    assert [one.answer.sku for one in got] == [f"P{number}" for number in range(count)]


def test_a_bad_question_fails_alone_as_its_single_call_does(
    roomy: OpenDoor, failing: Callable[..., Any]
) -> None:
    bad = [asked("nobody"), asked("a", horizon_days=0), demand_pb2.ForecastDemandRequest()]
    sent = [named("good", asked("a")), *(named("bad", one) for one in bad), named("", asked("b"))]
    first, *failed, last = roomy.demand.StreamForecastDemand(iter(sent), timeout=10)
    assert (first.answer.sku, last.answer.sku, last.correlation_id) == ("a", "b", "")
    for question, one in zip(bad, failed, strict=True):
        assert one.correlation_id == "bad"
        assert one.error == failing(roomy.demand.ForecastDemand, question).status


def test_bytes_that_are_no_message_and_a_long_id_fail_in_their_place(roomy: OpenDoor) -> None:
    method: Any = roomy.channel.stream_stream(PATH)
    long_id = named("x" * (LONGEST_ID + 1), asked("a")).SerializeToString()
    good = named("x" * LONGEST_ID, asked("a")).SerializeToString()
    answers = method(iter([good, b"\xff\xff", long_id, good]), timeout=10)
    got = [demand_pb2.StreamForecastDemandResponse.FromString(one) for one in answers]
    assert [one.WhichOneof("outcome") for one in got] == ["answer", "error", "error", "answer"]
    assert [one.error.code for one in got[1:3]] == [3, 3]
    assert "StreamForecastDemand" in got[1].error.message
    assert "correlation_id must be at most 200" in got[2].error.message
    assert [one.correlation_id for one in got[1:3]] == ["", ""]


def test_a_defect_is_internal_for_its_question_alone(
    roomy: OpenDoor, caplog: pytest.LogCaptureFixture
) -> None:
    roomy.rig.demand.failure = ZeroDivisionError("secret")
    answers = roomy.demand.StreamForecastDemand(
        iter([named("1", asked("a"))]), timeout=10, metadata=(("x-request-id", "mine"),)
    )
    (one,) = answers
    assert one.error.code == grpc.StatusCode.INTERNAL.value[0]
    assert "request mine.1" in one.error.message
    assert "secret" not in one.error.message
    assert "secret" in caplog.text


def test_each_question_leaves_a_record_of_its_own(roomy: OpenDoor) -> None:
    sent = [named("x", asked("a")), named("y", asked("nobody"))]
    metadata = (("x-request-id", "mine"),)
    list(roomy.demand.StreamForecastDemand(iter(sent), timeout=10, metadata=metadata))
    first, second = sorted(roomy.rig.noted.calls, key=lambda call: call.request_id)
    assert (first.method, first.request_id, first.code) == ("StreamForecastDemand", "mine.1", "OK")
    assert (first.rows, first.model_version, first.features_age) == (1, "7", 3600)
    assert (second.request_id, second.code, second.rows) == ("mine.2", "NOT_FOUND", 0)


def test_cancelling_in_the_middle_leaves_nothing_in_flight(roomy: OpenDoor) -> None:
    release = threading.Event()
    roomy.rig.demand.hold = lambda: held(release)
    questions = Held(*many(10))
    call = roomy.demand.StreamForecastDemand(iter(questions), timeout=20)
    until(lambda: len(roomy.rig.demand.queries) > 0)
    call.cancel()
    release.set()
    until(lambda: quiet(roomy))
    questions.let_go()
    (after,) = roomy.demand.StreamForecastDemand(iter(many(1)), timeout=10)
    assert after.answer == roomy.demand.ForecastDemand(asked("P0"), timeout=10)
    until(lambda: not [one for one in threading.enumerate() if one.name == "grpc-read"])


def test_a_deadline_ends_an_idle_stream(roomy: OpenDoor) -> None:
    questions = Held(*many(1))
    answers = roomy.demand.StreamForecastDemand(iter(questions), timeout=0.3)
    assert next(answers).answer.sku == "P0"
    with pytest.raises(grpc.RpcError) as caught:
        next(answers)
    questions.let_go()
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    until(lambda: quiet(roomy))


def test_streams_beyond_the_limit_are_told_to_retry_and_calls_still_pass(roomy: OpenDoor) -> None:
    held = [Held(*many(1)) for _ in range(STREAMS)]
    idle = [roomy.demand.StreamForecastDemand(iter(one), timeout=20) for one in held]
    assert [next(one).answer.sku for one in idle] == ["P0"] * STREAMS
    with pytest.raises(grpc.RpcError) as caught:
        list(roomy.demand.StreamForecastDemand(iter(many(1)), timeout=10))
    error: Any = caught.value
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert retry_of(rpc_status.from_call(error)) == 1.0
    assert roomy.demand.ForecastDemand(asked("a"), timeout=5).sku == "a"
    for one in held:
        one.let_go()
    assert [list(one) for one in idle] == [[]] * STREAMS
    until(lambda: quiet(roomy))
    (again,) = roomy.demand.StreamForecastDemand(iter(many(1)), timeout=10)
    assert again.answer.sku == "P0"


@pytest.mark.parametrize("kind", ["asyncio", "threads"])
def test_a_question_beyond_what_the_door_takes_is_told_to_retry(kind: str) -> None:
    door = OpenDoor(Rig(limit=1), kind)
    release = threading.Event()
    door.rig.demand.hold = lambda: held(release)
    questions = Held(named("1", asked("b")), then=named("2", asked("c")))
    single = door.demand.ForecastDemand.future(long("a"), timeout=10)
    until(lambda: len(door.rig.demand.queries) > 0)
    answers = door.demand.StreamForecastDemand(iter(questions), timeout=10)
    refused = next(answers)
    release.set()
    assert single.result().sku == "a"
    until(lambda: door.rig.grpc_gate.in_flight == 0)
    questions.let_go()
    taken = next(answers)
    door.end()
    assert refused.error.code == grpc.StatusCode.RESOURCE_EXHAUSTED.value[0]
    assert retry_of(refused.error) == 1.0
    assert taken.answer.sku == "c"


def test_closing_answers_what_was_read_and_ends_the_stream_with_a_hint(roomy: OpenDoor) -> None:
    release = threading.Event()
    roomy.rig.demand.hold = lambda: held(release)
    questions = Held(*(named(sku, long(sku)) for sku in "abc"))
    answers = roomy.demand.StreamForecastDemand(iter(questions), timeout=20)
    until(lambda: roomy.rig.grpc_gate.in_flight > 0)
    time.sleep(0.05)  # the others arrive
    closing = threading.Thread(target=roomy.close)
    closing.start()
    until(lambda: roomy.rig.grpc_gate.draining)
    release.set()
    got: list[str] = []
    with pytest.raises(grpc.RpcError) as caught:
        got.extend(one.answer.sku for one in answers)
    closing.join(10)
    questions.let_go()
    error: Any = caught.value
    assert got == ["a", "b", "c"]
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert retry_of(rpc_status.from_call(error)) == 1.0
    assert roomy.rig.noted.calls[-1].code == "UNAVAILABLE"


def test_closing_does_not_wait_for_an_idle_stream(roomy: OpenDoor) -> None:
    questions = Held(*many(1))
    answers = roomy.demand.StreamForecastDemand(iter(questions), timeout=20)
    assert next(answers).answer.sku == "P0"
    begun = time.monotonic()
    roomy.close()
    assert time.monotonic() - begun < 2
    with pytest.raises(grpc.RpcError) as caught:
        next(answers)
    questions.let_go()
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


def test_a_stream_that_has_asked_everything_ends_well_while_the_door_closes(
    roomy: OpenDoor,
) -> None:
    release = threading.Event()
    roomy.rig.demand.hold = lambda: held(release)
    answers = roomy.demand.StreamForecastDemand(iter([named("1", long("a"))]), timeout=20)
    until(lambda: roomy.rig.grpc_gate.in_flight == 1)
    time.sleep(0.05)  # the end of the questions arrives
    closing = threading.Thread(target=roomy.close)
    closing.start()
    until(lambda: roomy.rig.grpc_gate.draining)
    release.set()
    assert [one.answer.sku for one in answers] == ["a"]
    closing.join(10)
