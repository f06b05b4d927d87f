"""The graph over fake sources: opened, refreshed and closed."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from serving.adapters import logs
from serving.adapters.clock import BusinessClock
from serving.adapters.monitors import monitors_of
from serving.compose import Doors, Sources
from serving.settings import Settings
from tests.fakes.doors import DESCRIPTION, Rig

if TYPE_CHECKING:
    from collections.abc import Iterator

    from serving.domain.model import ModelDescription
    from serving.domain.ready import ReadyKind
    from serving.ports import DemandModel, FeatureSnapshot


class Source:
    """Counts the looks it is told to take; fails while told to."""

    def __init__(self) -> None:
        self.looks = 0
        self.failing = False

    def refresh(self) -> None:
        self.looks += 1
        if self.failing:
            raise OSError("the disk is away")


class FakeModels(Source):
    def current(self) -> DemandModel:
        raise NotImplementedError

    def descriptions(self) -> list[ModelDescription]:
        return [DESCRIPTION]


class FakeFeatures(Source):
    def snapshot(self) -> FeatureSnapshot:
        raise NotImplementedError


class FakeReference(Source):
    generation = ""

    def document(self, kind: str, key: str) -> dict[str, Any] | None:
        raise NotImplementedError


class FakeReady(Source):
    def run(self, kind: ReadyKind) -> None:
        raise NotImplementedError


class NoModels(Source):
    def current(self) -> NoReturn:
        raise NotImplementedError

    def descriptions(self) -> list[ModelDescription]:
        return []


def below(models: FakeModels, features: FakeFeatures) -> Sources:
    clock = BusinessClock()
    monitors = monitors_of(Settings(forecast_log_mib=0), clock)
    return Sources(
        models=models,
        features=features,
        ready=FakeReady(),
        reference=FakeReference(),
        anomalies=NoModels(),
        costs=NoModels(),
        uplift=NoModels(),
        clock=clock,
        monitors=monitors,
    )


@pytest.fixture(autouse=True)
def restored(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    # The doors send the log to a stream of their own; here it stays with pytest.
    monkeypatch.setattr(logs, "configure", _nothing)
    yield
    logging.getLogger(logs.LOGGER).propagate = True


def _nothing(*_: object) -> None: ...


def opened(kind: str, sources: Sources, seconds: float) -> Doors:
    settings = Settings(http_port=0, grpc_port=0, grpc_server=kind, poll_seconds=0.01)

    async def live() -> Doors:
        doors = Doors(settings, sources, Rig().flows)
        assert await doors.open() > 0
        await asyncio.sleep(seconds)
        await doors.close()
        return doors

    return asyncio.run(live())


@pytest.mark.parametrize("kind", ["asyncio", "threads"])
def test_sources_are_looked_at_before_the_doors_open_and_again_and_again(kind: str) -> None:
    models, features = FakeModels(), FakeFeatures()
    opened(kind, below(models, features), 0.2)
    assert models.looks > 2
    assert features.looks > 2


def test_a_source_that_fails_is_logged_once_counted_and_does_not_stop_the_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    models, features = FakeModels(), FakeFeatures()
    models.failing = True
    doors = opened("asyncio", below(models, features), 0.2)
    assert features.looks > 2
    assert caplog.text.count("refreshing models failed") == 1
    page = doors._metrics.page().decode()
    (line,) = [one for one in page.splitlines() if one.startswith("parlevel_refresh_failures_t")]
    assert float(line.split()[-1]) == models.looks


def test_a_closed_door_is_not_ready() -> None:
    doors = opened("asyncio", below(FakeModels(), FakeFeatures()), 0.0)
    assert doors.http._pages["/readyz"].read() is None


def test_health_says_so_before_either_door_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, list[bool]]] = []
    doors = Doors(Settings(), below(FakeModels(), FakeFeatures()), Rig().flows)

    class Watched:
        async def retire(self) -> None:
            seen.append(("health", [gate.draining for gate in doors._gates]))

        async def close(self, seconds: float) -> None:
            del seconds
            seen.append(("closed", [gate.draining for gate in doors._gates]))

    monkeypatch.setattr(doors, "grpc", Watched())
    asyncio.run(doors.close())
    assert seen == [("health", [False, False]), ("closed", [True, True])]
