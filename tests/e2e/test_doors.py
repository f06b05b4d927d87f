"""The real service in a process of its own, with no model yet: started, asked and stopped."""

from __future__ import annotations

import re
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import grpc
import orjson
import pytest
from google.protobuf import json_format
from grpc_health.v1 import health_pb2, health_pb2_grpc

from parlevel.v1 import demand_pb2, demand_pb2_grpc, replenishment_pb2, replenishment_pb2_grpc
from tests.fakes.ports import free_port
from tests.fakes.service import JSON, Service

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.e2e

POLICY = {
    "economic_order_quantity": {"annual_demand": 1000, "ordering_cost": 50, "holding_cost": 3}
}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    running = Service(tmp_path_factory.mktemp("home"), free_port(), free_port())
    started = running.run("start")
    assert started.returncode == 0, started.stderr
    yield running
    running.run("stop")


@pytest.fixture
def channel(service: Service) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(f"127.0.0.1:{service.grpc}") as opened:
        yield opened


def test_both_doors_are_open_and_say_so(service: Service, channel: grpc.Channel) -> None:
    assert service.ask("GET", "/readyz") == (200, b"ready\n")
    stub: Any = health_pb2_grpc.HealthStub(channel)
    health = stub.Check(health_pb2.HealthCheckRequest(), timeout=5)
    assert health.status == health_pb2.HealthCheckResponse.SERVING


def test_a_formula_is_the_same_on_both_doors(service: Service, channel: grpc.Channel) -> None:
    status, body = service.ask("POST", "/v1/policy:compute", orjson.dumps(POLICY), JSON)
    stub = replenishment_pb2_grpc.ReplenishmentServiceStub(channel)
    request = json_format.ParseDict(POLICY, replenishment_pb2.ComputePolicyRequest())
    answer = stub.ComputePolicy(request, timeout=5)
    assert status == 200
    assert json_format.Parse(body, replenishment_pb2.ComputePolicyResponse()) == answer


def test_without_a_model_the_door_names_the_command(
    service: Service, channel: grpc.Channel
) -> None:
    question: dict[str, Any] = {"sku": "P1", "location": "S1", "horizon_days": 7}
    status, body = service.ask("POST", "/v1/demand:forecast", orjson.dumps(question), JSON)
    stub = demand_pb2_grpc.ForecastServiceStub(channel)
    with pytest.raises(grpc.RpcError) as caught:
        stub.ForecastDemand(demand_pb2.ForecastDemandRequest(**question), timeout=5)
    error: Any = caught.value
    assert (status, error.code()) == (409, grpc.StatusCode.FAILED_PRECONDITION)
    assert orjson.loads(body)["message"] == error.details()
    assert "parlevel train" in error.details()


@pytest.mark.parametrize("path", ["/", "/docs.json", "/schema.json", "/static_content/index.css"])
def test_the_pages_of_the_framework_are_not_there(service: Service, path: str) -> None:
    status, body = service.ask("GET", path)
    assert status == 404
    assert orjson.loads(body)["code"] == 5


def test_a_body_of_100_mib_is_refused_before_it_is_sent(service: Service) -> None:
    head = {**JSON, "content-length": str(100 * 1024 * 1024)}
    assert service.ask("POST", "/v1/demand:forecast", b"{", head)[0] == 413


def test_metrics_and_logs_tell_of_each_request(service: Service) -> None:
    service.ask("POST", "/v1/policy:compute", orjson.dumps(POLICY), {**JSON, "x-request-id": "me"})
    _, page = service.ask("GET", "/metrics")
    assert b'parlevel_request_seconds_count{door="http"' in page
    assert b"process_resident_memory_bytes" in page
    time.sleep(0.3)  # lines are written in batches
    lines = service.run("logs", "-n", "500").stdout.splitlines()
    (line,) = [one for one in map(orjson.loads, lines) if one.get("request_id") == "me"]
    assert (line["door"], line["method"], line["code"]) == ("http", "ComputePolicy", "OK")


def test_starting_twice_says_so_and_is_no_failure(service: Service) -> None:
    again = service.run("start")
    assert again.returncode == 0
    assert "already running" in again.stdout
    assert "running, ready" in service.run("status").stdout


@pytest.mark.parametrize("door", ["http", "grpc"])
def test_a_port_in_use_is_a_sentence_naming_the_setting(
    service: Service, tmp_path: Path, door: str
) -> None:
    taken = f"PARLEVEL_{door.upper()}_PORT"
    other = Service(tmp_path, free_port(), free_port())
    failed = other.run("start", **{taken: str(getattr(service, door))})
    assert failed.returncode != 0
    assert re.search(rf"{taken} must name a free port", failed.stderr)


def test_the_health_watch_is_told_while_http_still_finishes_what_is_in_flight(
    tmp_path: Path,
) -> None:
    service = Service(tmp_path, free_port(), free_port())
    assert service.run("start").returncode == 0
    body = orjson.dumps(POLICY)
    head = (
        "POST /v1/policy:compute HTTP/1.1\r\nhost: here\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    with (
        grpc.insecure_channel(f"127.0.0.1:{service.grpc}") as channel,
        socket.create_connection(("127.0.0.1", service.http), timeout=10) as held,
        ThreadPoolExecutor(1) as stopping,
    ):
        stub: Any = health_pb2_grpc.HealthStub(channel)
        watch = stub.Watch(health_pb2.HealthCheckRequest())
        assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
        held.sendall(head.encode() + body[:-1])
        time.sleep(0.2)  # its head has arrived
        stopped = stopping.submit(service.run, "stop")
        assert next(watch).status == health_pb2.HealthCheckResponse.NOT_SERVING
        policies = replenishment_pb2_grpc.ReplenishmentServiceStub(channel)
        request = json_format.ParseDict(POLICY, replenishment_pb2.ComputePolicyRequest())
        assert policies.ComputePolicy(request, timeout=5).HasField("economic_order_quantity")
        assert not stopped.done(), "HTTP still has a request in flight"
        held.sendall(body[-1:])
        assert held.recv(4096).startswith(b"HTTP/1.1 200 ")
        assert stopped.result(10).returncode == 0


def test_stopping_is_quick_beside_an_open_health_watch(tmp_path: Path) -> None:
    service = Service(tmp_path, free_port(), free_port())
    assert service.run("status").returncode == 3
    assert service.run("start").returncode == 0
    with grpc.insecure_channel(f"127.0.0.1:{service.grpc}") as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        watch = stub.Watch(health_pb2.HealthCheckRequest())
        next(watch)
        begun = time.monotonic()
        stopped = service.run("stop")
        assert time.monotonic() - begun < 5
    assert "stopped" in stopped.stdout
    assert "not running" in service.run("stop").stdout
    assert service.run("status").returncode == 3
