"""The output of a batch run as a folder of parquet files, one folder a location."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

PARTITION = "location"
KEY = b"parlevel.key"  # metadata of each file: a hash of everything the output depends on
# Files open at once; of more locations some are closed and go on in another file.
_OPEN_FILES = 512
_BATCH_ROWS = 65_536


def written_for(out: Path) -> str | None:
    """Return the key a finished folder carries; None where there is no such folder."""
    file = next(out.glob(f"{PARTITION}=*/*.parquet"), None)
    if file is None:
        return None
    key = (pq.read_schema(file).metadata or {}).get(KEY)
    return None if key is None else key.decode()


def rows_of(out: Path) -> int:
    """Return the rows a finished folder holds."""
    return int(ds.dataset(out, format="parquet").count_rows())


def write_partitions(files: Sequence[Path], out: Path, key: str) -> int:
    """Share the parts of a run out to one folder a location, and put them in place at once.

    Rows keep their order within a location. Only some thousands are held at a time.

    Args:
        files: The parts, in order.
        out: Folder to write, ``location=<name>/<number>.parquet`` below it; a former output there
            is replaced.
        key: What the output is kept by.

    Returns:
        Rows written.
    """
    new, old = (out.with_name(f".{out.name}.{state}") for state in ("new", "old"))
    for leftover in (new, old):
        shutil.rmtree(leftover, ignore_errors=True)
    names = [str(file) for file in files]
    schema = pq.read_schema(files[0]).with_metadata({KEY: key.encode()})
    parts = ds.dataset(names, schema=schema, format="parquet")
    rows = parts.count_rows()
    parquet = ds.ParquetFileFormat()
    # With threads, here or below, the rows of a location would lose their order.
    scanned = parts.scanner(
        batch_size=_BATCH_ROWS, batch_readahead=1, fragment_readahead=1, use_threads=False
    )
    ds.write_dataset(
        scanned,
        new,
        format=parquet,
        file_options=parquet.make_write_options(compression="zstd"),
        partitioning=ds.partitioning(pa.schema([(PARTITION, pa.string())]), flavor="hive"),
        basename_template="{i}.parquet",
        max_open_files=_OPEN_FILES,
        use_threads=False,
    )
    if out.exists():
        out.rename(old)
    new.rename(out)
    shutil.rmtree(old, ignore_errors=True)
    return int(rows)
