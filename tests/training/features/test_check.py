from __future__ import annotations

import datetime as dt
import sqlite3
import struct
from contextlib import closing
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from serving.adapters.features import CURRENT, DATABASE
from serving.adapters.packed import EVENT_TIME_BYTES
from serving.domain.features import VIEWS
from serving.domain.history import STATE
from serving.errors import InvalidField
from training.cli import main
from training.features.check import Agreement, Reading, check, compare, readings
from training.features.materialize import Job, materialize
from training.features.store import ONLINE, offline_folder

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from training.features.sources import Floats, Key, Source

NOW = dt.datetime(2024, 3, 1, 6, tzinfo=dt.UTC)
NOTHING = Agreement((), {}, {}, None)


@pytest.fixture
def job(folder: Path, tmp_path: Path) -> Job:
    job = Job(folder, tmp_path / "features", days_back=(7, 14))
    materialize(job, now=NOW)
    return job


class Planted:
    """A source with one wrong value."""

    def __init__(self, source: Source, view: str) -> None:
        self.source = source
        self.view = view

    def __call__(self, view: str, keys: Sequence[Key]) -> Floats:
        records = self.source(view, keys).copy()
        if view == self.view:
            records[-1, 2] = np.nextafter(records[-1, 2], np.float32(np.inf))
            if np.isnan(records[-1, 2]):
                records[-1, 2] = 0.0
        return records


def test_every_source_has_the_same_bits_at_every_origin(job: Job) -> None:
    agreement = check(job, sample=18)
    assert agreement.difference is None
    assert [str(day) for day in agreement.origins] == ["2024-02-15", "2024-02-22", "2024-02-29"]
    assert agreement.entities == {
        "demand_state": 18,
        "product": 10,
        "location": 6,
        "known_future": 18,
    }
    assert agreement.values["demand_state"] == 3 * 18 * STATE["year_ago"].stop


@pytest.mark.parametrize("name", ["offline", "online", "packed", "request"])
def test_a_fault_in_any_source_is_found_and_named(job: Job, name: str) -> None:
    for reading in readings(job, sample=18):
        for view in VIEWS:
            sources = {**reading.sources, name: Planted(reading.sources[name], view)}
            planted = Reading(reading.origin, sources, reading.keys)
            difference = compare(planted, before=NOTHING).difference
            assert difference is not None
            assert (difference.view, difference.origin) == (view, reading.origin)
            assert difference.entity == reading.keys[view][-1]
            odd = difference.values.pop(name)
            assert all(odd != value for value in difference.values.values())


def test_a_stored_record_that_changed_is_found(job: Job) -> None:
    with closing(sqlite3.connect(job.features / ONLINE / CURRENT / DATABASE)) as database:
        key, record = database.execute("SELECT key, record FROM demand_state LIMIT 1").fetchone()
        place = EVENT_TIME_BYTES + 4 * STATE["level_fast"].start
        wrong = record[:place] + struct.pack("<f", -1.0) + record[place + 4 :]
        database.execute("UPDATE demand_state SET record = ? WHERE key = ?", (wrong, key))
        database.commit()
    difference = check(job, sample=18).difference
    assert difference is not None
    assert difference.field == "level_fast"
    assert difference.values["online"] == difference.values["packed"] == -1.0
    assert difference.values["offline"] == difference.values["request"] != -1.0


def test_an_offline_file_that_changed_is_found(job: Job) -> None:
    path = offline_folder(job.features) / "location" / "2024-02-16.parquet"
    table = pq.read_table(path)
    place = table.column_names.index("location_level")
    wrong = pa.array(np.zeros(table.num_rows, dtype=np.float32))
    pq.write_table(table.set_column(place, table.schema.field(place), wrong), path)
    difference = check(job, sample=18).difference
    assert difference is not None
    assert (difference.view, difference.field) == ("location", "location_level")
    assert difference.values["offline"] == 0.0 != difference.values["packed"]


def test_tables_that_changed_since_are_found(job: Job) -> None:
    import polars as pl

    path = job.data_dir / "sales.parquet"
    pl.read_parquet(path).with_columns(pl.col("quantity") * 1.5).write_parquet(path)
    difference = check(job, sample=18).difference
    assert difference is not None
    assert difference.values["offline"] != difference.values["request"]


def test_an_older_generation_is_checked_at_its_own_last_day(job: Job) -> None:
    past = Job(job.data_dir, job.features, dt.date(2024, 2, 27), (7, 14))
    materialize(past, now=NOW + dt.timedelta(minutes=1))
    agreement = check(past, sample=18)
    assert agreement.difference is None
    assert agreement.origins[-1] == dt.date(2024, 2, 27)


def test_fewer_than_three_origins_are_refused_with_the_command_to_run(
    folder: Path, tmp_path: Path
) -> None:
    job = Job(folder, tmp_path / "features")
    materialize(job, now=NOW)
    with pytest.raises(InvalidField, match="--origins 3"):
        check(job, sample=18)


def test_the_command_line_materialises_checks_and_exits_with_2_on_a_fault(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    home = tmp_path / "home"
    monkeypatch.setenv("PARLEVEL_HOME", str(home))
    monkeypatch.setenv("COLUMNS", "120")

    def run(*arguments: str) -> tuple[int, str]:
        with pytest.raises(SystemExit) as ended:
            main(["features", *arguments, "--data", str(folder)])
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out + said.err

    said = run("materialize")[1]
    assert "published" in said
    assert "days after it are taken as days without a holiday" in said
    assert "unchanged" in run("materialize")[1]
    code, said = run("check", "--sample", "6")
    assert (code, "every bit is the same" in said) == (0, True)
    with closing(sqlite3.connect(home / "features" / ONLINE / CURRENT / DATABASE)) as database:
        database.execute("DELETE FROM product WHERE key = 's0'")
        database.commit()
    code, said = run("check", "--sample", "6")
    assert code == 2
    assert "product of s0" in said
    for source in ("offline", "online", "packed", "request"):
        assert f"{source} " in said
