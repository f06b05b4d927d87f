"""``parlevel publish``: answer every stored series ahead of its question."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Annotated

import typer

from serving.domain.demand import DemandTarget

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

HORIZON = 28


def publish(
    target: Annotated[str, typer.Option(help="What is forecast: demand in stock, or sales.")] = (
        "demand"
    ),
    horizon: Annotated[
        int | None,
        typer.Option(min=1, help=f"Days ahead of each answer; {HORIZON}, or what was trained."),
    ] = None,
) -> None:
    """Answer every stored series ahead, so that serving looks its forecast up.

    The release that serves answers from the features that serve: each day and, of demand, the sum
    over each cover, which is what orders rest on. A question that brings a plan, a history or
    attributes of its own, or comes after either has changed, is computed as ever: the answers are
    the same to the last bit.

    Example: parlevel features materialize && parlevel publish --horizon 14
    """
    import time

    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from serving.adapters.features import features_of
    from serving.errors import InvalidField
    from serving.settings import load
    from training import ready
    from training.batch.models import CHAMPION, open_model

    names = [one.name.lower() for one in DemandTarget]
    if target not in names:
        raise InvalidField("--target", f"must be one of {', '.join(names)}")
    settings, console = load(), Console()
    model = open_model(settings.releases, CHAMPION)
    longest = model.description.max_horizon
    horizon = min(HORIZON, longest) if horizon is None else horizon
    if horizon > longest:
        raise InvalidField("--horizon", f"must be from 1 to {longest}, the longest trained")
    snapshot = features_of(settings).snapshot()
    for job in ready.jobs(model, snapshot, DemandTarget[target.upper()], horizon):
        begun = time.monotonic()
        with Progress(
            TextColumn(f"answering {job.kind} ahead"),
            BarColumn(),
            MofNCompleteColumn(),
            console=console,
        ) as bar:
            task = bar.add_task("series", total=None)
            tell = functools.partial(_show, bar, task)
            count = ready.publish(job, settings.features / "ready", tell)
        if count is None:
            console.print(f"{job.kind}: these answers are published already: nothing to do")
            continue
        console.print(
            f"{count:,} series x {job.horizon} days of {job.kind} published in "
            f"{time.monotonic() - begun:.1f} s, by version {model.description.version} "
            f"from features {snapshot.generation}"
        )


def _show(bar: Progress, task: TaskID, done: int, total: int) -> None:
    bar.update(task, completed=done, total=total)
