"""An open gRPC door of each kind, and a caller of it."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from grpc_status import rpc_status

from parlevel.v1 import demand_pb2_grpc, model_pb2_grpc, replenishment_pb2_grpc
from tests.fakes.doors import Rig

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from google.rpc.status_pb2 import Status

    from serving.grpc.server import GrpcDoor


class OpenDoor:
    """A door on an event loop of its own, so that tests may call it as any client does."""

    def __init__(self, rig: Rig, kind: str) -> None:
        self.rig = rig
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.door: GrpcDoor = rig.grpc(kind)
        self.port: int = self.await_(self.door.open())
        self.channel = grpc.insecure_channel(
            f"127.0.0.1:{self.port}", options=(("grpc.max_send_message_length", -1),)
        )
        self.demand = demand_pb2_grpc.ForecastServiceStub(self.channel)
        self.replenishment = replenishment_pb2_grpc.ReplenishmentServiceStub(self.channel)
        self.models = model_pb2_grpc.ModelServiceStub(self.channel)

    def await_(self, waiting: Any) -> Any:  # noqa: ANN401 - any coroutine
        return asyncio.run_coroutine_threadsafe(waiting, self._loop).result(30)

    def close(self, seconds: float = 5.0) -> None:
        self.await_(self.door.close(seconds))

    def end(self) -> None:
        self.channel.close()
        self.close(0.0)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()


@dataclass
class Failed:
    """How a call failed."""

    code: grpc.StatusCode
    message: str
    status: Status | None


@pytest.fixture(params=["asyncio", "threads"])
def door(request: pytest.FixtureRequest) -> Iterator[OpenDoor]:
    opened = OpenDoor(Rig(), request.param)
    yield opened
    opened.end()


@pytest.fixture
def failing() -> Callable[..., Failed]:
    def call(method: Any, request: Any, **options: Any) -> Failed:  # noqa: ANN401 - any method
        with pytest.raises(grpc.RpcError) as caught:
            method(request, timeout=options.pop("timeout", 10), **options)
        error: Any = caught.value
        return Failed(error.code(), error.details(), rpc_status.from_call(error))

    return call
