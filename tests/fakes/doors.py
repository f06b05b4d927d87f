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
from serving.domain.anomaly import OWN_FEATURES, AnomalyAnswer
from serving.domain.attribution import Driver
from serving.domain.demand import Forecast, ForecastBatch, ForecastRoute, PlanSource
from serving.domain.explanation import Explanation
from serving.domain.model import Certificate, ModelDescription
from serving.domain.reorder_batch import ReorderBatch
from serving.domain.replenishment import AfterOrder, Reorder
from serving.domain.retrain import Reading, decide
from serving.domain.routes import Answered
from serving.domain.series import Provenance, RowStatus
from serving.domain.stockout_risk import RiskBatch, RiskFigures
from serving.domain.supply import DecisionChange, SupplyChoice, SupplyKind
from serving.domain.tiers import DemandPattern, DemandTier
from serving.flows.cost_analysis import PAST_ACTIONS, CostAnalysisFlow
from serving.flows.drift import DriftFlow
from serving.flows.experiment import ExperimentFlow
from serving.flows.replenishment import ReplenishmentFlow
from serving.flows.supplier import LEAD_TIME, PERFORMANCE, SupplierFlow
from serving.flows.uplift import UpliftFlow
from serving.gate import Flows, Gate
from serving.gather import Gather
from serving.grpc.anomaly import AnomalyServicer
from serving.grpc.cost import CostServicer
from serving.grpc.demand import ForecastServicer
from serving.grpc.drift import DriftServicer
from serving.grpc.experiment import ExperimentServicer
from serving.grpc.model import ModelServicer
from serving.grpc.replenishment import ReplenishmentServicer
from serving.grpc.server import AsyncioDoor, Listening, ThreadsDoor
from serving.grpc.supplier import SupplierServicer
from serving.grpc.uplift import UpliftServicer
from serving.http.door import HttpDoor, Page
from tests.fakes.cost import cost_flow
from tests.fakes.uplift import FakeUpliftModel, FakeUpliftModels, stored_units

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from serving.domain.anomaly import AnomalyQuery
    from serving.domain.demand import BatchForecastQuery, ForecastQuery
    from serving.domain.drift import DriftQuery, DriftReport
    from serving.domain.echelons import EchelonPlan, EchelonQuery
    from serving.domain.lanes import LaneAssessment, LaneQuery
    from serving.domain.policies import PolicyAnswer, PolicyInputs
    from serving.domain.reorder_batch import BatchReorderQuery
    from serving.domain.replenishment import ReorderQuery
    from serving.domain.retrain import RetrainAnswer
    from serving.domain.stockout_risk import RiskQuery
    from serving.gate import Call
    from serving.grpc.desk import Servicer
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


ANSWERED = (
    Answered(DemandTier.SPARSE, DemandPattern.LUMPY, "lumpy: a rate was better"),
    Answered(DemandTier.GLOBAL_MODEL, DemandPattern.SMOOTH, "smooth: nothing was better"),
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
        self.looked_up = 0

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
            answered=ANSWERED[0],
        )

    def explain(self, query: ForecastQuery) -> Explanation:
        contributions = odd(query.horizon, len(Driver))
        return Explanation(self.forecast(query), odd(query.horizon), contributions)

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
            answered=tuple(ANSWERED[row % 2] for row in range(rows)),
        )


class FakeReplenishment:
    """Recommends odd numbers; formulas are the real ones."""

    def __init__(self) -> None:
        self.queries: list[object] = []

    def recommend(self, query: ReorderQuery) -> Reorder:
        self.queries.append(query)
        if query.on_hand is None and query.supply is None:
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
            target=query.promised,
            table_inputs=("lead_time_days",),
            reason="a reason",
            provenance=PROVENANCE,
            expected_fill_rate=1 / 7,
            after_order=AfterOrder(0.1, 1 / 3, 5e-324, 0.2),
            order_date=ORIGIN,
            supplier_id="S9",
            choices=(SupplyChoice(SupplyKind.EXPEDITE, "", 1.0, 0.5, 1 / 3, 0.1, chosen=True),),
            cheapest_change=DecisionChange("on_hand", 0.1, 1 / 3, "a sentence"),
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
            expected_fill_rates=odd(rows),
            expected_shortages=odd(rows),
            expected_holdings=odd(rows),
        )

    def score_risk(self, query: RiskQuery) -> RiskBatch:
        self.queries.append(query)
        rows = len(query.skus)
        figures = RiskFigures(
            stockout_probabilities=odd(rows),
            expected_shortages=odd(rows),
            expected_demand=odd(rows),
            days_of_supply=odd(rows),
            velocity_ratios=odd(rows),
            flags=np.resize(np.array([1, 2, 3]), rows),
            money_at_risk=odd(rows),
            ranking=np.arange(rows),
        )
        return RiskBatch(query, (RowStatus.OK,) * rows, np.arange(rows), figures, PROVENANCE)

    def allocate_echelons(self, query: EchelonQuery) -> EchelonPlan:
        return ReplenishmentFlow(None, None).allocate_echelons(query)  # type: ignore[arg-type]

    def assess_lane(self, query: LaneQuery) -> LaneAssessment:
        return ReplenishmentFlow(None, None).assess_lane(query)  # type: ignore[arg-type]

    def compute_policy(self, inputs: PolicyInputs) -> PolicyAnswer:
        return ReplenishmentFlow(None, None).compute_policy(inputs)  # type: ignore[arg-type]


