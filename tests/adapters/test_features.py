from __future__ import annotations

import math
import shutil
import sqlite3
import struct
import subprocess
import sys
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import numpy as np
import pytest

from serving.adapters.features import CURRENT, DATABASE, PackedFeatures
from serving.adapters.packed import STOCK_FIELDS
from serving.domain.features import VIEWS, WIDTHS, feature_set_hash
from serving.domain.series import SEPARATOR
from serving.errors import BrokenRecord, NoFeatures, ReleaseRefused
from serving.ports import StockInputs

if TYPE_CHECKING:
    from pathlib import Path

TIME = 1_700_000_000


def fill(view: str, number: float) -> np.ndarray:
    values = np.arange(WIDTHS[view], dtype=np.float32) + np.float32(number)
    values[1] = np.nan
    return values


def publish(folder: Path, name: str, number: float = 0.5, *, keys: int = 600) -> None:
    """Write a generation by hand: these tests hold the layout, not its writer."""
    (folder / name).mkdir(parents=True)
    with closing(sqlite3.connect(folder / name / DATABASE)) as database:
        for table in (*VIEWS, "stock"):
            database.execute(f"CREATE TABLE {table} (key TEXT PRIMARY KEY, record BLOB)")
        for view in VIEWS:
            pair = view in {"demand_state", "known_future"}
            for place in range(keys):
                key = f"s{place}{SEPARATOR}l" if pair else f"s{place}"
                values = fill(view, number + place).astype("<f4").tobytes()
                record = struct.pack("<q", TIME + place) + values
                database.execute(f"INSERT INTO {view} VALUES (?, ?)", (key, record))  # noqa: S608  ours
        known = {"on_hand": 5.0, "pack_size": 6.0}
        stock = struct.pack(
            f"<{len(STOCK_FIELDS)}d", *(known.get(name, math.nan) for name in STOCK_FIELDS)
        )
        database.execute("INSERT INTO stock VALUES (?, ?)", (f"s1{SEPARATOR}l", stock))
        database.execute("CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT)")
        meta = {"feature_set_hash": feature_set_hash(), "event_times": f'{{"product": {TIME}}}'}
        database.executemany("INSERT INTO meta VALUES (?, ?)", meta.items())
        database.commit()
    link = folder / ".link"
    link.symlink_to(name)
    link.replace(folder / CURRENT)


def damage(folder: Path, statement: str) -> None:
    with closing(sqlite3.connect(folder / CURRENT / DATABASE)) as database:
        database.executescript(statement)
        database.commit()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    publish(tmp_path / "with space#?%", "1")
    return tmp_path / "with space#?%"


def test_where_nothing_is_stored_the_command_to_run_is_named(tmp_path: Path) -> None:
    reader = PackedFeatures(tmp_path / "none")
    assert not reader.refresh()
    with pytest.raises(NoFeatures, match="parlevel features materialize"):
        reader.snapshot()


def test_a_snapshot_says_what_it_was_materialised_for(folder: Path) -> None:
    snapshot = PackedFeatures(folder).snapshot()
    assert snapshot.generation == "1"
    assert snapshot.feature_set_hash == feature_set_hash()
    assert snapshot.event_times == {"product": TIME}


@pytest.mark.parametrize("view", VIEWS)
def test_a_record_comes_back_bit_for_bit(folder: Path, view: str) -> None:
    key = ("s3", "l") if view in {"demand_state", "known_future"} else ("s3",)
    record = PackedFeatures(folder).snapshot().record(view, key)
    assert record is not None
    assert record.event_time == TIME + 3
    assert record.values.dtype == np.float32
    assert record.values.tobytes() == fill(view, 3.5).tobytes()


@pytest.mark.parametrize("view", VIEWS)
def test_records_of_many_entities_are_those_of_each_alone(folder: Path, view: str) -> None:
    snapshot = PackedFeatures(folder).snapshot()
    pair = view in {"demand_state", "known_future"}
    names = [f"s{place}" for place in (*range(599, -1, -1), 5, 5, 9999)]
    keys = [(name, "l") if pair else (name,) for name in names]
    found = snapshot.records(view, keys)
    assert len(found) == 603
    assert found[-1] is None
    for key, record in zip(keys[:-1], found[:-1], strict=True):
        alone = snapshot.record(view, key)
        assert alone is not None
        assert record is not None
        assert alone.values.tobytes() == record.values.tobytes()


def test_an_unknown_entity_has_no_record(folder: Path) -> None:
    snapshot = PackedFeatures(folder).snapshot()
    assert snapshot.record("demand_state", ("s1", "elsewhere")) is None
    assert snapshot.record("product", ("other",)) is None
    assert snapshot.records("demand_state", []) == []


