"""A disk that is full for real: what stood there stands, and goes on once there is room again."""

from __future__ import annotations

import dataclasses
import datetime as dt
import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import polars as pl
import pytest

from serving.adapters.features import PackedFeatures
from serving.adapters.openers import open_any
from training import tables
from training.cli import main
from training.content import ForecastRun
from training.features.materialize import Job, materialize
from training.operations import upgrade
from training.registry import Registry
from training.runs import train_forecast
from training.tables.importing import Order, Sender, import_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from serving.settings import Settings
    from training.content import Recipe

pytestmark = pytest.mark.e2e

SIZE = 32 * 1024 * 1024


class SmallDisk:
    """A file system of a few MiB with a home on it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._filler = settings.home.parent / "filler"

    def fill(self, left: int) -> None:
        """Take all room but so many bytes."""
        there = os.statvfs(self.settings.home)
        with self._filler.open("wb") as file:
            file.write(bytes(max(0, there.f_bavail * there.f_frsize - left)))

    def free(self) -> None:
        """Give the room back."""
        self._filler.unlink()

    def left(self) -> int:
        """Return the bytes that can still be written."""
        there = os.statvfs(self.settings.home)
        return there.f_bavail * there.f_frsize


@pytest.fixture
def disk(own_home: Settings, tmp_path: Path) -> Iterator[SmallDisk]:
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "parlevel-test", str(place)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {done.stderr.strip()}")
    try:
        shutil.copytree(own_home.home, place / "home", symlinks=True)
        upgrade(place / "home")  # its registry lies elsewhere now
        yield SmallDisk(dataclasses.replace(own_home, home=place / "home"))
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)  # noqa: S607 - as mount above


def test_a_promotion_on_a_full_disk_leaves_the_version_that_serves(disk: SmallDisk) -> None:
    registry = Registry(disk.settings)
    second = disk.settings.releases / "forecast" / "2"
    _another_version(second)
    disk.fill(0)
    with pytest.raises(Exception, match=r"full|cannot be written|No space"):
        registry.promote("forecast", "2")
    assert _serving(disk.settings) == "1"
    disk.free()
    registry.repair("forecast")
    assert registry.promote("forecast", "2")
    assert _serving(disk.settings) == "2"


def test_an_import_on_a_full_disk_leaves_the_old_rows_and_no_rest(
    disk: SmallDisk, tmp_path: Path
) -> None:
    folder = disk.settings.tables.with_name("imported")
    file = tmp_path / "sales.parquet"
    sales = tables.read(
        disk.settings.tables, "sales", columns=["date", "sku", "location", "quantity"]
    )
    sales.write_parquet(file)
    _bring(folder, file)
    before = disk.left()
    sales.with_columns(pl.col("quantity") + 1).write_parquet(file)
    disk.fill(4096)
    with pytest.raises(OSError, match="No space left"):
        _bring(folder, file)
    assert tables.read(folder, "sales")["quantity"].sum() == sales["quantity"].sum()
    disk.free()
    assert disk.left() == before, "what was staged is gone"
    _bring(folder, file)
    assert tables.read(folder, "sales")["quantity"].sum() == sales["quantity"].sum() + len(sales)


def test_a_materialisation_on_a_full_disk_leaves_the_generation_and_no_rest(
    disk: SmallDisk,
) -> None:
    settings = disk.settings
    assert settings.as_of is not None
    before = PackedFeatures(settings.features / "online").snapshot().generation
    room = disk.left()
    job = Job(settings.tables, settings.features, settings.as_of - dt.timedelta(days=1))
    disk.fill(16_384)
    with pytest.raises(Exception, match=r"full|No space left"):
        materialize(job, now=dt.datetime.now(dt.UTC))
    assert PackedFeatures(settings.features / "online").snapshot().generation == before
    disk.free()
    assert not list((settings.features / "online").glob(".staging-*"))
    assert room - disk.left() < 200_000, "what was written is gone"
    assert not materialize(job, now=dt.datetime.now(dt.UTC)).cached


def test_a_training_on_a_full_disk_leaves_the_releases_and_can_be_done_again(
    disk: SmallDisk, recipe_of_home: Recipe
) -> None:
    settings = disk.settings
    recipe = dataclasses.replace(recipe_of_home, seed=9, rows=2_000, trees=5)
    run = ForecastRun(settings.tables, settings.as_of, recipe)
    disk.fill(65_536)
    with pytest.raises(Exception, match=r"full|No space left|cannot be written"):
        train_forecast(settings, run, lambda _: None)
    assert _serving(settings) == "1"
    assert [path.name for path in (settings.releases / "forecast").glob("[0-9]*")] == ["1"]
    disk.free()
    version = train_forecast(settings, run, lambda _: None).version
    assert Registry(settings).promote("forecast", version)
    assert _serving(settings) == version


def test_a_command_says_that_the_disk_is_full(
    disk: SmallDisk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = disk.settings
    monkeypatch.setenv("PARLEVEL_HOME", str(settings.home))
    monkeypatch.setenv("PARLEVEL_AS_OF", "2026-06-01")
    disk.fill(16_384)
    with pytest.raises(SystemExit) as ended:
        main(["features", "materialize"])
    assert ended.value.code == 2
    assert "error: the disk is full" in capsys.readouterr().err


def _another_version(folder: Path) -> None:
    """Write version 1 again as version 2."""
    shutil.copytree(folder.with_name("1"), folder)
    manifest = folder / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"version": "1"', '"version": "2"'))
    open_any(folder)


def _serving(settings: Settings) -> str:
    (champion,) = [one.version for one in Registry(settings).versions("forecast") if one.champion]
    link = (settings.releases / "forecast" / "current").readlink().name
    assert champion == link
    return link


def _bring(folder: Path, file: Path) -> None:
    sender = Sender("ana", dt.datetime.now(dt.UTC))
    import_file(folder, Order(file, table="sales"), sender, tell=lambda _: None)