READINGS = [
    Reading(dt.date(2026, 6, day), rule, 1 / 3, 0.25, broken=broken, detail=f"{rule} on {day}")
    for day in range(1, 9)
    for rule, broken in (("wmape_category_location", True), ("missing_data", False))
]


class FakeModels:
    """One model."""

    def list_models(self) -> list[ModelDescription]:
        return [DESCRIPTION]

    def get_model(self, name: str) -> ModelDescription:
        if name != DESCRIPTION.name:
            raise errors.UnknownModel(name)
        return DESCRIPTION


class FakeAnomalies:
    """Scores that depend on the place of a row alone."""

    def score(self, query: AnomalyQuery) -> AnomalyAnswer:
        rows, drivers = len(query.inputs), query.driver_count
        per_driver = odd(rows * drivers).reshape(rows, drivers)
        return AnomalyAnswer(
            row_count=rows,
            scores=odd(rows),
            p_values=odd(rows),
            flags=odd(rows) <= query.false_alarm_rate,
            features=OWN_FEATURES[query.kind],
            driver_count=drivers,
            driver_features=np.zeros((rows, drivers), dtype=np.int64),
            driver_contributions=per_driver,
            driver_values=per_driver,
            driver_usual_lows=-per_driver,
            driver_usual_highs=per_driver,
            provenance=PROVENANCE,
        )


SHARE = {"count": 9, "observed": 1 / 3, "shrunk": 0.4, "low": 0.1, "high": 0.7}


class FakeReference:
    """Two suppliers, one of whom little is known, and two past actions."""

    generation = "1"

    def document(self, kind: str, key: str) -> dict[str, Any] | None:
        if (kind, key) == (PAST_ACTIONS, ""):
            return {"actions": [[1, 100.0, 1 / 3 * 100], [8, 30.0, -5.0]]}
        days = {"orders": 9, "open_orders": 1, "lead_time": [1 / 3 + day for day in range(99)]}
        if kind == LEAD_TIME and key in {"", "S1", "S2"}:
            return {**days, "delay": [day - 30.1 for day in range(99)] if key == "S1" else None}
        if kind == PERFORMANCE and key in {"S1", "S2"}:
            return {
                "supplier_id": key,
                "delivered_orders": 8,
                "open_orders": 1,
                "on_time": dict(SHARE),
                "defects": dict(SHARE) if key == "S1" else {"count": 0},
                "price_premium": -0.1 if key == "S1" else None,
                "priced_orders": 4,
                "lead_time_mean_days": 1 / 3,
                "lead_time_std_days": 0.1,
            }
        return None


class FakeDrift:
    """The real check of rows that are sent; a verdict that is always the same."""

    def check(self, query: DriftQuery) -> DriftReport:
        return DriftFlow((), None, None, None, None).check(query)  # type: ignore[arg-type]

    def verdict(self, name: str) -> RetrainAnswer:
        if name not in {"", DESCRIPTION.name}:
            raise errors.UnknownModel(name)
        return decide(READINGS)


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
        uplift = UpliftFlow(FakeUpliftModels(FakeUpliftModel(DESCRIPTION)), stored_units())
        self.flows = Flows(
            demand=self.demand,  # type: ignore[arg-type]
            replenishment=self.replenishment,  # type: ignore[arg-type]
            model=FakeModels(),  # type: ignore[arg-type]
            forecasts=Gather(_each(self.demand.forecast)),
            reorders=Gather(_each(self.replenishment.recommend)),
            experiment=ExperimentFlow(),
            uplift=uplift,
            uplifts=Gather(uplift.predict_many),
            anomaly=FakeAnomalies(),  # type: ignore[arg-type]
            drift=FakeDrift(),  # type: ignore[arg-type]
            cost=cost_flow(),
            cost_analysis=CostAnalysisFlow(FakeReference()),
            supplier=SupplierFlow(FakeReference()),
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

    @property
    def servicers(self) -> tuple[Servicer, ...]:
        """The services of the gRPC door."""
        return (
            ForecastServicer(self.flows.demand, self.flows.forecasts),
            ReplenishmentServicer(self.flows.replenishment, self.flows.reorders),
            ExperimentServicer(self.flows.experiment),
            UpliftServicer(self.flows.uplift, self.flows.uplifts),
            AnomalyServicer(self.flows.anomaly),
            DriftServicer(self.flows.drift),
            CostServicer(self.flows.cost, self.flows.cost_analysis),
            SupplierServicer(self.flows.supplier),
            ModelServicer(self.flows.model),
        )

    def grpc(self, kind: str = "asyncio", port: int = 0) -> GrpcDoor:
        """Return a gRPC door of a kind, not yet open."""
        listening = Listening("127.0.0.1", port, self._mib)
        if kind == "threads":
            return ThreadsDoor(self.servicers, self.grpc_gate, listening)
        return AsyncioDoor(self.servicers, self.grpc_gate, listening, self.executor)

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
