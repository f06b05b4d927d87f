"""Checked rows on their way into the clean layer: told from those there, recorded, written."""

from __future__ import annotations

import errno
import os
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl
from polars.exceptions import PolarsError

from training.tables.contracts import contract

if TYPE_CHECKING:
    from pathlib import Path

    from training.tables.layers import Load


def write_part(rows: pl.DataFrame, path: Path) -> None:
    """Write clean rows; where there is no room for them, fail as the system does.

    Raises:
        OSError: If the disk is full. Polars has words of its own for it, of which some say nothing
            of the disk.
    """
    try:
        rows.write_parquet(path, compression="zstd")
    except PolarsError as error:
        if shutil.disk_usage(path.parent).free < rows.estimated_size():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from error
        raise


def same_rows(draft: Load, live: tuple[Load, ...]) -> bool:
    """Say whether importing again would leave the live rows as they are."""
    same = [
        (load.sha256, load.recipe_sha256) == (draft.sha256, draft.recipe_sha256) for load in live
    ]
    return any(same) if draft.appended else same == [True]


def with_rows(draft: Load, rows: pl.DataFrame) -> Load:
    """Complete a load's record with what was checked."""
    dated = [name for name in contract(draft.table).required if rows.schema[name] == pl.Date]
    first = last = ""
    if dated:
        first, last = str(rows[dated[0]].min()), str(rows[dated[0]].max())
    return replace(draft, rows_written=len(rows), first_date=first, last_date=last)
