"""The tree of failures and the boundary that makes them."""

from __future__ import annotations

import inspect
import pickle

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2

from parlevel.client import Client, errors
from parlevel.client.status import FAILURES
from tests.clients.conftest import Asker, call
from tests.clients.fake_server import Script, status

ASKED = call("forecast", "S1", "L1", 1)
TREE = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, errors.ParlevelError)
]


def test_every_status_code_but_ok_has_a_failure_of_its_own() -> None:
    assert set(FAILURES) == set(grpc.StatusCode) - {grpc.StatusCode.OK}
    assert len(set(FAILURES.values())) == len(FAILURES)


def test_every_leaf_under_a_failed_call_belongs_to_a_status_code() -> None:
    leaves = {
        kind for kind in TREE if issubclass(kind, errors.CallFailed) and not kind.__subclasses__()
    }
    assert leaves == set(FAILURES.values())


def test_the_tree_in_the_docstring_is_the_tree_of_the_classes() -> None:
    drawn = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        bare = line.lstrip(" │├└─")
        name = bare.split(" ", 1)[0]
        if name not in vars(errors):
            continue
        depth = (len(line) - len(bare)) // 4 - 1
        path = [*path[:depth], name]
        drawn[name] = path[-2] if depth else "Exception"
    assert drawn == {kind.__name__: kind.__mro__[1].__name__ for kind in TREE}


@pytest.mark.parametrize("code", FAILURES, ids=lambda code: code.name)
def test_a_status_arrives_as_its_failure(ask: Asker, script: Script, code: grpc.StatusCode) -> None:
    script.failures.extend([status(code, "no such luck")] * 4)
    with pytest.raises(errors.CallFailed) as caught:
        ask.one(call("get_model", "demand", request_id="r-1"))
    assert type(caught.value) is FAILURES[code]
    assert caught.value.failure == errors.Failure(code.name, "no such luck", request_id="r-1")
    assert isinstance(caught.value.__cause__, grpc.RpcError)


def test_the_details_of_a_failure_arrive(ask: Asker, script: Script) -> None:
    violation = error_details_pb2.BadRequest.FieldViolation(
        field="plan[0].discount", description="must be from 0 to 1"
    )
    info = error_details_pb2.ErrorInfo(
        reason="INVALID_FIELD", domain="parlevel", metadata={"table": "plan"}
    )
    delay = Duration()
    delay.FromMilliseconds(1500)
    script.failures.append(
        status(
            grpc.StatusCode.INVALID_ARGUMENT,
            "the request is not valid",
            info,
            error_details_pb2.BadRequest(field_violations=[violation]),
            error_details_pb2.RetryInfo(retry_delay=delay),
        )
    )
    with pytest.raises(errors.InvalidArgument) as caught:
        ask.one(ASKED)
    failure = caught.value.failure
    assert failure.violations == (errors.FieldViolation("plan[0].discount", "must be from 0 to 1"),)
    assert (failure.reason, failure.domain, failure.facts) == (
        "INVALID_FIELD",
        "parlevel",
        {"table": "plan"},
    )
    assert failure.retry_after_seconds == 1.5
    assert str(caught.value) == (
        "INVALID_ARGUMENT: the request is not valid (plan[0].discount must be from 0 to 1)"
    )


@pytest.mark.parametrize(
    "garbage",
    [
        b"\xff\xff\xff",
        status(grpc.StatusCode.ABORTED, "no such thing").SerializeToString(),
        status(grpc.StatusCode.NOT_FOUND, "another sentence").SerializeToString(),
    ],
    ids=["no message", "another code", "another sentence"],
)
def test_garbled_details_leave_the_code_and_the_message(
    ask: Asker, script: Script, garbage: bytes
) -> None:
    script.garbage = garbage
    with pytest.raises(errors.NotFound) as caught:
        ask.one(ASKED)
    assert caught.value.failure.message == "no such thing"


def test_a_garbled_detail_among_good_ones_is_left_out(ask: Asker, script: Script) -> None:
    rich = status(
        grpc.StatusCode.NOT_FOUND,
        "unknown sku",
        error_details_pb2.BadRequest(),
        error_details_pb2.ErrorInfo(reason="UNKNOWN_SERIES"),
    )
    rich.details[0].value = b"\xff\xff\xff"
    script.failures.append(rich)
    with pytest.raises(errors.NotFound) as caught:
        ask.one(ASKED)
    assert caught.value.failure.reason == "UNKNOWN_SERIES"


@pytest.mark.parametrize("lost", ["forecast", "forecast_batch", "safety_stock"])
def test_an_answer_that_breaks_the_contract_is_refused(
    ask: Asker, script: Script, lost: str
) -> None:
    script.lose_a_value = True
    asked = {
        "forecast": call("forecast", "S1", "L1", 2),
        "forecast_batch": call("forecast_batch", [("S1", "L1")], 2),
        "safety_stock": call("safety_stock", demand_std=1.0, lead_time_days=4.0, service_level=0.9),
    }
    with pytest.raises(errors.MalformedAnswer, match=r"parlevel\.v1\..*breaks the contract"):
        ask.one(asked[lost])


@pytest.mark.parametrize(
    "error",
    [
        errors.invalid("target", "must be one of demand, sales"),
        errors.MalformedAnswer("parlevel.v1.X", "no mean"),
        errors.MissingLibrary("polars"),
        errors.ClientClosed(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_failure_survives_a_process_boundary(error: errors.ParlevelError) -> None:
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert (type(copy), str(copy)) == (type(error), str(error))


def test_a_closed_client_says_so(address: str) -> None:
    client = Client(address)
    client.close()
    with pytest.raises(errors.ClientClosed, match="make a new one"):
        client.list_models()
