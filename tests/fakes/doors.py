"""Fakes behind the doors: flows that answer at once, and a caller of each door."""

from __future__ import annotations

import asyncio
import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from serving import errors
from serving.domain.demand import Forecast, ForecastBatch, ForecastRoute, PlanSource
from serving.domain.model import Certificate, ModelDescription
from serving.domain.replenishment import Reorder, ReorderBatch
from serving.domain.series import Provenance, RowStatus
from serving.flows.replenishment import ReplenishmentFlow
from serving.gate import Flows, Gate
from serving.gather import Gather
from serving.grpc.demand import ForecastServicer
from serving.grpc.model import ModelServicer
from serving.grpc.replenishment import ReplenishmentServicer
from serving.grpc.server import AsyncioDoor, Listening, ThreadsDoor
from serving.http.door import HttpDoor, Page

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from serving.domain.demand import BatchForecastQuery, ForecastQuery
    from serving.domain.inventory_policy import PolicyInputs
    from serving.domain.replenishment import BatchReorderQuery, PolicyAnswer, ReorderQuery
    from serving.gate import Call
    from serving.grpc.server import GrpcDoor

ORIGIN = dt.date(2026, 3, 31)
# Doubles with no short decimal, the smallest and the largest among them.
ODD = (0.1, 1 / 3, 5e-324, 1.7976931348623157e308, 2.220446049250313e-16, 0.0)
PROVENANCE = Provenance(
    model_name="forecast",
    model_version="7",
    model_digest="ab" * 32,
    feature_set_hash="cd" * 32,
    features_age_seconds=3600,
    warnings=("a warning",),
)
DESCRIPTION = ModelDescription(
    name="forecast",
    version="7",
    digest="ab" * 32,
    feature_set_hash="cd" * 32,
    features=("level", "horizon"),
    quantile_levels=(0.1, 0.5, 0.9),
    cover_quantile_levels=(0.5, 0.99),
    max_horizon=90,
    max_cover=90,
    trained_time=dt.datetime(2026, 4, 1, 12, 30, 15, 123456, tzinfo=dt.UTC),
    data_end=ORIGIN,
    certificate=Certificate(1000, 100, 1 / 3 * 1e-7, passed=True),
    metrics=(("wmape", 1 / 3), ("bias", -0.01)),
)


