"""Versions are registered whole and promoted in one step, whatever fails on the way."""

from __future__ import annotations

import errno
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from serving.adapters.demand import open_demand
from serving.adapters.releases import CURRENT, GRAPH, Releases, open_release
from serving.domain.features import FEATURES, feature_set_hash
from serving.errors import Busy, ReleaseRefused, UnknownModel
from serving.settings import Settings
from tests.fakes.releases import Sound, change, sound
from training import registry as registry_module
from training.registry import Candidate, Registry
from training.shelf import HISTORY, Shelf

if TYPE_CHECKING:
    from collections.abc import Callable

NAME = "forecast"
ROOT = Path(__file__).parents[2]
# Promotes version 2 and 1 in turn, three times.
PROMOTING = """
import sys
from pathlib import Path
from serving.settings import Settings
from training.registry import Registry
registry = Registry(Settings(home=Path(sys.argv[1])))
for _ in range(3):
    for version in ("2", "1"):
        registry.promote("forecast", version)
"""


def candidate(model: Sound, **tags: str) -> Candidate:
    return Candidate(
        name=NAME,
        graph=model.graph,
        certificate=model.certificate,
        features=FEATURES,
        feature_set_hash=feature_set_hash(),
        facts=model.facts,
        headline="wmape/sku_location/all",
        parameters={"trees": 8},
        metrics={"wmape/sku_location/all": 0.25},
        tags=tags,
        artifacts={},
    )


@pytest.fixture(scope="module")
def model() -> Sound:
    return sound(0)


