"""Prometheus: what the doors did, and with which model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily

from serving.domain.model import RefusedModel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from prometheus_client.registry import Collector

    from serving.domain.model import ModelDescription
    from serving.gate import Call, Gate

    Descriptions = Callable[[], Iterable[ModelDescription | RefusedModel]]

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
BUCKETS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """Counts and times every request; its page is read by Prometheus."""

    def __init__(self) -> None:
        """Make the metrics in a registry of their own."""
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._latency = Histogram(
            "parlevel_request_seconds",
            "Time from arrival to answer, by question, door and version of the model.",
            ("question", "door", "model_version"),
            buckets=BUCKETS,
            registry=self._registry,
        )
        self._failures = Counter(
            "parlevel_failures",
            "Requests that were not answered, by code.",
            ("question", "door", "code"),
            registry=self._registry,
        )
        self._age = Gauge(
            "parlevel_features_age_seconds",
            "Age of the oldest feature in the latest answer, on the business clock.",
            registry=self._registry,
        )
        self._in_flight = Gauge(
            "parlevel_requests_in_flight",
            "Requests admitted and not yet answered.",
            ("door",),
            registry=self._registry,
        )
        self._refreshes = Counter(
            "parlevel_refresh_failures",
            "Looks at the current release or features that failed.",
            ("source",),
            registry=self._registry,
        )
        self._lookups = Gauge(
            "parlevel_forecasts_looked_up",
            "Forecasts made ahead by `parlevel publish` that answered a question, since the start.",
            registry=self._registry,
        )
        # Looking a child up by its labels costs as much as the observation itself.
        self._observe: dict[tuple[str, str, str], Callable[[float], None]] = {}

    def record(self, call: Call, seconds: float) -> None:
        """Note a request and the time it took, in seconds."""
        key = (call.method, call.door, call.model_version)
        observe = self._observe.get(key)
        if observe is None:
            observe = self._observe[key] = self._latency.labels(*key).observe
        observe(seconds)
        if call.code != "OK":
            self._failures.labels(call.method, call.door, call.code).inc()
        if call.features_age is not None:
            self._age.set(call.features_age)

    def refresh_failed(self, source: str) -> None:
        """Count a look at the current release or features that failed."""
        self._refreshes.labels(source).inc()

    def watch_gate(self, gate: Gate) -> None:
        """Show the requests in flight at a door."""
        self._in_flight.labels(gate.door).set_function(lambda: gate.in_flight)

    def watch_models(self, descriptions: Descriptions) -> None:
        """Show which models answer or were refused, read anew for each page."""
        self._registry.register(_ModelInfo(descriptions))

    def watch_lookups(self, count: Callable[[], int]) -> None:
        """Show how many forecasts were looked up, not computed."""
        self._lookups.set_function(count)

    def watch(self, collector: Collector) -> None:
        """Show what a collector yields, read anew for each page."""
        self._registry.register(collector)

    def page(self) -> bytes:
        """Return the page Prometheus reads."""
        return generate_latest(self._registry)


class _ModelInfo:
    def __init__(self, descriptions: Descriptions) -> None:
        self._descriptions = descriptions

    def describe(self) -> list[GaugeMetricFamily]:
        """Return nothing: without this the registry would collect at registration."""
        return []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield one sample a model."""
        family = GaugeMetricFamily(
            "parlevel_model_info",
            "Models: 1 where a version answers, 0 where its first release was refused.",
            labels=("name", "version", "digest", "refused_reason"),
        )
        for one in self._descriptions():
            if isinstance(one, RefusedModel):
                family.add_metric((one.name, "", "", one.refused_reason), 0.0)
            else:
                family.add_metric((one.name, one.version, one.digest, one.refused_reason), 1.0)
        yield family
