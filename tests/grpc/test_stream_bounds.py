"""How far a stream reads ahead, and what it answers together, beside a caller that is scripted."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING, Any

import grpc

from parlevel.v1 import demand_pb2
from serving.gather import Gather
from serving.grpc import asyncio_streams, thread_streams
from serving.grpc.demand import ForecastServicer
from serving.grpc.streams import READ_AHEAD, OpenStreams, streams
from tests.fakes.doors import Rig

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from serving.grpc.streams import Stream

MANY = 3 * READ_AHEAD


def body(number: int) -> bytes:
    question = demand_pb2.ForecastDemandRequest(sku=f"P{number}", location="S1", horizon_days=1)
    message = demand_pb2.StreamForecastDemandRequest(question=question)
    return message.SerializeToString()


class Caller:
    """A caller with many questions at hand, who counts those the server took."""

    def __init__(self, count: int) -> None:
        self.bodies = [body(number) for number in range(count)]
        self.taken = 0
        self.all_taken = threading.Event()
        self.answers: list[bytes] = []
        self.may_send = asyncio.Event()

    def time_remaining(self) -> None:
        return None

    def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
        return ()

    def peer(self) -> str:
        return "a caller"

    def is_active(self) -> bool:
        return True

    def __iter__(self) -> Iterator[bytes]:
        for one in self.bodies:
            self.taken += 1
            yield one
        self.all_taken.set()

    async def read(self) -> Any:  # noqa: ANN401 - bytes, or the end
        if self.taken == len(self.bodies):
            return grpc.aio.EOF
        self.taken += 1
        return self.bodies[self.taken - 1]

    async def write(self, answer: bytes) -> None:
        await self.may_send.wait()
        self.answers.append(answer)

    @property
    def skus(self) -> list[str]:
        parsed = map(demand_pb2.StreamForecastDemandResponse.FromString, self.answers)
        return [one.answer.sku for one in parsed]


class Counted:
    """A rig whose gather keeps how many questions it answered at once."""

    def __init__(self, begin: Callable[[], object] = lambda: None) -> None:
        self.rig = Rig(limit=512)
        self.sizes: list[int] = []
        self._begin = begin

    def _answer(self, queries: Sequence[Any]) -> list[Any]:
        self._begin()
        self.sizes.append(len(queries))
        return [self.rig.demand.forecast(query) for query in queries]

    @property
    def stream(self) -> Stream:
        gather: Gather[Any, Any] = Gather(self._answer)
        return streams(ForecastServicer(self.rig.flows.demand, gather))["StreamForecastDemand"]

    def asyncio(self, caller: Caller) -> Any:  # noqa: ANN401 - a coroutine
        gate = self.rig.grpc_gate
        open_streams = OpenStreams(gate)
        behave = asyncio_streams.behaviour(self.stream, gate, open_streams, self.rig.executor)
        return behave(None, caller)

    def threads(self, caller: Caller) -> Iterator[bytes]:
        gate, room = self.rig.grpc_gate, threading.BoundedSemaphore(2)
        behave = thread_streams.behaviour(self.stream, gate, OpenStreams(gate), room)
        return behave(iter(caller), caller)


def test_the_event_loop_reads_no_further_while_the_caller_takes_no_answers() -> None:
    counted, caller = Counted(), Caller(MANY)

    async def carry() -> tuple[int, int]:
        carrying = asyncio.ensure_future(counted.asyncio(caller))
        await asyncio.sleep(0.05)
        before = caller.taken, len(caller.answers)
        caller.may_send.set()
        await carrying
        return before

    assert asyncio.run(carry()) == (READ_AHEAD, 0)
    assert caller.skus == [f"P{number}" for number in range(MANY)]


def test_a_thread_reads_no_further_while_the_caller_takes_no_answers() -> None:
    counted, caller = Counted(), Caller(MANY)
    answers = counted.threads(caller)
    caller.answers.append(next(answers))
    end = time.monotonic() + 5
    while caller.taken < READ_AHEAD:
        assert time.monotonic() < end
        time.sleep(0.005)
    time.sleep(0.05)
    assert caller.taken == READ_AHEAD
    caller.answers.extend(answers)
    assert caller.skus == [f"P{number}" for number in range(MANY)]


def test_the_event_loop_answers_together_what_waits_together() -> None:
    counted, caller = Counted(), Caller(20)
    caller.may_send.set()
    asyncio.run(counted.asyncio(caller))
    assert counted.sizes == [20]


def test_a_thread_answers_together_what_waits_together() -> None:
    caller = Caller(20)
    counted = Counted(lambda: caller.all_taken.wait(5))
    caller.answers.extend(counted.threads(caller))
    assert len(caller.answers) == sum(counted.sizes) == 20
    assert len(counted.sizes) <= 2


def test_a_caller_who_takes_no_answers_holds_none_in_flight() -> None:
    counted, caller = Counted(), Caller(MANY)
    answers: Any = counted.threads(caller)
    next(answers)
    assert counted.rig.grpc_gate.in_flight == 0
    answers.close()
    assert {call.code for call in counted.rig.noted.calls} == {"OK"}
