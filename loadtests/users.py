"""The crowd: locust users at both doors, in the numbers a profile asks for.

Locust patches the standard library for gevent when it is imported, so it comes first, and nothing
that opens sockets may be imported before this file.
"""

from __future__ import annotations

import contextlib
import random
import time
from typing import TYPE_CHECKING, Any

from locust import FastHttpUser, LoadTestShape, User, between, task

# isort: split
import grpc
from google.rpc import code_pb2
from grpc.experimental import gevent as grpc_gevent

from loadtests.profiles import users_at
from loadtests.questions import Crowd, Question, values_in

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from locust.env import Environment

    from loadtests.profiles import Stage
    from loadtests.stored_keys import Series

GRPC, HTTP = "grpc", "http"
HEALTH = "/grpc.health.v1.Health/Check"
DEADLINE_SECONDS = 5.0
MOST_ADDED = 100  # users a second; more hold up those already there
THINKING = between(0.5, 1.5)  # seconds between two questions of one user
UNANSWERED = frozenset(
    {code_pb2.UNAVAILABLE, code_pb2.DEADLINE_EXCEEDED, code_pb2.CANCELLED, code_pb2.UNKNOWN}
)
HTTP_OK = 200


class NotAnswered(Exception):
    """No connection, in vain, or too late."""


class WrongAnswer(Exception):
    """An answer, but not the right one."""


def failure_of(question: Question, code: int, values: int | None) -> Exception | None:
    """Return what is wrong with an answer; None where it is right."""
    if question.answered_by(code, values):
        return None
    name = code_pb2.Code.Name(code)
    if code in UNANSWERED:
        return NotAnswered(name)
    wanted = f"{code_pb2.Code.Name(question.code)} with {question.values} values"
    return WrongAnswer(f"{name} with {values} values, not {wanted}")


class GrpcUser(User):
    """Asks at the gRPC door, over a connection of its own."""

    wait_time = THINKING
    crowd: Crowd

    def __init__(self, environment: Environment) -> None:
        """Open the connection."""
        super().__init__(environment)
        self._channel = grpc.insecure_channel(
            str(self.host), options=[("grpc.use_local_subchannel_pool", 1)]
        )

    def on_start(self) -> None:
        """Connect: applications keep a connection, and calls are timed from there on.

        A door that does not open is left for the first of them to tell of.
        """
        check: Callable[..., bytes] = self._channel.unary_unary(HEALTH)
        with contextlib.suppress(grpc.RpcError):
            check(b"", timeout=DEADLINE_SECONDS)

    def on_stop(self) -> None:
        """Close the connection."""
        self._channel.close()

    @task
    def ask(self) -> None:
        """Ask one question and tell locust how it went."""
        question = self.crowd.next()
        call: Callable[..., bytes] = self._channel.unary_unary(question.method)
        body, answer, values, code = question.message(), b"", None, code_pb2.OK
        begun = time.perf_counter()
        try:
            answer = call(body, timeout=DEADLINE_SECONDS)
        except grpc.RpcError as error:
            code = error.code().value[0]
        seconds = time.perf_counter() - begun
        if code == code_pb2.OK:
            values = values_in(question.path, answer)
        self.environment.events.request.fire(
            request_type=GRPC,
            name=question.name,
            response_time=seconds * 1000,
            response_length=len(answer),
            exception=failure_of(question, code, values),
            context={},
        )


class HttpUser(FastHttpUser):
    """Asks at the HTTP door, over a connection of its own."""

    wait_time = THINKING
    connection_timeout = DEADLINE_SECONDS
    network_timeout = DEADLINE_SECONDS
    crowd: Crowd

    @task
    def ask(self) -> None:
        """Ask one question and tell locust how it went."""
        question = self.crowd.next()
        with self.client.post(
            question.path, json=question.body, name=question.name, catch_response=True
        ) as response:
            response.request_meta["request_type"] = HTTP
            failure = _read(question, response)
            if failure is None:
                response.success()
            else:
                response.failure(failure)


def _read(question: Question, response: Any) -> Exception | None:  # noqa: ANN401 - locust has no type for it
    if not response.status_code:  # locust's own sign of a connection that failed
        return NotAnswered(str(response.error))
    try:
        body = response.json()
    except ValueError:
        return WrongAnswer(f"status {response.status_code} without JSON")
    code = code_pb2.OK if response.status_code == HTTP_OK else int(body["code"])
    mean = body.get("mean")
    return failure_of(question, code, None if mean is None else len(mean))


class Staged(LoadTestShape):
    """Follows the stages of a profile and ends with them."""

    def __init__(self, stages: tuple[Stage, ...]) -> None:
        """Take the stages."""
        super().__init__()  # type: ignore[no-untyped-call]
        self._stages = stages

    def tick(self) -> tuple[int, float] | None:
        """Return the users there are now and how many may be added a second; None at the end."""
        users = users_at(self._stages, self.get_run_time())  # type: ignore[no-untyped-call]
        return None if users is None else (users, float(min(users, MOST_ADDED)))


def crowd_at(
    series: Sequence[Series], *, grpc_host: str | None, http_host: str | None
) -> list[type[User]]:
    """Return the kinds of user for a host each; both doors are asked alike where both are named.

    Args:
        series: The series they may ask about.
        grpc_host: Address and port of the gRPC door; nobody goes there where None.
        http_host: URL of the HTTP door; nobody goes there where None.
    """
    grpc_gevent.init_gevent()
    crowd = Crowd(series, random.Random(1))  # noqa: S311 - a repeatable mix, no secret
    kinds: list[type[User]] = []
    if grpc_host is not None:
        kinds.append(type("GrpcUser", (GrpcUser,), {"host": grpc_host, "crowd": crowd}))
    if http_host is not None:
        kinds.append(type("HttpUser", (HttpUser,), {"host": http_host, "crowd": crowd}))
    return kinds
