"""The HTTP door: statuses, bodies, limits, deadlines and pages."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import orjson
import pytest
from google.protobuf import json_format
from google.rpc import status_pb2

from serving import errors, wire
from serving.http.errors import STATUSES
from tests.fakes.doors import Rig
from tests.fakes.failures import FAILURES

FORECAST = "/v1/demand:forecast"
BATCH = "/v1/demand:batchForecast"
ASKED = {"sku": "P1", "location": "S1", "horizon_days": 3}
LONG = {
    "skus": [f"product-{row}" for row in range(300)],
    "locations": ["S1"] * 300,
    "horizon_days": 1,
}


@pytest.fixture
def rig() -> Rig:
    return Rig()


@pytest.mark.parametrize("failure", FAILURES, ids=lambda one: type(one).__name__)
def test_a_failure_arrives_with_its_status_and_the_status_of_the_other_door(
    rig: Rig, failure: errors.ParlevelError
) -> None:
    rig.demand.failure = failure
    answer = rig.post(FORECAST, ASKED)
    assert answer.status == STATUSES[type(failure)]
    sent = json_format.ParseDict(answer.json, status_pb2.Status())
    assert told(sent) == told(wire.status_of(failure))


@pytest.mark.parametrize(("failure", "seconds"), [*zip(FAILURES[-5:-2], "211", strict=True)])
def test_a_busy_door_says_when_to_retry(rig: Rig, failure: Exception, seconds: str) -> None:
    rig.demand.failure = failure
    assert rig.post(FORECAST, ASKED).headers["retry-after"] == seconds


def test_a_defect_is_500_and_keeps_its_trace_to_itself(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    rig.demand.failure = ZeroDivisionError("secret")
    answer = rig.post(FORECAST, ASKED, {"x-request-id": "r-1"})
    assert (answer.status, answer.json["code"]) == (500, 13)
    assert b"secret" not in answer.body
    assert "r-1" in answer.json["message"]
    assert "secret" in caplog.text


@pytest.mark.parametrize(
    ("body", "field", "sentence"),
    [
        (b'{"sku":1}', "sku", "must be a valid string"),
        (b'{"horizon_days":1.5}', "horizon_days", "must be a valid integer"),
        (b'{"plan":[{"date":"2026-04-01","price":NaN}]}', "plan[0].price", "must be a finite"),
        (b'{"history":[{"quantity":Infinity}]}', "history[0].quantity", "must be a finite"),
        (b'{"quantile_levels":[0.5,1e999]}', "quantile_levels[1]", "must be a finite number"),
        (b'{"nonsense":1}', "nonsense", "is no field of this request"),
        (b'{"target":"EVERYTHING"}', "target", "must be one of DEMAND_TARGET_UNSPECIFIED"),
        (b"{}", "sku", "is required"),
    ],
)
def test_a_body_of_another_shape_names_the_field(
    rig: Rig, body: bytes, field: str, sentence: str
) -> None:
    answer = rig.post(FORECAST, body)
    assert answer.status == 400
    violation = answer.json["details"][1]["field_violations"][0]
    assert violation["field"] == field
    assert violation["description"].startswith(f"{field} {sentence}")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"sku":"\xff"}'])
def test_bytes_that_are_no_json_object_are_malformed(rig: Rig, body: bytes) -> None:
    answer = rig.post(FORECAST, body)
    assert answer.status == 400
    assert answer.json["details"][0]["reason"] == "MALFORMED_BODY"


@pytest.mark.parametrize("content_type", ["text/plain", "", "application/x-www-form-urlencoded"])
def test_another_content_type_is_415(rig: Rig, content_type: str) -> None:
    assert rig.post(FORECAST, ASKED, {"content-type": content_type}).status == 415


def test_a_content_type_may_have_parameters(rig: Rig) -> None:
    header = {"content-type": "Application/JSON; charset=utf-8"}
    assert rig.post(FORECAST, ASKED, header).status == 200


def test_a_body_announced_too_large_is_refused_unread(rig: Rig) -> None:
    answer = rig.post(FORECAST, ASKED, {"content-length": str(100 * 1024 * 1024)})
    assert (answer.status, answer.json["code"]) == (413, 8)
    assert answer.headers["connection"] == "close"


def test_a_body_that_grows_too_large_is_refused_while_it_is_read(rig: Rig) -> None:
    pieces = 0
    replies: list[Any] = []

    async def receive() -> dict[str, Any]:
        nonlocal pieces
        pieces += 1
        return {"type": "http.request", "body": b" " * 65_536, "more_body": True}

    async def send(message: Any) -> None:  # noqa: ANN401 - an ASGI message
        replies.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": FORECAST,
        "headers": [(b"content-type", b"application/json")],
        "client": None,
    }
    asyncio.run(rig.http(scope, receive, send))
    assert replies[0]["status"] == 413
    assert pieces == 17  # one beyond the limit of 1 MiB


def test_a_caller_who_leaves_gets_no_answer_and_no_computation(rig: Rig) -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: object) -> None:
        raise AssertionError(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": FORECAST,
        "headers": [(b"content-type", b"application/json")],
        "client": ("::1", 1),
    }
    asyncio.run(rig.http(scope, receive, send))
    assert rig.demand.queries == []
    assert rig.noted.calls[0].code == "CANCELLED"
    assert rig.http_gate.in_flight == 0


@pytest.mark.parametrize("timeout", ["0", "-1", "1.5", "soon", "99999999999", ""])
def test_a_timeout_that_is_no_number_of_milliseconds_is_400(rig: Rig, timeout: str) -> None:
    answer = rig.post(FORECAST, ASKED, {"x-request-timeout-ms": timeout})
    assert answer.status == 400
    assert "x-request-timeout-ms" in answer.json["message"]


def test_an_answer_that_takes_longer_than_the_deadline_is_504(rig: Rig) -> None:
    rig.demand.hold = lambda: time.sleep(0.3)
    begun = time.monotonic()

    async def ask() -> int:
        answer = await rig.send(BATCH, orjson.dumps(LONG), {"x-request-timeout-ms": "50"})
        return answer.status if time.monotonic() - begun < 0.25 else 0

    assert asyncio.run(ask()) == 504


def test_a_request_whose_deadline_passed_in_the_queue_is_not_computed(rig: Rig) -> None:
    release = threading.Event()
    rig.demand.hold = lambda: _wait(release)

    async def ask() -> int:
        raw = orjson.dumps(LONG)
        busy = [asyncio.create_task(rig.send(BATCH, raw)) for _ in range(2)]
        while len(rig.demand.queries) < 2:  # noqa: ASYNC110 - threads add to it
            await asyncio.sleep(0.01)
        late = await rig.send(BATCH, raw, {"x-request-timeout-ms": "50"})
        release.set()
        await asyncio.gather(*busy)
        return late.status

    assert asyncio.run(ask()) == 504
    assert len(rig.demand.queries) == 2


def test_requests_beyond_the_limit_are_429_and_those_of_a_draining_door_503() -> None:
    rig = Rig(limit=1)
    release = threading.Event()
    rig.demand.hold = lambda: _wait(release)

    async def ask() -> tuple[int, int, int]:
        raw = orjson.dumps(LONG)
        first = asyncio.create_task(rig.send(BATCH, raw))
        while not rig.demand.queries:  # noqa: ASYNC110 - a thread adds to it
            await asyncio.sleep(0.01)
        crowded = await rig.send(BATCH, raw)
        rig.http_gate.drain()
        drained = await rig.send(BATCH, raw)
        release.set()
        return (await first).status, crowded.status, drained.status

    assert asyncio.run(ask()) == (200, 429, 503)


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
def test_a_question_is_posted(rig: Rig, method: str) -> None:
    answer = asyncio.run(rig.send(FORECAST, method=method))
    assert (answer.status, answer.headers["allow"]) == (405, "POST")


def test_pages_are_read_and_only_read(rig: Rig) -> None:
    page = asyncio.run(rig.send("/livez", method="GET"))
    assert (page.status, page.body) == (200, b"live\n")
    assert asyncio.run(rig.send("/livez", method="POST")).headers["allow"] == "GET, HEAD"
    assert asyncio.run(rig.send("/gone", method="GET")).status == 503


@pytest.mark.parametrize("path", ["/", "/docs.json", "/schema.json", "/v1/demand", "/static"])
def test_every_other_path_is_404_in_our_form(rig: Rig, path: str) -> None:
    answer = rig.post(path, {})
    assert (answer.status, answer.json["details"][0]["reason"]) == (404, "UNKNOWN_ROUTE")


@pytest.mark.parametrize("sent", ["caller-1", None, "", "x" * 200, "a\tb"])
def test_a_request_id_is_echoed_where_it_is_fit_and_made_where_not(
    rig: Rig, sent: str | None
) -> None:
    header = {} if sent is None else {"x-request-id": sent}
    echoed = rig.post(FORECAST, ASKED, header).headers["x-request-id"]
    assert echoed == rig.noted.calls[0].request_id
    assert (echoed == sent) is (sent == "caller-1")


def test_equal_questions_get_equal_bytes(rig: Rig) -> None:
    assert rig.post(FORECAST, ASKED).body == rig.post(FORECAST, ASKED).body
    failed = {**ASKED, "horizon_days": 91}
    assert rig.post(FORECAST, failed).body == rig.post(FORECAST, failed).body


def test_each_request_is_noted_once_with_what_it_was(rig: Rig) -> None:
    rig.post(FORECAST, ASKED)
    rig.post(BATCH, LONG)
    rig.post(FORECAST, {**ASKED, "sku": "nobody"})
    first, second, third = rig.noted.calls
    assert (first.method, first.code, first.rows) == ("ForecastDemand", "OK", 1)
    assert (first.model_version, first.features_age) == ("7", 3600)
    assert second.rows == 300
    assert (third.code, third.rows, third.peer) == ("NOT_FOUND", 0, "127.0.0.1:4242")


def told(status: status_pb2.Status) -> dict[str, Any]:
    """Return a status as plain values: the bytes of its details may order facts differently."""
    plain: dict[str, Any] = json_format.MessageToDict(status)
    return plain


def _wait(release: threading.Event) -> None:
    assert release.wait(5)
