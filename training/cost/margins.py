"""How well flags tell suppliers with a high margin apart, in a world whose margins are known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
from rich.table import Table

from serving.errors import MissingInput

if TYPE_CHECKING:
    from pathlib import Path

TRUTH = "supplier_margins"
HIGH = 0.10  # margin above which a supplier takes too much: the rule asks for the same gap
RULES = {"gap_flag": "gap above 10 %", "flag": "calibrated flag"}


def told_apart(judged: pl.DataFrame, truth: Path) -> pl.DataFrame:
    """Compare the flags of judged quotes with the margins behind them.

    Args:
        judged: Quotes as `training.cost.judging.judge_quotes` writes them.
        truth: Folder of the truth of the world they are from.

    Returns:
        One row a rule that was answered: ``rule``, ``flagged``, ``precision`` and ``recall``,
        null where the rule flagged nothing or no margin is high.

    Raises:
        MissingInput: If the folder has no margins.
    """
    file = truth / f"{TRUTH}.parquet"
    if not file.is_file():
        raise MissingInput("--truth", TRUTH)
    rows = judged.join(pl.read_parquet(file), on="sku")
    high = rows["margin"] > HIGH
    found = []
    for column, name in RULES.items():
        if rows[column].null_count() == rows.height:
            continue
        flagged = rows[column].fill_null(value=False)
        both, marked = int((flagged & high).sum()), int(flagged.sum())
        found.append((name, marked, _share(both, marked), _share(both, int(high.sum()))))
    return pl.DataFrame(found, schema=["rule", "flagged", "precision", "recall"], orient="row")


def shown(told: pl.DataFrame) -> Table:
    """Return what `told_apart` found as a table for the terminal."""
    table = Table("suppliers with a margin above 10 %", "quotes flagged", "precision", "recall")
    for rule, marked, *shares in told.rows():
        table.add_row(
            rule, f"{marked:,}", *("-" if one is None else f"{one:.1%}" for one in shares)
        )
    return table


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
