"""Read the canonical tables of a data folder, whether they lie there plain or imported."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, cast

import polars as pl

from serving.errors import InvalidField, MissingInput
from training.tables import casting
from training.tables.checking import ROW, conform
from training.tables.contracts import CONTRACTS, contract
from training.tables.datasets import Dataset, infer_frequency, stored_dataset
from training.tables.files import SUFFIXES, load_file
from training.tables.layers import file_digest, part_path, read_manifest
from training.tables.nearest import suggestion

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from pathlib import Path


def read(
    data_dir: Path,
    table: str,
    *,
    columns: Sequence[str] | None = None,
    files: Sequence[Path] | None = None,
) -> pl.DataFrame:
    """Read one table in canonical form.

    Args:
        data_dir: The data folder.
        table: Canonical table name.
        columns: Columns to return, in this order; an optional one the table lacks comes back
            empty. All that are there if None.
        files: Plain files of the table to read; all if None.

    Returns:
        The rows sorted series first, time last. Text is String, numbers Float64 (counts Int64),
        dates Date, flags Boolean.

    Raises:
        InvalidField: The table or a column has no canonical name, or lies there twice.
        MissingInput: The folder has no such table.
        TableRefused: A plain file breaks the contract (imports were checked when they came).
    """
    agreed = contract(table)
    loads = read_manifest(data_dir).get(table)
    if loads:
        parts = [pl.read_parquet(part_path(data_dir, load)) for load in loads]
        frame = pl.concat(parts, how="diagonal_relaxed")
        if len(parts) > 1:
            present = [name for name in agreed.order if name in frame.columns]
            frame = frame.sort(present, nulls_last=True, maintain_order=True)
        ordered = [name for name in agreed.names if name in frame.columns]
        extras = [name for name in frame.columns if name not in ordered]
        frame = frame.select(*ordered, *extras)
    else:
        frame = conform(table, load_plain(data_dir, table, files=files))
    return frame if columns is None else _chosen(table, frame, columns)


def exists(data_dir: Path, table: str) -> bool:
    """Say whether a folder has a table.

    Args:
        data_dir: The data folder.
        table: Canonical table name.

    Returns:
        True if it lies there plain or imported.

    Raises:
        InvalidField: The table has no canonical name.
    """
    contract(table)
    return bool(read_manifest(data_dir).get(table)) or bool(plain_files(data_dir, table))


def present(data_dir: Path) -> tuple[str, ...]:
    """Name the tables a folder has, in canonical order."""
    imported = read_manifest(data_dir)
    return tuple(
        table for table in CONTRACTS if imported.get(table) or plain_files(data_dir, table)
    )


def digest(data_dir: Path) -> str:
    """Hash the content of all tables of a folder and its settings.

    Args:
        data_dir: The data folder.

    Returns:
        SHA-256 in hexadecimal: of the received files' hashes and recipes for imported tables, of
        the bytes for plain ones. Equal content imported at another time hashes the same.
    """
    imported = read_manifest(data_dir)
    total = hashlib.sha256(repr(dataset(data_dir)).encode())
    for table in CONTRACTS:
        for load in imported.get(table, ()):
            total.update(f"{table} {load.sha256} {load.recipe_sha256}\n".encode())
        for path in plain_files(data_dir, table):
            total.update(f"{table} {path.name} {file_digest(path)}\n".encode())
    return total.hexdigest()


def dataset(data_dir: Path) -> Dataset:
    """Return the settings of a folder.

    Args:
        data_dir: The data folder.

    Returns:
        What ``dataset.toml`` says; without one, the frequency inferred from the days of sales
        and the defaults.

    Raises:
        InvalidField: ``dataset.toml`` holds a wrong setting.
    """
    stored = stored_dataset(data_dir)
    if stored is not None:
        return stored
    if not exists(data_dir, "sales"):
        return Dataset()
    return Dataset(frequency=infer_frequency(_days_of_sales(data_dir)))


def plain_files(data_dir: Path, table: str) -> tuple[Path, ...]:
    """Return the files of a table that lies in a folder without an import.

    Args:
        data_dir: The data folder.
        table: Canonical table name.

    Returns:
        One file, or those of the table's own folder in name order; empty where there are none.

    Raises:
        InvalidField: The table lies there in more than one form.
    """
    files = [path for suffix in SUFFIXES if (path := data_dir / f"{table}{suffix}").is_file()]
    folder = sorted(
        path for path in (data_dir / table).glob("*") if path.name.lower().endswith(SUFFIXES)
    )
    forms = [path.name for path in files] + [f"{table}/"] * bool(folder)
    forms += ["an import"] * (bool(forms) and bool(read_manifest(data_dir).get(table)))
    if len(forms) > 1:
        raise InvalidField(table, f"lies in {data_dir} as {' and '.join(forms)}: keep one")
    return tuple(files or folder)


def load_plain(data_dir: Path, table: str, *, files: Sequence[Path] | None = None) -> pl.DataFrame:
    """Read a plain table as it is, its rows numbered in the order of its files.

    Args:
        data_dir: The data folder.
        table: Canonical table name.
        files: Those of its files to read; all if None.

    Returns:
        The rows as received, with column ``__row__``.

    Raises:
        MissingInput: The folder has no such table.
    """
    files = plain_files(data_dir, table) if files is None else files
    if not files:
        raise MissingInput(f"table {table!r} in {data_dir}", table)
    frames = [load_file(path, table=table) for path in files]
    if len(frames) == 1:
        return frames[0]
    frame = pl.concat(frames, how="diagonal_relaxed").drop(ROW)
    return frame.with_row_index(ROW, offset=1).with_columns(pl.col(ROW).cast(pl.Int64))


def _days_of_sales(data_dir: Path) -> list[date]:
    """Read the distinct days of sales without checking the whole table."""
    files = plain_files(data_dir, "sales")
    if not files:
        return cast("list[date]", read(data_dir, "sales")["date"].unique().sort().to_list())
    days = [
        casting.cast(load_file(path, table="sales", columns=("date",))["date"], "date")[0]
        for path in files
    ]
    return cast("list[date]", pl.concat(days).drop_nulls().unique().sort().to_list())


def _chosen(table: str, frame: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    """Select columns, with empty ones for canonical columns the table lacks."""
    kinds = {column.name: column.kind for column in contract(table).columns}
    selected = []
    for name in columns:
        if name in frame.columns:
            selected.append(pl.col(name))
        elif name in kinds:
            selected.append(pl.lit(None, dtype=casting.DTYPES[kinds[name]]).alias(name))
        else:
            near = suggestion(name, kinds)
            raise InvalidField(f"columns of {table}", f"include no {name!r}{near}")
    return frame.select(selected)
