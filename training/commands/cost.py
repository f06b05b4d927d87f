"""``parlevel train cost`` and ``parlevel should-cost``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
)

from serving import settings
from training.commands.progress import steps_bar


def train_cost(
    data: Annotated[Path | None, typer.Option(help="Data folder; the home's tables.")] = None,
    folds: Annotated[int, typer.Option(min=2, help="Groups of parts held out in turn.")] = 10,
    trees: Annotated[int, typer.Option(min=1, help="Trees of each output.")] = 1_000,
    *,
    seed: Annotated[int, typer.Option(help="Seed of folds and boosting.")] = 42,
    evaluate: Annotated[
        bool, typer.Option("--evaluate", help="Print the figures and register nothing.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Train even if nothing changed.")] = False,
) -> None:
    """Train the model of quotes and register it with its certificate.

    Example: parlevel train cost --data tables
    """
    from training.cost.model import CostRecipe
    from training.cost.runs import CostRun, run_cost, steps

    configured = settings.load()
    recipe = CostRecipe(folds=folds, trees=trees, seed=seed)
    run = CostRun(data or configured.tables, recipe, force=force, evaluate=evaluate)
    console = Console()
    bar = steps_bar(console)
    with bar:
        task = bar.add_task("reading tables", total=steps(recipe))

        def tell(step: str) -> None:
            bar.update(task, description=step, advance=1)

        result = run_cost(configured, run, tell)
        bar.update(task, completed=steps(recipe), description="done")
    if result.skipped:
        console.print(
            f"cost version {result.version} was trained on this data with this recipe: "
            "nothing to do"
        )
        return
    console.print(result.table())
    if not evaluate:
        console.print(
            f"registered cost version {result.version}: "
            f"`parlevel models promote cost {result.version}` lets it serve"
        )


def should_cost(
    *,
    out: Annotated[Path, typer.Option(help="Parquet file to write.")],
    data: Annotated[Path | None, typer.Option(help="Data folder; the home's tables.")] = None,
    false_alarm_rate: Annotated[
        float, typer.Option(min=0.005, max=0.5, help="Share of honest quotes to be flagged.")
    ] = 0.05,
    allowed_margin: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Margin a supplier may have.")
    ] = 0.0,
    model: Annotated[str, typer.Option(help="Version of the cost model.")] = "current",
    truth: Annotated[
        Path | None, typer.Option(help="Truth of a generated world, to score the flags by.")
    ] = None,
) -> None:
    """Judge every quote of a folder: should-cost, gap, flags and p-value.

    Example: parlevel should-cost --data tables --out judged.parquet --false-alarm-rate 0.05
    """
    from training.cost.judging import Judgement, judge_quotes
    from training.cost.margins import shown, told_apart

    configured = settings.load()
    asked = Judgement(
        data=data or configured.tables,
        out=out,
        releases=configured.releases,
        model=model,
        false_alarm_rate=false_alarm_rate,
        allowed_margin=allowed_margin,
        workers=len(os.sched_getaffinity(0)),
    )
    console = Console()
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
    )
    with bar:
        task = bar.add_task("judging quotes", total=None)
        summary = judge_quotes(
            asked, lambda done, total: bar.update(task, completed=done, total=total)
        )
    console.print(summary.table())
    if truth is not None:
        console.print(shown(told_apart(summary.judged, truth)))
    console.print(f"{summary.rows:,} quotes judged in {summary.seconds:.1f} s: {out}")
