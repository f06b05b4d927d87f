"""``parlevel anomalies``: score costs, demand and deliveries of a folder to one parquet file."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from serving import settings
from training.commands.progress import steps_bar


def anomalies(
    *,
    out: Annotated[Path, typer.Option("--out", help="Parquet file to write.")],
    data: Annotated[
        Path | None, typer.Option("--data", help="Data folder; $PARLEVEL_HOME/tables if absent.")
    ] = None,
    as_of: Annotated[
        dt.datetime | None,
        typer.Option("--as-of", formats=["%Y-%m-%d"], help="Last day that counts."),
    ] = None,
    false_discovery_rate: Annotated[
        float, typer.Option(help="Share of the flagged rows that may be usual ones.")
    ] = 0.1,
) -> None:
    """Score every price paid, delivery and day of sales; flag what does not fit its past.

    Example: parlevel anomalies --data tables --out anomalies.parquet
    """
    from training.anomaly_batch import AnomalyJob, score_tables

    configured = settings.load()
    job = AnomalyJob(
        data or configured.tables, out, as_of.date() if as_of else None, false_discovery_rate
    )
    console = Console()
    with _bar(console) as bar:
        task = bar.add_task("model", total=4)
        scored = score_tables(
            configured, job, lambda step: bar.update(task, description=step, advance=1)
        )
    table = Table("kind", "rows", "flagged", "note")
    for one in scored:
        table.add_row(
            one.kind.name.lower(), f"{one.rows:,}", f"{one.flagged:,}", one.absent or "scored"
        )
    console.print(table)
    console.print(f"written to {out}, most unusual first", soft_wrap=True)


def train_with_progress(
    data: Path | None, as_of: dt.date | None, *, trees: int, seed: int, force: bool
) -> None:
    """Train the anomaly model with a progress bar and print what came of it."""
    from training.anomaly_runs import STEPS, AnomalyRun, train_anomaly

    configured = settings.load()
    run = AnomalyRun(
        data=data or configured.tables,
        as_of=as_of or configured.as_of,
        trees=trees,
        seed=seed,
        force=force,
    )
    console = Console()
    with _bar(console) as bar:
        task = bar.add_task("reading tables", total=STEPS)
        result = train_anomaly(
            configured, run, lambda step: bar.update(task, description=step, advance=1)
        )
        bar.update(task, completed=STEPS, description="done")
    if result.skipped:
        console.print(f"anomaly version {result.version} was trained on this data: nothing to do")
        return
    table = Table("kind", "rows", "set aside as unusual", "flagged of usual rows at 1 in 100")
    for name, value in result.metrics.items():
        kind = name.removeprefix("rows/")
        if kind != name:
            rate = result.metrics[f"flag_rate_1_percent/{kind}"]
            aside = result.metrics[f"set_aside/{kind}"]
            table.add_row(kind, f"{value:,.0f}", f"{aside:,.0f}", f"{rate:.2%}")
    console.print(table)
    for kind, reason in result.absent.items():
        console.print(f"left out {kind}: {reason}", soft_wrap=True)
    console.print(f"registered anomaly version {result.version}")


def _bar(console: Console) -> Progress:
    return steps_bar(console)
