"""``parlevel suppliers``: how suppliers performed, and how long orders will take."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(
    name="suppliers",
    help="Rank suppliers and predict lead times from purchase orders.",
    no_args_is_help=True,
    add_completion=False,
)
Data = Annotated[
    Path | None, typer.Option("--data", help="Data folder; $PARLEVEL_HOME/tables if absent.")
]
AsOf = Annotated[
    dt.datetime | None,
    typer.Option("--as-of", formats=["%Y-%m-%d"], help="Last known day; that of the orders."),
]
SHOWN = (0.1, 0.5, 0.9)


@app.command()
def performance(data: Data = None, as_of: AsOf = None) -> None:
    """Print how each supplier performed, with the cases behind each figure.

    Example: parlevel suppliers performance --data my-home/tables
    """
    from rich.console import Console
    from rich.table import Table

    from serving.flows.supplier import PERFORMANCE
    from training.suppliers import supplier_documents

    console = Console()
    with console.status("reading purchase orders"):
        found = [
            body
            for kind, _, body in supplier_documents(_folder(data), _day(as_of))
            if kind == PERFORMANCE
        ]
    table = Table(title="Suppliers: shares drawn toward that of all, cases in brackets")
    table.add_column("supplier")
    for name in ("orders", "open", "on time", "defects", "price premium", "lead time (days)"):
        table.add_column(name, justify="right")
    for one in found:
        table.add_row(
            one["supplier_id"],
            f"{one['delivered_orders']:,}",
            f"{one['open_orders']:,}",
            *(_share(one[name]) for name in ("on_time", "defects")),
            "-" if one["price_premium"] is None else f"{one['price_premium']:+.1%}",
            f"{one['lead_time_mean_days']:.1f} ± {one['lead_time_std_days']:.1f}",
        )
    console.print(table if found else "no order was received: import table purchase_orders")


@app.command("lead-times")
def lead_times(
    orders: Annotated[
        Path, typer.Option("--orders", help="Folder whose purchase_orders are to be predicted.")
    ],
    out: Annotated[Path, typer.Option("--out", help="Parquet file to write.")],
    data: Data = None,
    as_of: AsOf = None,
) -> None:
    """Predict how long orders will take from the past orders of another folder.

    Each order gets the days from order to receipt at 10, 50 and 90 %, by the promise where it has
    one. Where the orders have been received, the share within each is printed.

    Example: parlevel suppliers lead-times --data past --orders new --out days.parquet
    """
    from rich.console import Console
    from rich.table import Table

    from training.supplier_batch import covered, predict_orders

    console = Console()
    with console.status("predicting lead times"):
        predicted = predict_orders(_folder(data), orders, _day(as_of), SHOWN)
    out.parent.mkdir(parents=True, exist_ok=True)
    predicted.write_parquet(out)
    table = Table("level", "orders received", "share within", title=f"{predicted.height:,} orders")
    for level, count, share in covered(predicted, SHOWN):
        table.add_row(f"{level:.0%}", f"{count:,}", f"{share:.1%}")
    console.print(table)
    console.print(f"written to {out}")


def _folder(data: Path | None) -> Path:
    from serving.settings import load

    return data or load().tables


def _day(as_of: dt.datetime | None) -> dt.date | None:
    return None if as_of is None else as_of.date()


def _share(found: dict[str, Any]) -> str:
    return "-" if found["shrunk"] is None else f"{found['shrunk']:.1%} ({found['count']:,})"
