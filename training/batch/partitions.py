"""The output of a batch run as a folder of parquet files, one folder a location."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING
from urllib.parse import quote

import pyarrow.parquet as pq

from training.batch import files

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pyarrow as pa

PARTITION = "location"


def written_for(out: Path) -> str | None:
    """Return the key a finished folder carries; None where there is no such folder."""
    file = next(out.glob(f"{PARTITION}=*/*.parquet"), None)
    return None if file is None else files.written_for(file)


def rows_of(out: Path) -> int:
    """Return the rows a finished folder holds."""
    return sum(pq.read_metadata(file).num_rows for file in out.glob(f"{PARTITION}=*/*.parquet"))


def write_block(rows: pa.Table, folder: Path) -> None:
    """Write the rows of a block, location by location, so that they are there whole or not at all.

    Args:
        rows: Rows with those of a location together.
        folder: Folder to write, ``location=<name>/<name of the folder>.parquet`` below it.
    """
    new = folder.with_suffix(".new")
    shutil.rmtree(new, ignore_errors=True)
    values = rows.drop_columns([PARTITION])
    start = 0
    # Rows of a location lie together, so runs are counted where sorting would look at each row.
    for run in rows[PARTITION].combine_chunks().value_counts().to_pylist():
        place = new / f"{PARTITION}={quote(run['values'], safe='')}"
        place.mkdir(parents=True)
        part = values.slice(start, run["counts"])
        files.write(part, place / f"{folder.name}.parquet")
        start += run["counts"]
    new.rename(folder)


def join(folders: Sequence[Path], out: Path) -> None:
    """Bring the blocks together in one folder and put it in place at once.

    Rows keep the order of the blocks within a location, by the names of its files. A former output
    there is replaced.

    Args:
        folders: The blocks.
        out: Folder to write.
    """
    new, old = (out.with_name(f".{out.name}.{state}") for state in ("new", "old"))
    for leftover in (new, old):
        shutil.rmtree(leftover, ignore_errors=True)
    for folder in folders:
        for file in folder.glob(f"{PARTITION}=*/*.parquet"):
            place = new / file.parent.name
            place.mkdir(parents=True, exist_ok=True)
            _link(file, place / file.name)
    if out.exists():
        out.rename(old)
    new.rename(out)
    shutil.rmtree(old, ignore_errors=True)


def _link(file: Path, beside: Path) -> None:
    """Give a file a second name; the first one stays, for a run that is interrupted here."""
    try:
        os.link(file, beside)
    except OSError:  # a file system without links
        shutil.copyfile(file, beside)
