"""``parlevel reorder``: what to order for every series of a folder, to one parquet file."""

from __future__ import annotations

import datetime as dt
import enum
from pathlib import Path
from typing import Annotated

import typer


class Method(enum.StrEnum):
    """How an order-up-to level is computed."""

    DISTRIBUTION = "distribution"
    TEXTBOOK = "textbook"
    TEXTBOOK_DEMAND_ONLY = "textbook-demand-only"
    NORMAL = "normal"


def reorder(
    *,
    out: Annotated[Path, typer.Option("--out", help="Parquet file to write.")],
    data: Annotated[
        Path | None, typer.Option("--data", help="Data folder; $PARLEVEL_HOME/tables if absent.")
    ] = None,
    as_of: Annotated[
        dt.datetime | None,
        typer.Option("--as-of", formats=["%Y-%m-%d"], help="Last known day; the last with sales."),
    ] = None,
    cover_days: Annotated[
        int | None,
        typer.Option(
            "--cover-days",
            help="Days an order must last; lead time of sourcing plus review of policy if absent.",
        ),
    ] = None,
    service_level: Annotated[
        float | None,
        typer.Option(
            "--service-level",
            help="Probability of no stock-out in a cycle, 0.5 to 0.99; that of policy if absent.",
        ),
    ] = None,
    method: Annotated[
        Method, typer.Option("--method", help="How the level is computed.")
    ] = Method.DISTRIBUTION,
    model: Annotated[
        str,
        typer.Option(
            "--model", help="A version, or current (champion): what serves, else the newest."
        ),
    ] = "current",
) -> None:
    """Recommend orders for every series that has sales, in units.

    A series that lacks an input has nulls and the reason; without stock it still has its level.

    Example: parlevel reorder --cover-days 7 --service-level 0.95 --out orders.parquet
    """
    from serving.domain.replenishment import ReorderMethod
    from training.batch.orders import ReorderQuestion
    from training.commands.batch_runs import run_with_progress

    question = ReorderQuestion(cover_days, service_level, ReorderMethod[method.name])
    run_with_progress(question, data=data, out=out, as_of=as_of, model=model)
    _print_without_order(out)


def _print_without_order(out: Path) -> None:
    """Say how many series have no order, and the reason most of them share."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq
    from rich.console import Console

    rows = pq.read_table(out, columns=["order_quantity", "reason"])
    reasons = rows.filter(pc.field("order_quantity").is_null())["reason"]
    if not len(reasons):
        return
    counts = reasons.value_counts().to_pylist()
    most = max(counts, key=lambda one: one["counts"])
    Console().print(
        f"{len(reasons):,} of {rows.num_rows:,} series have no order; of {most['counts']:,}: "
        f"{most['values']}",
        soft_wrap=True,
        markup=False,
    )