def odd(*shape: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return an array of doubles that are easily changed on the way."""
    return np.resize(np.array(ODD), shape)


class FakeDemand:
    """Forecasts odd numbers, or fails as told; `hold` keeps it busy."""

    def __init__(self) -> None:
        self.failure: Exception | None = None
        self.hold: Callable[[], None] = lambda: None
        self.queries: list[object] = []

    def _take(self, query: object) -> None:
        self.queries.append(query)
        self.hold()
        if self.failure is not None:
            raise self.failure

    def forecast(self, query: ForecastQuery) -> Forecast:
        self._take(query)
        if query.sku == "nobody":
            raise errors.UnknownSeries("sku", query.sku)
        return Forecast(
            query=query,
            origin=ORIGIN,
            route=ForecastRoute.COLD_START,
            mean=odd(query.horizon),
            quantiles=odd(query.horizon, len(query.levels)),
            plan_sources=(PlanSource.LAST_REGIME,) * query.horizon,
            provenance=PROVENANCE,
        )

    def forecast_batch(self, query: BatchForecastQuery) -> ForecastBatch:
        self._take(query)
        statuses = tuple(
            RowStatus.UNKNOWN_SERIES if sku == "nobody" else RowStatus.OK for sku in query.skus
        )
        rows = statuses.count(RowStatus.OK)
        return ForecastBatch(
            query=query,
            statuses=statuses,
            origins=(ORIGIN,) * rows,
            routes=(ForecastRoute.GLOBAL_MODEL,) * rows,
            mean=odd(rows, query.horizon),
            quantiles=odd(rows, query.horizon, len(query.levels)),
            provenance=PROVENANCE,
        )


class FakeReplenishment:
    """Recommends odd numbers; formulas are the real ones."""

    def __init__(self) -> None:
        self.queries: list[object] = []

    def recommend(self, query: ReorderQuery) -> Reorder:
        self.queries.append(query)
        if query.on_hand is None:
            raise errors.MissingInput("on_hand", "inventory")
        return Reorder(
            query=query,
            origin=ORIGIN,
            order_quantity=1 / 3,
            order_up_to=0.1,
            reorder_point=0.1,
            safety_stock=5e-324,
            expected_demand=1e300,
            inventory_position=-0.5,
            stockout_probability=0.25,
            cover_days=9,
            service_level=0.95,
            table_inputs=("lead_time_days",),
            reason="a reason",
            provenance=PROVENANCE,
        )

    def recommend_batch(self, query: BatchReorderQuery) -> ReorderBatch:
        self.queries.append(query)
        rows = len(query.skus)
        return ReorderBatch(
            query=query,
            statuses=(RowStatus.OK,) * rows,
            order_quantities=odd(rows),
            order_up_to=odd(rows),
            reorder_points=odd(rows),
            safety_stocks=odd(rows),
            expected_demand=odd(rows),
            stockout_probabilities=odd(rows),
            cover_days=np.arange(rows),
            provenance=PROVENANCE,
        )

    def compute_policy(self, inputs: PolicyInputs) -> PolicyAnswer:
        return ReplenishmentFlow(None, None).compute_policy(inputs)  # type: ignore[arg-type]


class FakeModels:
    """One model."""

    def list_models(self) -> list[ModelDescription]:
        return [DESCRIPTION]

    def get_model(self, name: str) -> ModelDescription:
        if name != DESCRIPTION.name:
            raise errors.UnknownModel(name)
        return DESCRIPTION


def _each(answer: Callable[[Any], Any]) -> Callable[[Sequence[Any]], list[Any]]:
    """Return what answers questions one after another; a failure is that question's answer."""

    def tried(query: object) -> object:
        try:
            return answer(query)
        except errors.ParlevelError as error:
            return error

    return lambda queries: [tried(query) for query in queries]


@dataclass
class Noted:
    """Keeps what an observer is told."""

    calls: list[Call] = field(default_factory=list)

    def record(self, call: Call, seconds: float) -> None:
        assert seconds >= 0
        self.calls.append(call)


@dataclass
class Answer:
    """What the HTTP door answered."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:  # noqa: ANN401 - any JSON
        return orjson.loads(self.body)


class Rig:
    """Both doors over the same fakes."""

    def __init__(self, *, limit: int = 16, max_message_mib: int = 1) -> None:
        self.demand, self.replenishment = FakeDemand(), FakeReplenishment()
        self.noted = Noted()
        self.executor = ThreadPoolExecutor(2)
        self.flows = Flows(
            self.demand,  # type: ignore[arg-type]
            self.replenishment,  # type: ignore[arg-type]
            FakeModels(),  # type: ignore[arg-type]
            Gather(_each(self.demand.forecast)),
            Gather(_each(self.replenishment.recommend)),
        )
        self.grpc_gate = Gate("grpc", limit, (self.noted,))
        self.http_gate = Gate("http", limit, (self.noted,))
        self._mib = max_message_mib
        self.http = HttpDoor(
            self.flows,
            self.http_gate,
            self.executor,
            {"/livez": Page(b"text/plain", lambda: b"live\n"), "/gone": Page(b"a/b", lambda: None)},
            max_message_mib=max_message_mib,
        )

    def grpc(self, kind: str = "asyncio", port: int = 0) -> GrpcDoor:
        """Return a gRPC door of a kind, not yet open."""
        servicers = (
            ForecastServicer(self.flows.demand, self.flows.forecasts),
            ReplenishmentServicer(self.flows.replenishment, self.flows.reorders),
            ModelServicer(self.flows.model),
        )
        listening = Listening("127.0.0.1", port, self._mib)
        if kind == "threads":
            return ThreadsDoor(servicers, self.grpc_gate, listening)
        return AsyncioDoor(servicers, self.grpc_gate, listening, self.executor)

    async def send(
        self,
        path: str,
        body: bytes = b"{}",
        headers: Mapping[str, str] | None = None,
        method: str = "POST",
    ) -> Answer:
        """Send one request to the HTTP door without a socket."""
        sent = {"content-type": "application/json", **(headers or {})}
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "headers": [(k.encode(), v.encode()) for k, v in sent.items()],
            "client": ("127.0.0.1", 4242),
        }
        replies: list[Any] = []

        async def receive() -> dict[str, Any]:
            await asyncio.sleep(0)
            return {"type": "http.request", "body": body, "more_body": False}

        async def reply(message: Any) -> None:  # noqa: ANN401 - an ASGI message
            replies.append(message)

        await self.http(scope, receive, reply)
        start, end = replies
        found = {k.decode(): v.decode() for k, v in start["headers"]}
        return Answer(start["status"], found, end["body"])

    def post(self, path: str, body: object, headers: Mapping[str, str] | None = None) -> Answer:
        """Post a JSON object, or bytes as they are, and return the answer."""
        raw = body if isinstance(body, bytes) else orjson.dumps(body)
        return asyncio.run(self.send(path, raw, headers))
