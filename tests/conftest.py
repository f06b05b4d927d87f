"""A home made once for all tests that need a trained model: tables, registry, release, features."""

from __future__ import annotations

import datetime as dt
import shutil
from typing import TYPE_CHECKING

import hypothesis
import pytest

from serving.settings import Settings
from tests.fakes.redis_server import RedisProcess
from training.content import ForecastRun, Recipe
from training.world import LAST_DAY, Profile, generate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from training.panel import Panel

TINY = Profile(name="tiny", skus=8, locations=3, days=200, skus_per_part=8)
RECIPE = Recipe(rows=6_000, trees=20, leaves=15)
# What a test finds must not depend on how busy the machine is.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Return the settings of a home whose model serves; read it, and change `own_home` instead."""
    from training.features.materialize import Job, materialize
    from training.registry import Registry
    from training.runs import train_forecast

    settings = Settings(home=tmp_path_factory.mktemp("made") / "home", as_of=LAST_DAY)
    generate(TINY, 42, settings.tables)
    run = ForecastRun(settings.tables, LAST_DAY, RECIPE)
    result = train_forecast(settings, run, lambda _: None)
    job = Job(settings.tables, settings.features, LAST_DAY)
    materialize(job, now=dt.datetime.now(dt.UTC))
    Registry(settings).promote("forecast", result.version)
    return settings


@pytest.fixture(scope="session")
def recipe_of_home() -> Recipe:
    """Return what the model of `home` was trained with."""
    return RECIPE


@pytest.fixture
def own_home(home: Settings, tmp_path: Path) -> Settings:
    """Return a copy of `home` that a test may change."""
    shutil.copytree(home.home, tmp_path / "home", symlinks=True)
    return Settings(home=tmp_path / "home", as_of=LAST_DAY)


@pytest.fixture(scope="session")
def panel(home: Settings) -> Panel:
    """Return every series of `home`."""
    from training.panel import load_panel

    return load_panel(home.tables, as_of=LAST_DAY)


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisProcess]:
    """Return a Redis server that runs for one test, where there is one to run."""
    (tmp_path / "redis").mkdir()
    server = RedisProcess(tmp_path / "redis")
    yield server
    server.close()
