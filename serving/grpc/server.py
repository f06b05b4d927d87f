"""The gRPC door: one set of services on either kind of server."""

from __future__ import annotations

import asyncio
import functools
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2
from grpc_status import rpc_status

from serving.errors import InvalidField
from serving.gate import INLINE_BYTES
from serving.grpc import asyncio_streams, desk, thread_streams
from serving.grpc.streams import OpenStreams, streams

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence
    from concurrent.futures import Executor

    from serving.gate import Gate
    from serving.grpc.desk import Method, Servicer
    from serving.grpc.streams import Stream

MIB = 1024 * 1024
THREADS = 2  # at work at once: more of them starve the event loop the HTTP door runs on
WAITING = 32  # threads of calls whose questions are gathered: all but one of them wait
STOP_SECONDS = 0.1  # own calls are done by then; an open health watch would hold on for ever
POLL_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class Listening:
    """Where and how the door listens.

    Attributes:
        host: Address.
        port: Port; 0 takes a free one.
        max_message_mib: Largest message in either direction, in MiB.
        share_port: Lets several processes listen on the port; a port in use is then no error.
    """

    host: str
    port: int
    max_message_mib: int
    share_port: bool = False

    @property
    def options(self) -> tuple[tuple[str, int], ...]:
        """Channel options of the server."""
        return (
            ("grpc.so_reuseport", int(self.share_port)),
            ("grpc.max_receive_message_length", self.max_message_mib * MIB),
            ("grpc.max_send_message_length", self.max_message_mib * MIB),
        )

    def open_on(self, server: grpc.Server | grpc.aio.Server) -> int:
        """Listen, and return the port.

        Raises:
            InvalidField: If the port is in use.
        """
        host = f"[{self.host}]" if ":" in self.host else self.host
        try:
            return int(server.add_insecure_port(f"{host}:{self.port}"))
        except RuntimeError:
            raise InvalidField(
                "PARLEVEL_GRPC_PORT", f"must be a free port: {self.host}:{self.port} is in use"
            ) from None


class GrpcDoor(Protocol):
    """A server of either kind."""

    async def open(self) -> int:
        """Open the door and return its port.

        Raises:
            InvalidField: If the port is in use.
        """

    async def retire(self) -> None:
        """Tell who asks for its health, or watches it, that it serves no more; calls still pass."""

    async def close(self, seconds: float) -> None:
        """Refuse new calls, wait up to so many seconds for those in flight, and stop."""


class AsyncioDoor:
    """The door on the event loop; calls too long for it go to an executor."""

    def __init__(
        self, servicers: Sequence[Servicer], gate: Gate, listening: Listening, executor: Executor
    ) -> None:
        """Take the services, who admits calls, where to listen and who takes long calls."""
        self._servicers = servicers
        self._gate = gate
        self._listening = listening
        self._executor = executor
        self._streams = OpenStreams(gate)
        self._health = health.aio.HealthServicer()
        self._server: grpc.aio.Server | None = None

    async def open(self) -> int:
        """Open the door and return its port.

        Raises:
            InvalidField: If the port is in use.
        """
        self._server = grpc.aio.server(options=self._listening.options)
        self._server.add_generic_rpc_handlers(
            _handlers(self._servicers, self._behaviour, self._streaming)
        )
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        for name in _names(self._servicers):
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)
        reflection.enable_server_reflection(_reflected(self._servicers), self._server)
        port = self._listening.open_on(self._server)
        await self._server.start()
        return port

    async def retire(self) -> None:
        """Tell who asks for its health, or watches it, that it serves no more; calls still pass."""
        await self._health.enter_graceful_shutdown()

    async def close(self, seconds: float) -> None:
        """Refuse new calls, wait up to so many seconds for those in flight, and stop."""
        await self.retire()
        await _drain(self._gate, self._streams, seconds)
        if self._server is not None:
            await self._server.stop(STOP_SECONDS)

    def _behaviour(self, method: Method) -> Callable[..., Awaitable[bytes]]:
        gate, executor = self._gate, self._executor

        async def behave(body: bytes, context: grpc.aio.ServicerContext[Any, Any]) -> bytes:
            call = desk.begin(gate, method.name, context)
            try:
                with gate.admit():
                    if len(body) <= INLINE_BYTES:
                        if method.gathered is None:
                            return desk.answer(method, call, body)
                        return await desk.answer_gathered(method, method.gathered, call, body)
                    loop = asyncio.get_running_loop()
                    return await loop.run_in_executor(executor, desk.answer, method, call, body)
            except asyncio.CancelledError:
                call.code = grpc.StatusCode.CANCELLED.name
                raise
            except Exception as error:  # noqa: BLE001 - the boundary: every failure gets a status
                status = desk.status_of(error, call)
            finally:
                gate.report(call)
            await context.abort_with_status(rpc_status.to_status(status))
            raise AssertionError  # abort_with_status always raises

        return behave

    def _streaming(self, stream: Stream) -> Callable[..., Awaitable[None]]:
        return asyncio_streams.behaviour(stream, self._gate, self._streams, self._executor)