@pytest.fixture(scope="module")
def made(model: Sound, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home of two registered versions, none of them promoted."""
    home = tmp_path_factory.mktemp("registry") / "home"
    registry = Registry(Settings(home=home))
    assert registry.register(candidate(model, data="a")) == "1"
    assert registry.register(candidate(model, data="b")) == "2"
    return home


@pytest.fixture
def home(made: Path, tmp_path: Path) -> Path:
    return shutil.copytree(made, tmp_path / "home", symlinks=True)


@pytest.fixture
def registry(home: Path) -> Registry:
    return Registry(Settings(home=home))


def state(registry: Registry) -> tuple[str | None, str | None]:
    """Return the version the alias names and the one the link names."""
    champions = [one.version for one in registry.versions(NAME) if one.champion]
    assert len(champions) <= 1
    return next(iter(champions), None), registry.serving(NAME)


def test_a_registered_version_has_a_release_that_could_serve(registry: Registry) -> None:
    assert [one.version for one in registry.versions(NAME)] == ["2", "1"]
    assert registry.names() == [NAME]
    release = registry._shelf(NAME).release("2")
    assert open_release(release, open_demand).description.version == "2"
    assert state(registry) == (None, None)


def test_a_version_is_found_by_the_tags_of_its_run(registry: Registry) -> None:
    assert registry.find(NAME, {"data": "a"}) == "1"
    assert registry.find(NAME, {"data": "c"}) is None
    (registry._shelf(NAME).release("1") / GRAPH).unlink()
    assert registry.find(NAME, {"data": "a"}) is None, "a damaged release is trained anew"


def test_a_run_of_figures_keeps_every_step_and_registers_nothing(registry: Registry) -> None:
    steps = [{"wmape/all": 0.25, "bias/all": 0.01}, {"wmape/all": 0.5}]
    registry.record("backtest", {"horizon": "7"}, steps)
    client = registry._client
    experiment = client.get_experiment_by_name("backtest")
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.data.params == {"horizon": "7"}
    history = client.get_metric_history(run.info.run_id, "wmape/all")
    assert [(one.step, one.value) for one in history] == [(0, 0.25), (1, 0.5)]
    assert registry.names() == [NAME]


def test_promotion_moves_alias_and_link_and_again_moves_nothing(registry: Registry) -> None:
    assert registry.promote(NAME, "1")
    assert state(registry) == ("1", "1")
    assert not registry.promote(NAME, "1")
    assert registry.promote(NAME, "2")
    assert state(registry) == ("2", "2")


def test_rollback_goes_back_step_by_step_to_the_first(registry: Registry) -> None:
    for version in ("1", "2", "1"):
        registry.promote(NAME, version)
    assert registry.rollback(NAME) == "2"
    assert registry.rollback(NAME) == "1"
    with pytest.raises(ReleaseRefused, match="nothing served before it"):
        registry.rollback(NAME)
    assert state(registry) == ("1", "1")


def test_rollback_before_any_promotion_is_refused(registry: Registry) -> None:
    with pytest.raises(ReleaseRefused, match="nothing served before it"):
        registry.rollback(NAME)


def test_rollback_to_a_damaged_release_changes_nothing(registry: Registry) -> None:
    registry.promote(NAME, "1")
    registry.promote(NAME, "2")
    (registry._shelf(NAME).release("1") / GRAPH).unlink()
    with pytest.raises(ReleaseRefused, match="is missing"):
        registry.rollback(NAME)
    assert state(registry) == ("2", "2")
    assert registry._shelf(NAME).past() == ["1"]


def test_an_unknown_version_is_not_promoted(registry: Registry) -> None:
    with pytest.raises(UnknownModel):
        registry.promote(NAME, "9")
    with pytest.raises(UnknownModel):
        registry.promote("uplift", "1")


def test_a_release_that_fails_a_check_is_not_promoted(registry: Registry) -> None:
    registry.promote(NAME, "1")
    change(registry._shelf(NAME).release("2"), feature_set_hash="0" * 16)
    with pytest.raises(ReleaseRefused, match="feature set"):
        registry.promote(NAME, "2")
    assert state(registry) == ("1", "1")


def test_a_promotion_cut_between_alias_and_link_is_finished_by_the_next(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.promote(NAME, "1")

    def cut(_: Shelf, __: str) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Shelf, "point", cut)
        with pytest.raises(KeyboardInterrupt):
            registry.promote(NAME, "2")
    assert state(registry) == ("2", "1"), "what serves is what served"
    assert registry.promote(NAME, "2")
    assert state(registry) == ("2", "2")
    assert registry.rollback(NAME) == "1"


def test_a_promotion_cut_between_alias_and_link_is_undone_by_repair(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.promote(NAME, "1")
    with monkeypatch.context() as patched:
        patched.setattr(Shelf, "point", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            registry.promote(NAME, "2")
    assert registry.repair(NAME)
    assert state(registry) == ("1", "1")
    assert not registry.repair(NAME)


@pytest.mark.parametrize("call", ["write_text", "symlink_to", "replace"])
def test_a_full_disk_leaves_the_promotion_undone_and_says_so(
    registry: Registry, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.promote(NAME, "1")

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(Path, call, full)
        with pytest.raises(ReleaseRefused, match="No space left on device"):
            registry.promote(NAME, "2")
    assert state(registry) == ("1", "1")
    assert registry.promote(NAME, "2")
    assert registry.rollback(NAME) == "1"


def test_a_full_disk_while_registering_leaves_no_half_release(
    registry: Registry, model: Sound, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.promote(NAME, "1")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(ReleaseRefused, match="forecast/3 is refused: it cannot be written"):
            registry.register(candidate(model, data="c"))
    folder = registry._shelf(NAME).release("3").parent
    assert sorted(path.name for path in folder.iterdir() if path.name[0] != ".") == [
        "1",
        "2",
        CURRENT,
    ]
    assert not list(folder.glob(".*.new"))
    assert registry.find(NAME, {"data": "c"}) is None, "the next training makes it anew"


@pytest.mark.parametrize("kind", ["IMMEDIATE", "EXCLUSIVE"])
def test_a_locked_registry_is_waited_for_and_then_named(
    registry: Registry, home: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.promote(NAME, "1")
    monkeypatch.setattr(registry_module, "LOCK_SECONDS", 0.2)
    database = sqlite3.connect(home / "mlflow" / "mlflow.db", isolation_level=None)
    database.execute(f"BEGIN {kind}")
    try:
        with pytest.raises(Busy, match="database is locked"):
            registry.promote(NAME, "2")
        assert registry.serving(NAME) == "1"
    finally:
        database.execute("ROLLBACK")
        database.close()
    assert state(registry) == ("1", "1")
    assert registry.promote(NAME, "2")


def test_a_lost_registry_takes_up_the_releases_that_are_left(
    registry: Registry, home: Path, model: Sound
) -> None:
    registry.promote(NAME, "2")
    served = Releases(home.with_name("lost") / "releases", NAME, open_demand)
    lost = home.with_name("lost")  # MLflow keeps open what it once opened, even when it is gone
    home.rename(lost)
    shutil.rmtree(lost / "mlflow")

    again = Registry(Settings(home=lost))
    assert again.versions(NAME) == []
    served.refresh()
    assert served.current().description.version == "2", "serving reads no registry"
    version = again.register(candidate(model, data="a"))

    assert version == "3", "a new version replaces no release"
    assert [one.version for one in again.versions(NAME)] == ["3", "2", "1"]
    assert again.promote(NAME, "3")
    assert served.refresh()
    assert state(again) == ("3", "3")
    assert again.rollback(NAME) == "2"


def test_two_promotions_at_once_end_in_one_of_the_two_states(
    registry: Registry, home: Path
) -> None:
    command = [sys.executable, "-c", PROMOTING, str(home)]
    running = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [one.wait(120) for one in running] == [0, 0]
    assert state(registry) == ("1", "1")


@pytest.mark.parametrize(
    "damage", [lambda file: file.unlink(), lambda file: file.write_text("[")], ids=["gone", "half"]
)
def test_a_lost_history_costs_the_way_back_and_nothing_else(
    registry: Registry, home: Path, damage: Callable[[Path], object]
) -> None:
    registry.promote(NAME, "1")
    registry.promote(NAME, "2")
    assert json.loads((home / "releases" / NAME / HISTORY).read_text()) == ["1"]
    damage(home / "releases" / NAME / HISTORY)
    with pytest.raises(ReleaseRefused, match="nothing served before it"):
        registry.rollback(NAME)
    assert registry.promote(NAME, "1")
