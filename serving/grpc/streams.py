"""What the gRPC door does with a stream of questions, whichever kind of server carries it."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from serving.errors import Draining, InvalidField, MalformedBody, Overloaded
from serving.gate import INLINE_BYTES, RETRY_SECONDS, Call
from serving.grpc import desk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from serving.gate import Gate
    from serving.grpc.desk import Gathered, Method, Servicer

READ_AHEAD = 64  # questions of a stream that are read and not yet answered
# Open at once: together they ask no more than a door takes at once by default, and in the server
# with threads each of them holds two.
STREAMS = 8
LONGEST_ID = 200


@dataclass(frozen=True, slots=True)
class Stream:
    """A method of the contract that answers the questions of another one on a stream.

    Attributes:
        name: Its name in the contract.
        parse: Reads the message of one question from bytes.
        wrap: Makes the message of one answer.
        single: The method whose questions it answers.
        gathered: How that one is answered together with others.
    """

    name: str
    parse: Callable[[bytes], Any]
    wrap: Callable[..., Message]
    single: Method
    gathered: Gathered


def streams(servicer: Servicer) -> dict[str, Stream]:
    """Return the streams of a servicer by name: StreamX answers the questions of X."""
    found = {}
    singles = desk.methods(servicer)
    for method in servicer.contract.methods:
        if method.client_streaming:
            single = method.name.removeprefix("Stream")
            found[method.name] = Stream(
                name=method.name,
                parse=GetMessageClass(method.input_type).FromString,
                wrap=GetMessageClass(method.output_type),
                single=singles[single],
                gathered=servicer.gathered[single],
            )
    return found


class Asked:
    """One question of a stream on its way, from bytes to bytes; a record of its own follows it."""

    def __init__(self, stream: Stream, opened: Call, number: int, body: bytes) -> None:
        """Take the stream, its record, which question of it this is, and the bytes."""
        request_id = f"{opened.request_id}.{number}"
        self.call = Call(opened.door, stream.name, request_id, opened.peer, opened.deadline)
        self.stream = stream
        self._body = body
        self._correlation_id = ""

    @property
    def short(self) -> bool:
        """Whether the question is short enough to be answered together with others."""
        return len(self._body) <= INLINE_BYTES

    def read(self) -> Message:
        """Read the question as its own method takes it.

        Raises:
            DeadlineExceeded: If the deadline has passed.
            MalformedBody: If the bytes are no message.
            InvalidField: If its id is too long.
        """
        self.call.check_deadline()
        try:
            request = self.stream.parse(self._body)
        except DecodeError as error:
            raise MalformedBody(f"the bytes are no request of {self.stream.name}") from error
        if len(request.correlation_id) > LONGEST_ID:
            raise InvalidField("correlation_id", f"must be at most {LONGEST_ID} characters")
        self._correlation_id = request.correlation_id
        question: Message = request.question
        return question

    def answer(self) -> bytes:
        """Answer the question alone.

        Raises:
            ParlevelError: If it fails with a cause.
        """
        return self.answered(self.stream.single.answer(self.read()))

    def answered(self, response: Message) -> bytes:
        """Return the bytes of an answer, and note what it says."""
        desk.note(self.stream.single, self.call, response)
        return self._wrapped(answer=response)

    def failed(self, error: Exception) -> bytes:
        """Return the bytes of a failure, and note its code."""
        return self._wrapped(error=desk.status_of(error, self.call))

    def _wrapped(self, **outcome: Message) -> bytes:
        message = self.stream.wrap(correlation_id=self._correlation_id, **outcome)
        return message.SerializeToString()


class OpenStreams:
    """The streams that are open at a door: not too many of them, and none once it closes."""

    def __init__(self, gate: Gate) -> None:
        """Take the gate, which knows whether the door closes."""
        self._gate = gate
        self._lock = threading.Lock()
        self._stops: list[Callable[[], None]] = []

    @property
    def count(self) -> int:
        """Streams that are open."""
        return len(self._stops)

    @contextmanager
    def opened(self, stop: Callable[[], None]) -> Iterator[None]:
        """Hold a stream open for the length of a with block.

        Args:
            stop: Called when the door closes, by any thread; the stream then reads no further.

        Raises:
            Draining: If the door is closing.
            Overloaded: If as many streams as the limit are open.
        """
        with self._lock:
            if self._gate.draining:
                raise closing()
            if len(self._stops) >= STREAMS:
                raise Overloaded(
                    f"{STREAMS} streams are open already", retry_after_seconds=RETRY_SECONDS
                )
            self._stops.append(stop)
        try:
            yield
        finally:
            with self._lock:
                self._stops.remove(stop)

    def stop(self) -> None:
        """Let every stream answer what it has read, and end; the gate must be draining."""
        with self._lock:
            stops = tuple(self._stops)
        for stop in stops:
            stop()


def closing() -> Draining:
    """Return the failure of a stream that the closing door cuts short."""
    return Draining("the server is closing", retry_after_seconds=RETRY_SECONDS)
