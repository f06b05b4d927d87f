"""Refusal of a table: which rows break which rule."""

from __future__ import annotations

from typing import NamedTuple

from serving.errors import InvalidRequest

SHOWN = 20


class Violation(NamedTuple):
    """One broken rule: data row counted from 1 (0 is the header), column and what is required."""

    row: int
    column: str
    rule: str

    def __str__(self) -> str:
        """Say where and what in one line."""
        place = f"row {self.row:,}" if self.row else "header"
        return f"{place}, column {self.column}: {self.rule}"


class TableRefused(InvalidRequest):
    """A table breaks its contract; nothing of it was stored."""

    def __init__(
        self, table: str, violations: tuple[Violation, ...], *, total: int, rows: int
    ) -> None:
        """Carry the first violations, how many there are in all, and how many rows have one."""
        lines = [f"table {table} is refused, nothing of it was stored:"]
        lines += [f"  {violation}" for violation in violations]
        if total > len(violations):
            lines.append(f"  and {total - len(violations):,} more")
        lines.append(
            f"{total:,} violation{'s' * (total != 1)}; rows are counted from 1 below the header: "
            "mend the source or its recipe and try again"
        )
        super().__init__("\n".join(lines))
        self.table = table
        self.violations = violations
        self.total = total
        self.rows = rows


def header_refusal(table: str, *problems: tuple[str, str]) -> TableRefused:
    """Build the refusal of a table whose header or file as a whole is wrong.

    Args:
        table: Canonical table name.
        problems: Pairs of column name and rule.

    Returns:
        The error to raise.
    """
    violations = tuple(Violation(0, column, rule) for column, rule in problems)
    return TableRefused(table, violations[:SHOWN], total=len(violations), rows=0)
