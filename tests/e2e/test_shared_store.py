"""Features in a Redis server: the answers of the files, on both doors, and what its loss does."""

from __future__ import annotations

import dataclasses
import shutil
import time
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from parlevel.client import Client, RetryPolicy
from parlevel.client.errors import Unavailable
from serving.adapters.features import PackedFeatures
from serving.compose import Sources, flows_of, sources_of
from serving.domain.demand import BatchForecastQuery, ForecastQuery
from serving.domain.replenishment import ReorderQuery
from serving.errors import NoFeatures, StoreUnavailable
from tests.fakes.ports import free_port
from tests.fakes.redis_server import PASSWORD
from tests.fakes.service import JSON, Service
from training.features.sharing import share
from training.operations import upgrade

if TYPE_CHECKING:
    from collections.abc import Callable

    from serving.gate import Flows
    from serving.settings import Settings
    from tests.fakes.redis_server import RedisProcess

pytestmark = pytest.mark.e2e
HORIZON = 5

ORDER: dict[str, Any] = {
    "lead_time_days": 2.0,
    "lead_time_std_days": 0.0,
    "review_days": 3.0,
    "service_level": 0.95,
}


class Graph:
    """The graph a service builds, without its doors."""

    def __init__(self, settings: Settings) -> None:
        self.sources: Sources = sources_of(settings)
        self.flows: Flows = flows_of(settings, self.sources)
        self.sources.models.refresh()

    def ask(self, series: list[tuple[str, str]]) -> list[Any]:
        """Return orders, and the bits of forecasts alone and in a batch."""
        skus, locations = zip(*series, strict=True)
        demand, replenishment = self.flows.demand, self.flows.replenishment
        orders: list[Any] = [replenishment.recommend(ReorderQuery(*key, **ORDER)) for key in series]
        alone = [demand.forecast(ForecastQuery(*key, HORIZON)) for key in series]
        batch = demand.forecast_batch(BatchForecastQuery(skus, locations, HORIZON))
        answers: tuple[Any, ...] = (*alone, batch)
        return orders + [part.tobytes() for one in answers for part in (one.mean, one.quantiles)]


@pytest.fixture
def shared(own_home: Settings, redis_server: RedisProcess) -> Settings:
    """Return the settings of a home whose features are shared; no file below it holds them."""
    share(own_home.features, redis_server.url, lambda _: None)
    shutil.rmtree(own_home.features / "online")
    return dataclasses.replace(own_home, online_store=redis_server.url)


@pytest.fixture(scope="module")
def series(home: Settings) -> list[tuple[str, str]]:
    return PackedFeatures(home.features / "online").snapshot().series()


def soon(holds: Callable[[], bool]) -> None:
    """Wait until something holds, a few seconds at most."""
    until = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_the_flows_answer_from_the_store_as_from_files(
    home: Settings, shared: Settings, series: list[tuple[str, str]]
) -> None:
    assert Graph(shared).ask(series) == Graph(home).ask(series)


def test_while_the_store_is_away_the_flows_say_so_and_they_answer_once_it_is_back(
    shared: Settings, series: list[tuple[str, str]], redis_server: RedisProcess
) -> None:
    graph = Graph(shared)
    before = graph.ask(series)
    redis_server.stop()
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match="PARLEVEL_ONLINE_STORE"):
            graph.ask(series)
        with pytest.raises(StoreUnavailable):
            graph.sources.features.refresh()
    begun_meanwhile = Graph(shared)
    with pytest.raises(StoreUnavailable, match="PARLEVEL_ONLINE_STORE"):
        begun_meanwhile.ask(series)
    redis_server.start()
    for one in (graph, begun_meanwhile):
        one.sources.features.refresh()
        assert one.ask(series) == before


def test_an_empty_store_names_the_command_that_fills_it(
    shared: Settings, series: list[tuple[str, str]], redis_server: RedisProcess
) -> None:
    redis_server.client.flushall()
    with pytest.raises(NoFeatures, match="parlevel features materialize"):
        Graph(shared).ask(series)


class Doors:
    """Both doors of a service in a process of its own."""

    def __init__(self, settings: Settings, series: list[tuple[str, str]]) -> None:
        upgrade(settings.home)  # it is a copy
        self.service = Service(settings.home, free_port(), free_port())
        self.settings = {
            "PARLEVEL_AS_OF": str(settings.as_of),
            "PARLEVEL_POLL_SECONDS": "0.05",
            "PARLEVEL_ONLINE_STORE": str(settings.online_store),
        }
        self.series = series[:4]

    def run(self, command: str) -> None:
        done = self.service.run(command, **self.settings)
        assert done.returncode == 0, done.stderr

    def over_http(self) -> list[tuple[int, Any]]:
        answers = (
            self.service.ask("POST", path, orjson.dumps(body), JSON)
            for sku, place in self.series
            for path, body in (
                ("/v1/demand:forecast", {"sku": sku, "location": place, "horizon_days": HORIZON}),
                ("/v1/reorder:recommend", {**ORDER, "sku": sku, "location": place}),
            )
        )
        return [(status, orjson.loads(body)) for status, body in answers]

    def over_grpc(self) -> list[Any]:
        once = RetryPolicy(max_attempts=1)
        with Client(f"127.0.0.1:{self.service.grpc}", retry=once) as client:
            return [
                answer
                for sku, place in self.series
                for answer in (
                    client.forecast(sku, place, HORIZON),
                    client.recommend_reorder(sku, place, **ORDER),
                )
            ]

    def statuses(self) -> set[int]:
        return {status for status, _ in self.over_http()}


def test_both_doors_outlive_a_restart_of_the_store_and_say_so_meanwhile(
    shared: Settings, series: list[tuple[str, str]], redis_server: RedisProcess
) -> None:
    doors = Doors(shared, series)
    doors.run("start")
    try:
        answers = doors.over_http(), doors.over_grpc()
        assert doors.statuses() == {200}
        redis_server.stop()
        soon(lambda: doors.statuses() == {503})
        ((_, body), *_) = doors.over_http()
        assert redis_server.address in body["message"]
        with pytest.raises(Unavailable, match="PARLEVEL_ONLINE_STORE"):
            doors.over_grpc()
        assert doors.service.ask("GET", "/readyz")[0] == 200
        redis_server.start()
        soon(lambda: doors.statuses() == {200})
        assert (doors.over_http(), doors.over_grpc()) == answers
    finally:
        doors.run("stop")
    log = (shared.home / "logs" / "serve.log").read_text(encoding="utf-8")
    assert "refreshing features failed" in log
    assert PASSWORD not in log
    assert redis_server.url not in log
