"""A home is saved while it serves, comes back whole in another place, and is refused when newer."""

from __future__ import annotations

import datetime as dt
import fcntl
import json
import os
import shutil
import sqlite3
import tarfile
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

from serving.adapters.features import PackedFeatures
from serving.compose import flows_of, sources_of
from serving.domain.demand import ForecastQuery
from serving.errors import Busy, InvalidField
from serving.settings import Settings
from training import operations, tables
from training.operations import LAYOUT, LAYOUT_FILE, NewerHome

if TYPE_CHECKING:
    from pathlib import Path

    from serving.domain.demand import Forecast


def forecast(settings: Settings) -> Forecast:
    """Answer one question from a home as its service would."""
    sources = sources_of(settings)
    for source in (sources.models, sources.features):
        source.refresh()
    sales = tables.read(settings.tables, "sales", columns=["sku", "location"])
    sku, location = sales.row(0)
    return flows_of(settings, sources).demand.forecast(ForecastQuery(sku, location, 7))


def test_a_restored_home_gives_the_same_answers_and_trains_on(
    home: Settings, tmp_path: Path
) -> None:
    from training.registry import Registry

    file = tmp_path / "saved.tar.gz"
    assert operations.backup(home.home, file) == file.stat().st_size
    there = Settings(home=tmp_path / "elsewhere", as_of=home.as_of)
    operations.restore(there, file)

    assert np.array_equal(forecast(home).quantiles, forecast(there).quantiles)
    assert tables.digest(there.tables) == tables.digest(home.tables)
    registry = Registry(there)
    (version,) = registry.versions("forecast")
    assert (version.champion, version.serving) == (True, True)
    with sqlite3.connect(there.home / "mlflow" / "mlflow.db") as database:
        (location,) = database.execute(
            "SELECT artifact_location FROM experiments WHERE name = 'forecast'"
        ).fetchone()
        uris = database.execute("SELECT artifact_uri FROM runs").fetchall()
    inside = (there.home / "mlflow" / "artifacts").resolve().as_uri()
    assert location == inside
    assert uris
    assert all(uri.startswith(inside) for (uri,) in uris)


def test_an_archive_holds_the_current_generation_and_nothing_in_passing(
    own_home: Settings, tmp_path: Path
) -> None:
    online = own_home.features / "online"
    current = (online / "current").readlink().name
    shutil.copytree(online / current, online / "20200101T000000000000Z")
    (online / ".staging-x").mkdir()
    (own_home.releases / "forecast" / ".2.new").mkdir()
    operations.backup(own_home.home, tmp_path / "saved.tar.gz")
    with tarfile.open(tmp_path / "saved.tar.gz") as archive:
        names = archive.getnames()
    assert f"features/online/{current}/features.db" in names
    assert "features/online/current" in names
    assert "releases/forecast/current" in names
    assert "mlflow/mlflow.db" in names
    assert "features/registry.db" not in names
    assert not [name for name in names if "20200101" in name or "/." in name]


def test_a_home_that_is_not_empty_is_kept_unless_forced(own_home: Settings, tmp_path: Path) -> None:
    file = tmp_path / "saved.tar.gz"
    operations.backup(own_home.home, file)
    (own_home.home / "mine.txt").write_text("mine")
    with pytest.raises(InvalidField, match="is not empty"):
        operations.restore(own_home, file)
    assert (own_home.home / "mine.txt").exists()
    operations.restore(own_home, file, force=True)
    assert not (own_home.home / "mine.txt").exists()
    assert forecast(own_home).mean.shape == (7,)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize("content", [b"", b"no archive", None], ids=["empty", "text", "cut"])
