"""What breaks below a running graph breaks as little as it can, and says what to do."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from loadtests.kills.__main__ import KINDS
from loadtests.kills.children import kill, require, rounds
from serving.adapters.features import CURRENT, DATABASE
from serving.adapters.releases import GRAPH
from serving.compose import Sources, flows_of, sources_of
from serving.domain.demand import BatchForecastQuery, ForecastQuery
from serving.domain.series import SEPARATOR
from serving.errors import BrokenRecord, ReleaseRefused, UnknownModel
from training import tables
from training.content import ForecastRun
from training.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable

    from serving.gate import Flows
    from serving.settings import Settings
    from training.content import Recipe

pytestmark = pytest.mark.e2e
ROOT = Path(__file__).parents[2]


class Running:
    """The graph a service builds, without its doors."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.sources: Sources = sources_of(settings)
        self.flows: Flows = flows_of(settings, self.sources)
        self.look()
        sales = tables.read(settings.tables, "sales", columns=["sku", "location"])
        self.keys = sales.unique(maintain_order=True).rows()

    def look(self) -> None:
        """Look at releases and features as the service does each second."""
        for source in (self.sources.models, self.sources.features):
            source.refresh()

    def ask(self, series: int = 0) -> list[float]:
        sku, location = self.keys[series]
        answer = self.flows.demand.forecast(ForecastQuery(sku, location, 5))
        return [float(value) for value in answer.quantiles.ravel()]


@pytest.fixture
def running(own_home: Settings) -> Running:
    return Running(own_home)


@pytest.fixture(scope="module")
def killed(home: Settings) -> subprocess.CompletedProcess[str]:
    """Return what two kills of each kind came to, in a process that forks before it trains."""
    return subprocess.run(
        [sys.executable, "-m", "loadtests.kills", "--times", "2", "--home", str(home.home)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


@pytest.mark.parametrize("kind", KINDS)
def test_work_killed_at_random_moments_leaves_the_old_state_or_the_new_whole(
    killed: subprocess.CompletedProcess[str], kind: str
) -> None:
    (row,) = [line for line in killed.stdout.splitlines() if line.startswith(f"│ {kind} ")]
    assert "2 of 2" in row, killed.stdout + killed.stderr


def test_what_is_not_whole_after_a_kill_is_told(tmp_path: Path) -> None:
    file = tmp_path / "state"

    class Careless:
        """Writes its state in place."""

        def prepare(self) -> None:
            file.write_text("00")

        def run(self, number: int, begin: Callable[[], None]) -> None:
            begin()
            for half in range(2):
                with file.open("r+") as state:
                    state.seek(half)
                    state.write(str(number % 2))
                time.sleep(0.2)

        def strike(self, child: int) -> None:
            kill(child)

        def check(self, number: int) -> None:
            require(file.read_text() in ("00", "11"), "half of it is new")
            file.write_text(str(number % 2) * 2)

    found = list(rounds(Careless(), times=6, seed=7))
    assert any("half of it is new" in one.failure for one in found)
    assert any(not one.failure for one in found)


def damage_series(settings: Settings, key: tuple[str, str]) -> None:
    """Publish a copy of the current generation in which one record is cut short."""
    online = settings.features / "online"
    there = (online / CURRENT).readlink().name
    shutil.copytree(online / there, online / "damaged")
    with closing(sqlite3.connect(online / "damaged" / DATABASE)) as database, database:
        changed = database.execute(
            "UPDATE demand_state SET record = substr(record, 1, 40) WHERE key = ?",
            (SEPARATOR.join(key),),
        )
        assert changed.rowcount == 1
    link = online / ".link"
    link.symlink_to("damaged")
    link.replace(online / CURRENT)


def test_a_damaged_record_fails_its_series_and_no_other(running: Running) -> None:
    before = running.ask(1)
    damage_series(running.settings, running.keys[0])
    running.look()
    with pytest.raises(BrokenRecord, match="features materialize"):
        running.ask(0)
    assert running.ask(1) == before
    skus, locations = zip(*running.keys[1:4], strict=True)
    batch = running.flows.demand.forecast_batch(BatchForecastQuery(skus, locations, 5))
    assert len(batch.mean) == 3


def test_a_damaged_release_is_not_promoted_and_the_old_one_serves_on(running: Running) -> None:
    before = running.ask()
    releases = running.settings.releases / "forecast"
    shutil.copytree(releases / "1", releases / "2")
    graph = (releases / "2" / GRAPH).read_bytes()
    (releases / "2" / GRAPH).write_bytes(graph[: len(graph) // 2])
    with pytest.raises(ReleaseRefused):
        Registry(running.settings).promote("forecast", "2")
    running.look()
    assert running.ask() == before
    assert running.flows.model.get_model("forecast").refused_reason == ""


def test_a_release_that_is_damaged_after_its_promotion_serves_on_from_memory(
    running: Running,
) -> None:
    before = running.ask()
    shutil.rmtree(running.settings.releases / "forecast" / "1")
    running.look()
    assert running.ask() == before
    with pytest.raises(UnknownModel):
        Registry(running.settings).promote("forecast", "1")


def test_features_removed_while_they_are_read_are_read_on(running: Running) -> None:
    before = running.ask()
    shutil.rmtree(running.settings.features / "online")
    running.look()
    assert running.ask() == before


def test_a_lost_registry_stops_no_answer_and_the_next_training_makes_it_anew(
    running: Running, recipe_of_home: Recipe
) -> None:
    from training.runs import train_forecast

    settings = running.settings
    before = running.ask()
    shutil.rmtree(settings.home / "mlflow")
    running.look()
    assert running.ask() == before

    run = ForecastRun(settings.tables, settings.as_of, recipe_of_home)
    result = train_forecast(settings, run, lambda _: None)
    assert result.version == "2", "the release that serves is not written over"
    assert Registry(settings).promote("forecast", "2")
    running.look()
    assert running.sources.models.current().description.version == "2"
    assert running.ask() == before, "the same data and recipe give the same model"
