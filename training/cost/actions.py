"""What past cost actions brought, as the document serving reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from serving.domain.reductions import ActionType
from serving.flows.cost_analysis import PAST_ACTIONS
from training import tables

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


def action_documents(data: Path) -> Iterator[tuple[str, str, Mapping[str, object]]]:
    """Yield the past actions of a data folder in one document; none without the table.

    Only actions with a promise and a result of a known type are evidence.

    Args:
        data: The data folder.
    """
    if not tables.exists(data, "cost_actions"):
        return
    columns = ("action_type", "projected_saving", "actual_saving")
    rows = tables.read(data, "cost_actions", columns=columns)
    kinds = {kind.name: int(kind) for kind in ActionType}
    known = rows.with_columns(
        pl.col("action_type")
        .str.to_uppercase()
        .str.replace_all("[ -]", "_")
        .replace_strict(kinds, default=None, return_dtype=pl.Int64)
    ).filter(
        pl.col("action_type").is_not_null()
        & (pl.col("projected_saving") > 0)
        & pl.col("actual_saving").is_not_null()
    )
    if known.height:
        yield PAST_ACTIONS, "", {"actions": known.rows()}
