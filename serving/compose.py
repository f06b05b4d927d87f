"""The graph: builds every room from the settings; the only place that knows them all."""

from __future__ import annotations

import asyncio
import logging
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Protocol

from serving.adapters import logs
from serving.adapters.anomaly import open_anomaly
from serving.adapters.clock import BusinessClock
from serving.adapters.cost_model import COST, open_cost
from serving.adapters.demand import open_demand
from serving.adapters.features import features_of
from serving.adapters.metrics import CONTENT_TYPE, Metrics
from serving.adapters.monitors import monitors_of
from serving.adapters.ready import ReadyForecasts
from serving.adapters.reference import Reference
from serving.adapters.releases import Releases
from serving.adapters.traffic import WatchedModels
from serving.adapters.uplift import UpliftReleases
from serving.adapters.verdict_metrics import VerdictMetrics
from serving.flows.anomaly import AnomalyFlow
from serving.flows.cost import CostFlow
from serving.flows.cost_analysis import CostAnalysisFlow
from serving.flows.drift import DriftFlow
from serving.flows.experiment import ExperimentFlow
from serving.flows.logged_demand import LoggedDemandFlow
from serving.flows.model import ModelFlow
from serving.flows.replenishment import ReplenishmentFlow
from serving.flows.stored_units import StoredUnits
from serving.flows.supplier import SupplierFlow
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
from serving.ports import (
    AnomalyModel,
    CostModel,
    DemandModel,
    Describing,
    FeatureReader,
    ModelSource,
    ReadySource,
    ReferenceReader,
    UpliftModel,
)

if TYPE_CHECKING:
    from serving.adapters.monitors import Monitors
    from serving.grpc.server import GrpcDoor
    from serving.ports import Clock
    from serving.settings import Settings

LONG_THREADS = 2  # more would only take turns at the interpreter
_log = logging.getLogger(__name__)


class Refreshed(Protocol):
    """A source that looks anew at what is current when it is told to."""

    def refresh(self) -> object:
        """Look, and take up what is current."""


class LiveModels(ModelSource[DemandModel], Refreshed, Protocol):
    """Models that follow the promoted release."""


class LiveReference(ReferenceReader, Refreshed, Protocol):
    """Reference documents that follow the published generation."""


class LiveCosts(ModelSource[CostModel], Refreshed, Protocol):
    """Cost models that follow the promoted release."""


class LiveUplift(ModelSource[UpliftModel], Refreshed, Protocol):
    """Uplift models that follow the promoted release."""


class LiveAnomalies(ModelSource[AnomalyModel], Refreshed, Protocol):
    """Anomaly models that follow the promoted release."""


class LiveReady(ReadySource, Refreshed, Protocol):
    """Forecasts made ahead that follow the published run."""


class LiveFeatures(FeatureReader, Refreshed, Protocol):
    """Features that follow the published generation."""


@dataclass(frozen=True, slots=True)
class Sources:
    """What the flows read.

    Attributes:
        models: The model of demand.
        features: The stored features.
        ready: Forecasts made ahead of their questions.
        reference: What the tables say of suppliers and parts.
        anomalies: The model of anomalies.
        costs: The model of quotes.
        uplift: The model of uplift.
        clock: The business clock.
        monitors: What watches the answers.
    """

    models: LiveModels
    features: LiveFeatures
    ready: LiveReady
    reference: LiveReference
    anomalies: LiveAnomalies
    costs: LiveCosts
    uplift: LiveUplift
    clock: Clock
    monitors: Monitors

    @property
    def described(self) -> tuple[Describing, ...]:
        """The sources that serve a model."""
        return (self.models, self.anomalies, self.costs, self.uplift)

    @property
    def refreshed(self) -> dict[str, Refreshed]:
        """The sources that look anew at what is current, by the name a failure is told under."""
        return {
            "models": self.models,
            "features": self.features,
            "ready forecasts": self.ready,
            "reference documents": self.reference,
            "anomalies": self.anomalies,
            "costs": self.costs,
            "uplift": self.uplift,
        }


def sources_of(settings: Settings) -> Sources:
    """Return the sources below the home folder; nothing is read yet."""
    clock = BusinessClock(settings.as_of)
    monitors = monitors_of(settings, clock)
    forecasts = Releases(settings.releases, "forecast", open_demand)
    return Sources(
        models=WatchedModels(forecasts, monitors.traffic),
        features=features_of(settings),
        ready=ReadyForecasts(settings.features / "ready"),
        reference=Reference(settings.features / "reference"),
        anomalies=Releases(settings.releases, "anomaly", open_anomaly),
        costs=Releases(settings.releases, COST, open_cost),
        uplift=UpliftReleases(settings.releases),
        clock=clock,
        monitors=monitors,
    )


