"""The HTTP door: a plain ASGI application, JSON bytes in and JSON bytes out."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
from google.rpc import code_pb2
from pydantic import ValidationError

from serving import wire
from serving.errors import (
    DeadlineExceeded,
    InvalidField,
    ParlevelError,
    TooLarge,
    UnknownRoute,
    UnsupportedMedia,
)
from serving.gate import INLINE_BYTES
from serving.http.contract import methods
from serving.http.errors import (
    INTERNAL,
    STATUSES,
    WRONG_METHOD,
    body_of,
    failure_of,
    headers_of,
)
from serving.http.routes import ROUTES

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, MutableMapping
    from concurrent.futures import Executor

    from google.rpc import status_pb2

    from serving.gate import Call, Flows, Gate
    from serving.http.routes import Route
    from serving.http.shape import Shape

    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]
    Headers = list[tuple[bytes, bytes]]

MIB = 1024 * 1024
JSON = b"application/json"
UNKNOWN = "unknown"  # method in logs and metrics of a path nobody answers
MAX_TIMEOUT_DIGITS = 9
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Page:
    """What a GET path shows.

    Attributes:
        content_type: Media type of the body.
        read: Returns the body, or None where it is not to be had now.
    """

    content_type: bytes
    read: Callable[[], bytes | None]


class Endpoint(NamedTuple):
    """One method of the contract at its path."""

    name: str
    route: Route


class Sent(NamedTuple):
    """The headers of a request that matter."""

    content_type: bytes
    length: bytes
    request_id: str | None
    timeout: bytes | None


class Reply(NamedTuple):
    """A response on its way out."""

    status: int
    body: bytes
    headers: Headers


class CallerLeft(Exception):
    """The caller closed the connection before its body was complete."""


class HttpDoor:
    """Answers every path of the HTTP port."""

    def __init__(
        self,
        flows: Flows,
        gate: Gate,
        executor: Executor,
        pages: Mapping[str, Page],
        *,
        max_message_mib: int,
    ) -> None:
        """Take what answers, who admits, who takes long requests, GET pages and the body limit."""
        self._flows = flows
        self._gate = gate
        self._executor = executor
        self._pages = pages
        self._limit = max_message_mib * MIB
        names = {path: method.name for path, method in methods().items()}
        self._endpoints = {path: Endpoint(names[path], route) for path, route in ROUTES.items()}

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request; other kinds of connection are closed."""
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1000})
            return
        endpoint = self._endpoints.get(scope["path"])
        if endpoint is None and scope["path"] in self._pages:
            await _respond(send, self._page(scope), None)
            return
        sent = _sent(scope["headers"])
        name = UNKNOWN if endpoint is None else endpoint.name
        host, port = scope["client"] or ("", 0)
        call = self._gate.call(name, f"{host}:{port}", sent.request_id)
        try:
            reply = await self._reply(endpoint, call, sent, scope, receive)
            await _respond(send, reply, call.request_id)
        except CallerLeft:
            call.code = "CANCELLED"
        finally:
            self._gate.report(call)

    def _page(self, scope: Message) -> Reply:
        page = self._pages[scope["path"]]
        if scope["method"] not in {"GET", "HEAD"}:
            return _wrong_method("GET, HEAD")
        body = page.read()
        if body is None:
            return Reply(503, b"", [(b"content-type", page.content_type)])
        return Reply(200, body, [(b"content-type", page.content_type)])

    async def _reply(
        self, endpoint: Endpoint | None, call: Call, sent: Sent, scope: Message, receive: Receive
    ) -> Reply:
        try:
            known = _known(endpoint, scope["path"])
            if scope["method"] != "POST":
                call.code = "UNIMPLEMENTED"
                return _wrong_method("POST")
            with self._gate.admit():
                body = await self._answer(known, call, sent, receive)
        except ParlevelError as error:
            call.rows = 0
            status = wire.status_of(error)
            call.code = code_pb2.Code.Name(status.code)
            return _failure(STATUSES[type(error)], status, headers_of(error))
        except CallerLeft:
            raise
        except Exception:  # noqa: BLE001 - the boundary: a defect gets a status, and its trace stays here
            _log.exception("%s failed, request %s", call.method, call.request_id)
            call.rows, call.code = 0, "INTERNAL"
            return _failure(INTERNAL, wire.unexpected(call.request_id), [])
        return Reply(200, body, [(b"content-type", JSON)])

    async def _answer(self, endpoint: Endpoint, call: Call, sent: Sent, receive: Receive) -> bytes:
        if sent.content_type.partition(b";")[0].strip().lower() != JSON:
            raise UnsupportedMedia(sent.content_type.decode("latin-1"))
        if sent.timeout is not None:
            call.deadline = call.started + _seconds(sent.timeout)
        if sent.length.isdigit() and int(sent.length) > self._limit:
            raise TooLarge("body bytes", limit=self._limit)
        body = await self._body(receive)
        if len(body) <= INLINE_BYTES:
            gathered = endpoint.route.gathered
            if gathered is None:
                return self._work(endpoint, call, body)
            return _written(call, await gathered(self._flows, _read(endpoint, call, body), call))
        future = asyncio.get_running_loop().run_in_executor(
            self._executor, self._work, endpoint, call, body
        )
        if call.deadline is not None:
            left = max(0.0, call.deadline - time.monotonic())
            done, _ = await asyncio.wait((future,), timeout=left)
            if not done:
                future.cancel()  # where it has not begun, it never will
                raise DeadlineExceeded("the deadline passed before the answer was ready")
        return await future

    def _work(self, endpoint: Endpoint, call: Call, body: bytes) -> bytes:
        return _written(call, endpoint.route.answer(self._flows, _read(endpoint, call, body)))

    async def _body(self, receive: Receive) -> bytes:
        parts: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise CallerLeft
            part = message.get("body", b"")
            if not message.get("more_body", False):
                return b"".join((*parts, part)) if parts else part
            parts.append(part)
            size += len(part)
            if size > self._limit:
                raise TooLarge("body bytes", limit=self._limit)


