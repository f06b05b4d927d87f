from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from serving.adapters.features import CURRENT, PackedFeatures
from serving.adapters.packed import ENTITIES
from serving.adapters.redis_features import RedisFeatures, hash_of
from serving.errors import Busy, NoFeatures, StoreUnavailable
from training.commands.features import materialize as command
from training.features.sharing import TABLES, share
from training.features.store import ONLINE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from serving.settings import Settings
    from tests.fakes.redis_server import RedisProcess


class Killed(BaseException):
    """Ends a run where it stands: nothing of it may count on being tidied up."""


class Features:
    """A folder of features whose current generation is named at will."""

    def __init__(self, home: Settings, folder: Path) -> None:
        self.folder = folder
        self._made = home.features / ONLINE / CURRENT
        (folder / ONLINE).mkdir(parents=True)

    def publish(self, name: str) -> Path:
        """Make the records of the home current under a name, and return the folder."""
        if not (self.folder / ONLINE / name).exists():
            shutil.copytree(self._made.resolve(), self.folder / ONLINE / name)
        link = self.folder / ONLINE / CURRENT
        link.unlink(missing_ok=True)
        link.symlink_to(name)
        return self.folder


@pytest.fixture
def features(home: Settings, tmp_path: Path) -> Features:
    return Features(home, tmp_path / "features")


def nothing(_: int) -> None: ...


def kill_at(call: int) -> Callable[[int], None]:
    """Return what ends a run when it tells of its progress for the nth time."""
    told: list[int] = []

    def tell(done: int) -> None:
        told.append(done)
        if len(told) == call:
            raise Killed

    return tell


def current(server: RedisProcess) -> str:
    return RedisFeatures(server.url).snapshot().generation


def generations(server: RedisProcess) -> set[str]:
    """Return the generations of which anything is stored."""
    keys = {key.decode() for key in server.client.keys("*")}
    named = {name.decode() for name in server.client.smembers("parlevel:features:generations")}
    return named | {key.split(":")[2] for key in keys if key.count(":") == 3}


def test_what_is_shared_is_what_the_files_hold_to_the_bit(
    home: Settings, redis_server: RedisProcess
) -> None:
    told: list[int] = []
    brought = share(home.features, redis_server.url, told.append)
    files = PackedFeatures(home.features / ONLINE).snapshot()
    store = RedisFeatures(redis_server.url).snapshot()
    assert store.generation == files.generation
    assert store.meta == files.meta
    assert store.event_times == files.event_times
    assert store.series() == files.series() != []
    for view in ENTITIES:
        rows, ours = dict(files.rows(view)), dict(store.rows(view))
        assert ours == rows != {}
    for sku, location in files.series():
        for view in ("demand_state", "known_future"):
            one, other = files.record(view, (sku, location)), store.record(view, (sku, location))
            assert one is not None
            assert other is not None
            assert one.event_time == other.event_time
            assert one.values.tobytes() == other.values.tobytes()
        assert store.stock(sku, location) == files.stock(sku, location)
        assert store.overrides(sku, location) == files.overrides(sku, location)
    assert told == sorted(told)
    assert brought == told[-1] > len(files.series())


def test_a_generation_shared_again_is_no_change(home: Settings, redis_server: RedisProcess) -> None:
    share(home.features, redis_server.url, nothing)
    writes = redis_server.client.info("stats")["total_commands_processed"]
    assert share(home.features, redis_server.url, nothing) is None
    assert redis_server.client.info("stats")["total_commands_processed"] - writes < 10


def test_the_last_two_generations_are_kept(features: Features, redis_server: RedisProcess) -> None:
    for name in "1234":
        share(features.publish(name), redis_server.url, nothing)
        assert current(redis_server) == name
    assert generations(redis_server) == {"3", "4"}


def test_a_generation_that_is_kept_becomes_current_again_without_being_brought(
    features: Features, redis_server: RedisProcess
) -> None:
    for name in "12":
        share(features.publish(name), redis_server.url, nothing)
    assert share(features.publish("1"), redis_server.url, nothing) == 0
    assert current(redis_server) == "1"
    assert generations(redis_server) == {"1", "2"}


