"""``parlevel train``: train, export, certify and register a model."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from serving import settings
from training.commands.cost import train_cost
from training.commands.progress import steps_bar
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


app.command("cost")(train_cost)


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


@app.command()
def uplift(
    data: Annotated[Path | None, typer.Option(help="Data folder; the home's tables.")] = None,
    truth: Annotated[
        Path | None, typer.Option(help="File of unit_id and known effect; never learned from.")
    ] = None,
    *,
    lower_is_better: Annotated[
        bool, typer.Option(help="The action is to lower the outcome.")
    ] = False,
    acknowledge_sample_ratio: Annotated[
        bool, typer.Option(help="Go on where the treated share is not the one promised.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Seed of folds, learners and resamples.")] = 7,
    force: Annotated[bool, typer.Option(help="Train even if nothing changed.")] = False,
) -> None:
    """Learn from an experiment whom an action pays for, and register the model.

    Example: parlevel train uplift --data tables
    """
    from training.commands.uplift import train_with_progress
    from training.uplift.content import UpliftRun

    run = UpliftRun(
        data=data or settings.load().tables,
        truth=truth,
        lower_is_better=lower_is_better,
        acknowledge=acknowledge_sample_ratio,
        seed=seed,
        force=force,
    )
    train_with_progress(run)


@app.command()
def anomaly(
    data: Annotated[Path | None, typer.Option(help="Data folder; the home's tables.")] = None,
    as_of: Annotated[
        dt.datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Last day training may see.")
    ] = None,
    trees: Annotated[int, typer.Option(help="Trees of the forest.")] = 100,
    *,
    seed: Annotated[int, typer.Option(help="Seed of sampling and growing.")] = 7,
    force: Annotated[bool, typer.Option(help="Train even if nothing changed.")] = False,
) -> None:
    """Train the anomaly model of costs, demand and deliveries and register it.

    Example: parlevel train anomaly --data tables
    """
    from training.commands.anomalies import train_with_progress

    train_with_progress(data, as_of.date() if as_of else None, trees=trees, seed=seed, force=force)


def run_with_progress(configured: Settings, run: ForecastRun) -> RunResult:
    """Train with a progress bar and print what came of it."""
    console = Console()
    bar = steps_bar(console)
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