class ThreadsDoor:
    """The door on a server with threads of its own, two of them at work and the others waiting."""

    def __init__(self, servicers: Sequence[Servicer], gate: Gate, listening: Listening) -> None:
        """Take the services, who admits calls and where to listen."""
        self._servicers = servicers
        self._gate = gate
        self._listening = listening
        self._room = threading.BoundedSemaphore(THREADS)
        self._streams = OpenStreams(gate)
        self._streamers = thread_streams.pool()
        self._watchers = ThreadPoolExecutor(THREADS, "grpc-watch")
        self._health = health.HealthServicer(experimental_thread_pool=self._watchers)
        self._server: grpc.Server | None = None

    async def open(self) -> int:
        """Open the door and return its port.

        Raises:
            InvalidField: If the port is in use.
        """
        self._server = grpc.server(
            ThreadPoolExecutor(WAITING, "grpc"), options=self._listening.options
        )
        self._server.add_generic_rpc_handlers(
            _handlers(self._servicers, self._behaviour, self._streaming)
        )
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        for name in _names(self._servicers):
            self._health.set(name, health_pb2.HealthCheckResponse.SERVING)
        self._server.add_generic_rpc_handlers((self._reflection(),))
        port = self._listening.open_on(self._server)
        self._server.start()
        return port

    async def retire(self) -> None:
        """Tell who asks for its health, or watches it, that it serves no more; calls still pass."""
        self._health.enter_graceful_shutdown()

    async def close(self, seconds: float) -> None:
        """Refuse new calls, wait up to so many seconds for those in flight, and stop."""
        await self.retire()
        await _drain(self._gate, self._streams, seconds)
        if self._server is not None:
            await asyncio.to_thread(self._server.stop(STOP_SECONDS).wait)
        self._watchers.shutdown(wait=False)
        self._streamers.shutdown(wait=False)

    def _reflection(self) -> grpc.GenericRpcHandler:
        # Two idle streams would hold both threads: reflection gets a pool of its own.
        servicer = reflection.ReflectionServicer(_reflected(self._servicers))
        behaviour = functools.partial(servicer.ServerReflectionInfo)
        behaviour.experimental_thread_pool = self._watchers  # type: ignore[attr-defined]
        handler = grpc.stream_stream_rpc_method_handler(
            behaviour,
            request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
            response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
        )
        return grpc.method_handlers_generic_handler(
            reflection.SERVICE_NAME, {"ServerReflectionInfo": handler}
        )

    def _behaviour(self, method: Method) -> Callable[..., bytes]:
        gate, room = self._gate, self._room

        def behave(body: bytes, context: grpc.ServicerContext) -> bytes:
            call = desk.begin(gate, method.name, context)
            try:
                with gate.admit():
                    if method.gathered is not None and len(body) <= INLINE_BYTES:
                        return desk.answer_in_turn(method, method.gathered, call, body)
                    with room:
                        return desk.answer(method, call, body)
            except Exception as error:  # noqa: BLE001 - the boundary: every failure gets a status
                status = desk.status_of(error, call)
            finally:
                gate.report(call)
            context.abort_with_status(rpc_status.to_status(status))
            raise AssertionError  # abort_with_status always raises

        return behave

    def _streaming(self, stream: Stream) -> Callable[..., Iterator[bytes]]:
        # A stream that is idle would hold a thread of calls: streams have threads of their own.
        behave = thread_streams.behaviour(stream, self._gate, self._streams, self._room)
        behave.experimental_thread_pool = self._streamers  # type: ignore[attr-defined]
        return behave


def _names(servicers: Sequence[Servicer]) -> list[str]:
    return [servicer.contract.full_name for servicer in servicers]


def _reflected(servicers: Sequence[Servicer]) -> list[str]:
    return [*_names(servicers), health.SERVICE_NAME, reflection.SERVICE_NAME]


def _handlers(
    servicers: Sequence[Servicer],
    behaviour: Callable[[Method], Callable[..., Any]],
    streaming: Callable[[Stream], Callable[..., Any]],
) -> tuple[grpc.GenericRpcHandler, ...]:
    # Bytes in, bytes out: messages are read and written where the call is answered, so that a
    # long one does so off the event loop and a malformed one gets a status of ours.
    return tuple(
        grpc.method_handlers_generic_handler(
            servicer.contract.full_name,
            {
                name: grpc.unary_unary_rpc_method_handler(behaviour(method))
                for name, method in desk.methods(servicer).items()
            }
            | {
                name: grpc.stream_stream_rpc_method_handler(streaming(stream))
                for name, stream in streams(servicer).items()
            },
        )
        for servicer in servicers
    )


async def _drain(gate: Gate, open_streams: OpenStreams, seconds: float) -> None:
    gate.drain()
    open_streams.stop()
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    # The count falls in other threads too; a look each hundredth of a second costs nothing.
    while (gate.in_flight or open_streams.count) and loop.time() < until:  # noqa: ASYNC110
        await asyncio.sleep(POLL_SECONDS)