def test_what_is_no_archive_changes_nothing(
    own_home: Settings, tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / "saved.tar.gz"
    operations.backup(own_home.home, file)
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2] if content is None else content)
    with pytest.raises(InvalidField, match="is no archive of a home"):
        operations.restore(own_home, file, force=True)
    assert forecast(own_home).mean.shape == (7,)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_an_archive_of_other_things_is_refused(tmp_path: Path) -> None:
    (tmp_path / "note").write_text("mine")
    with tarfile.open(tmp_path / "other.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "note", "note")
    with pytest.raises(InvalidField, match=r"home\.json is missing"):
        operations.restore(Settings(home=tmp_path / "home"), tmp_path / "other.tar.gz")
    assert not (tmp_path / "home").exists()


def test_a_backup_that_fails_leaves_no_archive(own_home: Settings, tmp_path: Path) -> None:
    file = tmp_path / "saved.tar.gz"
    with (own_home.tables / ".lock").open("w") as importing:
        fcntl.flock(importing, fcntl.LOCK_EX)
        with pytest.raises(Busy, match="another command writes"):
            operations.backup(own_home.home, file)
    assert not file.exists()
    assert list(tmp_path.glob(".saved*")) == []


def test_a_backup_may_not_hold_itself(own_home: Settings) -> None:
    with pytest.raises(InvalidField, match="must lie outside"):
        operations.backup(own_home.home, own_home.home / "saved.tar.gz")


def test_a_home_of_a_running_service_is_not_replaced(own_home: Settings, tmp_path: Path) -> None:
    file = tmp_path / "saved.tar.gz"
    operations.backup(own_home.home, file)
    state = own_home.home / "run" / "serve.json"
    state.parent.mkdir(exist_ok=True)
    running = {"pid": os.getpid(), "host": "127.0.0.1", "http_port": 1, "grpc_port": 2}
    state.write_text(json.dumps(running))
    with state.open("r+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(Busy, match="stop it first"):
            operations.restore(own_home, file, force=True)


def test_a_home_of_a_newer_version_is_refused(own_home: Settings, tmp_path: Path) -> None:
    from training.registry import Registry

    file = tmp_path / "saved.tar.gz"
    (own_home.home / LAYOUT_FILE).write_text(json.dumps({"layout": LAYOUT + 1}))
    for use in (
        lambda: Registry(own_home),
        lambda: operations.upgrade(own_home.home),
        lambda: operations.backup(own_home.home, file),
    ):
        with pytest.raises(NewerHome, match="has layout 2, this version reads up to 1"):
            use()


@pytest.mark.parametrize("mark", ["", "[]", '{"layout": "new"}', '{"layout": 0}'])
def test_a_mark_that_cannot_be_read_is_refused(tmp_path: Path, mark: str) -> None:
    (tmp_path / LAYOUT_FILE).write_text(mark)
    with pytest.raises(InvalidField, match="must say which layout"):
        operations.open_home(tmp_path)


def test_upgrading_marks_a_home_and_follows_it_to_its_place(
    own_home: Settings, tmp_path: Path
) -> None:
    (own_home.home / LAYOUT_FILE).unlink()
    moved = own_home.home.rename(tmp_path / "moved")
    assert operations.upgrade(moved) == (0, LAYOUT)
    assert operations.upgrade(moved) == (LAYOUT, LAYOUT)
    with sqlite3.connect(moved / "mlflow" / "mlflow.db") as database:
        found = database.execute("SELECT artifact_location FROM experiments").fetchall()
    assert ((moved / "mlflow" / "artifacts").resolve().as_uri(),) in found


def test_a_day_appended_moves_the_origin_and_keeps_the_model(
    home: Settings, tmp_path: Path
) -> None:
    from training.features.materialize import Job, materialize
    from training.tables.importing import Order, Sender, import_file

    assert home.as_of is not None
    day = home.as_of + dt.timedelta(days=1)
    own = Settings(home=tmp_path / "home", as_of=day)
    shutil.copytree(home.releases, own.releases, symlinks=True)
    sales = tables.read(home.tables, "sales")
    last = sales.filter(pl.col("date") == home.as_of).with_columns(pl.lit(day).alias("date"))
    products = tables.read(home.tables, "products")
    now = dt.datetime(2026, 7, 2, tzinfo=dt.UTC)

    def bring(table: str, frame: pl.DataFrame, minute: int, *, append: bool = False) -> None:
        file = tmp_path / f"{table}-{minute}.parquet"
        frame.write_parquet(file)
        sender = Sender("ana", now + dt.timedelta(minutes=minute))
        import_file(own.tables, Order(file, table, append=append), sender, tell=lambda _: None)

    def publish(minute: int) -> None:
        materialize(Job(own.tables, own.features), now=now + dt.timedelta(minutes=minute))

    bring("sales", sales, 1)
    bring("products", products, 2)
    publish(3)
    before = forecast(own)
    bring("sales", last, 4, append=True)
    publish(5)
    after = forecast(own)

    assert before.origin == home.as_of
    assert after.origin == day
    assert before.provenance.model_version == after.provenance.model_version
    assert before.provenance.model_digest == after.provenance.model_digest
    assert not np.array_equal(before.mean, after.mean)
    assert PackedFeatures(own.features / "online").snapshot().meta["last_day"] == str(day)
