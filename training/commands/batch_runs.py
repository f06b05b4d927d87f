"""What the batch commands print while a run goes on and when it is done."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from serving.adapters.demand import open_demand
from serving.adapters.releases import open_release
from serving.settings import load
from training.batch.models import find_release
from training.batch.runs import BatchJob, run
from training.batch.workers import Hands

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable
    from pathlib import Path

    from training.batch.questions import Question
    from training.batch.runs import Read

MIB = 1 << 20


def run_with_progress(
    question: Question,
    *,
    data: Path | None,
    out: Path,
    as_of: dt.datetime | None,
    model: str,
    by_location: bool = False,
) -> None:
    """Run a question over a folder with a progress bar and say what was done.

    Args:
        question: What to ask.
        data: Data folder; that of the settings where None.
        out: Parquet file to write.
        as_of: Last known day; that of the settings, or the last one with sales, where None.
        model: Version or alias of the model.
        by_location: Write a folder of parquet files, one folder a location.

    Raises:
        ParlevelError: For whatever keeps the run from an answer.
    """
    settings, console = load(), Console()
    job = BatchJob(
        data_dir=data or settings.tables,
        out=out,
        as_of=as_of.date() if as_of else settings.as_of,
        by_location=by_location,
        kept=settings.kept,
    )
    release = find_release(settings.releases, model)
    opened = open_release(release, open_demand)
    hands = Hands(opened, release, workers=len(os.sched_getaffinity(0)))
    out.parent.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )
    with bar:
        result = run(job, question, hands, _telling(bar, started))
    version = f"model {opened.description.name} {opened.description.version}"
    if result.unchanged:
        console.print(
            f"{out} holds these {result.rows:,} rows of {version}: nothing to do", soft_wrap=True
        )
        return
    resumed = f", {result.resumed:,} from an interrupted run" if result.resumed else ""
    seconds = time.monotonic() - started
    console.print(
        f"wrote {result.rows:,} rows of {result.series + result.resumed:,} series to {out} "
        f"in {seconds:.1f} s ({version}{resumed})",
        soft_wrap=True,
    )
    console.print(_read(result.read), soft_wrap=True)


def _read(read: Read) -> str:
    """Say what was read, what was taken from before, and what is kept for the next run."""
    taken = f", {read.taken:,} taken from the run before" if read.taken else ""
    why = f" again: {read.afresh}" if read.afresh else ""
    kept = f"; {read.size / MIB:,.0f} MiB kept for the next day" if read.size else ""
    days = "1 day" if read.days == 1 else f"{read.days:,} days"
    return f"read {days} of sales{why}{taken}{kept}"


def _telling(bar: Progress, started: float) -> Callable[[str, int, int], None]:
    """Return what shows each step of a run as a line of the bar, with its rate."""
    opening = bar.add_task("opening tables", total=None, rate="")
    steps: dict[str, tuple[TaskID, float]] = {}  # each with the moment it began
    told = [started]

    def tell(step: str, done: int, total: int) -> None:
        bar.update(opening, visible=False)
        if step not in steps:
            steps[step] = (bar.add_task(f"{step} series", total=total, rate=""), told[-1])
        task, since = steps[step]
        told.append(time.monotonic())
        bar.update(task, completed=done, rate=f"{done / (told[-1] - since):,.0f} series/s")

    return tell
