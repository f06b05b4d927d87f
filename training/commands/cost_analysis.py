"""``parlevel variance`` and ``parlevel analytics``: why cost moved, and what stands out."""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import polars as pl
    from rich.console import Console

Data = Annotated[
    Path | None, typer.Option("--data", help="Data folder; $PARLEVEL_HOME/tables if absent.")
]
Out = Annotated[
    Path | None, typer.Option("--out", help="CSV or parquet file to write; the terminal if absent.")
]
EFFECTS = ("volume", "mix", "price", "rate", "usage", "currency")
TOP = 20
WHOLE_FROM = 1_000.0  # from which a fraction says nothing
PIPED_WIDTH = 160  # fits the widest table; a pipe has no width of its own


def variance(
    data: Data = None,
    by: Annotated[
        str, typer.Option("--by", help="plant_id, category, supplier_id or sku.")
    ] = "plant_id",
    month: Annotated[
        dt.datetime | None,
        typer.Option("--month", formats=["%Y-%m"], help="One month; all if absent."),
    ] = None,
    out: Out = None,
) -> None:
    """Split cost against budget into volume, mix, price, rate, usage and currency, by month.

    Example: parlevel variance --by category --month 2026-05
    """
    import polars as pl
    from rich.table import Table

    from training.cost.variance import ALL, monthly_variance

    one = None if month is None else (month.date(), month.date())
    found = monthly_variance(_folder(data), by, months=one)
    console = _console()
    if out is not None:
        _write(found, out)
        console.print(f"{found.height:,} rows written to {out}")
        return
    last = found["month"].max()
    # A month's groups beside the totals of every month: what moved now, and whether it is new.
    found = found.filter((pl.col("group") == ALL) | (pl.col("month") == last))
    table = Table(title=f"Cost against budget: every month, the last one by {by}; ! is beyond 5 %")
    table.add_column("month")
    table.add_column("group")
    for name in ("budget", "actual", "variance", *EFFECTS, "share"):
        table.add_column(name, justify="right")
    for row in found.iter_rows(named=True):
        share = "-" if row["share"] is None else f"{row['share']:+.1%}"
        table.add_row(
            f"{row['month']:%Y-%m}",
            row["group"],
            *(f"{row[name]:,.0f}" for name in ("budget", "actual", "variance", *EFFECTS)),
            f"{share}{' !' if row['alert'] else ''}",
            style="bold" if row["group"] == ALL else "",
        )
    console.print(table)


def analytics(
    query: Annotated[
        str,
        typer.Argument(help="variance, should-cost-gap, supplier-performance or cost-anomaly."),
    ],
    data: Data = None,
    out: Out = None,
) -> None:
    """Run a named query over the tables, the most telling rows first.

    Example: parlevel analytics cost-anomaly --data my-home/tables --out odd.csv
    """
    from rich.table import Table

    from training.cost.analytics import analyse

    found = analyse(_folder(data), query)
    console = _console()
    if out is not None:
        _write(found, out)
        console.print(f"{found.height:,} rows written to {out}")
        return
    table = Table(
        *found.columns, title=f"{query}: {min(found.height, TOP)} of {found.height:,} rows"
    )
    for row in found.head(TOP).iter_rows():
        table.add_row(*(_cell(value) for value in row))
    console.print(table)


def _console() -> Console:
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else PIPED_WIDTH)


def _folder(data: Path | None) -> Path:
    from serving.settings import load

    return data or load().tables


def _write(frame: pl.DataFrame, out: Path) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    if out.suffix == ".parquet":
        frame.write_parquet(out)
    else:
        frame.write_csv(out)


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if not isinstance(value, float):
        return str(value)
    return f"{value:,.0f}" if abs(value) >= WHOLE_FROM else f"{value:,.4g}"
