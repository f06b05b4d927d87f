"""The raw callers speak enough of their protocols to real servers."""

from __future__ import annotations

import asyncio
import functools
import itertools
from typing import TYPE_CHECKING

import grpc
import pytest

from loadtests.bench.callers import (
    GrpcCaller,
    HttpCaller,
    Tally,
    call_until_done,
    request_headers,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

METHOD = "/floor.Echo/Answer"


class OneMethod(grpc.GenericRpcHandler):
    def __init__(self, behave: Callable[..., Awaitable[bytes]]) -> None:
        self.behave = behave

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes]:
        assert details.method == METHOD
        return grpc.unary_unary_rpc_method_handler(self.behave)


async def call_grpc(
    behave: Callable[..., Awaitable[bytes]], body: bytes, method: str = METHOD
) -> Tally:
    server = grpc.aio.server(options=(("grpc.max_receive_message_length", -1),))
    server.add_generic_rpc_handlers((OneMethod(behave),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    tally = Tally(itertools.repeat(body), warm_seconds=0.0, seconds=0.3)
    headers = request_headers(f"127.0.0.1:{port}", method)
    await asyncio.wait_for(
        call_until_done(("127.0.0.1", port), functools.partial(GrpcCaller, headers, tally, 4)), 10
    )
    await server.stop(0)
    return tally


@pytest.mark.parametrize("size", [0, 10, 16_384, 300_000])
def test_a_grpc_call_carries_messages_of_any_size_both_ways(size: int) -> None:
    received: set[bytes] = set()

    async def echo(body: bytes, _: object) -> bytes:
        received.add(body)
        return body

    body = bytes(range(256)) * (size // 256) + bytes(size % 256)
    tally = asyncio.run(call_grpc(echo, body))
    assert received == {body}
    assert tally.failures == 0
    assert len(tally.latencies) > 4
    assert tally.answer_bytes == size + 5 or size > 16_384


def test_a_refusal_is_a_failure() -> None:
    async def refuse(body: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        await context.abort(grpc.StatusCode.NOT_FOUND, "no")
        return body

    tally = asyncio.run(call_grpc(refuse, b"x"))
    assert tally.failures == len(tally.latencies) > 0


def test_a_server_that_leaves_ends_the_load() -> None:
    async def leave() -> Tally:
        async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.close()

        server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
        address = server.sockets[0].getsockname()
        tally = Tally(itertools.repeat(b"x"), warm_seconds=0.0, seconds=5)
        make = functools.partial(HttpCaller, "here", "/", tally)
        await asyncio.wait_for(call_until_done(address, make), 3)
        server.close()
        return tally

    assert asyncio.run(leave()).failures == 1


@pytest.mark.parametrize(("status", "right"), [("200 OK", True), ("404 Not Found", False)])
def test_an_http_answer_in_pieces_is_read_whole(status: str, *, right: bool) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            assert head.startswith(b"POST /there HTTP/1.1\r\n")
            assert await reader.readexactly(4) == b"body"
            writer.write(f"HTTP/1.1 {status}\r\nContent-".encode())
            await writer.drain()
            await asyncio.sleep(0)
            writer.write(b"Length: 5\r\n\r\n12")
            await writer.drain()
            await asyncio.sleep(0)
            writer.write(b"345")

    async def load() -> Tally:
        async def until_gone(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await answer(reader, writer)
            except asyncio.IncompleteReadError:
                writer.close()

        server = await asyncio.start_server(until_gone, "127.0.0.1", 0)
        address = server.sockets[0].getsockname()
        tally = Tally(itertools.repeat(b"body"), warm_seconds=0.0, seconds=0.2)
        make = functools.partial(HttpCaller, "here", "/there", tally)
        await asyncio.wait_for(call_until_done(address, make, 2), 5)
        server.close()
        return tally

    tally = asyncio.run(load())
    assert len(tally.latencies) > 2
    assert tally.failures == (0 if right else len(tally.latencies))


def test_the_warm_up_does_not_count() -> None:
    tally = Tally(itertools.repeat(b""), warm_seconds=60, seconds=1)
    assert tally.next() == b""
    tally.done(0.0, 10)
    assert (tally.latencies, tally.answered) == ([], 1)
