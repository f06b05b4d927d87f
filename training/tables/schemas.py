"""The pandera schema of a contract."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandera.polars as pa
import polars as pl

from training.tables.casting import DTYPES
from training.tables.columns import FIRST_DAY, LAST_DAY, MAGNITUDE

if TYPE_CHECKING:
    from training.tables.columns import Column, Contract, Relation

FILLED = "must be filled"
DUPLICATE = "must not repeat"


def schema(agreed: Contract, columns: tuple[Column, ...]) -> pa.DataFrameSchema:
    """Build the schema a cast frame must satisfy.

    Args:
        agreed: The table's contract.
        columns: The columns the frame holds, canonical or extra.

    Returns:
        A strict schema; its checks carry the rule in words, and those over several columns put
        the column to blame and a colon before it.
    """
    names = {column.name for column in columns}
    whole_row = [
        _relation_check(relation)
        for relation in agreed.relations
        if {relation.column, relation.other} <= names
    ]
    key = [name for name in agreed.key if name in names]
    if key:
        whole_row.append(_key_check(key, agreed.required))
    return pa.DataFrameSchema(
        {column.name: _schema_column(column) for column in columns},
        checks=whole_row,
        strict=True,
    )


def _schema_column(column: Column) -> pa.Column:
    checks = []
    if column.kind in ("number", "whole"):
        checks = _number_checks(column)
    elif column.kind == "date":
        rule = f"must lie between {FIRST_DAY} and {LAST_DAY}"
        checks = [_cell_check(rule, pl.col(column.name).is_between(FIRST_DAY, LAST_DAY))]
    if column.required:
        # pandera's own `nullable` takes NaN for an empty cell.
        checks.insert(0, _cell_check(FILLED, pl.col(column.name).is_not_null()))
    return pa.Column(DTYPES[column.kind], checks, nullable=True)


def _number_checks(column: Column) -> list[pa.Check]:
    cell = pl.col(column.name)
    hint = f" ({column.hint})" if column.hint else ""
    checks = []
    finite = pl.lit(value=True)
    if column.kind == "number":
        finite = cell.is_finite()
        rule = "must be a finite number (leave the cell empty if unknown)"
        checks.append(_cell_check(rule, finite))
    if column.positive:
        checks.append(_cell_check(f"must be above 0{hint}", ~finite | (cell > 0.0)))
    elif column.low > -MAGNITUDE:
        rule = f"must be at least {column.low:g}{hint}"
        checks.append(_cell_check(rule, ~finite | (cell >= column.low)))
    else:
        rule = f"must be at least {column.low:g}: check the unit and the export"
        checks.append(_cell_check(rule, ~finite | (cell >= column.low)))
    advice = ": check the unit and the export" if column.high == MAGNITUDE else ""
    rule = f"must be at most {column.high:g}{advice}"
    checks.append(_cell_check(rule, ~finite | (cell <= column.high)))
    return checks


def _cell_check(rule: str, holds: pl.Expr) -> pa.Check:
    return pa.Check(
        lambda data: data.lazyframe.select(holds.fill_null(value=True)), error=rule, ignore_na=False
    )


def _relation_check(relation: Relation) -> pa.Check:
    left, right = pl.col(relation.column), pl.col(relation.other)
    holds = {">=": left >= right, "<=": left <= right, "!=": left != right}[relation.sign]
    return _cell_check(f"{relation.column}: {relation.rule}", holds)


def _key_check(key: list[str], required: tuple[str, ...]) -> pa.Check:
    # Rows that lack a required part are refused for that, not as repetitions of each other.
    needed = [pl.col(name).is_null() for name in key if name in required]
    lacking = pl.any_horizontal(needed) if needed else pl.lit(value=False)
    rule = f"{', '.join(key)}: {DUPLICATE} the combination of an earlier row: sum or drop one"
    return _cell_check(rule, lacking | pl.struct(key).is_first_distinct())
