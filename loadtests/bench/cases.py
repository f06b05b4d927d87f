"""What is measured: each door and each floor, by batch size and concurrency."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

from loadtests.bench.floors import method_of
from loadtests.questions import BATCH, FORECAST, REORDER, Question
from parlevel.v1 import demand_pb2

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

DOORS = GRPC, HTTP = "grpc", "http"
HORIZON = 7
AIO, THREADS, STOCK = "no-op aio", "no-op threads", "stock bentoml"
# Both kinds of gRPC server compute their answers; the third looks up what was published.
OURS = ("parlevel threads", "parlevel asyncio", "parlevel ready")
COMPUTING = OURS[:2]
STOCK_PATH = "/forecast"
# Batch size -> calls in flight. A large batch fills a core alone: 64 of them would only queue.
IN_FLIGHT = 16  # what targets are set on
SIZES = {1: (1, 16, 64), 30: (1, 16, 64), 256: (1, 16, 64), 4096: (1, 16)}


@dataclass(frozen=True, slots=True)
class Case:
    """One thing to measure.

    Attributes:
        server: Name of the server.
        door: ``grpc`` or ``http``.
        series: Series a call asks about; 1 is a single question.
        concurrency: Calls in flight.
        asked: Path of the single question.
    """

    server: str
    door: str
    series: int
    concurrency: int
    asked: str = FORECAST

    @property
    def path(self) -> str:
        """Path at the HTTP door; at the gRPC door of ours it names the method."""
        if self.server == STOCK:
            return STOCK_PATH
        return self.asked if self.series == 1 else BATCH

    @property
    def subject(self) -> tuple[str, int]:
        """What a call asks, and about how many series."""
        return self.asked, self.series

    def method(self, answer_bytes: int) -> str:
        """Return the gRPC method, given the size of an answer of ours."""
        if self.server in OURS:
            return Question("", self.path, {}).method
        return method_of(answer_bytes)


def asked_of(path: str) -> tuple[str, ...]:
    """Return which of our servers a single question is asked of; orders rest on forecasts too."""
    return OURS if path == REORDER else COMPUTING


def all_cases(sizes: Sequence[int], others: Iterable[str] = ()) -> list[Case]:
    """Return the cases of a round, what is compared beside each other.

    Args:
        sizes: Series a forecast call asks about.
        others: Paths of single questions other than the forecast.
    """
    found = []
    for series in sizes:
        for concurrency in SIZES[series]:
            servers = [(name, GRPC) for name in (AIO, OURS[0], THREADS, *OURS[1:])]
            servers += [(OURS[0], HTTP), (OURS[2], HTTP)]
            if series == 1:
                servers.append((STOCK, HTTP))
            found += [Case(server, door, series, concurrency) for server, door in servers]
    for path in others:
        servers = [(AIO, GRPC), *((name, GRPC) for name in asked_of(path)), (OURS[0], HTTP)]
        found += [Case(server, door, 1, IN_FLIGHT, path) for server, door in servers]
    return found


class Bodies:
    """Requests made beforehand, each about series the ones before did not ask about."""

    def __init__(self, messages: Sequence[bytes], objects: Sequence[bytes]) -> None:
        """Take the requests as messages and as JSON objects."""
        self._next = {GRPC: itertools.cycle(messages), HTTP: itertools.cycle(objects)}

    @classmethod
    def of_series(cls, keys: Sequence[tuple[str, str]], series: int) -> Bodies:
        """Make the forecasts of a batch size, for both doors."""
        groups = [keys[at : at + series] for at in range(0, len(keys) - series + 1, series)]
        made = [_message(group) for group in groups]
        return cls([one.SerializeToString() for one in made], [_json(one) for one in made])

    @classmethod
    def of_questions(cls, questions: Sequence[Question]) -> Bodies:
        """Make single questions of one kind, for both doors."""
        return cls(
            [one.message() for one in questions], [orjson.dumps(one.body) for one in questions]
        )

    def of(self, door: str) -> Iterator[bytes]:
        """Return the requests for a door, going on where the last caller stopped."""
        return self._next[door]


Message = demand_pb2.ForecastDemandRequest | demand_pb2.BatchForecastDemandRequest


def _message(keys: Sequence[tuple[str, str]]) -> Message:
    if len(keys) == 1:
        ((sku, place),) = keys
        return demand_pb2.ForecastDemandRequest(sku=sku, location=place, horizon_days=HORIZON)
    skus, places = zip(*keys, strict=True)
    return demand_pb2.BatchForecastDemandRequest(skus=skus, locations=places, horizon_days=HORIZON)


def _json(message: Message) -> bytes:
    fields: dict[str, object] = {"horizon_days": HORIZON}
    if isinstance(message, demand_pb2.ForecastDemandRequest):
        fields |= {"sku": message.sku, "location": message.location}
    else:
        fields |= {"skus": list(message.skus), "locations": list(message.locations)}
    return orjson.dumps(fields)
