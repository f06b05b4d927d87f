"""What the gRPC door does with every call, whichever kind of server carries it."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import grpc
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from serving import wire
from serving.errors import MalformedBody, ParlevelError
from serving.grpc.errors import CODES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from google.protobuf.descriptor import ServiceDescriptor
    from google.rpc import status_pb2

    from serving.gate import Call, Gate
    from serving.gather import Gather

REQUEST_ID = "x-request-id"
_log = logging.getLogger(__name__)


class Servicer(Protocol):
    """The methods of one service of the contract, each from message to message."""

    contract: ServiceDescriptor
    # How the methods that are answered together with others are, by name.
    gathered: Mapping[str, Gathered]


class Context(Protocol):
    """What both kinds of server know of a call."""

    def time_remaining(self) -> float | None:
        """Return the seconds left until the caller's deadline; None where there is none."""

    def invocation_metadata(self) -> Iterable[tuple[str, str | bytes]] | None:
        """Return the metadata the caller sent."""

    def peer(self) -> str:
        """Return the address of the caller."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """How a method is answered together with others.

    Attributes:
        read: Turns the request message into the question.
        gather: Gathers questions.
        write: Turns the answer into the response message.
    """

    read: Callable[[Any], Any]
    gather: Gather[Any, Any]
    write: Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Method:
    """One method of the contract.

    Attributes:
        name: Its name in the contract.
        parse: Reads the request message from bytes.
        answer: Turns the request message into the response message.
        gathered: How it does the same together with others; None where that is not to be had.
        batch: Whether the response has a status a row.
        sourced: Whether the response says where it came from.
    """

    name: str
    parse: Callable[[bytes], Message]
    answer: Callable[[Message], Any]
    gathered: Gathered | None
    batch: bool
    sourced: bool


def methods(servicer: Servicer) -> dict[str, Method]:
    """Return the methods of a servicer that answer one request, by name."""
    return {
        method.name: Method(
            name=method.name,
            parse=GetMessageClass(method.input_type).FromString,
            answer=getattr(servicer, method.name),
            gathered=servicer.gathered.get(method.name),
            batch="row_statuses" in method.output_type.fields_by_name,
            sourced="provenance" in method.output_type.fields_by_name,
        )
        for method in servicer.contract.methods
        if not method.client_streaming
    }


def begin(gate: Gate, method: str, context: Context) -> Call:
    """Begin the record of a call: its id and its deadline."""
    request_id = None
    for key, value in context.invocation_metadata() or ():
        if key == REQUEST_ID and isinstance(value, str):
            request_id = value
    call = gate.call(method, context.peer(), request_id)
    remaining = context.time_remaining()
    if remaining is not None:
        call.deadline = call.started + remaining
    return call


def answer(method: Method, call: Call, body: bytes) -> bytes:
    """Answer a call: bytes to message to value, and back.

    Raises:
        ParlevelError: If the call fails with a cause.
    """
    return _write(method, call, method.answer(_read(method, call, body)))


async def answer_gathered(method: Method, gathered: Gathered, call: Call, body: bytes) -> bytes:
    """Answer a call as `answer` does, together with others that wait for the event loop.

    Raises:
        ParlevelError: If the call fails with a cause.
    """
    query = gathered.read(_read(method, call, body))
    found = await gathered.gather.ask(query, call.check_deadline)
    return _write(method, call, gathered.write(found))


def answer_in_turn(method: Method, gathered: Gathered, call: Call, body: bytes) -> bytes:
    """Answer a call as `answer` does, together with those of threads that wait their turn.

    Raises:
        ParlevelError: If the call fails with a cause.
    """
    query = gathered.read(_read(method, call, body))
    found = gathered.gather.wait(query, call.check_deadline)
    return _write(method, call, gathered.write(found))


def _read(method: Method, call: Call, body: bytes) -> Message:
    call.check_deadline()
    try:
        return method.parse(body)
    except DecodeError as error:
        raise MalformedBody(f"the bytes are no request of {method.name}") from error


def _write(method: Method, call: Call, response: Any) -> bytes:  # noqa: ANN401 - any response
    note(method, call, response)
    sent: bytes = response.SerializeToString()
    return sent


def note(method: Method, call: Call, response: Any) -> None:  # noqa: ANN401 - any response
    """Note in the record of a call what its response says."""
    call.rows = len(response.row_statuses) if method.batch else 1
    if method.sourced:
        provenance = response.provenance
        call.model_version = provenance.model_version
        if provenance.HasField("features_age_seconds"):
            call.features_age = provenance.features_age_seconds


def status_of(error: Exception, call: Call) -> status_pb2.Status:
    """Return the status of a failure and note its code; a defect is logged with its trace."""
    call.rows = 0
    if isinstance(error, ParlevelError):
        call.code = CODES[type(error)].name
        return wire.status_of(error)
    _log.error("%s failed, request %s", call.method, call.request_id, exc_info=error)
    call.code = grpc.StatusCode.INTERNAL.name
    return wire.unexpected(call.request_id)
