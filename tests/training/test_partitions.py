"""A forecast by location: the rows of the file, in a folder a location, whole or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest

from serving.errors import InvalidField
from training.batch.partitions import rows_of, write_partitions, written_for
from training.batch.runs import BatchJob

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def parts(tmp_path: Path) -> list[Path]:
    files = []
    for part in range(3):
        rows = {
            "sku": [f"SKU-{part}"] * 4,
            "location": ["07", "7", "a/b", "07"],
            "mean": [float(4 * part + row) for row in range(4)],
        }
        files.append(tmp_path / f"{part}.parquet")
        pl.DataFrame(rows).write_parquet(files[-1])
    return files


def read(out: Path) -> pl.DataFrame:
    return pl.read_parquet(out, hive_schema={"location": pl.String})


def test_the_rows_are_those_of_the_parts_in_order_within_a_location(
    parts: list[Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert write_partitions(parts, out, "key") == 12
    joined = pl.concat([pl.read_parquet(file) for file in parts])
    for location in ("07", "7", "a/b"):
        mine = read(out).filter(pl.col("location") == location).select("sku", "mean")
        wanted = joined.filter(pl.col("location") == location).select("sku", "mean")
        assert mine.equals(wanted)
    assert (written_for(out), rows_of(out)) == ("key", 12)


def test_a_new_output_takes_the_place_of_the_old_one(parts: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    write_partitions(parts, out, "old")
    write_partitions(parts[:1], out, "new")
    assert (written_for(out), rows_of(out)) == ("new", 4)
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["out"]


def test_a_folder_with_other_things_is_not_replaced(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "letter.txt").write_text("dear reader", encoding="utf-8")
    assert written_for(out) is None
    with pytest.raises(InvalidField, match="out"):
        BatchJob(tmp_path, out, by_location=True)
