"""A stream of questions on the event loop."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING, Any

import grpc
from grpc_status import rpc_status

from serving.grpc import desk
from serving.grpc.streams import READ_AHEAD, Asked, closing

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from concurrent.futures import Executor

    from serving.gate import Call, Gate
    from serving.grpc.streams import OpenStreams, Stream

    Context = grpc.aio.ServicerContext[Any, Any]


def behaviour(
    stream: Stream, gate: Gate, open_streams: OpenStreams, executor: Executor
) -> Callable[..., Awaitable[None]]:
    """Return what carries a stream: questions of it wait for the loop as single calls do.

    Args:
        stream: The method.
        gate: Admits every question.
        open_streams: Admits the stream itself.
        executor: Takes the questions that are too long for the loop.
    """

    async def behave(_: object, context: Context) -> None:
        call = desk.begin(gate, stream.name, context)
        carried = _Carried(stream, gate, executor, call)
        try:
            with open_streams.opened(carried.stop):
                await carried.carry(context)
        except Exception as error:  # noqa: BLE001 - the boundary: every failure gets a status
            status = desk.status_of(error, call)
        else:
            return
        gate.report(call)
        await context.abort_with_status(rpc_status.to_status(status))

    return behave


class _Carried:
    """One stream: a task reads ahead, a task answers each question, and one sends in order."""

    def __init__(self, stream: Stream, gate: Gate, executor: Executor, call: Call) -> None:
        """Take the method, who admits questions, who takes long ones, and the stream's record."""
        self._stream = stream
        self._gate = gate
        self._executor = executor
        self._call = call
        self._room = asyncio.Semaphore(READ_AHEAD)
        self._answers: asyncio.Queue[asyncio.Task[bytes] | None] = asyncio.Queue()
        self._reading: asyncio.Task[None] | None = None
        self._cut_short = False

    def stop(self) -> None:
        """Read no further; what has been read is answered."""
        # A caller who has asked everything is not cut short: the task is done then.
        if self._reading is not None and self._reading.cancel():
            self._cut_short = True

    async def carry(self, context: Context) -> None:
        """Answer until the caller asks no more.

        Raises:
            Draining: If the door closes before.
        """
        async with asyncio.TaskGroup() as tasks:
            self._reading = tasks.create_task(self._read(context, tasks))
            self._reading.add_done_callback(lambda _: self._answers.put_nowait(None))
            while (answer := await self._answers.get()) is not None:
                await context.write(await answer)
                self._room.release()
        if self._cut_short:
            raise closing()

    async def _read(self, context: Context, tasks: asyncio.TaskGroup) -> None:
        for number in itertools.count(1):
            await self._room.acquire()
            body = await context.read()
            if body is grpc.aio.EOF:
                return
            asked = Asked(self._stream, self._call, number, body)
            self._answers.put_nowait(tasks.create_task(self._answer(asked)))

    async def _answer(self, asked: Asked) -> bytes:
        gathered = self._stream.gathered
        try:
            with self._gate.admit(begun=True):
                if not asked.short:
                    loop = asyncio.get_running_loop()
                    return await loop.run_in_executor(self._executor, asked.answer)
                query = gathered.read(asked.read())
                found = await gathered.gather.ask(query, asked.call.check_deadline)
                return asked.answered(gathered.write(found))
        except asyncio.CancelledError:
            asked.call.code = grpc.StatusCode.CANCELLED.name
            raise
        except Exception as error:  # noqa: BLE001 - the boundary: every failure gets a status
            return asked.failed(error)
        finally:
            self._gate.report(asked.call)
