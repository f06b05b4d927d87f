"""What a nightly forecast costs from a thousand series to half a million.

    python -m loadtests.nightly --sizes 1000,10000,50000 --folder /tmp/nightly

Each size is a world of as many series at 50 locations over 120 days, forecast 30 days ahead at nine
quantiles into parquet by location, by the command a planner runs. Seconds are those of the clock,
CPU seconds and memory those of that command and its processes together, memory the most they held
at once, what they share counted once. One model, trained on the first size, answers all; with
`--home` the one released there.

With `--next-day` each size is forecast twice on its last day, whose sales lie in a file of their
own: as the run after the one of the day before, and from the first day. Both give the same files.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
from rich.console import Console
from rich.table import Table

from training.tables.layers import file_digest
from training.world import Profile, generate

if TYPE_CHECKING:
    import resource
    from collections.abc import Sequence

LOCATIONS, DAYS, HORIZON = 50, 120, 30
SKUS_PER_PART = 250
SEED = 42
MIB = 1024.0  # in KiB, the unit of `smaps_rollup`
LOOK_SECONDS = 0.5  # between looks at the memory of a command


@dataclass(frozen=True, slots=True)
class Night:
    """What one forecast of all series cost.

    Attributes:
        series: Series forecast.
        seconds: Seconds by the clock.
        cpu_seconds: Seconds of a core.
        peak_mib: Most memory held at once, in MiB.
    """

    series: int
    seconds: float
    cpu_seconds: float
    peak_mib: float

    @property
    def cpu_ms_a_series(self) -> float:
        """Milliseconds of a core a series."""
        return 1_000.0 * self.cpu_seconds / self.series


@dataclass(frozen=True, slots=True)
class Morning:
    """What the run of the next day cost, and the same from the first day.

    Attributes:
        on: The run that went on from the day before.
        afresh: The run that read all days.
        kept_mib: What is kept for the day after, in MiB.
    """

    on: Night
    afresh: Night
    kept_mib: float


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure each size and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", default="1000,10000,50000", help="series, comma between")
    parser.add_argument("--folder", type=Path, required=True, help="worlds, home and outputs")
    parser.add_argument("--home", type=Path, help="home with a model, instead of training one")
    parser.add_argument("--next-day", action="store_true", help="beside a run from the first day")
    parser.add_argument("--days", type=int, default=DAYS, help="days of history")
    chosen = parser.parse_args(arguments)
    sizes = [int(size) for size in chosen.sizes.split(",")]
    home = chosen.home or chosen.folder / "home"
    nights: list[Night] = []
    mornings: list[Morning] = []
    for size in sizes:
        tables = _world(chosen.folder, size, chosen.days)
        if size == sizes[0] and chosen.home is None:
            _parlevel(home, "train", "forecast", "--data", str(tables), "--horizon", str(HORIZON))
        if chosen.next_day:
            mornings.append(_morning(home, tables, size))
        else:
            nights.append(_night(home, tables, size))
        Console(stderr=True).print(f"{size:,} series done")
    Console().print(mornings_table(mornings) if chosen.next_day else table(nights))


def table(nights: Sequence[Night]) -> Table:
    """Return the nights as a table for the terminal, each beside the first."""
    found = Table(title=f"{HORIZON} days, nine quantiles, parquet by location")
    for title in ("series", "seconds", "CPU seconds", "CPU ms a series", "to the first", "MiB"):
        found.add_column(title, justify="right")
    for night in nights:
        found.add_row(
            f"{night.series:,}",
            f"{night.seconds:.1f}",
            f"{night.cpu_seconds:.1f}",
            f"{night.cpu_ms_a_series:.3f}",
            f"{night.cpu_ms_a_series / nights[0].cpu_ms_a_series:.2f}x",
            f"{night.peak_mib:,.0f}",
        )
    return found


def mornings_table(mornings: Sequence[Morning]) -> Table:
    """Return the next days as a table for the terminal, each beside the run from the first day."""
    found = Table(title=f"the next day, {HORIZON} days, nine quantiles, parquet by location")
    for title in ("series", "CPU seconds", "from the first day", "takes", "seconds", "from it"):
        found.add_column(title, justify="right")
    found.add_column("kept MiB", justify="right")
    for one in mornings:
        found.add_row(
            f"{one.on.series:,}",
            f"{one.on.cpu_seconds:.1f}",
            f"{one.afresh.cpu_seconds:.1f}",
            f"{one.on.cpu_seconds / one.afresh.cpu_seconds:.2f}x",
            f"{one.on.seconds:.1f}",
            f"{one.afresh.seconds:.1f}",
            f"{one.kept_mib:,.0f}",
        )
    return found


def _world(folder: Path, series: int, days: int) -> Path:
    """Generate a world of so many series unless it stands there; return its tables."""
    skus = max(1, round(series / LOCATIONS))
    profile = Profile(
        name=f"night-{series}",
        skus=skus,
        locations=LOCATIONS,
        days=days,
        plan_days=HORIZON,
        skus_per_part=SKUS_PER_PART,
        partitioned=True,
    )
    return generate(profile, SEED, folder / f"world-{series}-{days}" / "tables").out


def _night(home: Path, tables: Path, series: int) -> Night:
    night, out = _timed(home, tables, series)
    shutil.rmtree(out)
    return night


def _timed(home: Path, tables: Path, series: int) -> tuple[Night, Path]:
    """Forecast a folder; return what it cost, and the output."""
    out = tables.parent / f"forecast-{time.time_ns()}"  # a new one, so that nothing is kept
    asked = ("--data", str(tables), "--horizon", str(HORIZON), "--out", str(out), "--by-location")
    started = time.monotonic()
    usage, peak_mib = _parlevel(home, "forecast", *asked)
    seconds = time.monotonic() - started
    return Night(series, seconds, usage.ru_utime + usage.ru_stime, peak_mib), out


def _morning(home: Path, tables: Path, series: int) -> Morning:
    """Forecast on the day before the last, then on the last, and again from the first day.

    Raises:
        RuntimeError: If the two differ in a bit.
    """
    own, last = _without_last_day(tables)
    kept = home / "kept"
    shutil.rmtree(kept, ignore_errors=True)
    shutil.rmtree(_timed(home, own, series)[1])
    last.rename(own / "sales" / last.name)
    on, out = _timed(home, own, series)
    size = sum(path.stat().st_size for path in kept.rglob("*") if path.is_file())
    shutil.rmtree(kept)
    afresh, whole = _timed(home, own, series)
    if _digests(out) != _digests(whole):
        raise RuntimeError(f"{out} and {whole} differ")
    for folder in (out, whole, own):
        shutil.rmtree(folder)
    return Morning(on, afresh, size / MIB**2)


def _without_last_day(tables: Path) -> tuple[Path, Path]:
    """Copy a folder without the last day of its sales; return it, and a file of that day."""
    own, last = tables.with_name("tables-grown"), tables.with_name("last.parquet")
    shutil.rmtree(own, ignore_errors=True)
    shutil.copytree(tables, own, copy_function=os.link, ignore=shutil.ignore_patterns("sales"))
    (own / "sales").mkdir()
    parts = sorted((tables / "sales").iterdir())
    day = pl.scan_parquet(parts).select(pl.col("date").max()).collect().item()
    for part in parts:
        rows = pl.scan_parquet(part).filter(pl.col("date") < day)
        rows.sink_parquet(own / "sales" / part.name, compression_level=1)
    pl.scan_parquet(parts).filter(pl.col("date") == day).sink_parquet(last)
    return own, last


def _digests(out: Path) -> dict[str, str]:
    """Return a hash of each file of an output by its place there."""
    return {
        str(path.relative_to(out)): file_digest(path) for path in sorted(out.rglob("*.parquet"))
    }


def _parlevel(home: Path, *arguments: str) -> tuple[resource.struct_rusage, float]:
    """Run a command to its end; return what it used, and the most MiB its processes held at once.

    Raises:
        subprocess.CalledProcessError: If it fails.
    """
    command = [sys.executable, "-c", "from training.cli import main; main()", *arguments]
    started = subprocess.Popen(  # noqa: S603 - the project's own command
        command, env={**os.environ, "PARLEVEL_HOME": str(home)}, stdout=subprocess.DEVNULL
    )
    peak = 0.0
    while True:
        ended, status, usage = os.wait4(started.pid, os.WNOHANG)
        if ended:
            break
        peak = max(peak, _held_mib(started.pid))
        time.sleep(LOOK_SECONDS)
    started.returncode = os.waitstatus_to_exitcode(status)
    if started.returncode:
        raise subprocess.CalledProcessError(started.returncode, command)
    return usage, peak


def _held_mib(pid: int) -> float:
    """Return the memory a process and those it started hold, each page counted once."""
    folder, held = Path("/proc", str(pid)), 0.0
    try:
        rollup = (folder / "smaps_rollup").read_text(encoding="ascii")
        children = [path.read_text(encoding="ascii") for path in folder.glob("task/*/children")]
    except (FileNotFoundError, ProcessLookupError):  # it has ended
        return held
    for line in rollup.splitlines():
        if line.startswith("Pss:"):
            held += float(line.split()[1]) / MIB
    return held + sum(_held_mib(int(child)) for said in children for child in said.split())


if __name__ == "__main__":
    main()
