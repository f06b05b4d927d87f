"""Whether watching stays in its bounds: a day of answers in a minute, memory and disk looked at.

    python -m loadtests.watched_day --rows 5000000 --seconds 60

Traffic windows and forecast log run as in a server, with their threads. The business clock runs
through the day, and over midnight, while answers of 14 days pour in, of more series than the log
has space for.
"""

from __future__ import annotations

import datetime as dt
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer
from rich.console import Console
from rich.progress import Progress

from serving.adapters.forecast_log import MIB, ForecastLog
from serving.adapters.profiles import PROFILE, StoredProfiles, write_profile
from serving.adapters.traffic import SampledTraffic
from serving.domain.demand import QUANTILE_LEVELS, Forecast, ForecastQuery, ForecastRoute
from serving.domain.drift import Column, Sample
from serving.domain.drift_check import profile_of
from serving.domain.model import Certificate, ModelDescription
from serving.domain.routes import Answered
from serving.domain.series import Provenance
from serving.domain.tiers import DemandPattern, DemandTier

if TYPE_CHECKING:
    from collections.abc import Iterator

    from serving.domain.drift import Profile

HORIZON, FEATURES, SERIES = 14, 30, 100_000
BEGIN = dt.datetime(2026, 6, 1, 6, tzinfo=dt.UTC)
DAY_SECONDS = 86_400.0
PAGE = 4_096  # bytes, of /proc/self/statm


@dataclass(slots=True)
class RunningClock:
    """A business clock that the run sets: an adapter asks it, so it is not frozen."""

    time: dt.datetime

    def now(self) -> dt.datetime:
        """Return the moment the run has come to."""
        return self.time


@dataclass(frozen=True, slots=True)
class Look:
    """What watching held at one moment.

    Attributes:
        rows: Rows answered until then.
        memory_mib: Resident memory of the process.
        log_mib: Space of the forecast log.
        window_rows: Rows of the traffic that the window knows of.
        window_kib: Space of the saved windows.
    """

    rows: int
    memory_mib: float
    log_mib: float
    window_rows: int
    window_kib: float


def watch_a_day(rows: int, seconds: float, folder: Path, *, limit_mib: int) -> Iterator[Look]:
    """Pour a day of answers through windows and log and look at them twenty times.

    Args:
        rows: Rows of the day, each a day ahead of one series.
        seconds: Wall time the day is pressed into.
        folder: Where windows and log are written.
        limit_mib: Space the log may take.

    Yields:
        What was held, the last time after everything was written.
    """
    clock, rng = RunningClock(BEGIN), np.random.default_rng(0)
    model = _description()
    write_profile(folder / "releases" / "forecast" / "1" / PROFILE, _profile(rng))
    traffic = SampledTraffic(folder / "windows", StoredProfiles(folder / "releases"), clock)
    log = ForecastLog(folder / "log", clock, limit_mib)
    drawn = rng.normal(size=(200, HORIZON, FEATURES)).astype(np.float32)
    answers, begun = rows // HORIZON, time.monotonic()
    traffic.start()
    log.start()
    for look in range(20):
        for place in range(answers * look // 20, answers * (look + 1) // 20):
            share = place / answers
            clock.time = BEGIN + dt.timedelta(seconds=DAY_SECONDS * share)
            traffic.note(model, drawn[place % len(drawn)])
            log.note([_forecast(place % SERIES, clock.time.date(), rng)])
            ahead = begun + seconds * share - time.monotonic()
            if ahead > 0.01:  # noqa: PLR2004 - the shortest sleep worth taking, seconds
                time.sleep(ahead)
        yield _look((look + 1) * answers // 20 * HORIZON, traffic, folder)
    traffic.close()
    log.close()
    yield _look(answers * HORIZON, traffic, folder)


def main(
    rows: Annotated[int, typer.Option(min=1_000, help="Rows answered in the day.")] = 5_000_000,
    seconds: Annotated[float, typer.Option(min=1, help="Wall time of the day.")] = 60.0,
    limit_mib: Annotated[int, typer.Option(min=1, help="Space of the forecast log.")] = 16,
) -> None:
    """Print what watching holds through the day, and by how much memory grew in its second half."""
    console = Console()
    with tempfile.TemporaryDirectory() as scratch, Progress(console=console) as bar:
        task = bar.add_task("a day of answers", total=rows)
        looks = []
        for look in watch_a_day(rows, seconds, Path(scratch), limit_mib=limit_mib):
            looks.append(look)
            bar.update(task, completed=look.rows)
    for one in (looks[0], looks[len(looks) // 2], looks[-1]):
        console.print(
            f"{one.rows:,} rows: memory {one.memory_mib:.0f} MiB, log {one.log_mib:.1f} MiB, "
            f"window of {one.window_rows:,} sampled rows in {one.window_kib:.0f} KiB"
        )
    grown = looks[-1].memory_mib - looks[len(looks) // 2].memory_mib
    console.print(f"second half of the day: memory {grown:+.1f} MiB, log limit {limit_mib} MiB")


def _look(rows: int, traffic: SampledTraffic, folder: Path) -> Look:
    resident = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    window = traffic.window("forecast", "1", BEGIN.date())
    return Look(
        rows=rows,
        memory_mib=resident * PAGE / MIB,
        log_mib=_bytes(folder / "log") / MIB,
        window_rows=sum(block.rows for block in next(iter(window.features.values()))),
        window_kib=_bytes(folder / "windows") / 1024,
    )


def _bytes(folder: Path) -> int:
    """Return the size of the files below a folder; one that goes meanwhile counts nothing."""
    total = 0
    for file in folder.rglob("*"):
        try:
            total += file.stat().st_size if file.is_file() else 0
        except FileNotFoundError:
            continue
    return total


def _description() -> ModelDescription:
    return ModelDescription(
        name="forecast",
        version="1",
        digest="0" * 64,
        feature_set_hash="0" * 16,
        features=tuple(f"feature_{place}" for place in range(FEATURES)),
        trained_time=BEGIN,
        data_end=BEGIN.date(),
        certificate=Certificate(1, 1, 0.0, passed=True),
        metrics=(),
    )


def _profile(rng: np.random.Generator) -> Profile:
    columns = tuple(Column(name, rng.normal(size=28 * 100)) for name in _description().features)
    made = profile_of(Sample(columns, np.repeat(np.arange(28), 100)))
    days = tuple(BEGIN.date() - dt.timedelta(days=back) for back in range(28, 0, -1))
    return replace(made, days=days)


def _forecast(series: int, day: dt.date, rng: np.random.Generator) -> Forecast:
    query = ForecastQuery(f"SKU-{series % 1_000}", f"LOC-{series // 1_000}", HORIZON)
    quantiles = np.sort(rng.random((HORIZON, len(QUANTILE_LEVELS))), axis=1)
    return Forecast(
        query=query,
        origin=day,
        route=ForecastRoute.GLOBAL_MODEL,
        mean=quantiles[:, 4],
        quantiles=quantiles,
        plan_sources=(),
        provenance=Provenance(model_name="forecast", model_version="1"),
        answered=Answered(DemandTier.GLOBAL_MODEL, DemandPattern.SMOOTH, ""),
    )


if __name__ == "__main__":
    typer.run(main)
