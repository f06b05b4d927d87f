"""A question ready to be sent, and what reading its answer takes."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from google.protobuf.message import DecodeError, Message

from parlevel.client.errors import MalformedAnswer, invalid

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from enum import StrEnum

    from google.protobuf.timestamp_pb2 import Timestamp

    from parlevel.client.options import CallOptions

ValueT = TypeVar("ValueT")
MessageT = TypeVar("MessageT", bound=Message)
NameT = TypeVar("NameT", bound="StrEnum")
NumberT = TypeVar("NumberT", bound=int)


class WireEnum(Protocol[NumberT]):
    """What a generated enum offers."""

    def Name(self, number: NumberT) -> str:  # noqa: N802 - protobuf's name
        """Return the name of a number; ValueError where it has none."""

    def Value(self, name: str) -> NumberT:  # noqa: N802 - protobuf's name
        """Return the number of a name; ValueError where it has none."""

    def values(self) -> list[NumberT]:
        """Return all numbers, zero first."""


@dataclass(frozen=True, slots=True)
class Question(Generic[ValueT]):
    """One call: where it goes, what it carries, and how its answer is read."""

    path: str
    """Full method name, ``/package.Service/Method``."""
    payload: bytes
    """Serialised request."""
    parse: Callable[[bytes], ValueT]
    """Reads a serialised response; raises MalformedAnswer."""
    timeout_seconds: float | None
    """Deadline of the call; None is the client's default."""
    request_id: str | None
    """Id of the call; None is made up."""


@dataclass(frozen=True, slots=True)
class SplitQuestion(Generic[ValueT]):
    """A question too large for one call: its parts in order, and how their answers are joined."""

    parts: tuple[Question[ValueT], ...]
    """The calls; one or more."""
    join: Callable[[Sequence[ValueT]], ValueT]
    """Joins the answers of the parts, in order."""


def question(
    path: str,
    request: Message,
    answer: type[MessageT],
    interpret: Callable[[MessageT], ValueT],
    options: CallOptions,
) -> Question[ValueT]:
    """Make a question.

    Args:
        path: Full method name.
        request: What to send.
        answer: Message type of the response.
        interpret: Turns the response into a value; its ValueError means a broken contract.
        options: Timeout and request id.

    Returns:
        The question.

    Raises:
        InvalidArgument: The timeout is not positive.
    """
    timeout = options.get("timeout_seconds")
    if timeout is not None and not timeout > 0:
        raise invalid("timeout_seconds", "must be above 0")
    return Question(
        path,
        request.SerializeToString(),
        partial(_parse, answer, interpret),
        timeout,
        options.get("request_id"),
    )


def named(value: str, names: type[StrEnum], wire: WireEnum[NumberT], field: str) -> NumberT:
    """Translate the name of an enum value to its number on the wire.

    Args:
        value: A member of ``names``, or its text.
        names: The client's enum.
        wire: The contract's enum, whose names are those of ``names`` with its prefix.
        field: Path of the field as the caller knows it.

    Returns:
        The number.

    Raises:
        InvalidArgument: There is no such name.
    """
    try:
        member = names(value)
    except ValueError as error:
        known = ", ".join(name.value for name in names)
        raise invalid(field, f"must be one of {known}, got {value!r}") from error
    return wire.Value(_prefix(wire) + member.name)


def name_of(number: NumberT, names: type[NameT], wire: WireEnum[NumberT]) -> NameT:
    """Translate an enum value of the wire to its name.

    Args:
        number: As it came.
        names: The client's enum; its member OTHER, where it has one, stands for younger values.
        wire: The contract's enum.

    Returns:
        The member.

    Raises:
        ValueError: The value is younger than this client and ``names`` has no OTHER.
    """
    try:
        return names[wire.Name(number).removeprefix(_prefix(wire))]
    except (ValueError, KeyError):
        return names("other")


def date_of(text: str) -> dt.date:
    """Read a civil date; ValueError where it is none."""
    return dt.date.fromisoformat(text)


def time_of(stamp: Timestamp) -> dt.datetime:
    """Read a point in time as UTC."""
    return stamp.ToDatetime(tzinfo=dt.UTC)


def expect_length(name: str, actual: int, expected: int) -> None:
    """Refuse an array of another length than the contract says.

    Args:
        name: What the array is called.
        actual: Its length.
        expected: The length the contract says.

    Raises:
        ValueError: The lengths differ.
    """
    if actual != expected:
        message = f"{name} has {actual} entries, {expected} were expected"
        raise ValueError(message)


def _parse(
    answer: type[MessageT], interpret: Callable[[MessageT], ValueT], payload: bytes
) -> ValueT:
    """Read a serialised response."""
    try:
        return interpret(answer.FromString(payload))
    except (DecodeError, ValueError) as error:
        raise MalformedAnswer(answer.DESCRIPTOR.full_name, str(error)) from error


def _prefix(wire: WireEnum[NumberT]) -> str:
    """Return what the contract puts before every name of an enum."""
    return wire.Name(wire.values()[0]).removesuffix("UNSPECIFIED")


def as_it_is(answer: MessageT) -> MessageT:
    """Read an answer as the message it is.

    Args:
        answer: As it came.

    Returns:
        The same.
    """
    return answer
