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
    │   ├── UnknownSupplier       no past order is of that supplier
    │   ├── UnknownUnit           no table says anything of that unit of an experiment
    │   ├── UnknownModel          no release of that name
    │   └── UnknownRoute          no method at that path
    ├── NotReady                  the caller's request is fine, the state is not
    │   ├── MissingInput          neither the request nor a table has a needed input
    │   ├── MissingRate           a rate or price has no row for the day it is needed
    │   ├── NoModel               nothing has been promoted yet, or it was refused
    │   ├── NoFeatures            nothing has been materialised yet
    │   ├── FeatureSetMismatch    the features were materialised for another model
    │   ├── BrokenRecord          a stored feature record cannot be read
    │   ├── StaleFeatures         the features are older than their view allows
    │   ├── TooFewObservations    the data are too few for what is asked of them
    │   ├── NoSignal              the last training found nothing to tell units apart by
    │   ├── SampleRatioMismatch   an experiment's arms hold other shares than meant
    │   └── NothingMeasured       no profile, no traffic or no accuracy is at hand yet
    ├── Busy                      a later retry may succeed
    │   ├── Overloaded            more requests than the server takes at once
    │   ├── Draining              the server is closing or swapping
    │   └── StoreUnavailable      the shared store of features does not answer
    ├── DeadlineExceeded          the caller's time ran out
    └── ReleaseRefused            a release failed a check and is not served

Errors carry data and a sentence that says what to do; they know nothing of status codes.
Each door maps every leaf to its own status in one table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import datetime as dt


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


class UnknownSupplier(NotFound):
    """No past order is of that supplier."""

    def __init__(self, field: str, value: str) -> None:
        """Name the field and the supplier nobody ordered from."""
        super().__init__(f"{field} {value!r} has no order: import table 'purchase_orders'")
        self.field = field
        self.value = value


class UnknownUnit(NotFound):
    """No table says anything of a unit, and the request does not say all."""

    def __init__(self, field: str, value: str) -> None:
        """Name the field and the unit nobody knows."""
        super().__init__(
            f"{field} {value!r} is not in table 'experiment': import it, or send its covariates"
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


class MissingRate(NotReady):
    """A rate or price has no row for the day it is needed; it is never taken as 0."""

    def __init__(self, what: str, day: dt.date, table: str) -> None:
        """Name the rate, the day and the table that should have it."""
        super().__init__(f"no {what} on {day}: import it as table {table!r}, or send it")
        self.what = what
        self.day = day
        self.table = table


class NoModel(NotReady):
    """Nothing serves under that name: nothing has been promoted yet, or what was is refused."""

    def __init__(self, name: str, command: str, *, refused: str = "") -> None:
        """Name the model, the command that makes one, and why the promoted one was refused."""
        super().__init__(
            f"no {name} model serves: {refused}"
            if refused
            else f"no {name} model is promoted: run `{command}`"
        )
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


class TooFewObservations(NotReady):
    """The data are too few for what is asked of them."""

    def __init__(self, what: str, *, found: int, least: int) -> None:
        """Name what is too few, how many there are and how many it takes."""
        super().__init__(f"{found} {what} are too few: {least} or more are needed")
        self.what = what
        self.found = found
        self.least = least


class NoSignal(NotReady):
    """The last training of a model found nothing better than chance, so nothing is served."""

    def __init__(self, name: str, *, version: str, figure: str) -> None:
        """Name the model, the version that was trained and the figure that includes chance."""
        super().__init__(
            f"no {name} model is promoted: version {version} shows no signal ({figure}); its "
            "ranking would be noise: run an experiment with more units or other covariates"
        )
        self.name = name
        self.version = version
        self.figure = figure


class SampleRatioMismatch(NotReady):
    """The arms of an experiment hold other shares of units than meant, unacknowledged."""

    def __init__(self, *, treated: int, rows: int, p_value: float) -> None:
        """Name the treated and all units, and the p-value of the check."""
        super().__init__(
            f"{treated} of {rows} units are treated, which is not the share that was meant "
            f"(p = {p_value:.1e}): find the cause, or acknowledge the mismatch to go on"
        )
        self.treated = treated
        self.rows = rows
        self.p_value = p_value


class NothingMeasured(NotReady):
    """What a judgement rests on has not been measured yet."""

    def __init__(self, what: str, remedy: str) -> None:
        """Name what is not at hand and what brings it about."""
        super().__init__(f"{what}: {remedy}")
        self.what = what
        self.remedy = remedy


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


class StoreUnavailable(Busy):
    """The shared store of features does not answer, or lost what was read from it."""

    def __init__(self, store: str, reason: str, remedy: str) -> None:
        """Name the store, without credentials, what is wrong with it, and what to do."""
        super().__init__(f"the online store {store} {reason}: {remedy}", retry_after_seconds=1.0)
        self.store = store
        self.reason = reason
        self.remedy = remedy


class DeadlineExceeded(ParlevelError):
    """The caller's deadline passed before the answer was ready."""


class ReleaseRefused(ParlevelError):
    """A release failed a check and is not served."""

    def __init__(self, release: str, reason: str) -> None:
        """Name the release and the check it failed."""
        super().__init__(f"release {release} is refused: {reason}")
        self.release = release
        self.reason = reason