def _known(endpoint: Endpoint | None, path: str) -> Endpoint:
    if endpoint is None:
        raise UnknownRoute(path)
    return endpoint


def _sent(headers: Headers) -> Sent:
    content_type, length, request_id, timeout = b"", b"", None, None
    for name, value in headers:
        if name == b"content-type":
            content_type = value
        elif name == b"content-length":
            length = value
        elif name == b"x-request-id":
            request_id = value.decode("latin-1")
        elif name == b"x-request-timeout-ms":
            timeout = value
    return Sent(content_type, length, request_id, timeout)


def _read(endpoint: Endpoint, call: Call, body: bytes) -> Shape:
    call.check_deadline()
    try:
        return endpoint.route.request.model_validate_json(body)
    except ValidationError as error:
        raise failure_of(error) from None


def _written(call: Call, answer: dict[str, Any]) -> bytes:
    call.rows = len(answer["row_statuses"]) if "row_statuses" in answer else 1
    provenance = answer.get("provenance")
    if provenance is not None:
        call.model_version = provenance["model_version"]
        call.features_age = provenance.get("features_age_seconds")
    return orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY, default=_plain)


def _seconds(timeout: bytes) -> float:
    if not (timeout.isdigit() and len(timeout) <= MAX_TIMEOUT_DIGITS and int(timeout)):
        raise InvalidField("x-request-timeout-ms", "must be a whole number of milliseconds above 0")
    return int(timeout) / 1000


def _plain(value: Any) -> list[Any]:  # noqa: ANN401 - what orjson hands over, has no type
    """Return an array that is not contiguous, which orjson leaves to its caller, as a list."""
    plain: list[Any] = value.tolist()
    return plain


def _failure(code: int, status: status_pb2.Status, headers: Headers) -> Reply:
    body = orjson.dumps(body_of(status), option=orjson.OPT_SORT_KEYS)  # maps have no order
    return Reply(code, body, [(b"content-type", JSON), *headers])


def _wrong_method(allowed: str) -> Reply:
    return _failure(WRONG_METHOD, wire.wrong_method(allowed), [(b"allow", allowed.encode())])


async def _respond(send: Send, reply: Reply, request_id: str | None) -> None:
    headers = [*reply.headers, (b"content-length", b"%d" % len(reply.body))]
    if request_id is not None:
        headers.append((b"x-request-id", request_id.encode("latin-1", "replace")))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})
