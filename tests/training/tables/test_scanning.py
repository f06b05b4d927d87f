"""Tables opened without reading them whole: the same rows, and the same refusals."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from serving.errors import MissingInput
from training import tables
from training.tables import TableRefused, scanning

if TYPE_CHECKING:
    from pathlib import Path

COLUMNS = ("date", "sku", "location", "quantity", "price")
FIRST = dt.date(2024, 1, 1)


def rows(skus: str = "abc", days: range = range(4)) -> pl.DataFrame:
    keys = [
        (FIRST + dt.timedelta(days=day), sku, place)
        for sku in skus
        for place in ("north", "south")
        for day in days
    ]
    frame = pl.DataFrame(keys, schema=["date", "sku", "location"], orient="row")
    return frame.with_columns(quantity=pl.int_range(len(keys)).cast(pl.Float64))


def write(folder: Path, *parts: pl.DataFrame) -> Path:
    (folder / "sales").mkdir()
    for number, part in enumerate(parts):
        part.write_parquet(folder / "sales" / f"{number}.parquet")
    return folder


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the tables that are read whole."""
    names: list[str] = []

    def read(
        data_dir: Path, table: str, *, columns: tuple[str, ...], files: list[Path] | None
    ) -> pl.DataFrame:
        names.append(table)
        return tables.read(data_dir, table, columns=columns, files=files)

    monkeypatch.setattr(scanning, "read", read)
    monkeypatch.setattr(scanning, "UNIT_ROWS", 5)
    return names


def scanned(folder: Path) -> pl.DataFrame:
    return tables.scan(folder, "sales", COLUMNS).collect().sort("sku", "location", "date")


@pytest.mark.parametrize(
    "parts",
    [
        (rows(),),
        (rows("a"), rows("bc")),
        (rows(days=range(2)), rows(days=range(2, 4))),
        (rows("a"), rows("bc"), rows(days=range(4, 5)), rows("c", days=range(5, 7))),
        (rows().with_columns(pl.col("quantity").cast(pl.Int32)),),
    ],
    ids=["in order", "files of products", "files of days", "and later days", "whole numbers"],
)
def test_rows_in_order_and_files_of_days_are_not_read_whole(
    parts: tuple[pl.DataFrame, ...], tmp_path: Path, reads: list[str]
) -> None:
    folder = write(tmp_path, *parts)
    found = scanned(folder)
    assert reads == []
    assert_frame_equal(found, tables.read(folder, "sales", columns=COLUMNS))


@pytest.mark.parametrize(
    "parts",
    [
        (rows().reverse(),),
        (rows().with_columns(pl.col("sku") + " "),),
        (rows().with_columns(pl.col("date").cast(pl.String)),),
        (rows("ac"), rows("b", days=range(4)), rows("abc", days=range(4, 5))),
    ],
    ids=["another order", "padded names", "dates as text", "files that mix"],
)
def test_other_tables_are_read_whole_and_have_the_same_rows(
    parts: tuple[pl.DataFrame, ...], tmp_path: Path, reads: list[str]
) -> None:
    folder = write(tmp_path, *parts)
    assert_frame_equal(scanned(folder), tables.read(folder, "sales", columns=COLUMNS))
    assert reads == ["sales"]


@pytest.mark.parametrize(
    "broken",
    [
        pl.when(pl.int_range(pl.len()) == 13).then(-1.0).otherwise("quantity").alias("quantity"),
        pl.when(pl.int_range(pl.len()) == 13).then(float("nan")).otherwise(1.0).alias("quantity"),
        pl.when(pl.int_range(pl.len()) == 13).then(None).otherwise("sku").alias("sku"),
    ],
    ids=["below zero", "not a number", "empty"],
)
def test_a_broken_row_is_refused_with_its_number_in_all_files(
    broken: pl.Expr, tmp_path: Path, reads: list[str]
) -> None:
    whole = rows().with_columns(broken)
    folder = write(tmp_path, whole.head(8), whole.tail(-8))
    with pytest.raises(TableRefused) as refused:
        scanned(folder)
    assert [one.row for one in refused.value.violations] == [14]
    assert reads == []


def test_a_repeated_key_is_refused_within_a_file_and_between_files(
    tmp_path: Path, reads: list[str]
) -> None:
    for number, parts in enumerate(((pl.concat([rows("a"), rows("a")]),), (rows("a"), rows("a")))):
        (tmp_path / str(number)).mkdir()
        with pytest.raises(TableRefused, match="must not repeat"):
            scanned(write(tmp_path / str(number), *parts))
    assert reads == ["sales"] * 2


def test_an_unchanged_file_is_checked_once_and_a_changed_one_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write(tmp_path, rows("a"))
    scanned(folder)
    with monkeypatch.context() as patch:
        patch.setattr(scanning, "_units", lambda _: pytest.fail("checked again"))
        scanned(folder)
    rows("ab").with_columns(quantity=-1.0).write_parquet(folder / "sales" / "0.parquet")
    with pytest.raises(TableRefused):
        scanned(folder)


def test_some_files_of_a_table_are_opened_alone(tmp_path: Path) -> None:
    folder = write(tmp_path, rows("ab", days=range(3)), rows("abc", days=range(3, 4)))
    second = scanning.sources(folder, "sales").values()
    for files in ([path] for path in second):
        found = tables.scan(folder, "sales", COLUMNS, files=files).collect()
        assert_frame_equal(
            found.select("date", "sku", "location", "quantity"), pl.read_parquet(files)
        )


def test_a_table_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingInput, match="sales"):
        tables.scan(tmp_path, "sales", COLUMNS)
