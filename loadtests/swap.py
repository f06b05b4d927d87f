"""Swap versions under load on both doors, and count what fails, mixes or slows down.

    PARLEVEL_HOME=... PARLEVEL_AS_OF=... python -m loadtests.swap --swaps 50

The home needs two versions (`parlevel train forecast`, then again with another --seed) and its
service stopped: one is started with a short poll, and stopped at the end. Every answer must be
that of the version it names, to the last bit.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import httpx
import numpy as np

from parlevel.v1 import demand_pb2, demand_pb2_grpc
from serving import settings as configuration
from serving.adapters.clock import BusinessClock
from serving.adapters.demand import open_demand
from serving.adapters.features import PackedFeatures
from serving.adapters.releases import open_release
from serving.domain.demand import BatchForecastQuery
from serving.errors import InvalidField
from serving.flows.demand import DemandFlow
from training import service_process, tables

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from serving.adapters.demand import OnnxDemandModel
    from serving.domain.model import ModelDescription
    from serving.settings import Settings

    Ask = Callable[[], Awaitable[tuple[str, list[float]]]]

MODEL = "forecast"
POLL_SECONDS = 0.05
BETWEEN_SWAPS = 0.25
CLIENTS_PER_DOOR = 3
SERIES, HORIZON = 12, 7
PATIENCE = 60.0  # seconds the service is given to start or to stop
COMMAND_LINE = "from training.cli import main; main()"


@dataclass(frozen=True, slots=True)
class Order:
    """What is run.

    Attributes:
        swaps: Promotions, back and forth between the two newest versions.
        steady_seconds: Load before the first swap.
    """

    swaps: int = 50
    steady_seconds: float = 5.0


@dataclass(slots=True)
class Figures:
    """What came of it.

    Attributes:
        answers: Answers by version.
        failed: Requests that failed, each with its error.
        mixed: Answers that are not those of the version they name.
        steady: Latency of each request before the first swap, seconds.
        swapping: Latency of each request from the first swap on, seconds.
        memory: Resident memory of the service before the first swap and after the last, bytes.
    """

    answers: dict[str, int] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)
    mixed: int = 0
    steady: list[float] = field(default_factory=list)
    swapping: list[float] = field(default_factory=list)
    memory: tuple[int, int] = (0, 0)

    def lines(self) -> Iterator[str]:
        """Yield the figures as text."""
        shares = ", ".join(f"{count:,} by version {v}" for v, count in sorted(self.answers.items()))
        yield f"answers  {shares}"
        yield f"failed   {len(self.failed)}, mixed {self.mixed}"
        for name, seconds in (("steady", self.steady), ("swapping", self.swapping)):
            low, high = np.quantile(seconds, (0.5, 0.99)) * 1000
            yield f"{name:8} p50 {low:.1f} ms, p99 {high:.1f} ms"
        before, after = (size / 2**20 for size in self.memory)
        yield f"memory   {before:.0f} MiB before, {after:.0f} MiB after ({after / before - 1:+.1%})"


class _One:
    """A source of one model."""

    def __init__(self, model: OnnxDemandModel) -> None:
        self._model = model

    def current(self) -> OnnxDemandModel:
        return self._model

    def descriptions(self) -> list[ModelDescription]:
        return [self._model.description]


def run(settings: Settings, order: Order) -> Figures:
    """Start the service of a home, load both doors, swap, and stop it.

    Raises:
        InvalidField: If the home has fewer than two versions.
    """
    from training.registry import Registry

    registry = Registry(settings)
    versions = [one.version for one in registry.versions(MODEL)][:2]
    if len(versions) < 2:  # noqa: PLR2004 - back and forth
        raise InvalidField("home", "must have two versions: run `parlevel train forecast --seed 7`")
    registry.promote(MODEL, versions[0])
    query = question_of(settings)
    expected = {version: answer_of(settings, version, query) for version in versions}
    figures = Figures()
    with _service(settings) as pid:
        asyncio.run(_Load(settings, query, expected, figures).run(order, registry.promote, pid))
    return figures


def question_of(settings: Settings) -> BatchForecastQuery:
    """Return what is asked again and again: a few series of the home."""
    sales = tables.read(settings.tables, "sales", columns=["sku", "location"])
    keys = sales.unique(maintain_order=True).head(SERIES)
    return BatchForecastQuery(tuple(keys["sku"]), tuple(keys["location"]), HORIZON)


def answer_of(settings: Settings, version: str, query: BatchForecastQuery) -> list[float]:
    """Return what a version answers, computed without the service."""
    flow = DemandFlow(
        _One(open_release(settings.releases / MODEL / version, open_demand)),
        PackedFeatures(settings.features / "online"),
        BusinessClock(settings.as_of),
        feature_ttl_seconds=settings.feature_ttl_hours * 3600,
    )
    return [float(value) for value in flow.forecast_batch(query).quantiles.ravel()]


@contextlib.contextmanager
def _service(settings: Settings) -> Iterator[int]:
    """Run the service of a home with a short poll; yield its process."""
    ours = {
        "PARLEVEL_HOME": str(settings.home),
        "PARLEVEL_AS_OF": str(settings.as_of or ""),
        "PARLEVEL_HTTP_PORT": str(settings.http_port),
        "PARLEVEL_GRPC_PORT": str(settings.grpc_port),
        "PARLEVEL_POLL_SECONDS": str(POLL_SECONDS),
    }
    kept = {name: v for name, v in os.environ.items() if not name.startswith("PARLEVEL_")}

    def serve(word: str) -> None:
        command = [sys.executable, "-c", COMMAND_LINE, "serve", word]
        subprocess.run(  # noqa: S603 - our own command
            command, env=kept | ours, check=True, stdout=subprocess.DEVNULL, timeout=PATIENCE
        )

    serve("start")
    try:
        running = service_process.find(settings)
        if running is None:
            raise InvalidField("service", "must run: it ended right after its start")
        yield running.pid
    finally:
        serve("stop")


class _Load:
    """Clients of both doors that ask the same question again and again."""

    def __init__(
        self,
        settings: Settings,
        query: BatchForecastQuery,
        expected: dict[str, list[float]],
        figures: Figures,
    ) -> None:
        self._settings = settings
        self._query = query
        self._expected = expected
        self._figures = figures
        self._latencies = figures.steady
        self._done = False

    async def run(self, order: Order, promote: Callable[[str, str], bool], pid: int) -> None:
        """Load both doors, at first in peace, then through the swaps."""
        async with self._grpc() as ask_grpc, self._http() as ask_http:
            clients = [
                asyncio.create_task(self._ask_on(ask))
                for ask in (ask_grpc, ask_http)
                for _ in range(CLIENTS_PER_DOOR)
            ]
            await asyncio.sleep(order.steady_seconds)
            # Both versions have been open once before memory is compared.
            for version in (*reversed(self._expected), *reversed(self._expected)):
                await asyncio.to_thread(promote, MODEL, version)
                await asyncio.sleep(BETWEEN_SWAPS)
            before, self._latencies = _resident(pid), self._figures.swapping
            there, back = self._expected
            for swap in range(order.swaps):
                await asyncio.to_thread(promote, MODEL, (back, there)[swap % 2])
                await asyncio.sleep(BETWEEN_SWAPS)
            self._done = True
            await asyncio.gather(*clients)
            self._figures.memory = (before, _resident(pid))

    async def _ask_on(self, ask: Ask) -> None:
        figures = self._figures
        while not self._done:
            begun = time.perf_counter()
            try:
                version, values = await ask()
            except (grpc.aio.AioRpcError, httpx.HTTPError) as error:
                figures.failed.append(repr(error))
                continue
            self._latencies.append(time.perf_counter() - begun)
            figures.answers[version] = figures.answers.get(version, 0) + 1
            figures.mixed += values != self._expected[version]

    @contextlib.asynccontextmanager
    async def _grpc(self) -> AsyncIterator[Ask]:
        request = demand_pb2.BatchForecastDemandRequest(
            skus=self._query.skus, locations=self._query.locations, horizon_days=HORIZON
        )
        async with grpc.aio.insecure_channel(
            f"{self._settings.host}:{self._settings.grpc_port}"
        ) as channel:
            stub = demand_pb2_grpc.ForecastServiceStub(channel)

            async def ask() -> tuple[str, list[float]]:
                answer = await stub.BatchForecastDemand(request, timeout=10)
                return answer.provenance.model_version, list(answer.quantiles)

            yield ask

    @contextlib.asynccontextmanager
    async def _http(self) -> AsyncIterator[Ask]:
        body = {
            "skus": self._query.skus,
            "locations": self._query.locations,
            "horizon_days": HORIZON,
        }
        base = f"http://{self._settings.host}:{self._settings.http_port}"
        async with httpx.AsyncClient(base_url=base, timeout=10, trust_env=False) as client:

            async def ask() -> tuple[str, list[float]]:
                answer = await client.post("/v1/demand:batchForecast", json=body)
                found = answer.raise_for_status().json()
                return found["provenance"]["model_version"], found["quantiles"]

            yield ask


def _resident(pid: int) -> int:
    """Return the resident memory of a process, bytes."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    """Run from the command line; exits with 1 where an answer failed or was mixed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--swaps", type=int, default=50)
    parser.add_argument("--steady-seconds", type=float, default=5.0)
    asked = parser.parse_args()
    figures = run(configuration.load(), Order(asked.swaps, asked.steady_seconds))
    sys.stdout.write("\n".join(figures.lines()) + "\n")
    raise SystemExit(bool(figures.failed or figures.mixed))


if __name__ == "__main__":
    main()
