"""A stream of questions on two threads: one reads ahead, the other answers and sends."""

from __future__ import annotations

import contextlib
import itertools
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import grpc
from grpc_status import rpc_status

from serving.gather import Slot
from serving.grpc import desk
from serving.grpc.streams import READ_AHEAD, STREAMS, Asked, closing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from serving.gate import Call, Gate
    from serving.grpc.streams import OpenStreams, Stream


def pool() -> ThreadPoolExecutor:
    """Return the threads that answer: one a stream, and one that refuses those beyond."""
    return ThreadPoolExecutor(STREAMS + 1, "grpc-stream")


def behaviour(
    stream: Stream, gate: Gate, open_streams: OpenStreams, room: threading.BoundedSemaphore
) -> Callable[..., Iterator[bytes]]:
    """Return what carries a stream: questions of it wait their turn as those of single calls do.

    Args:
        stream: The method.
        gate: Admits every question.
        open_streams: Admits the stream itself.
        room: Held while a question is answered that is too long to be answered with others.
    """

    def behave(bodies: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        call = desk.begin(gate, stream.name, context)
        inbox = _Inbox(stream, call)
        try:
            with open_streams.opened(inbox.stop):
                reading = threading.Thread(target=inbox.fill, args=(bodies,), name="grpc-read")
                reading.daemon = True
                reading.start()
                yield from _carry(inbox, gate, room, context)
        except Exception as error:  # noqa: BLE001 - the boundary: every failure gets a status
            status = desk.status_of(error, call)
        else:
            return
        gate.report(call)
        context.abort_with_status(rpc_status.to_status(status))

    return behave


def _carry(
    inbox: _Inbox, gate: Gate, room: threading.BoundedSemaphore, context: grpc.ServicerContext
) -> Iterator[bytes]:
    """Yield an answer for each question, in order, until no more are asked.

    Raises:
        Draining: If the door closes before.
    """
    try:
        while (taken := inbox.take()) and context.is_active():
            # Before any is sent: a caller who is slow to take answers holds up no others.
            together = iter(_answers(gate, [asked for asked in taken if asked.short]))
            for asked in taken:
                yield next(together) if asked.short else _answer(gate, room, asked)
                inbox.sent()
    finally:
        inbox.end()
    if inbox.cut_short:
        raise closing()


def _answer(gate: Gate, room: threading.BoundedSemaphore, asked: Asked) -> bytes:
    """Answer a question that is too long to be answered with others."""
    try:
        with gate.admit(begun=True), room:
            return asked.answer()
    except Exception as error:  # noqa: BLE001 - the boundary: every failure gets a status
        return asked.failed(error)
    finally:
        gate.report(asked.call)


def _answers(gate: Gate, many: list[Asked]) -> list[bytes]:
    """Answer questions together, and with those of others that wait for their turn."""
    with contextlib.ExitStack() as admitted:
        slots = [_brought(gate, asked, admitted) for asked in many]
        return [_settled(gate, asked, slot) for asked, slot in zip(many, slots, strict=True)]


def _brought(gate: Gate, asked: Asked, admitted: contextlib.ExitStack) -> Slot[Any]:
    """Admit and queue a question; one that fails already fails when it is settled."""
    gathered = asked.stream.gathered
    try:
        admitted.enter_context(gate.admit(begun=True))
        return gathered.gather.bring(gathered.read(asked.read()), asked.call.check_deadline)
    except Exception as error:  # noqa: BLE001 - kept for the boundary
        failed: Slot[Any] = Slot()
        failed.set_exception(error)
        return failed


def _settled(gate: Gate, asked: Asked, slot: Slot[Any]) -> bytes:
    """Wait for the answer of a question that was brought."""
    gathered = asked.stream.gathered
    try:
        return asked.answered(gathered.write(gathered.gather.collect(slot)))
    except Exception as error:  # noqa: BLE001 - the boundary: every failure gets a status
        return asked.failed(error)
    finally:
        gate.report(asked.call)


class _Inbox:
    """The questions of a stream that have been read; reading waits while they are many."""

    def __init__(self, stream: Stream, call: Call) -> None:
        """Take the method, and the record of the stream."""
        self._stream = stream
        self._call = call
        self._numbers = itertools.count(1)
        self._changed = threading.Condition()
        self._waiting: list[Asked] = []
        self._unsent = 0
        self._ended = False
        self.cut_short = False

    def fill(self, bodies: Iterator[bytes]) -> None:
        """Read until the caller asks no more, is gone, or is cut short."""
        try:
            with contextlib.suppress(grpc.RpcError):  # so it says that the caller is gone
                while self._has_room() and (body := next(bodies, None)) is not None:
                    self._put(body)
        finally:
            self.end()

    def take(self) -> list[Asked]:
        """Return what has been read, once there is any; nothing once no more is to come."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._ended)
            taken, self._waiting = self._waiting, []
        return taken

    def sent(self) -> None:
        """Make room for one more."""
        with self._changed:
            self._unsent -= 1
            self._changed.notify_all()

    def stop(self) -> None:
        """Read no further; what has been read is answered."""
        with self._changed:
            if not self._ended:  # a caller who has asked everything is not cut short
                self.cut_short = True
        self.end()

    def end(self) -> None:
        """Read no further: nobody waits for more."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _has_room(self) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._ended or self._unsent < READ_AHEAD)
            return not self._ended

    def _put(self, body: bytes) -> None:
        asked = Asked(self._stream, self._call, next(self._numbers), body)
        with self._changed:
            if self._ended:
                return
            self._unsent += 1
            self._waiting.append(asked)
            self._changed.notify_all()
