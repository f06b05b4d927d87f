"""The output of a batch run as one parquet file."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

KEY = b"parlevel.key"  # metadata of each file: a hash of everything the output depends on
_ROWS = 65_536  # of a row group


def written_for(out: Path) -> str | None:
    """Return the key a finished output carries; None where there is no such file."""
    try:
        metadata = pq.read_schema(out).metadata or {}
    except (OSError, pa.ArrowInvalid):  # not there, or no parquet: it will be replaced
        return None
    key = metadata.get(KEY)
    return None if key is None else key.decode()


def rows_of(out: Path) -> int:
    """Return the rows a file holds."""
    return int(pq.read_metadata(out).num_rows)


def write_block(rows: pa.Table, file: Path) -> None:
    """Write the rows of a block so that they are there whole or not at all."""
    new = file.with_suffix(".new")
    write(rows, new)
    new.replace(file)


def write(rows: pa.Table, file: Path) -> None:
    """Write rows to a file, quickly: a forecast is read more often than it is sent."""
    with _writer(file, rows.schema) as writer:
        writer.write_table(rows, row_group_size=_ROWS)


def join(files: Sequence[Path], out: Path) -> None:
    """Bring the blocks together in one file, in order, and put it in place at once."""
    new = out.with_name(f".{out.name}.new")
    with _writer(new, pq.read_schema(files[0])) as writer:
        for file in files:
            for group in pq.ParquetFile(file).iter_batches(_ROWS, use_threads=False):
                writer.write_batch(group)
    with new.open("rb") as handle:
        os.fsync(handle.fileno())
    new.replace(out)


def _writer(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    repeated = [field.name for field in schema if not pa.types.is_floating(field.type)]
    return pq.ParquetWriter(
        path,
        schema,
        compression="zstd",
        compression_level=1,
        use_dictionary=repeated,
        write_statistics=repeated,
    )
