"""The rules of a contract as polars expressions, each with its sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from training.tables.columns import FIRST_DAY, LAST_DAY, MAGNITUDE

if TYPE_CHECKING:
    from training.tables.columns import Column, Relation

FILLED = "must be filled"


class Rule(NamedTuple):
    """One rule of a cast column or row.

    Attributes:
        sentence: What must hold, in words.
        holds: Whether it does, null where there is nothing to judge.
    """

    sentence: str
    holds: pl.Expr


def cell_rules(column: Column) -> list[Rule]:
    """Return the rules each cell of a cast column must satisfy."""
    cell = pl.col(column.name)
    rules = []
    if column.required:
        rules.append(Rule(FILLED, cell.is_not_null()))
    if column.kind in ("number", "whole"):
        rules.extend(_number_rules(column))
    elif column.kind == "date":
        sentence = f"must lie between {FIRST_DAY} and {LAST_DAY}"
        rules.append(Rule(sentence, cell.is_between(FIRST_DAY, LAST_DAY)))
    return rules


def relation_rule(relation: Relation) -> Rule:
    """Return the rule of two columns of one row; its sentence names the column to blame first."""
    left, right = pl.col(relation.column), pl.col(relation.other)
    holds = {">=": left >= right, "<=": left <= right, "!=": left != right}[relation.sign]
    return Rule(f"{relation.column}: {relation.rule}", holds)


def _number_rules(column: Column) -> list[Rule]:
    cell = pl.col(column.name)
    hint = f" ({column.hint})" if column.hint else ""
    rules = []
    finite = pl.lit(value=True)
    if column.kind == "number":
        finite = cell.is_finite()
        rules.append(Rule("must be a finite number (leave the cell empty if unknown)", finite))
    if column.positive:
        rules.append(Rule(f"must be above 0{hint}", ~finite | (cell > 0.0)))
    elif column.low > -MAGNITUDE:
        sentence = f"must be at least {column.low:g}{hint}"
        rules.append(Rule(sentence, ~finite | (cell >= column.low)))
    else:
        sentence = f"must be at least {column.low:g}: check the unit and the export"
        rules.append(Rule(sentence, ~finite | (cell >= column.low)))
    advice = ": check the unit and the export" if column.high == MAGNITUDE else ""
    sentence = f"must be at most {column.high:g}{advice}"
    rules.append(Rule(sentence, ~finite | (cell <= column.high)))
    return rules
