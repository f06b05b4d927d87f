"""The gRPC door as a server: failures, deadlines, limits, health, reflection, drain."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from parlevel.v1 import demand_pb2, model_pb2
from serving import errors, wire
from serving.grpc.errors import CODES
from tests.fakes.doors import Rig
from tests.fakes.failures import FAILURES

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.grpc.conftest import Failed, OpenDoor


def until(release: threading.Event) -> None:
    assert release.wait(5)


ASKED = demand_pb2.ForecastDemandRequest(sku="P1", location="S1", horizon_days=3)
LONG = demand_pb2.BatchForecastDemandRequest(
    skus=[f"product-{row}" for row in range(300)], locations=["S1"] * 300, horizon_days=1
)


@pytest.mark.parametrize("failure", FAILURES, ids=lambda one: type(one).__name__)
def test_a_failure_arrives_with_its_code_and_its_details(
    door: OpenDoor, failing: Callable[..., Failed], failure: errors.ParlevelError
) -> None:
    door.rig.demand.failure = failure
    failed = failing(door.demand.ForecastDemand, ASKED)
    assert failed.code is CODES[type(failure)]
    assert failed.message == str(failure)
    assert failed.status == wire.status_of(failure)


def test_a_defect_is_internal_and_keeps_its_trace_to_itself(
    door: OpenDoor, failing: Callable[..., Failed], caplog: pytest.LogCaptureFixture
) -> None:
    door.rig.demand.failure = ZeroDivisionError("secret")
    failed = failing(door.demand.ForecastDemand, ASKED, metadata=(("x-request-id", "r-1"),))
    assert failed.code is grpc.StatusCode.INTERNAL
    assert "secret" not in failed.message
    assert "r-1" in failed.message
    assert "secret" in caplog.text


def test_a_busy_door_says_when_to_retry(door: OpenDoor, failing: Callable[..., Failed]) -> None:
    door.rig.demand.failure = errors.Overloaded("busy", retry_after_seconds=1.5)
    failed = failing(door.demand.ForecastDemand, ASKED)
    assert failed.status is not None
    retry = error_details_pb2.RetryInfo()
    assert any(detail.Unpack(retry) for detail in failed.status.details)
    assert retry.retry_delay.ToMilliseconds() == 1500


def test_bytes_that_are_no_message_are_refused(door: OpenDoor) -> None:
    method: Any = door.channel.unary_unary("/parlevel.v1.ForecastService/ForecastDemand")
    with pytest.raises(grpc.RpcError) as caught:
        method(b"\xff\xff\xff", timeout=10)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_an_unknown_method_is_unimplemented(door: OpenDoor) -> None:
    method: Any = door.channel.unary_unary("/parlevel.v1.ForecastService/Guess")
    with pytest.raises(grpc.RpcError) as caught:
        method(b"", timeout=10)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_a_message_above_the_limit_is_refused(
    door: OpenDoor, failing: Callable[..., Failed]
) -> None:
    request = demand_pb2.ForecastDemandRequest(sku="x" * (2 * 1024 * 1024))
    failed = failing(door.demand.ForecastDemand, request)
    assert failed.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert door.rig.demand.queries == []


def test_a_deadline_that_passed_is_not_computed_for(
    door: OpenDoor, failing: Callable[..., Failed]
) -> None:
    release = threading.Event()
    door.rig.demand.hold = lambda: until(release)
    waiting = [door.demand.BatchForecastDemand.future(LONG, timeout=5) for _ in range(2)]
    while len(door.rig.demand.queries) < 2:
        time.sleep(0.01)
    failed = failing(door.demand.BatchForecastDemand, LONG, timeout=0.1)
    release.set()
    for call in waiting:
        call.result()
    time.sleep(0.1)
    assert failed.code is grpc.StatusCode.DEADLINE_EXCEEDED
    assert len(door.rig.demand.queries) == 2


def test_calls_beyond_the_limit_are_told_to_retry() -> None:
    rig = Rig(limit=1)
    release = threading.Event()
    rig.demand.hold = lambda: until(release)

    async def overload() -> grpc.StatusCode:
        door = rig.grpc()
        port = await door.open()
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            method: Any = channel.unary_unary("/parlevel.v1.ForecastService/BatchForecastDemand")
            first = asyncio.ensure_future(method(LONG.SerializeToString()))
            while not rig.grpc_gate.in_flight:  # noqa: ASYNC110 - a thread raises it
                await asyncio.sleep(0.01)
            try:
                await method(LONG.SerializeToString())
            except grpc.aio.AioRpcError as error:
                return error.code()
            finally:
                release.set()
                await first
                await door.close(1)
        return grpc.StatusCode.OK

    assert asyncio.run(overload()) is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_each_call_is_noted_once_with_what_it_was(door: OpenDoor) -> None:
    door.demand.ForecastDemand(ASKED, metadata=(("x-request-id", "mine"),))
    door.demand.BatchForecastDemand(LONG)
    door.models.ListModels(model_pb2.ListModelsRequest())
    first, second, third = door.rig.noted.calls
    assert (first.request_id, first.method, first.code) == ("mine", "ForecastDemand", "OK")
    assert (first.model_version, first.rows, first.features_age) == ("7", 1, 3600)
    assert (second.rows, second.request_id != first.request_id) == (300, True)
    assert (third.method, third.model_version) == ("ListModels", "")


def test_health_knows_every_service_and_the_whole(door: OpenDoor) -> None:
    stub: Any = health_pb2_grpc.HealthStub(door.channel)
    for name in ("", "parlevel.v1.ForecastService", "parlevel.v1.ModelService"):
        answer = stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=5)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_reflection_lists_the_services_even_beside_idle_streams(door: OpenDoor) -> None:
    stub: Any = reflection_pb2_grpc.ServerReflectionStub(door.channel)
    ask = reflection_pb2.ServerReflectionRequest(list_services="")
    blocked = threading.Event()

    def idle() -> object:
        yield ask
        blocked.wait(5)

    open_stream = stub.ServerReflectionInfo(idle(), timeout=10)
    names = {one.name for one in next(open_stream).list_services_response.service}
    assert {
        "parlevel.v1.ForecastService",
        "parlevel.v1.ReplenishmentService",
        "parlevel.v1.ModelService",
        "grpc.health.v1.Health",
    } <= names
    assert door.demand.ForecastDemand(ASKED, timeout=5).sku == "P1"
    blocked.set()
    open_stream.cancel()


def test_closing_does_not_wait_for_an_open_health_watch(door: OpenDoor) -> None:
    stub: Any = health_pb2_grpc.HealthStub(door.channel)
    watch = stub.Watch(health_pb2.HealthCheckRequest(service=""), timeout=20)
    assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
    begun = time.monotonic()
    door.close()
    assert time.monotonic() - begun < 2
    assert next(watch).status == health_pb2.HealthCheckResponse.NOT_SERVING


def test_a_retired_door_says_so_to_watches_and_still_answers(door: OpenDoor) -> None:
    stub: Any = health_pb2_grpc.HealthStub(door.channel)
    watch = stub.Watch(health_pb2.HealthCheckRequest(service=""), timeout=20)
    assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
    door.await_(door.door.retire())
    assert next(watch).status == health_pb2.HealthCheckResponse.NOT_SERVING
    assert not door.rig.grpc_gate.draining
    assert door.demand.ForecastDemand(ASKED, timeout=5).sku == "P1"


def test_closing_waits_for_calls_in_flight_and_refuses_new_ones(
    door: OpenDoor, failing: Callable[..., Failed]
) -> None:
    release = threading.Event()
    door.rig.demand.hold = lambda: until(release)
    in_flight = door.demand.BatchForecastDemand.future(LONG, timeout=10)
    while not door.rig.grpc_gate.in_flight:
        time.sleep(0.01)
    closing = threading.Thread(target=door.close)
    closing.start()
    while not door.rig.grpc_gate.draining:
        time.sleep(0.01)
    refused = failing(door.demand.ForecastDemand, ASKED)
    release.set()
    closing.join(10)
    assert refused.code is grpc.StatusCode.UNAVAILABLE
    assert "closing" in refused.message
    assert in_flight.result().row_count == 300


@pytest.mark.parametrize("kind", ["asyncio", "threads"])
def test_a_port_in_use_names_the_setting(kind: str) -> None:
    async def open_twice() -> None:
        first = Rig().grpc(kind)
        port = await first.open()
        try:
            await Rig().grpc(kind, port).open()
        finally:
            await first.close(0)

    with pytest.raises(errors.InvalidField, match="PARLEVEL_GRPC_PORT"):
        asyncio.run(open_twice())
