"""``parlevel retrain``: the pipeline of a verdict, up to a challenger; it never promotes."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from serving import settings


def retrain(
    data: Annotated[Path | None, typer.Option(help="Data folder; the home's tables.")] = None,
    as_of: Annotated[
        dt.datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Last day training may see.")
    ] = None,
    *,
    force: Annotated[bool, typer.Option(help="Train whatever the verdict is.")] = False,
) -> None:
    """Train a challenger where the verdict asks for it.

    Validates the tables, computes features, trains, certifies and registers a version. Nothing is
    promoted: compare the challenger, then run `parlevel models promote`.

    Example: parlevel retrain --data tables
    """
    from serving.adapters.readings import StoredReadings
    from serving.domain.retrain import RetrainVerdict, decide
    from training.commands.actuals import print_verdict
    from training.commands.features import materialize
    from training.commands.tables import validate
    from training.commands.train import run_with_progress
    from training.content import ForecastRun, Recipe

    configured, console = settings.load(), Console()
    folder, day = data or configured.tables, as_of.date() if as_of else configured.as_of
    if not force:
        answer = decide(StoredReadings(configured.monitoring).readings("forecast"))
        print_verdict(console, answer)
        if answer.verdict is not RetrainVerdict.RETRAIN:
            console.print("nothing to do: the verdict does not ask for training (--force trains)")
            return
    console.rule("validate")
    validate(folder)
    console.rule("features")
    materialize(data=folder, as_of=as_of)
    console.rule("train, certify, register")
    run = ForecastRun(data=folder, as_of=day, recipe=Recipe(), force=force)
    result = run_with_progress(configured, run)
    console.print(
        f"challenger: forecast version {result.version}; it serves after "
        f"`parlevel models promote forecast {result.version}`",
        soft_wrap=True,
    )
