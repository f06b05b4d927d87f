"""The pandera schema of a contract."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandera.polars as pa
import polars as pl

from training.tables.casting import DTYPES
from training.tables.rules import Rule, cell_rules, relation_rule

if TYPE_CHECKING:
    from training.tables.columns import Column, Contract

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
        _check(relation_rule(relation))
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
    checks = [_check(rule) for rule in cell_rules(column)]
    # pandera's own `nullable` takes NaN for an empty cell.
    return pa.Column(DTYPES[column.kind], checks, nullable=True)


def _check(rule: Rule) -> pa.Check:
    holds = rule.holds.fill_null(value=True)
    return pa.Check(lambda data: data.lazyframe.select(holds), error=rule.sentence, ignore_na=False)


def _key_check(key: list[str], required: tuple[str, ...]) -> pa.Check:
    # Rows that lack a required part are refused for that, not as repetitions of each other.
    needed = [pl.col(name).is_null() for name in key if name in required]
    lacking = pl.any_horizontal(needed) if needed else pl.lit(value=False)
    rule = f"{', '.join(key)}: {DUPLICATE} the combination of an earlier row: sum or drop one"
    return _check(Rule(rule, lacking | pl.struct(key).is_first_distinct()))
