"""The floors: servers that do nothing but carry messages of equal size.

Usage: python -m loadtests.bench.floors (aio|threads) PORT
"""

from __future__ import annotations

import asyncio
import functools
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import grpc

if TYPE_CHECKING:
    from collections.abc import Callable

PREFIX = "/floor.NoOp/Answer"
THREADS = 2  # as our own server of that kind
LIMITS = (("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1))


def method_of(size: int) -> str:
    """Return the method that answers with so many bytes."""
    return f"{PREFIX}{size}"


@functools.cache
def _answer(method: str) -> bytes:
    return bytes(int(method.removeprefix(PREFIX)))


class _NoOp(grpc.GenericRpcHandler):
    """Answers every method with the bytes it asks for."""

    def __init__(self, behaviour: Callable[[bytes], Callable[..., object]]) -> None:
        self._behaviour = behaviour

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes]:
        """Return what answers a method."""
        return grpc.unary_unary_rpc_method_handler(self._behaviour(_answer(details.method)))


def _at_once(answer: bytes) -> Callable[..., bytes]:
    return lambda _body, _context: answer


def _awaited(answer: bytes) -> Callable[..., object]:
    async def behave(body: bytes, context: object) -> bytes:
        del body, context
        return answer

    return behave


async def _serve_aio(port: int) -> None:
    server = grpc.aio.server(options=LIMITS)
    server.add_generic_rpc_handlers((_NoOp(_awaited),))
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    await server.wait_for_termination()


def _serve_threads(port: int) -> None:
    server = grpc.server(ThreadPoolExecutor(THREADS), options=LIMITS)
    server.add_generic_rpc_handlers((_NoOp(_at_once),))
    server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    server.wait_for_termination()


def main() -> None:
    """Serve until the process is ended."""
    kind, port = sys.argv[1], int(sys.argv[2])
    if kind == "aio":
        asyncio.run(_serve_aio(port))
    else:
        _serve_threads(port)


if __name__ == "__main__":
    main()
