"""What the crowd asks, as both doors take it, and what the right answer looks like."""

from __future__ import annotations

import datetime as dt
import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from google.protobuf import json_format
from google.protobuf.message_factory import GetMessageClass
from google.rpc import code_pb2

from serving.http.contract import methods

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence

    from google.protobuf.descriptor import MethodDescriptor

    from loadtests.stored_keys import Series

FORECAST, BATCH = "/v1/demand:forecast", "/v1/demand:batchForecast"
REORDER = "/v1/reorder:recommend"
BATCH_ROWS = 50
HORIZONS = (1, 7, 7, 7, 14)  # a week is what is asked most; every model is trained for two
PLANNED_DAYS = 7
BEYOND_ANY = 0.999  # a level no model is trained for


@dataclass(frozen=True, slots=True)
class Question:
    """One request and the code that answers it rightly.

    Attributes:
        name: What kind of question it is; service levels are set by it.
        path: Path at the HTTP door; it names the method at the gRPC door.
        body: The request, fields as in the contract.
        code: Code of google.rpc that is the right answer.
        values: Length of ``mean`` in a right answer; None where it has none.
    """

    name: str
    path: str
    body: dict[str, Any]
    code: int = code_pb2.OK
    values: int | None = None

    @property
    def method(self) -> str:
        """Full name of the gRPC method, as it is called."""
        service, _, name = _method(self.path).full_name.rpartition(".")
        return f"/{service}/{name}"

    def message(self) -> bytes:
        """Return the request as the bytes of its message."""
        message = GetMessageClass(_method(self.path).input_type)()
        sent: bytes = json_format.ParseDict(self.body, message).SerializeToString()
        return sent

    def answered_by(self, code: int, values: int | None) -> bool:
        """Return whether a code of google.rpc and a number of means are the right answer."""
        return code == self.code and values == self.values


@functools.cache
def _method(path: str) -> MethodDescriptor:
    return methods()[path]


def values_in(path: str, message: bytes) -> int | None:
    """Return the length of ``mean`` in the message that answers at a path; None without one."""
    kind = _method(path).output_type
    if "mean" not in kind.fields_by_name:
        return None
    answer: Any = GetMessageClass(kind).FromString(message)
    return len(answer.mean)


class Crowd:
    """Draws questions in the mix people ask them."""

    def __init__(self, series: Sequence[Series], draw: random.Random) -> None:
        """Take the series that may be asked about and the source of chance."""
        self._series = series
        self._draw = draw

    def next(self) -> Question:
        """Draw a question."""
        (ask,) = self._draw.choices(list(MIX), weights=list(MIX.values()))
        return ask(self)

    def forecast(self) -> Question:
        """Ask for one series."""
        one, horizon = self._one(), self._draw.choice(HORIZONS)
        return Question("forecast", FORECAST, _series_body(one, horizon), values=horizon)

    def batch(self) -> Question:
        """Ask for many series."""
        rows = self._draw.sample(self._series, min(BATCH_ROWS, len(self._series)))
        body = {
            "skus": [one.sku for one in rows],
            "locations": [one.location for one in rows],
            "horizon_days": 7,
        }
        return Question("batch", BATCH, body, values=7 * len(rows))

    def reorder(self) -> Question:
        """Ask what to order; every input is sent, so that no table is needed."""
        one = self._one()
        body = {
            "sku": one.sku,
            "location": one.location,
            "lead_time_days": self._draw.choice((2, 3, 7)),
            "review_days": self._draw.choice((0, 1, 7)),
            "service_level": self._draw.choice((0.9, 0.95, 0.98)),
            "on_hand": round(self._draw.uniform(0, 200), 1),
            "on_order": 0,
        }
        return Question("reorder", REORDER, body)

    def what_if(self) -> Question:
        """Ask for one series under a plan of a week."""
        one = self._one()
        discount = self._draw.choice((0.1, 0.2, 0.3))
        days = (one.origin + dt.timedelta(days=ahead) for ahead in range(1, PLANNED_DAYS + 1))
        plan = [{"date": day.isoformat(), "discount": discount, "promoted": True} for day in days]
        body = {**_series_body(one, PLANNED_DAYS), "plan": plan}
        return Question("what_if", FORECAST, body, values=PLANNED_DAYS)

    def refused(self) -> Question:
        """Ask what must be refused, and say with which code."""
        one = self._one()
        body, code = self._draw.choice(
            (
                (_series_body(one, 0), code_pb2.INVALID_ARGUMENT),
                (_series_body(one._replace(sku="no-such-sku"), 7), code_pb2.NOT_FOUND),
                ({**_series_body(one, 7), "quantile_levels": [BEYOND_ANY]}, code_pb2.OUT_OF_RANGE),
            )
        )
        return Question("refused", FORECAST, body, code=code)

    def _one(self) -> Series:
        return self._draw.choice(self._series)


# Share of each question, in percent.
MIX: dict[Callable[[Crowd], Question], int] = {
    Crowd.forecast: 60,
    Crowd.batch: 8,
    Crowd.reorder: 20,
    Crowd.what_if: 10,
    Crowd.refused: 2,
}
QUESTIONS = tuple(ask.__name__ for ask in MIX)


def _series_body(one: Series, horizon: int) -> dict[str, Any]:
    return {"sku": one.sku, "location": one.location, "horizon_days": horizon}
