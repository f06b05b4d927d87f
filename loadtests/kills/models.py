"""What makes and moves models, killed: training, promotion, and a service that swaps."""

from __future__ import annotations

import dataclasses
import itertools
import os
import time
from typing import TYPE_CHECKING

import grpc

from loadtests.bench.processes import free_port
from loadtests.kills.children import kill, require
from loadtests.swap import MODEL, answer_of, question_of
from parlevel.v1 import demand_pb2, demand_pb2_grpc
from serving.adapters.openers import open_any
from training import service_process
from training.content import ForecastRun, Recipe
from training.registry import Registry
from training.runs import train_forecast

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from serving.settings import Settings

RECIPE = Recipe(horizon=7, rows=2_000, trees=10, leaves=7)
PROMOTIONS = 6  # of a round
BETWEEN = 0.15  # seconds between two promotions under a service
POLL_SECONDS = 0.02


class _Home:
    """A home with at least two versions, which the work of this room moves about in."""

    def __init__(self, settings: Settings, scratch: Path) -> None:
        """Take the home; nothing of these kinds lies elsewhere."""
        del scratch
        self._settings = settings

    def prepare(self) -> None:
        """Train until there are two versions, and let the first serve."""
        registry = Registry(self._settings)
        for seed in range(1, 3):
            if len(registry.versions(MODEL)) < 2:  # noqa: PLR2004 - back and forth
                self._train(seed)
        registry.promote(MODEL, "1")

    def strike(self, child: int) -> None:
        """Kill the child that works."""
        kill(child)

    def _train(self, seed: int) -> str:
        recipe = dataclasses.replace(RECIPE, seed=seed)
        run = ForecastRun(self._settings.tables, self._settings.as_of, recipe)
        return train_forecast(self._settings, run, lambda _: None).version

    def _check_releases(self, registry: Registry) -> str:
        """See that every release is sound and one version serves; return that version."""
        folder = self._settings.releases / MODEL
        for path in folder.iterdir():
            if path.is_dir() and not path.is_symlink() and not path.name.startswith("."):
                open_any(path)
        serving = registry.serving(MODEL)
        require(serving in ("1", "2"), f"version {serving} serves")
        return str(serving)

    def _check_promoted(self, registry: Registry, version: str) -> None:
        """Promote a version, and see that registry and releases agree on it."""
        registry.promote(MODEL, version)
        serving = registry.serving(MODEL)
        require(serving == version, f"version {serving} serves, not {version}")
        require(not registry.repair(MODEL), "alias and link named different versions")


class Train(_Home):
    """Trains and registers a version of another seed each round."""

    def run(self, number: int, begin: Callable[[], None]) -> None:
        """Train the version of a round."""
        begin()
        self._train(100 + number)

    def check(self, number: int) -> None:
        """Find every release sound, train again, and promote what came of it."""
        registry = Registry(self._settings)
        serving = self._check_releases(registry)
        version = self._train(100 + number)
        self._check_promoted(registry, version)
        left = sorted(path.name for path in (self._settings.releases / MODEL).glob(".*.new"))
        require(not left, f"left behind: {left}")
        registry.promote(MODEL, serving)


class Promote(_Home):
    """Promotes two versions in turn."""

    def run(self, number: int, begin: Callable[[], None]) -> None:
        """Promote, back and forth."""
        del number
        registry = Registry(self._settings)
        begin()
        for version in itertools.islice(itertools.cycle("21"), PROMOTIONS):
            registry.promote(MODEL, version)

    def check(self, number: int) -> None:
        """Find one of the versions serve, repair, and promote one of them."""
        registry = Registry(self._settings)
        serving = self._check_releases(registry)
        registry.repair(MODEL)
        self._check_promoted(registry, serving)
        self._check_promoted(registry, str(number % 2 + 1))


class Swap(_Home):
    """Promotes two versions in turn under a service; both are killed."""

    def run(self, number: int, begin: Callable[[], None]) -> None:
        """Start the service, and promote while it follows."""
        self._start()
        registry = Registry(self._settings)
        begin()
        for version in itertools.islice(itertools.cycle("21"), PROMOTIONS):
            registry.promote(MODEL, version)
            time.sleep(BETWEEN)
        if not number:  # nobody kills the first run
            self._stop()

    def strike(self, child: int) -> None:
        """Kill the service, and who promotes."""
        running = service_process.find(self._settings)
        if running is not None:
            kill(running.pid)
        kill(child)

    def check(self, number: int) -> None:
        """Start the service again: it answers as the version that is promoted, to the last bit."""
        del number
        serving = self._check_releases(Registry(self._settings))
        running = self._start()
        try:
            query = question_of(self._settings)
            request = demand_pb2.BatchForecastDemandRequest(
                skus=query.skus, locations=query.locations, horizon_days=query.horizon
            )
            with grpc.insecure_channel(f"{running.host}:{running.grpc_port}") as channel:
                answer = demand_pb2_grpc.ForecastServiceStub(channel).BatchForecastDemand(
                    request, timeout=10
                )
        finally:
            self._stop()
        version = answer.provenance.model_version
        require(version == serving, f"version {version} answers, {serving} is promoted")
        expected = answer_of(self._settings, version, query)
        require(list(answer.quantiles) == expected, f"these are not the answers of {version}")

    def _start(self) -> service_process.Running:
        settings = dataclasses.replace(self._settings, http_port=free_port(), grpc_port=free_port())
        os.environ |= {
            "PARLEVEL_HOME": str(settings.home),
            "PARLEVEL_AS_OF": str(settings.as_of or ""),
            "PARLEVEL_HTTP_PORT": str(settings.http_port),
            "PARLEVEL_GRPC_PORT": str(settings.grpc_port),
            "PARLEVEL_POLL_SECONDS": str(POLL_SECONDS),
        }
        running, states = service_process.start(settings)
        for _ in states:
            pass
        return running

    def _stop(self) -> None:
        running = service_process.find(self._settings)
        if running is not None:
            service_process.stop(self._settings, running)
