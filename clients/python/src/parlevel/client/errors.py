"""Every failure the client can raise, as one tree.

    ParlevelError
    ├── CallFailed                  a question was not answered; ``failure`` says why
    │   ├── RequestRefused          the caller can mend it: the same again fails the same
    │   │   ├── InvalidArgument     a field breaks its rule: see ``failure.violations``
    │   │   ├── OutOfRange          a value beyond what the model was trained for
    │   │   ├── NotFound            no table and no request knows this sku, location or model
    │   │   ├── AlreadyExists       what should be made is there
    │   │   └── FailedPrecondition  an input, a model or fresh features are missing
    │   ├── AccessRefused           who asks is not allowed to
    │   │   ├── Unauthenticated     no valid credentials
    │   │   └── PermissionDenied    valid credentials without this right
    │   ├── TryLater                a later call may succeed: see ``failure.retry_after_seconds``
    │   │   ├── Unavailable         no server answers, or it is closing (was retried)
    │   │   ├── ResourceExhausted   more requests, or larger ones, than the server takes
    │   │   └── Aborted             another change came between
    │   ├── DeadlineExceeded        the time of the call ran out
    │   ├── Cancelled               the call was cancelled on its way
    │   └── ServerFault             the server failed: report it with ``failure.request_id``
    │       ├── Internal            an invariant of the server is broken
    │       ├── DataLoss            the server lost or cannot read data
    │       ├── Unimplemented       the server is older than this client
    │       └── UnknownFailure      the server gave no usable status
    ├── MalformedAnswer             the answer breaks the contract
    ├── MissingLibrary              an optional library is not installed
    └── ClientClosed                a question was asked after ``close``

``parlevel.client.status`` is the one place that turns a gRPC status into one of these.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """One field of the request and the rule it breaks."""

    field: str
    """Dotted path in the request, array index in brackets."""
    requirement: str
    """What the field must be."""


@dataclass(frozen=True, slots=True)
class Failure:
    """What is known of a question that was not answered."""

    code: str
    """Canonical status code, such as ``NOT_FOUND``."""
    message: str
    """One sentence that says what to do."""
    violations: tuple[FieldViolation, ...] = ()
    """Fields that break their rule."""
    reason: str = ""
    """Constant name of the cause, such as ``UNKNOWN_SERIES``; empty where none was sent."""
    domain: str = ""
    """Who defines ``reason``."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """Further data of the cause by name."""
    retry_after_seconds: float | None = None
    """Pause after which a retry is worth trying; None where the server named none."""
    request_id: str = ""
    """Sent as ``x-request-id``; empty where nothing was sent."""


class ParlevelError(Exception):
    """Any failure this client raises on purpose."""


class CallFailed(ParlevelError):
    """A question was not answered."""

    def __init__(self, failure: Failure) -> None:
        """Keep what is known of the failure."""
        super().__init__(failure)
        self.failure = failure

    def __str__(self) -> str:
        """Say the code, the sentence and the fields that break their rule."""
        fields = "; ".join(f"{v.field} {v.requirement}" for v in self.failure.violations)
        told = not fields or fields in self.failure.message
        tail = "" if told else f" ({fields})"
        return f"{self.failure.code}: {self.failure.message}{tail}"


class RequestRefused(CallFailed):
    """What was asked cannot be answered; asking the same again fails the same."""


class InvalidArgument(RequestRefused):
    """A field breaks its rule."""


class OutOfRange(RequestRefused):
    """A value lies beyond what the serving model was trained for."""


class NotFound(RequestRefused):
    """The series, model or service asked about is not known."""


class AlreadyExists(RequestRefused):
    """What should be made is there."""


class FailedPrecondition(RequestRefused):
    """The request is right; an input, a model or fresh features are missing on the server."""


class AccessRefused(CallFailed):
    """Who asks is not allowed to."""


class Unauthenticated(AccessRefused):
    """The call carried no valid credentials."""


class PermissionDenied(AccessRefused):
    """The credentials are valid and lack this right."""


class TryLater(CallFailed):
    """A later call may succeed."""


class Unavailable(TryLater):
    """No server answers, or it is closing; retries within the deadline and budget failed too."""


class ResourceExhausted(TryLater):
    """More requests are in flight, or a message is larger, than the server takes."""


class Aborted(TryLater):
    """Another change came between."""


class DeadlineExceeded(CallFailed):
    """The time of the call ran out before the answer was ready."""


class Cancelled(CallFailed):
    """The call was cancelled on its way."""


class ServerFault(CallFailed):
    """The server failed."""


class Internal(ServerFault):
    """An invariant of the server is broken."""


class DataLoss(ServerFault):
    """The server lost data or cannot read it."""


class Unimplemented(ServerFault):
    """The server has no such method: it is older than this client."""


class UnknownFailure(ServerFault):
    """The server gave no usable status."""


class MalformedAnswer(ParlevelError):
    """The answer breaks the contract."""

    def __init__(self, message: str, breach: str) -> None:
        """Name the message and what is wrong with it."""
        super().__init__(message, breach)
        self.message = message
        self.breach = breach

    def __str__(self) -> str:
        """Say which message breaks the contract, and how."""
        return f"{self.message} breaks the contract: {self.breach}"


class MissingLibrary(ParlevelError):
    """An optional library is not installed."""

    def __init__(self, library: str) -> None:
        """Name the library, which is also the extra that installs it."""
        super().__init__(library)
        self.library = library

    def __str__(self) -> str:
        """Say how to install it."""
        return f"{self.library} is not installed: pip install 'parlevel-client[{self.library}]'"


class ClientClosed(ParlevelError):
    """A question was asked after ``close``."""

    def __str__(self) -> str:
        """Say what to do."""
        return "this client is closed: make a new one"


def invalid(field_name: str, requirement: str) -> InvalidArgument:
    """Make the failure of a field that is refused before anything is sent.

    Args:
        field_name: Path of the field as the caller knows it.
        requirement: What it must be.

    Returns:
        The same type, with the same violation, that the server's refusal would have.
    """
    violation = FieldViolation(field_name, requirement)
    return InvalidArgument(
        Failure("INVALID_ARGUMENT", f"{field_name} {requirement}", violations=(violation,))
    )
