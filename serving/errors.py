"""Every failure Parlevel can answer with, as one tree.

    ParlevelError
    ├── InvalidRequest            the caller can mend it: what was sent is wrong
    │   ├── InvalidField          one field, and what is required of it
    │   ├── BeyondTrained         a value outside what the model was trained for
    │   ├── MalformedBody         the bytes are no message at all
    │   ├── UnsupportedMedia      the body is of another content type
    │   └── TooLarge              the message or the batch exceeds its limit
    ├── NotFound
    │   ├── UnknownSeries         no table and no request says anything of this sku or location
    │   ├── UnknownModel          no release of that name
    │   └── UnknownRoute          no method at that path
    ├── NotReady                  the caller's request is fine, the state is not
    │   ├── MissingInput          neither the request nor a table has a needed input
    │   ├── NoModel               nothing has been promoted yet
    │   ├── NoFeatures            nothing has been materialised yet
    │   ├── FeatureSetMismatch    the features were materialised for another model
    │   ├── BrokenRecord          a stored feature record cannot be read
    │   └── StaleFeatures         the features are older than their view allows
    ├── Busy                      a later retry may succeed
    │   ├── Overloaded            more requests than the server takes at once
    │   └── Draining              the server is closing or swapping
    ├── DeadlineExceeded          the caller's time ran out
    └── ReleaseRefused            a release failed a check and is not served

Errors carry data and a sentence that says what to do; they know nothing of status codes.
Each door maps every leaf to its own status in one table.
"""

from __future__ import annotations


class ParlevelError(Exception):
    """Any failure with a cause the caller or operator can act on."""


class InvalidRequest(ParlevelError):
    """What was sent is wrong; sending the same again fails the same."""


class InvalidField(InvalidRequest):
    """One field breaks its rule."""

    def __init__(self, field: str, requirement: str) -> None:
        """Name the field (dotted path, array index in brackets) and what it must be."""
        super().__init__(f"{field} {requirement}")
        self.field = field
        self.requirement = requirement


class BeyondTrained(InvalidRequest):
    """A value lies outside the range the serving model was trained for."""

    def __init__(self, field: str, *, limit: str) -> None:
        """Name the field and the trained range it must stay in."""
        super().__init__(f"{field} must be {limit}: the serving model was trained no further")
        self.field = field
        self.limit = limit


class MalformedBody(InvalidRequest):
    """The body cannot be parsed."""


class UnsupportedMedia(InvalidRequest):
    """The body is not of the content type this door reads."""

    def __init__(self, content_type: str) -> None:
        """Name the content type that was sent."""
        super().__init__(f"content type must be application/json, got {content_type or 'none'}")
        self.content_type = content_type


class TooLarge(InvalidRequest):
    """A message or batch is larger than its limit."""

    def __init__(self, what: str, *, limit: int) -> None:
        """Name what is too large and the limit in its own unit."""
        super().__init__(f"{what} must be at most {limit:,}: split the request")
        self.what = what
        self.limit = limit


class NotFound(ParlevelError):
    """The thing asked about does not exist."""


class UnknownSeries(NotFound):
    """Neither a table nor the request says anything of this sku or location."""

    def __init__(self, field: str, value: str) -> None:
        """Name the field (``sku`` or ``location``) and the value nobody knows."""
        super().__init__(
            f"{field} {value!r} is in no table: import it, or send its attributes in the request"
        )
        self.field = field
        self.value = value


class UnknownModel(NotFound):
    """No release of that name or version."""

    def __init__(self, name: str) -> None:
        """Name the model that was asked for."""
        super().__init__(f"model {name!r} has no release: see `parlevel models list`")
        self.name = name


class UnknownRoute(NotFound):
    """No method answers at that path."""

    def __init__(self, path: str) -> None:
        """Name the path."""
        super().__init__(f"no method at {path}: see /openapi.json")
        self.path = path


class NotReady(ParlevelError):
    """The request is right, the state it needs is not there; a bare retry does not help."""


class MissingInput(NotReady):
    """A needed input is neither in the request nor in a table."""

    def __init__(self, field: str, table: str) -> None:
        """Name the request field and the table that may supply it."""
        super().__init__(f"{field} is needed: send it in the request or import table {table!r}")
        self.field = field
        self.table = table


class NoModel(NotReady):
    """Nothing has been promoted under that name yet."""

    def __init__(self, name: str, command: str) -> None:
        """Name the model and the command that makes one."""
        super().__init__(f"no {name} model is promoted: run `{command}`")
        self.name = name
        self.command = command


class NoFeatures(NotReady):
    """Nothing has been materialised yet."""

    def __init__(self) -> None:
        """Say which command materialises features."""
        super().__init__("no features are stored: run `parlevel features materialize`")


class FeatureSetMismatch(NotReady):
    """The stored features were materialised for another feature set than the model reads."""

    def __init__(self, *, asked: str, stored: str) -> None:
        """Name the hash the model reads and the hash of what is stored."""
        super().__init__(
            f"the model reads feature set {asked}, stored is {stored}: "
            "run `parlevel features materialize`"
        )
        self.asked = asked
        self.stored = stored


class BrokenRecord(NotReady):
    """A stored feature record is damaged."""

    def __init__(self, view: str, key: str) -> None:
        """Name the view and the entity whose record cannot be read."""
        super().__init__(
            f"the record of {key} in view {view!r} is damaged: run `parlevel features materialize`"
        )
        self.view = view
        self.key = key


class StaleFeatures(NotReady):
    """The stored features are older than their view allows."""

    def __init__(self, view: str, *, age_seconds: int, limit_seconds: int) -> None:
        """Name the view, the age of its features and the age it allows, in seconds."""
        super().__init__(
            f"features of view {view!r} are {age_seconds / 3600:.1f} h old, "
            f"at most {limit_seconds / 3600:.1f} h are allowed: run `parlevel features materialize`"
        )
        self.view = view
        self.age_seconds = age_seconds
        self.limit_seconds = limit_seconds


class Busy(ParlevelError):
    """The server cannot take the request now; retry after a pause."""

    def __init__(self, message: str, *, retry_after_seconds: float) -> None:
        """Say why, and after how many seconds a retry is worth trying."""
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class Overloaded(Busy):
    """More requests are in flight than the server takes."""


class Draining(Busy):
    """The server is closing; another replica answers."""


class DeadlineExceeded(ParlevelError):
    """The caller's deadline passed before the answer was ready."""


class ReleaseRefused(ParlevelError):
    """A release failed a check and is not served."""

    def __init__(self, release: str, reason: str) -> None:
        """Name the release and the check it failed."""
        super().__init__(f"release {release} is refused: {reason}")
        self.release = release
        self.reason = reason