def flows_of(settings: Settings, sources: Sources) -> Flows:
    """Return the request paths over the sources."""
    monitors = sources.monitors
    demand = LoggedDemandFlow(
        sources.models,
        sources.features,
        sources.clock,
        feature_ttl_seconds=settings.feature_ttl_hours * 3600,
        log=monitors.forecasts,
        ready=sources.ready,
    )
    replenishment = ReplenishmentFlow(demand, sources.features, sources.reference)
    uplift = UpliftFlow(sources.uplift, StoredUnits(sources.reference, sources.clock))
    return Flows(
        demand=demand,
        replenishment=replenishment,
        cost=CostFlow(sources.reference, sources.costs, sources.clock),
        cost_analysis=CostAnalysisFlow(sources.reference),
        supplier=SupplierFlow(sources.reference),
        model=ModelFlow(sources.described),
        forecasts=Gather(demand.forecast_many, demand.ready),
        reorders=Gather(replenishment.recommend_many),
        experiment=ExperimentFlow(),
        uplift=uplift,
        uplifts=Gather(uplift.predict_many),
        anomaly=AnomalyFlow(sources.anomalies),
        drift=DriftFlow(
            sources.described,
            monitors.profiles,
            monitors.traffic,
            monitors.readings,
            sources.clock,
        ),
    )


class Doors:
    """Both doors over the same flows, and the life they share."""

    def __init__(self, settings: Settings, sources: Sources, flows: Flows) -> None:
        """Build the doors; `open` opens them."""
        self._settings = settings
        self._sources = sources
        self._metrics = Metrics()
        self._requests = logs.RequestLog(sys.stdout)
        self._long = ThreadPoolExecutor(LONG_THREADS, "long")
        self._looks = ThreadPoolExecutor(1, "refresh")
        self._last_failure: dict[str, str] = {}
        self._polling: asyncio.Task[None] | None = None
        self._retired = False
        observers = (self._metrics, self._requests)
        self._gates = tuple(
            Gate(door, settings.max_concurrency, observers) for door in ("grpc", "http")
        )
        self.grpc = self._grpc_door(flows)
        self.http = self._http_door(flows)
        for gate in self._gates:
            self._metrics.watch_gate(gate)
        self._metrics.watch_models(flows.model.list_models)
        self._metrics.watch_lookups(lambda: flows.demand.looked_up)
        self._metrics.watch(VerdictMetrics(sources.monitors.readings))

    async def open(self) -> int:
        """Take up what is current, open the gRPC door and return its port.

        Raises:
            InvalidField: If the port is in use.
        """
        logs.configure(sys.stderr, self._settings.log_level)
        await self._refresh()
        self._sources.monitors.start()
        port = await self.grpc.open()
        self._polling = asyncio.create_task(self._poll())
        return port

    async def retire(self) -> None:
        """Say at both doors that they are about to close; requests are answered as before."""
        self._retired = True
        await self.grpc.retire()

    async def close(self) -> None:
        """Refuse new requests, let those in flight finish, and stop."""
        if self._polling is not None:
            self._polling.cancel()
        await self.retire()
        for gate in self._gates:
            gate.drain()
        await self.grpc.close(self._settings.drain_seconds)
        self._long.shutdown(wait=False, cancel_futures=True)
        self._looks.shutdown(wait=False, cancel_futures=True)
        self._requests.close()
        self._sources.monitors.close()

    def _grpc_door(self, flows: Flows) -> GrpcDoor:
        settings, gate = self._settings, self._gates[0]
        servicers = (
            ForecastServicer(flows.demand, flows.forecasts),
            ReplenishmentServicer(flows.replenishment, flows.reorders),
            ExperimentServicer(flows.experiment),
            UpliftServicer(flows.uplift, flows.uplifts),
            AnomalyServicer(flows.anomaly),
            DriftServicer(flows.drift),
            CostServicer(flows.cost, flows.cost_analysis),
            SupplierServicer(flows.supplier),
            ModelServicer(flows.model),
        )
        listening = Listening(settings.host, settings.grpc_port, settings.max_message_mib)
        if settings.grpc_server == "threads":
            return ThreadsDoor(servicers, gate, listening)
        return AsyncioDoor(servicers, gate, listening, self._long)

    def _http_door(self, flows: Flows) -> HttpDoor:
        gate = self._gates[1]
        document = resources.files("serving.http").joinpath("openapi.json").read_bytes()
        pages = {
            "/livez": Page(b"text/plain", lambda: b"live\n"),
            "/readyz": Page(b"text/plain", lambda: None if self._retired else b"ready\n"),
            "/metrics": Page(CONTENT_TYPE, self._metrics.page),
            "/openapi.json": Page(b"application/json", lambda: document),
        }
        limit = self._settings.max_message_mib
        return HttpDoor(flows, gate, self._long, pages, max_message_mib=limit)

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(self._settings.poll_seconds)
            await self._refresh()

    async def _refresh(self) -> None:
        loop = asyncio.get_running_loop()
        for name, source in self._sources.refreshed.items():
            await loop.run_in_executor(self._looks, self._look, name, source)

    def _look(self, name: str, source: Refreshed) -> None:
        try:
            source.refresh()
        except Exception as error:  # noqa: BLE001 - a bad release must not stop the one that serves
            self._metrics.refresh_failed(name)
            if self._last_failure.get(name) != str(error):  # once, not each second
                _log.warning("refreshing %s failed: %s", name, error, exc_info=error)
            self._last_failure[name] = str(error)
        else:
            self._last_failure.pop(name, None)


def build(settings: Settings) -> Doors:
    """Build the doors and everything behind them from the settings."""
    sources = sources_of(settings)
    return Doors(settings, sources, flows_of(settings, sources))
