"""Load generators that cost next to nothing: raw HTTP/2 and HTTP/1.1, callback to callback.

A grpc.aio client takes as much time for a call as a grpc.aio server: it would be what limits a
fast server. These speak just enough of each protocol to send bytes made beforehand and to see an
answer end; each answer starts the next call at once.
"""

from __future__ import annotations

import asyncio
import struct
import time
from collections import deque
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEAD = struct.Struct(">HBBBL")  # length in 2 + 1 bytes, kind, flags, stream
DATA, HEADERS, RESET, SETTINGS, PING, GOAWAY, WINDOW = 0, 1, 3, 4, 6, 7, 8
END_STREAM = ACK = 1
END_HEADERS = 4
INITIAL_WINDOW = 4  # number of the setting
DEFAULT_WINDOW, MAX_WINDOW, MAX_FRAME = 65_535, 2**31 - 1, 16_384
TOP_UP = 2**30  # received bytes after which the sender may send as many more


class Tally:
    """Hands out bodies until time is up and notes how long each call took."""

    def __init__(self, bodies: Iterator[bytes], *, warm_seconds: float, seconds: float) -> None:
        """Take the bodies to send, the time before anything counts, and the time that counts."""
        self._bodies = bodies
        self._from = time.perf_counter() + warm_seconds
        self._until = self._from + seconds
        self.latencies: list[float] = []
        self.failures = 0
        self.answered = 0  # warm-up included
        self.answer_bytes = 0
        self.last = self._from

    def next(self) -> bytes | None:
        """Return the next body, or None once the time is up."""
        return next(self._bodies) if time.perf_counter() < self._until else None

    def done(self, begun: float, size: int) -> None:
        """Note a call begun at a moment whose answer had so many bytes; 0 is a failure."""
        now = time.perf_counter()
        self.answered += bool(size)
        if begun < self._from:
            return
        self.latencies.append(now - begun)
        self.last = now
        self.answer_bytes = size
        self.failures += not size

    @property
    def seconds(self) -> float:
        """Time from the first call that counts to the last answer."""
        return max(self.last - self._from, 1e-9)


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    size = len(payload)
    return HEAD.pack(size >> 8, size & 0xFF, kind, flags, stream) + payload


def _literal(value: str) -> bytes:
    return bytes([len(value)]) + value.encode()


def request_headers(authority: str, method: str) -> bytes:
    """Return the header block of a gRPC call: indices of HPACK's static table, plain strings."""
    return b"".join(
        (
            b"\x83\x86",  # :method POST, :scheme http
            b"\x04" + _literal(method),  # :path
            b"\x01" + _literal(authority),  # :authority
            b"\x0f\x10" + _literal("application/grpc"),  # content-type
            b"\x00" + _literal("te") + _literal("trailers"),
        )
    )


