"""The data-quality score of a table: which share of its rows meets what is expected of it.

Each row is judged by four expectations, the same for every table:

    completeness  every required column is filled
    validity      every filled cell has its type and range, and columns of a row agree
    uniqueness    the key does not repeat that of an earlier row
    timeliness    a fact of the past is dated no later than today (tables that look ahead pass)

A table's score is the share of its rows that meet all four.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from training.tables.checking import inspect
from training.tables.contracts import contract
from training.tables.errors import SHOWN, TableRefused, Violation
from training.tables.layers import part_path, read_manifest
from training.tables.reading import load_plain, present

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

EXPECTATIONS = ("completeness", "validity", "uniqueness", "timeliness")

# A table whose values of a column should appear in another table's column of the same name.
_REFERENCES = (
    ("plan", "sku", "sales"),
    ("sales", "sku", "products"),
    ("sales", "location", "locations"),
    ("inventory", "sku", "products"),
    ("inventory", "location", "locations"),
    ("campaigns", "sku", "products"),
    ("sourcing", "sku", "products"),
    ("sourcing", "supplier_id", "suppliers"),
    ("purchase_orders", "sku", "products"),
    ("purchase_orders", "supplier_id", "suppliers"),
    ("quotes", "supplier_id", "suppliers"),
    ("bills_of_material", "sku", "products"),
    ("bills_of_material", "commodity", "commodity_prices"),
    ("cost_transactions", "plant_id", "plants"),
    ("weather", "city", "locations"),
)


@dataclass(frozen=True, slots=True)
class TableReport:
    """What was found in one table.

    Attributes:
        table: Canonical name.
        rows: Number of rows.
        first: First day of its rows, None where it is not dated.
        last: Last day likewise.
        violations: Number of broken rules of the contract.
        examples: The first of them.
        shares: Share of rows that meet each expectation, in the order of ``EXPECTATIONS``.
        score: Share of rows that meet all of them.
    """

    table: str
    rows: int
    first: date | None
    last: date | None
    violations: int
    examples: tuple[Violation, ...]
    shares: tuple[float, ...]
    score: float


@dataclass(frozen=True, slots=True)
class FolderReport:
    """What was found in a data folder: each table, and what does not fit between tables."""

    tables: tuple[TableReport, ...]
    warnings: tuple[str, ...]

    @property
    def violations(self) -> int:
        """Number of broken rules in all tables."""
        return sum(table.violations for table in self.tables)


def check_folder(data_dir: Path, *, today: date) -> FolderReport:
    """Check every table of a folder against its contract, and the tables against each other.

    Args:
        data_dir: The data folder, its tables plain or imported.
        today: The day after which a fact of the past is not timely.

    Returns:
        The findings; nothing is changed.

    Raises:
        InvalidField: A table lies there in more than one form.
    """
    reports = []
    seen: dict[tuple[str, str], set[str]] = {}
    watched = {(table, column) for table, column, _ in _REFERENCES}
    watched |= {(other, column) for _, column, other in _REFERENCES}
    for table in present(data_dir):
        try:
            typed, found = inspect(contract(table), _load(data_dir, table))
        except TableRefused as refusal:
            reports.append(_unreadable(table, refusal))
            continue
        reports.append(_report(table, typed, found, today))
        for column in typed.columns:
            if (table, column) in watched:
                seen[table, column] = set(typed[column].drop_nulls().unique().to_list())
    return FolderReport(tuple(reports), _mismatches(seen))


def _load(data_dir: Path, table: str) -> pl.DataFrame:
    loads = read_manifest(data_dir).get(table)
    if not loads:
        return load_plain(data_dir, table)
    parts = [pl.read_parquet(part_path(data_dir, load)) for load in loads]
    return pl.concat(parts, how="diagonal_relaxed")


def _unreadable(table: str, refusal: TableRefused) -> TableReport:
    """Report a table whose header or file is wrong, so that no row could be judged."""
    return TableReport(
        table=table,
        rows=0,
        first=None,
        last=None,
        violations=refusal.total,
        examples=refusal.violations,
        shares=(0.0,) * len(EXPECTATIONS),
        score=0.0,
    )


def _report(table: str, typed: pl.DataFrame, found: pl.DataFrame, today: date) -> TableReport:
    agreed = contract(table)
    late = typed.select(pl.int_range(1, pl.len() + 1).alias("row")).clear()
    if agreed.recorded:
        numbered = typed.with_row_index("row", offset=1)
        late = numbered.filter(pl.col(agreed.recorded) > today).select(pl.col("row").cast(pl.Int64))
    failing = [
        found.filter(pl.col("expectation") == name).select("row").unique()
        for name in EXPECTATIONS[:-1]
    ] + [late]
    total = max(len(typed), 1)
    dated = [name for name in agreed.required if typed.schema[name] == pl.Date]
    days = typed[dated[0]].drop_nulls().sort().to_list() if dated else []
    first = found.head(SHOWN).select("row", "column", "rule")
    return TableReport(
        table=table,
        rows=len(typed),
        first=days[0] if days else None,
        last=days[-1] if days else None,
        violations=len(found),
        examples=tuple(Violation(*each) for each in first.iter_rows()),
        shares=tuple(1.0 - len(rows) / total for rows in failing),
        score=1.0 - pl.concat(failing).n_unique() / total,
    )


def _mismatches(seen: dict[tuple[str, str], set[str]]) -> tuple[str, ...]:
    """Name the values of one table that another should know and does not."""
    warnings = []
    for table, column, other in _REFERENCES:
        ours, theirs = seen.get((table, column)), seen.get((other, column))
        if ours is None or theirs is None:
            continue
        unknown = sorted(ours - theirs)
        if unknown:
            some = ", ".join(unknown[:3]) + (", ..." if len(unknown) > 3 else "")  # noqa: PLR2004
            warnings.append(
                f"{table}: {len(unknown):,} {column} value{'s' * (len(unknown) != 1)} "
                f"not in {other} ({some})"
            )
    return tuple(warnings)
