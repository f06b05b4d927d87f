"""A server of the contract whose answers follow from the question, for the client's tests."""

from __future__ import annotations

import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status

from parlevel.v1 import (
    demand_pb2,
    demand_pb2_grpc,
    model_pb2,
    model_pb2_grpc,
    provenance_pb2,
    replenishment_pb2,
    replenishment_pb2_grpc,
    supply_pb2,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.protobuf.message import Message

TRAINED_LEVELS = (0.02, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98)
ORIGIN = "2025-06-30"
STATUSES = {
    "unknown": demand_pb2.ROW_STATUS_UNKNOWN_SERIES,
    "stale": demand_pb2.ROW_STATUS_STALE_FEATURES,
    "young": 99,
}
Context = grpc.ServicerContext


@dataclass(frozen=True, slots=True)
class Seen:
    """One call as the server saw it."""

    method: str
    request: Message
    request_id: str
    seconds_left: float


@dataclass(slots=True)
class Script:
    """What the server shall do, and what it saw."""

    failures: deque[status_pb2.Status] = field(default_factory=deque)
    garbage: bytes | None = None
    delay_seconds: float = 0.0
    lose_a_value: bool = False
    seen: list[Seen] = field(default_factory=list)

    def enter(self, request: Message, context: Context) -> None:
        """Note a call, then fail it where a failure is due."""
        headers = dict(context.invocation_metadata())
        self.seen.append(
            Seen(
                type(request).__name__.removesuffix("Request"),
                request,
                str(headers["x-request-id"]),
                context.time_remaining() or 0.0,
            )
        )
        time.sleep(self.delay_seconds)
        if self.garbage is not None:
            context.set_trailing_metadata((("grpc-status-details-bin", self.garbage),))
            _abort(context, grpc.StatusCode.NOT_FOUND)
        if self.failures:
            context.abort_with_status(rpc_status.to_status(self.failures.popleft()))


def _abort(context: Context, code: grpc.StatusCode) -> NoReturn:
    context.abort(code, "no such thing")
    raise AssertionError


def status(code: grpc.StatusCode, message: str, *details: Message) -> status_pb2.Status:
    """Make the rich status of a failure."""
    packed = []
    for detail in details:
        anything = AnyMessage()
        anything.Pack(detail)
        packed.append(anything)
    return status_pb2.Status(code=code.value[0], message=message, details=packed)


def level_of(sku: str) -> float:
    """Read the demand of a series off its name: ``S12`` sells 12 a day."""
    return float(sku.removeprefix("S"))


def statuses_of(skus: Iterator[str]) -> list[demand_pb2.RowStatus.ValueType]:
    """Read the outcome of each row off its name."""
    return [
        demand_pb2.RowStatus.ValueType(STATUSES.get(sku, demand_pb2.ROW_STATUS_OK)) for sku in skus
    ]


def valued(skus: Iterator[str]) -> list[str]:
    """Keep the series that have values."""
    return [sku for sku in skus if sku not in STATUSES]


PROVENANCE = provenance_pb2.Provenance(
    model_name="demand",
    model_version="3",
    model_digest="ab" * 32,
    feature_set_hash="cd" * 32,
    features_age_seconds=0,
    warnings=["a holiday is near"],
)
FORMULA = provenance_pb2.Provenance(formula_version="policy/1")


class FakeForecasts(demand_pb2_grpc.ForecastServiceServicer):
    """Forecasts the level of a series, quantiles in proportion to their level."""

    def __init__(self, script: Script) -> None:
        self.script = script

    def ForecastDemand(
        self, request: demand_pb2.ForecastDemandRequest, context: Context
    ) -> demand_pb2.ForecastDemandResponse:
        self.script.enter(request, context)
        levels = list(request.quantile_levels) or list(TRAINED_LEVELS)
        mean = [level_of(request.sku) + day for day in range(request.horizon_days)]
        planned = {day.date for day in request.plan}
        return demand_pb2.ForecastDemandResponse(
            provenance=PROVENANCE,
            sku=request.sku,
            location=request.location,
            origin_date=ORIGIN,
            target=request.target,
            route=(
                demand_pb2.FORECAST_ROUTE_REQUEST_HISTORY
                if request.history
                else demand_pb2.FORECAST_ROUTE_GLOBAL_MODEL
            ),
            mean=mean[1:] if self.script.lose_a_value else mean,
            quantile_levels=levels,
            quantiles=[value * level for value in mean for level in levels],
            plan_sources=[
                demand_pb2.PLAN_SOURCE_REQUEST
                if f"2025-07-{day + 1:02}" in planned
                else demand_pb2.PLAN_SOURCE_LAST_REGIME
                for day in range(request.horizon_days)
            ],
        )

    def StreamForecastDemand(
        self, request_iterator: Iterator[demand_pb2.StreamForecastDemandRequest], context: Context
    ) -> Iterator[demand_pb2.StreamForecastDemandResponse]:
        for request in request_iterator:
            answer = demand_pb2.StreamForecastDemandResponse(correlation_id=request.correlation_id)
            if request.question.sku == "unknown":
                answer.error.CopyFrom(status(grpc.StatusCode.NOT_FOUND, "import it"))
            elif request.question.sku == "misnamed":
                answer.correlation_id = "?"
            elif request.question.sku != "unanswered":
                answer.answer.CopyFrom(self.ForecastDemand(request.question, context))
            if request.question.sku != "unanswered":
                yield answer

    def ExplainForecast(
        self, request: demand_pb2.ExplainForecastRequest, context: Context
    ) -> demand_pb2.ExplainForecastResponse:
        self.script.enter(request, context)
        level = level_of(request.sku)
        return demand_pb2.ExplainForecastResponse(
            provenance=PROVENANCE,
            sku=request.sku,
            location=request.location,
            origin_date=ORIGIN,
            target=request.target,
            tier=demand_pb2.DEMAND_TIER_SPARSE,
            route_reason="rare",
            frequency=demand_pb2.DEMAND_FREQUENCY_MONTH,
            mean=[level] * request.horizon_days,
            base=[level - 3.0] * request.horizon_days,
            drivers=[demand_pb2.DEMAND_DRIVER_LEVEL, demand_pb2.DEMAND_DRIVER_PRICE],
            contributions=[1.0, 2.0] * request.horizon_days,
            sentence="It is what it is.",
        )

    def BatchForecastDemand(
        self, request: demand_pb2.BatchForecastDemandRequest, context: Context
    ) -> demand_pb2.BatchForecastDemandResponse:
        self.script.enter(request, context)
        levels = list(request.quantile_levels) or list(TRAINED_LEVELS)
        skus = valued(iter(request.skus))
        mean = [level_of(sku) + day for sku in skus for day in range(request.horizon_days)]
        return demand_pb2.BatchForecastDemandResponse(
            provenance=PROVENANCE,
            row_count=len(skus),
            horizon_days=request.horizon_days,
            target=request.target,
            row_statuses=statuses_of(iter(request.skus)),
            origin_dates=[ORIGIN] * len(skus),
            routes=[demand_pb2.FORECAST_ROUTE_GLOBAL_MODEL] * len(skus),
            mean=mean[1:] if self.script.lose_a_value else mean,
            quantile_levels=levels,
            quantiles=[value * level for value in mean for level in levels],
        )


class FakeReplenishment(replenishment_pb2_grpc.ReplenishmentServiceServicer):
    """Recommends ten days of the level of a series."""

    def __init__(self, script: Script) -> None:
        self.script = script

    def RecommendReorder(
        self, request: replenishment_pb2.RecommendReorderRequest, context: Context
    ) -> replenishment_pb2.RecommendReorderResponse:
        self.script.enter(request, context)
        level = level_of(request.sku)
        return replenishment_pb2.RecommendReorderResponse(
            provenance=PROVENANCE,
            sku=request.sku,
            location=request.location,
            origin_date=ORIGIN,
            order_quantity=10 * level - request.on_hand,
            order_up_to=10 * level,
            reorder_point=7 * level,
            safety_stock=level,
            expected_demand=9 * level,
            inventory_position=request.on_hand,
            stockout_probability=0.25,
            cover_days=9,
            service_level=request.service_level,
            method=request.method,
            table_inputs=["backorders", "on_order"],
            reason="The position is below the reorder point.",
            expected_fill_rate=0.9,
            order_date="2025-07-04" if request.lots else "",
            target_kind=request.target_kind,
            choices=[
                supply_pb2.SupplyChoice(
                    kind=supply_pb2.SUPPLY_KIND_SUPPLIER, source=one.supplier_id, chosen=True
                )
                for one in request.suppliers
            ],
            cheapest_change=supply_pb2.DecisionChange(field="on_hand", turning_value=level)
            if request.HasField("budget")
            else None,
        )

    def BatchRecommendReorder(
        self, request: replenishment_pb2.BatchRecommendReorderRequest, context: Context
    ) -> replenishment_pb2.BatchRecommendReorderResponse:
        self.script.enter(request, context)
        skus = valued(iter(request.skus))
        levels = [level_of(sku) for sku in skus]
        return replenishment_pb2.BatchRecommendReorderResponse(
            provenance=PROVENANCE,
            row_count=len(skus),
            row_statuses=statuses_of(iter(request.skus)),
            order_quantities=[10 * level for level in levels],
            order_up_to=[11 * level for level in levels],
            reorder_points=[7 * level for level in levels],
            safety_stocks=levels,
            expected_demand=[9 * level for level in levels],
            stockout_probabilities=[0.25] * len(skus),
            cover_days=[9] * len(skus),
            method=request.method,
            expected_fill_rates=[0.9] * len(skus),
            expected_shortages=[0.5] * len(skus),
            expected_holdings=levels,
        )

    def ScoreStockoutRisk(
        self, request: replenishment_pb2.ScoreStockoutRiskRequest, context: Context
    ) -> replenishment_pb2.ScoreStockoutRiskResponse:
        self.script.enter(request, context)
        return replenishment_pb2.ScoreStockoutRiskResponse(
            provenance=PROVENANCE, row_statuses=statuses_of(iter(request.skus))
        )

    def AllocateEchelons(
        self, request: replenishment_pb2.AllocateEchelonsRequest, context: Context
    ) -> replenishment_pb2.AllocateEchelonsResponse:
        self.script.enter(request, context)
        return replenishment_pb2.AllocateEchelonsResponse(provenance=FORMULA, exact=True)

    def AssessLane(
        self, request: replenishment_pb2.AssessLaneRequest, context: Context
    ) -> replenishment_pb2.AssessLaneResponse:
        self.script.enter(request, context)
        return replenishment_pb2.AssessLaneResponse(provenance=FORMULA, resilience=50.0)

    def ComputePolicy(
        self, request: replenishment_pb2.ComputePolicyRequest, context: Context
    ) -> replenishment_pb2.ComputePolicyResponse:
        self.script.enter(request, context)
        answer = replenishment_pb2.ComputePolicyResponse(provenance=FORMULA)
        formula = request.WhichOneof("formula")
        if self.script.lose_a_value:
            return answer
        if formula == "economic_order_quantity":
            answer.economic_order_quantity.order_quantity = 200.0
        elif formula == "safety_stock":
            answer.safety_stock.safety_factor = request.safety_stock.service_level
        elif formula == "reorder_point":
            answer.reorder_point.reorder_point = 20.0
            if request.reorder_point.HasField("order_quantity"):
                answer.reorder_point.average_inventory = request.reorder_point.order_quantity / 2
        elif formula == "season":
            answer.season.order_quantity = 7.0
        else:
            answer.newsvendor.critical_ratio = 0.75
        return answer


class FakeModels(model_pb2_grpc.ModelServiceServicer):
    """Serves one model in full and one that is bare."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.models = {
            "bare": model_pb2.ModelDescription(name="bare"),
            "demand": model_pb2.ModelDescription(
                name="demand",
                version="3",
                quantile_levels=TRAINED_LEVELS,
                max_horizon_days=90,
                trained_time=Timestamp(seconds=1_750_000_000),
                data_end_date=ORIGIN,
                certificate=model_pb2.CertificateSummary(row_count=1000, passed=True),
                metrics=[model_pb2.Metric(name="wmape", value=0.31)],
            ),
        }

    def ListModels(
        self, request: model_pb2.ListModelsRequest, context: Context
    ) -> model_pb2.ListModelsResponse:
        self.script.enter(request, context)
        return model_pb2.ListModelsResponse(models=self.models.values())

    def GetModel(
        self, request: model_pb2.GetModelRequest, context: Context
    ) -> model_pb2.GetModelResponse:
        self.script.enter(request, context)
        if request.name not in self.models:
            _abort(context, grpc.StatusCode.NOT_FOUND)
        return model_pb2.GetModelResponse(model=self.models[request.name])


class FakeHealth(health_pb2_grpc.HealthServicer):
    """Serves as a whole, not in the service ``closing``."""

    def Check(
        self, request: health_pb2.HealthCheckRequest, context: Context
    ) -> health_pb2.HealthCheckResponse:
        del context
        serving = request.service != "closing"
        return health_pb2.HealthCheckResponse(
            status=(
                health_pb2.HealthCheckResponse.SERVING
                if serving
                else health_pb2.HealthCheckResponse.NOT_SERVING
            )
        )


def start(script: Script) -> tuple[grpc.Server, str]:
    """Start the server on a free loopback port and return it with its address."""
    server = grpc.server(ThreadPoolExecutor(max_workers=4))
    demand_pb2_grpc.add_ForecastServiceServicer_to_server(FakeForecasts(script), server)
    replenishment_pb2_grpc.add_ReplenishmentServiceServicer_to_server(
        FakeReplenishment(script), server
    )
    model_pb2_grpc.add_ModelServiceServicer_to_server(FakeModels(script), server)
    health_pb2_grpc.add_HealthServicer_to_server(FakeHealth(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, f"127.0.0.1:{port}"