@pytest.mark.parametrize("call", [1, 3, len(TABLES) - 1])
def test_a_killed_run_leaves_the_old_generation_and_the_next_one_tidies_up(
    features: Features, redis_server: RedisProcess, call: int
) -> None:
    share(features.publish("1"), redis_server.url, nothing)
    before = RedisFeatures(redis_server.url).snapshot().series()
    with pytest.raises(Killed):
        share(features.publish("2"), redis_server.url, kill_at(call))
    assert current(redis_server) == "1"
    assert RedisFeatures(redis_server.url).snapshot().series() == before != []
    assert generations(redis_server) == {"1", "2"}
    share(features.publish("3"), redis_server.url, nothing)
    assert current(redis_server) == "3"
    assert generations(redis_server) == {"1", "3"}
    share(features.publish("2"), redis_server.url, nothing)
    assert RedisFeatures(redis_server.url).snapshot().series() == before


def test_of_two_runs_at_once_one_says_so_and_nothing_mixed_is_served(
    home: Settings, tmp_path: Path, redis_server: RedisProcess
) -> None:
    mine, other = Features(home, tmp_path / "mine"), Features(home, tmp_path / "other")
    begun: list[int] = []

    def tell(done: int) -> None:
        if not begun:
            begun.append(done)
            share(other.publish("2"), redis_server.url, nothing)

    with pytest.raises(Busy, match="another run shares"):
        share(mine.publish("1"), redis_server.url, tell)
    assert current(redis_server) == "2"
    assert generations(redis_server) == {"1", "2"}
    share(mine.publish("3"), redis_server.url, nothing)
    assert current(redis_server) == "3"
    assert generations(redis_server) == {"2", "3"}, "nothing is left of the one that gave way"


def test_a_generation_that_lost_a_table_meanwhile_does_not_become_current(
    features: Features, redis_server: RedisProcess
) -> None:
    share(features.publish("1"), redis_server.url, nothing)

    def lose(_: int) -> None:
        redis_server.client.unlink(hash_of("2", "demand_state"))

    with pytest.raises(Busy):
        share(features.publish("2"), redis_server.url, lose)
    assert current(redis_server) == "1"


def test_without_features_or_a_server_the_cause_is_named(
    features: Features, redis_server: RedisProcess
) -> None:
    with pytest.raises(NoFeatures):
        share(features.folder, redis_server.url, nothing)
    redis_server.stop()
    with pytest.raises(StoreUnavailable, match="PARLEVEL_ONLINE_STORE"):
        share(features.publish("1"), redis_server.url, nothing)
    redis_server.start()


def test_a_server_that_is_full_says_so_and_the_old_generation_serves(
    features: Features, redis_server: RedisProcess
) -> None:
    share(features.publish("1"), redis_server.url, nothing)
    redis_server.client.config_set("maxmemory", "1mb")
    with pytest.raises(StoreUnavailable, match="maxmemory"):
        share(features.publish("2"), redis_server.url, nothing)
    assert current(redis_server) == "1"
    redis_server.client.config_set("maxmemory", "0")
    share(features.publish("2"), redis_server.url, nothing)
    assert generations(redis_server) == {"1", "2"}


def test_the_command_shares_what_it_materialised_where_a_store_is_set(
    own_home: Settings,
    redis_server: RedisProcess,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("PARLEVEL_HOME", str(own_home.home))
    monkeypatch.setenv("PARLEVEL_AS_OF", str(own_home.as_of))
    command(origins=1)
    assert "online store" not in capsys.readouterr().out
    monkeypatch.setenv("PARLEVEL_ONLINE_STORE", redis_server.url)
    for said in ("records brought", "unchanged, nothing to do"):
        command(origins=1)
        assert capsys.readouterr().out.splitlines()[-1].endswith(said)
    made = PackedFeatures(own_home.features / ONLINE).snapshot()
    assert current(redis_server) == made.generation
