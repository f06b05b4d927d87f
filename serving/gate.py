"""What both doors do with a request beside reading it: admit it, time it, report it."""

from __future__ import annotations

import itertools
import secrets
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from serving.errors import DeadlineExceeded, Draining, Overloaded

if TYPE_CHECKING:
    from serving.domain.demand import Forecast, ForecastQuery
    from serving.domain.replenishment import Reorder, ReorderQuery
    from serving.domain.uplift import UnitsQuery, Uplift
    from serving.flows.anomaly import AnomalyFlow
    from serving.flows.cost import CostFlow
    from serving.flows.cost_analysis import CostAnalysisFlow
    from serving.flows.demand import DemandFlow
    from serving.flows.drift import DriftFlow
    from serving.flows.experiment import ExperimentFlow
    from serving.flows.model import ModelFlow
    from serving.flows.replenishment import ReplenishmentFlow
    from serving.flows.supplier import SupplierFlow
    from serving.flows.uplift import UpliftFlow
    from serving.gather import Gather

# A body up to this size (about forty batch rows or a month of history) is answered on the event
# loop: a hop to a thread costs more than it takes. Longer ones would hold up the others.
INLINE_BYTES = 1024
RETRY_SECONDS = 1.0
MAX_REQUEST_ID = 128


@dataclass(frozen=True, slots=True)
class Flows:
    """The request paths both doors lead to.

    Attributes:
        demand: Answers the demand questions.
        replenishment: Answers the replenishment questions.
        cost: Answers what parts should cost.
        cost_analysis: Answers the cost questions that need no model.
        supplier: Answers the questions about suppliers.
        model: Answers the questions about models.
        forecasts: Gathers the forecasts of one series that both doors are asked for.
        reorders: Gathers the recommendations for one series that both doors are asked for.
        experiment: Answers the questions about experiments.
        uplift: Answers the questions about uplift.
        uplifts: Gathers the questions about effects that both doors are asked.
        anomaly: Answers the questions about anomalies.
        drift: Answers the questions about drift.
    """

    demand: DemandFlow
    replenishment: ReplenishmentFlow
    cost: CostFlow
    cost_analysis: CostAnalysisFlow
    supplier: SupplierFlow
    model: ModelFlow
    forecasts: Gather[ForecastQuery, Forecast]
    reorders: Gather[ReorderQuery, Reorder]
    experiment: ExperimentFlow
    uplift: UpliftFlow
    uplifts: Gather[UnitsQuery, Uplift]
    anomaly: AnomalyFlow
    drift: DriftFlow


@dataclass(slots=True)
class Call:
    """One request on its way through a door; its log line is made of it.

    Attributes:
        door: ``grpc`` or ``http``.
        method: Method of the contract, or the path where there is none.
        request_id: Id sent by the caller, else one made here.
        peer: Address of the caller.
        deadline: When the answer is of no use any more, on the clock of started; None is never.
        started: Arrival, in seconds of a monotonic clock.
        code: Outcome, a code name of google.rpc.
        rows: Rows of a batch answer; 1 for other answers, 0 for a failure.
        model_version: Version of the model that answered; empty where none did.
        features_age: Age of the oldest feature used, in seconds; None where none was used.
    """

    door: str
    method: str
    request_id: str
    peer: str
    deadline: float | None = None
    started: float = field(default_factory=time.monotonic)
    code: str = "OK"
    rows: int = 0
    model_version: str = ""
    features_age: int | None = None

    def check_deadline(self) -> None:
        """Give up on a request whose caller waits no longer.

        Raises:
            DeadlineExceeded: If the deadline has passed.
        """
        if self.deadline is not None and time.monotonic() >= self.deadline:
            raise DeadlineExceeded("the deadline passed before the model ran")


class Observer(Protocol):
    """Takes note of every request."""

    def record(self, call: Call, seconds: float) -> None:
        """Note a request and the time it took, in seconds."""


class Gate:
    """Counts the requests of one door and refuses those it should not take."""

    def __init__(self, door: str, limit: int, observers: tuple[Observer, ...]) -> None:
        """Name the door, the requests it takes at once, and who takes note of each."""
        self.door = door
        self._limit = limit
        self._observers = observers
        self._lock = threading.Lock()
        self._in_flight = 0
        self._draining = False
        self._prefix = secrets.token_hex(6)
        self._numbers = itertools.count(1)

    @property
    def in_flight(self) -> int:
        """Requests admitted and not yet answered."""
        return self._in_flight

    @property
    def draining(self) -> bool:
        """Whether new requests are refused because the service stops."""
        return self._draining

    def call(self, method: str, peer: str, request_id: str | None) -> Call:
        """Begin the record of a request, with an id of our own where it brings no fit one."""
        if not request_id or len(request_id) > MAX_REQUEST_ID or not request_id.isprintable():
            request_id = f"{self._prefix}-{next(self._numbers):x}"
        return Call(self.door, method, request_id, peer)

    def admit(self, *, begun: bool = False) -> Gate:
        """Admit a request for the length of a with block.

        Args:
            begun: Whether it belongs to a stream that was admitted before; while the gate drains,
                what such a stream has asked is answered.

        Raises:
            Draining: If the service is stopping.
            Overloaded: If as many requests as the limit are in flight.
        """
        with self._lock:
            if self._draining and not begun:
                raise Draining("the server is closing", retry_after_seconds=RETRY_SECONDS)
            if self._in_flight >= self._limit:
                raise Overloaded(
                    f"{self._limit} requests are in flight already",
                    retry_after_seconds=RETRY_SECONDS,
                )
            self._in_flight += 1
        return self

    def __enter__(self) -> None:
        """Begin a request that was admitted."""

    def __exit__(self, *failure: object) -> None:
        """Count an admitted request as answered."""
        with self._lock:
            self._in_flight -= 1

    def report(self, call: Call) -> None:
        """Tell the observers of a request that was answered or refused."""
        seconds = time.monotonic() - call.started
        for observer in self._observers:
            observer.record(call, seconds)

    def drain(self) -> None:
        """Refuse every request from now on."""
        self._draining = True