def test_stock_is_known_as_far_as_the_tables_say(folder: Path) -> None:
    snapshot = PackedFeatures(folder).snapshot()
    assert snapshot.stock("s1", "l") == StockInputs(on_hand=5.0, pack_size=6.0)
    assert snapshot.stock("s2", "l") == StockInputs()


def test_a_new_generation_is_read_from_the_refresh_on(folder: Path) -> None:
    reader = PackedFeatures(folder)
    old = reader.snapshot()
    assert not reader.refresh()
    publish(folder, "2", 100.5)
    assert reader.snapshot() is old
    assert reader.refresh()
    record = reader.snapshot().record("product", ("s0",))
    assert record is not None
    assert record.values[0] == 100.5


def test_an_old_snapshot_is_readable_after_its_files_are_gone(folder: Path) -> None:
    old = PackedFeatures(folder).snapshot()
    publish(folder, "2")
    shutil.rmtree(folder / "1")
    found: list[object] = []
    # A thread that never read before: it must not need to open the file.
    thread = threading.Thread(target=lambda: found.append(old.record("demand_state", ("s7", "l"))))
    thread.start()
    thread.join()
    assert found[0] is not None


@pytest.mark.parametrize("view", ["demand_state", "known_future"])
def test_a_short_record_is_refused_by_name(folder: Path, view: str) -> None:
    damage(folder, f"UPDATE {view} SET record = substr(record, 1, 40) WHERE key LIKE 's4%'")  # noqa: S608  ours
    snapshot = PackedFeatures(folder).snapshot()
    with pytest.raises(BrokenRecord, match=f"record of s4/l in view '{view}'"):
        snapshot.record(view, ("s4", "l"))
    with pytest.raises(BrokenRecord, match="record of s4/l"):
        snapshot.records(view, [("s3", "l"), ("s4", "l")])
    assert snapshot.record(view, ("s3", "l")) is not None


def test_stock_of_other_fields_is_refused_with_what_to_do(folder: Path) -> None:
    damage(folder, "UPDATE stock SET record = x'00'")
    with pytest.raises(ReleaseRefused, match=r"other fields.*run `parlevel features"):
        PackedFeatures(folder).snapshot()


def test_a_short_stock_record_is_refused(folder: Path) -> None:
    damage(
        folder,
        "INSERT INTO stock SELECT 's0', record FROM stock; "
        "UPDATE stock SET record = x'00' WHERE key <> 's0'",
    )
    with pytest.raises(BrokenRecord, match="record of s1/l in view 'stock'"):
        PackedFeatures(folder).snapshot().stock("s1", "l")


@pytest.mark.parametrize("content", [b"", b"no database at all" * 100])
def test_a_damaged_file_is_refused_and_the_one_before_stays_in_use(
    folder: Path, content: bytes
) -> None:
    reader = PackedFeatures(folder)
    old = reader.snapshot()
    publish(folder, "2")
    (folder / "2" / DATABASE).write_bytes(content)
    with pytest.raises(ReleaseRefused, match="features 2"):
        reader.refresh()
    assert reader.snapshot() is old


def test_a_generation_of_another_feature_set_is_refused(folder: Path) -> None:
    damage(folder, "UPDATE meta SET value = 'other' WHERE name = 'feature_set_hash'")
    with pytest.raises(ReleaseRefused, match=f"feature set other, not {feature_set_hash()}"):
        PackedFeatures(folder).snapshot()


def test_a_generation_without_its_file_is_refused(folder: Path) -> None:
    (folder / "1" / DATABASE).unlink()
    with pytest.raises(ReleaseRefused, match="features 1"):
        PackedFeatures(folder).snapshot()


def test_many_threads_read_the_same_bits(folder: Path) -> None:
    snapshot = PackedFeatures(folder).snapshot()
    wrong: list[int] = []

    def read(first: int) -> None:
        for place in range(first, 600, 8):
            record = snapshot.record("demand_state", (f"s{place}", "l"))
            expected = fill("demand_state", place + 0.5).tobytes()
            if record is None or record.values.tobytes() != expected:
                wrong.append(place)

    threads = [threading.Thread(target=read, args=(first,)) for first in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_records_cannot_be_written_to(folder: Path) -> None:
    record = PackedFeatures(folder).snapshot().record("product", ("s0",))
    assert record is not None
    with pytest.raises(ValueError, match="read-only"):
        record.values[0] = 1


def test_reading_needs_no_feature_store_library() -> None:
    code = (
        "import sys, serving.adapters.features\n"
        "sys.exit(bool({'feast', 'pandas', 'polars', 'pyarrow'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
