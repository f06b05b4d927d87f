"""``parlevel world``: generate a synthetic world with its truth apart."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from serving.settings import load

if TYPE_CHECKING:
    from training.world import Fact, WorldJob, WorldSummary


def world(
    out: Annotated[
        Path | None,
        typer.Option(help="Folder to write the observed tables to; the home's tables if absent."),
    ] = None,
    profile: Annotated[str, typer.Option(help="quick, demo, full or scale.")] = "demo",
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same bytes.")] = 42,
    truth: Annotated[
        Path | None,
        typer.Option(help="Folder to write the truth to; OUT-truth, or HOME-truth, if absent."),
    ] = None,
    *,
    force: Annotated[bool, typer.Option("--force", help="Replace whatever is there.")] = False,
    trouble: Annotated[
        bool, typer.Option("--trouble", help="Put anomalies, drift and gaps in, labelled apart.")
    ] = False,
) -> None:
    """Generate a synthetic world with its truth apart.

    The same one that stands there already is left as it is, unless forced.

    Example: parlevel world --profile quick --out world
    """
    from training.world import WorldJob, default_truth, find_profile

    settings = load()
    chosen = replace(find_profile(profile), trouble=trouble)
    beside = default_truth(settings.home if out is None else out)
    job = WorldJob(chosen, seed, out or settings.tables, truth or beside, force)
    summary = _run(job)
    console = Console()
    if summary.skipped:
        console.print(
            f"{profile} world of seed {seed} already stands in {summary.out}: nothing written"
        )
    else:
        console.print(f"{profile} world of seed {seed} written to {summary.out}")
    console.print(f"truth in {summary.truth}", highlight=False)
    console.print(_rows_table(summary))
    console.print(_facts_table(summary.facts))


def _run(job: WorldJob) -> WorldSummary:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(f"{job.profile.name} world", total=None)
        return job.run(lambda done, steps: progress.update(task, completed=done, total=steps))


def _rows_table(summary: WorldSummary) -> Table:
    table = Table("table", title="Tables")
    table.add_column("rows", justify="right")
    for name, rows in summary.rows.items():
        table.add_row(name, f"{rows:,}")
    return table


def _facts_table(facts: tuple[Fact, ...]) -> Table:
    table = Table("fact", "of", "asked", title="Facts (promised for demo and full)")
    for heading in ("limits", "measured", "holds"):
        table.add_column(heading, justify="right")
    for fact in facts:
        measured = "too short" if fact.measured is None else f"{fact.measured:.3f}"
        holds = {None: "-", True: "[green]yes[/]", False: "[red]no[/]"}[fact.holds]
        table.add_row(
            fact.name, fact.basis, fact.asked, f"{fact.low:g} to {fact.high:g}", measured, holds
        )
    return table
