"""``parlevel train``: train, export, certify and register a model."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from serving import settings
from training.content import ForecastRun, Recipe
from training.runs import STEPS, train_forecast

if TYPE_CHECKING:
    from serving.settings import Settings
    from training.runs import RunResult

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Train, export, certify and register a model."
)


@app.callback()
def _group() -> None:
    """Keep `train` a group: each model is a subcommand."""


@app.command()
def forecast(
    data: Annotated[Path | None, typer.Option(help="Data folder; the home's tables.")] = None,
    as_of: Annotated[
        dt.datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Last day training may see.")
    ] = None,
    horizon: Annotated[int | None, typer.Option(help="Longest horizon, 1 to 90 days.")] = None,
    rows: Annotated[int, typer.Option(help="Training rows sampled.")] = Recipe().rows,
    *,
    seed: Annotated[int, typer.Option(help="Seed of sampling and boosting.")] = Recipe().seed,
    force: Annotated[bool, typer.Option(help="Train even if nothing changed.")] = False,
) -> None:
    """Train the demand model and register it with its certificate.

    Example: parlevel train forecast --data tables --as-of 2026-06-30
    """
    configured = settings.load()
    run = ForecastRun(
        data=data or configured.tables,
        as_of=as_of.date() if as_of else configured.as_of,
        recipe=Recipe(horizon=horizon, rows=rows, seed=seed),
        force=force,
    )
    run_with_progress(configured, run)


def run_with_progress(configured: Settings, run: ForecastRun) -> RunResult:
    """Train with a progress bar and print what came of it."""
    console = Console()
    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        console=console,
    )
    with bar:
        task = bar.add_task("reading tables", total=STEPS)

        def tell(step: str) -> None:
            bar.update(task, description=step, advance=1)

        result = train_forecast(configured, run, tell)
        bar.update(task, completed=STEPS, description="done")
    if result.skipped:
        console.print(
            f"forecast version {result.version} was trained on this data, as of this day, "
            "with this recipe: nothing to do"
        )
    else:
        console.print(result.table())
        console.print(f"registered forecast version {result.version}")
    return result
