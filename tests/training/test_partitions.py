"""A forecast by location: the rows of the file, in a folder a location, whole or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest

from serving.errors import InvalidField
from training.batch.files import KEY
from training.batch.partitions import join, rows_of, write_block, written_for
from training.batch.runs import BatchJob

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def blocks(tmp_path: Path) -> list[Path]:
    folders = []
    for block in range(3):
        rows = {
            "sku": [f"SKU-{block}"] * 4,
            "location": ["07", "07", "7", "a/b"],
            "mean": [float(4 * block + row) for row in range(4)],
        }
        folders.append(tmp_path / "parts" / f"{block:05d}")
        table = pl.DataFrame(rows).to_arrow().replace_schema_metadata({KEY: b"key"})
        write_block(table, folders[-1])
    return folders


def read(out: Path) -> pl.DataFrame:
    return pl.read_parquet(out, hive_schema={"location": pl.String})


def test_the_rows_are_those_of_the_blocks_in_order_within_a_location(
    blocks: list[Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    join(blocks, out)
    for location, wanted in (
        ("07", [0.0, 1.0, 4.0, 5.0, 8.0, 9.0]),
        ("7", [2.0, 6.0, 10.0]),
        ("a/b", [3.0, 7.0, 11.0]),
    ):
        assert read(out).filter(pl.col("location") == location)["mean"].to_list() == wanted
    assert (written_for(out), rows_of(out)) == ("key", 12)
    assert all(block.exists() for block in blocks), "a run interrupted here goes on"


def test_a_new_output_takes_the_place_of_the_old_one(blocks: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    join(blocks, out)
    join(blocks[:1], out)
    assert rows_of(out) == 4
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "parts"]


def test_a_folder_with_other_things_is_not_replaced(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "letter.txt").write_text("dear reader", encoding="utf-8")
    assert written_for(out) is None
    with pytest.raises(InvalidField, match="out"):
        BatchJob(tmp_path, out, by_location=True)