class GrpcCaller(asyncio.Protocol):
    """Keeps a number of gRPC calls in flight on one HTTP/2 connection."""

    def __init__(self, headers: bytes, tally: Tally, concurrency: int) -> None:
        """Take the header block of the method, what to send, and the calls in flight."""
        self._headers = headers
        self._tally = tally
        self._concurrency = concurrency
        self._buffer = bytearray()
        self._stream = 1
        self._calls: dict[int, list[float]] = {}  # stream -> when it began, bytes received
        self._window = self._initial = DEFAULT_WINDOW
        self._windows: dict[int, int] = {}
        self._waiting: deque[tuple[int, bytes]] = deque()
        self._received = 0
        self._begun = False
        self.finished = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet, and leave the server all the room it may want for answers."""
        self._out = cast("asyncio.Transport", transport)
        self._out.write(
            PREFACE
            + _frame(SETTINGS, 0, 0, struct.pack(">HL", INITIAL_WINDOW, MAX_WINDOW))
            + _frame(WINDOW, 0, 0, struct.pack(">L", MAX_WINDOW - DEFAULT_WINDOW))
        )

    def connection_lost(self, failure: Exception | None) -> None:
        """Count what was in flight as failed."""
        del failure
        for begun, _ in self._calls.values():
            self._tally.done(begun, 0)
        self._calls.clear()
        self._finish()

    def data_received(self, data: bytes) -> None:
        """Take whole frames off the stream."""
        buffer = self._buffer
        buffer += data
        at = 0
        while len(buffer) - at >= HEAD.size:
            high, low, kind, flags, stream = HEAD.unpack_from(buffer, at)
            end = at + HEAD.size + (high << 8 | low)
            if end > len(buffer):
                break
            self._take(kind, flags, stream, bytes(buffer[at + HEAD.size : end]))
            at = end
        del buffer[:at]

    def _take(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind == DATA:
            self._received += len(payload)
            if stream in self._calls:
                self._calls[stream][1] += len(payload)
            if self._received > TOP_UP:
                self._out.write(_frame(WINDOW, 0, 0, struct.pack(">L", self._received)))
                self._received = 0
        elif kind == WINDOW:
            self._widen(stream, int.from_bytes(payload))
        elif kind == SETTINGS and not flags & ACK:
            self._settle(payload)
        elif kind == PING and not flags & ACK:
            self._out.write(_frame(PING, ACK, 0, payload))
        elif kind == GOAWAY:
            self._out.close()
        if (kind in {DATA, HEADERS} and flags & END_STREAM) or kind == RESET:
            self._end(stream)

    def _settle(self, payload: bytes) -> None:
        for name, value in struct.iter_unpack(">HL", payload):
            if name == INITIAL_WINDOW:
                for stream in self._windows:
                    self._windows[stream] += value - self._initial
                self._initial = value
        self._out.write(_frame(SETTINGS, ACK, 0, b""))
        if not self._begun:
            self._begun = True
            for _ in range(self._concurrency):
                self._call()

    def _widen(self, stream: int, more: int) -> None:
        if not stream:
            self._window += more
        elif stream in self._windows:
            self._windows[stream] += more
        self._flush()

    def _call(self) -> None:
        body = self._tally.next()
        if body is None:
            self._finish()
            return
        stream, self._stream = self._stream, self._stream + 2
        self._calls[stream] = [time.perf_counter(), 0]
        self._windows[stream] = self._initial
        self._out.write(_frame(HEADERS, END_HEADERS, stream, self._headers))
        self._waiting.append((stream, struct.pack(">BL", 0, len(body)) + body))
        self._flush()

    def _flush(self) -> None:
        while self._waiting:
            stream, rest = self._waiting[0]
            room = min(self._window, self._windows[stream], MAX_FRAME)
            if room <= 0:
                return
            part, rest = rest[:room], rest[room:]
            self._window -= len(part)
            self._windows[stream] -= len(part)
            self._out.write(_frame(DATA, 0 if rest else END_STREAM, stream, part))
            if rest:
                self._waiting[0] = (stream, rest)
            else:
                self._waiting.popleft()

    def _end(self, stream: int) -> None:
        call = self._calls.pop(stream, None)
        self._windows.pop(stream, None)
        if call is not None:
            self._tally.done(call[0], int(call[1]))
            self._call()

    def _finish(self) -> None:
        if not self._calls and not self.finished.done():
            self.finished.set_result(None)
            self._out.close()


class HttpCaller(asyncio.Protocol):
    """Keeps one HTTP/1.1 request in flight on one connection that stays open."""

    def __init__(self, authority: str, path: str, tally: Tally, pause: float = 0.0) -> None:
        """Take where to post, what to send, and the pause after each answer, in seconds."""
        self._head = (
            f"POST {path} HTTP/1.1\r\nhost: {authority}\r\n"
            "content-type: application/json\r\ncontent-length: "
        ).encode()
        self._tally = tally
        self._pause = pause
        self._buffer = b""
        self._needed = 0
        self._begun = 0.0
        self.finished = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first request."""
        self._out = cast("asyncio.Transport", transport)
        self._call()

    def connection_lost(self, failure: Exception | None) -> None:
        """Count a request in flight as failed."""
        del failure
        if not self.finished.done():
            self._tally.done(self._begun, 0)
            self.finished.set_result(None)

    def data_received(self, data: bytes) -> None:
        """Wait for the whole answer, then send the next request."""
        self._buffer += data
        if not self._needed:
            head, mark, _ = self._buffer.partition(b"\r\n\r\n")
            if not mark:
                return
            length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
            self._needed = len(head) + len(mark) + int(length)
        if len(self._buffer) < self._needed:
            return
        right = self._buffer.startswith(b"HTTP/1.1 200 ")
        self._tally.done(self._begun, self._needed if right else 0)
        self._buffer, self._needed = b"", 0
        if self._pause:
            asyncio.get_running_loop().call_later(self._pause, self._call)
        else:
            self._call()

    def _call(self) -> None:
        body = self._tally.next()
        if body is None:
            if not self.finished.done():
                self.finished.set_result(None)
            self._out.close()
            return
        self._begun = time.perf_counter()
        self._out.write(b"%s%d\r\n\r\n%s" % (self._head, len(body), body))


async def call_until_done(
    address: tuple[str, int], make: Callable[[], asyncio.Protocol], connections: int = 1
) -> None:
    """Open connections and wait until the callers on them have finished."""
    loop = asyncio.get_running_loop()
    callers = [await loop.create_connection(make, *address) for _ in range(connections)]
    await asyncio.gather(*(caller.finished for _, caller in callers))  # type: ignore[attr-defined]
