"""``parlevel train uplift`` and ``parlevel uplift``: learn whom an action pays for, and score."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from serving import settings
from training.commands.progress import steps_bar

if TYPE_CHECKING:
    from training.uplift.content import UpliftRun


def uplift(
    *,
    out: Annotated[Path, typer.Option("--out", help="Parquet file to write.")],
    data: Annotated[
        Path | None, typer.Option("--data", help="Data folder; $PARLEVEL_HOME/tables if absent.")
    ] = None,
    model: Annotated[
        str, typer.Option("--model", help="A version, or current: what serves.")
    ] = "current",
    truth: Annotated[
        Path | None,
        typer.Option("--truth", help="File of unit_id and known effect, for the error beside."),
    ] = None,
) -> None:
    """Score every unit of a folder: unit_id, effect, lower, upper, propensity, overlap.

    Where the folder holds treatment and outcome too, the area under the gain curve is printed.

    Example: parlevel uplift --data next_quarter --out effects.parquet
    """
    from training.uplift.scoring import score_units

    configured = settings.load()
    scored = score_units(
        configured.releases, data or configured.tables, out, model=model, truth=truth
    )
    console = Console()
    console.print(f"{scored.units:,} units scored by uplift version {scored.version}")
    if scored.extrapolated:
        console.print(f"{scored.extrapolated:,} of them are unlike what it learned from")
    if scored.auuc is not None:
        console.print(f"AUUC {scored.auuc}, chance has 0.5")
    if scored.root_pehe is not None:
        console.print(f"root PEHE {scored.root_pehe:.4f}")
    console.print(f"written to {out}", soft_wrap=True)


def train_with_progress(run: UpliftRun) -> None:
    """Train with a progress bar and print what came of it."""
    from training.uplift.runs import STEPS, train_uplift

    console = Console()
    bar = steps_bar(console)
    with bar:
        task = bar.add_task("reading the experiment", total=STEPS)
        result = train_uplift(
            settings.load(), run, lambda step: bar.update(task, description=step, advance=1)
        )
        bar.update(task, completed=STEPS, description="done")
    if result.skipped:
        console.print(f"uplift version {result.version} was trained on this data: nothing to do")
        return
    for table in result.tables():
        console.print(table)
    for warning in result.warnings:
        console.print(warning)
    console.print(f"registered uplift version {result.version}: {result.verdict}")
    if result.withheld:
        console.print("it cannot be promoted: its ranking may be no better than chance")
