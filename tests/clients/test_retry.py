"""Deadlines, retries and their budget, through both clients."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2

from parlevel.client import Client, RetryPolicy, errors
from parlevel.client.retry import RetryBudget
from tests.clients.conftest import Asker, call
from tests.clients.fake_server import Script, status

if TYPE_CHECKING:
    from google.rpc.status_pb2 import Status

QUICK = RetryPolicy(initial_backoff_seconds=0.001)
UNAVAILABLE = status(grpc.StatusCode.UNAVAILABLE, "the server is closing")
ASKED = call("forecast", "S1", "L1", 1)


def hinted(seconds: float) -> Status:
    delay = Duration()
    delay.FromMilliseconds(round(seconds * 1e3))
    return status(
        grpc.StatusCode.UNAVAILABLE, "closing", error_details_pb2.RetryInfo(retry_delay=delay)
    )


def test_unavailable_is_retried_under_the_same_request_id(ask: Asker, script: Script) -> None:
    script.failures.extend([UNAVAILABLE, UNAVAILABLE])
    assert ask.one(ASKED, retry=QUICK).mean == (1.0,)
    assert len(script.seen) == 3
    assert len({seen.request_id for seen in script.seen}) == 1


def test_a_request_id_of_the_caller_is_sent(ask: Asker, script: Script) -> None:
    ask.one(call("list_models", request_id="order-7"))
    assert [seen.request_id for seen in script.seen] == ["order-7"]


def test_each_question_has_a_request_id_of_its_own(ask: Asker, script: Script) -> None:
    ask.all([ASKED, ASKED])
    assert len({seen.request_id for seen in script.seen}) == 2


@pytest.mark.parametrize(
    "code",
    [code for code in grpc.StatusCode if code.name not in {"OK", "UNAVAILABLE"}],
    ids=lambda code: code.name,
)
def test_no_other_status_is_retried(ask: Asker, script: Script, code: grpc.StatusCode) -> None:
    script.failures.append(status(code, "no"))
    with pytest.raises(errors.CallFailed) as caught:
        ask.one(ASKED, retry=QUICK)
    assert caught.value.failure.code == code.name
    assert len(script.seen) == 1


def test_retries_end_with_the_attempts_of_the_policy(ask: Asker, script: Script) -> None:
    script.failures.extend([UNAVAILABLE] * 9)
    with pytest.raises(errors.Unavailable, match="UNAVAILABLE: the server is closing"):
        ask.one(ASKED, retry=RetryPolicy(max_attempts=3, initial_backoff_seconds=0.001))
    assert len(script.seen) == 3


def test_the_hint_of_the_server_is_waited_for(ask: Asker, script: Script) -> None:
    script.failures.append(hinted(0.08))
    started = time.monotonic()
    ask.one(ASKED, retry=QUICK)
    assert time.monotonic() - started >= 0.08


def test_a_hint_beyond_the_deadline_is_not_waited_for(ask: Asker, script: Script) -> None:
    script.failures.append(hinted(30.0))
    started = time.monotonic()
    with pytest.raises(errors.Unavailable) as caught:
        ask.one(ASKED, timeout_seconds=5.0)
    assert time.monotonic() - started < 2.0
    assert caught.value.failure.retry_after_seconds == 30.0
    assert len(script.seen) == 1


def test_an_exhausted_budget_ends_retries_and_calls_earn_it_back(
    ask: Asker, script: Script
) -> None:
    policy = RetryPolicy(initial_backoff_seconds=0.001, budget_capacity=1.0, budget_ratio=0.5)
    script.failures.extend([UNAVAILABLE] * 3)
    outcomes = ask.all([ASKED, ASKED, ASKED], retry=policy)
    # The first call spends the one retry and fails, the second has half a retry and fails, the
    # third has earned a whole one, and does not need it.
    assert [type(outcome).__name__ for outcome in outcomes] == [
        "Unavailable",
        "Unavailable",
        "Forecast",
    ]
    assert len(script.seen) == 4


def test_the_budget_adds_no_more_than_its_share_of_load() -> None:
    budget = RetryBudget(ratio=0.1, capacity=10.0)
    retries = 0
    for _ in range(10_000):
        budget.earn()
        retries += budget.spend()
    assert 1_000 <= retries <= 1_010


def test_the_deadline_of_the_client_reaches_the_server(ask: Asker, script: Script) -> None:
    ask.one(ASKED, timeout_seconds=7.0)
    assert script.seen[0].seconds_left == pytest.approx(7.0, abs=0.5)


def test_a_call_may_set_its_own_deadline(ask: Asker, script: Script) -> None:
    ask.one(call("forecast", "S1", "L1", 1, timeout_seconds=30.0))
    assert script.seen[0].seconds_left == pytest.approx(30.0, abs=0.5)


def test_a_call_of_a_batch_has_the_deadline_of_batches(ask: Asker, script: Script) -> None:
    ask.one(call("forecast_batch", [("S1", "L1")], 1))
    assert script.seen[0].seconds_left == pytest.approx(60.0, abs=0.5)


def test_a_retry_has_only_the_time_that_is_left(ask: Asker, script: Script) -> None:
    script.failures.append(hinted(0.1))
    ask.one(ASKED, timeout_seconds=3.0, retry=QUICK)
    first, second = (seen.seconds_left for seen in script.seen)
    assert second < first - 0.05


def test_a_slow_answer_is_a_deadline_exceeded(ask: Asker, script: Script) -> None:
    script.delay_seconds = 0.15
    with pytest.raises(errors.DeadlineExceeded):
        ask.one(call("forecast", "S1", "L1", 1, timeout_seconds=0.04))


def test_a_server_that_is_not_there_is_unavailable() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
        with Client(address, retry=QUICK) as client, pytest.raises(errors.Unavailable):
            client.list_models()


@pytest.mark.parametrize(
    "setting",
    [
        {"max_attempts": 0},
        {"initial_backoff_seconds": -1.0},
        {"max_backoff_seconds": float("nan")},
        {"multiplier": 0.5},
        {"budget_ratio": -0.1},
        {"budget_capacity": -1.0},
    ],
)
def test_a_policy_that_cannot_work_is_refused(setting: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(setting))):
        RetryPolicy(**setting)  # type: ignore[arg-type]
