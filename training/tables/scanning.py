"""Open a table without reading it whole, so that memory does not grow with its rows."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl
import pyarrow.parquet as pq

from training.tables.casting import DTYPES, cast
from training.tables.checking import ROW, inspect, refuse_if_any
from training.tables.contracts import contract
from training.tables.layers import file_digest, part_path, read_manifest
from training.tables.reading import plain_files, read
from training.tables.rules import cell_rules, relation_rule

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from training.tables.columns import Contract

    Stamp = tuple[Path, int, int]

UNIT_ROWS = 1_000_000  # rows checked at a time


def scan(
    data_dir: Path, table: str, columns: Sequence[str], *, files: Sequence[Path] | None = None
) -> pl.LazyFrame:
    """Open a table whose rows are read as they are asked for.

    An imported table was checked when it came. A plain one of parquet files is checked here, some
    rows at a time and once a process, if its columns are of canonical types and its rows lie in
    canonical order or in files of days of their own; any other plain table is read whole.

    Args:
        data_dir: The data folder.
        table: Canonical table name.
        columns: Columns to return, in this order; one the table lacks is empty.
        files: Those of its `sources` to open; all where None.

    Returns:
        The rows in no order.

    Raises:
        InvalidField: The table or a column has no canonical name, or lies there twice.
        MissingInput: The folder has no such table.
        TableRefused: A plain file breaks the contract.
    """
    agreed = contract(table)
    loads = read_manifest(data_dir).get(table)
    if loads:
        paths = [part_path(data_dir, load) for load in loads] if files is None else list(files)
    else:
        paths = list(plain_files(data_dir, table) if files is None else files)
        if not _streamable(table, tuple(_stamp(path) for path in paths)):
            return read(data_dir, table, columns=columns, files=files).lazy()
    rows = pl.concat([pl.scan_parquet(path, glob=False) for path in paths], how="diagonal")
    there = set(rows.collect_schema().names())
    kinds = {column.name: DTYPES[column.kind] for column in agreed.columns}
    return rows.select(
        pl.col(name).cast(kinds[name])
        if name in there
        else pl.lit(None, dtype=kinds[name]).alias(name)
        for name in columns
    )


def sources(data_dir: Path, table: str) -> dict[str, Path]:
    """Return the files a table is made of by a hash of what each holds.

    Args:
        data_dir: The data folder.
        table: Canonical table name.

    Returns:
        Received bytes and recipe of an imported part, the bytes of a plain file; each with the file
        its rows are read from.
    """
    loads = read_manifest(data_dir).get(table)
    if loads:
        return {f"{load.sha256}-{load.recipe_sha256}": part_path(data_dir, load) for load in loads}
    return {file_digest(path): path for path in plain_files(data_dir, table)}


def _stamp(path: Path) -> Stamp:
    """Tell a file as it is now from the same file changed."""
    stat = path.stat()
    return path, stat.st_size, stat.st_mtime_ns


@lru_cache(maxsize=32)
def _streamable(table: str, stamps: tuple[Stamp, ...]) -> bool:
    """Check plain files, and say whether their rows may be taken as they lie.

    Raises:
        TableRefused: A row breaks the contract.
    """
    agreed = contract(table)
    paths = [path for path, _, _ in stamps]
    if not paths or not _typed(agreed, paths):
        return False
    there = set(pl.read_parquet_schema(paths[0]))
    key = [name for name in agreed.order if name in there]
    sound, found = _sound(agreed, there), []
    extents: list[list[_Extent]] = [[] for _ in paths]
    for file, unit in _units(paths):
        if not _texts_canonical(agreed, unit):
            return False  # padded or empty text is made canonical by reading the table whole
        ascends = _ascends(key, unit)
        if not (ascends and unit.select(sound).item()):
            found.append(inspect(agreed, unit)[1])
        extents[file].append(_Extent.of(key, unit, ascends=ascends))
    if found:
        refuse_if_any(table, pl.concat(found).sort("row"))
    return _apart(extents)


def _sound(agreed: Contract, there: set[str]) -> pl.Expr:
    """Return whether every rule but that of the key holds for all rows."""
    columns = [column for column in agreed.columns if column.name in there]
    rules = [rule for column in columns for rule in cell_rules(column)]
    rules += [relation_rule(one) for one in agreed.relations if {one.column, one.other} <= there]
    required = pl.lit(set(agreed.required) <= there)
    holds = [rule.holds.fill_null(value=True).all() for rule in rules]
    return pl.all_horizontal(required, *holds)


def _texts_canonical(agreed: Contract, unit: pl.DataFrame) -> bool:
    texts = [one.name for one in agreed.columns if one.kind == "text" and one.name in unit.columns]
    for name in texts:
        distinct = unit[name].unique()
        if not cast(distinct, "text")[0].equals(distinct):
            return False
    return True


def _typed(agreed: Contract, paths: Sequence[Path]) -> bool:
    """Say whether all files are parquet of one schema whose casts need no look at other rows."""
    if not all(path.name.lower().endswith(".parquet") for path in paths):
        return False
    schemas = [pl.read_parquet_schema(path) for path in paths]
    first = schemas[0]
    if ROW in first or any(schema != first for schema in schemas):
        return False
    kinds = {column.name: column.kind for column in agreed.columns}
    return all(
        name in kinds
        and (dtype == DTYPES[kinds[name]] or (kinds[name] == "number" and dtype.is_numeric()))
        for name, dtype in first.items()
    )


def _units(paths: Sequence[Path]) -> Iterator[tuple[int, pl.DataFrame]]:
    """Yield the place of a file and some of its rows, numbered through all files."""
    before = 0
    for file, path in enumerate(paths):
        rows = pq.read_metadata(path).num_rows
        for start in range(0, rows, UNIT_ROWS):
            unit = pl.scan_parquet(path, glob=False).slice(start, UNIT_ROWS).collect()
            number = pl.int_range(1, unit.height + 1, dtype=pl.Int64).alias(ROW) + before
            yield file, unit.with_columns(number)
            before += unit.height


def _ascends(key: Sequence[str], unit: pl.DataFrame) -> bool:
    """Say whether keys ascend strictly from row to row, so that none is empty or repeats."""
    after = pl.lit(value=False)
    for name in reversed(key):
        here, before = pl.col(name), pl.col(name).shift(1)
        after = (here > before) | ((here == before) & after)
    rows = unit.lazy().select(after.alias("after"))
    return bool(rows.slice(1).select(pl.col("after").fill_null(value=False).all()).collect().item())


class _Extent(NamedTuple):
    """Where the keys of some rows begin and end, series first; None where they do not ascend.

    Attributes:
        keys: First and last key.
        days: First and last value of the column that is sorted by last, the day.
    """

    keys: tuple[Any, Any] | None
    days: tuple[Any, Any]

    @staticmethod
    def of(key: Sequence[str], unit: pl.DataFrame, *, ascends: bool) -> _Extent:
        """Measure a unit of one row or more."""
        rows, days = unit.select(key), unit[key[-1]]
        return _Extent((rows.row(0), rows.row(-1)) if ascends else None, (days.min(), days.max()))


def _apart(files: Sequence[Sequence[_Extent]]) -> bool:
    """Say whether no two units of any files can hold the same key."""
    filled = [units for units in files if units]
    if not all(len(units) == 1 or _follow([unit.keys for unit in units]) for units in filled):
        return False
    # Files whose days overlap must lie apart by their keys: files of some products each, say, with
    # a file of the next day beside them.
    overlapping: list[list[tuple[Any, Any] | None]] = []
    until = None
    for first, last, keys in sorted((_whole(units) for units in filled), key=lambda one: one[:2]):
        if until is None or first > until:
            overlapping.append([])
        overlapping[-1].append(keys)
        until = last if until is None else max(until, last)
    return all(len(keys) == 1 or _apart_by_key(keys) for keys in overlapping)


def _apart_by_key(keys: Sequence[tuple[Any, Any] | None]) -> bool:
    known = sorted(one for one in keys if one is not None)
    return len(known) == len(keys) and _follow(known)


def _whole(units: Sequence[_Extent]) -> tuple[Any, Any, tuple[Any, Any] | None]:
    """Return the first and last day of a file, and its first and last key where they ascend."""
    first, last = units[0].keys, units[-1].keys
    return (
        min(unit.days[0] for unit in units),
        max(unit.days[1] for unit in units),
        (first[0], last[1]) if first and last else None,
    )


def _follow(ranges: Sequence[tuple[Any, Any] | None]) -> bool:
    """Say whether each range begins after the one before it has ended; none may be missing."""
    known = [one for one in ranges if one is not None]
    return len(known) == len(ranges) and all(one[1] < other[0] for one, other in pairwise(known))
