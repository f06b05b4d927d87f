"""What a nightly forecast costs from a thousand series to half a million.

    python -m loadtests.nightly --sizes 1000,10000,50000 --folder /tmp/nightly

Each size is a world of as many series at 50 locations over 120 days, forecast 30 days ahead at nine
quantiles into parquet by location, by the command a planner runs. Seconds are those of the clock,
CPU seconds and memory those of that command and its processes together, memory the most they held
at once, what they share counted once. One model, trained on the first size, answers all; with
`--home` the one released there.
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

from rich.console import Console
from rich.table import Table

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


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure each size and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", default="1000,10000,50000", help="series, comma between")
    parser.add_argument("--folder", type=Path, required=True, help="worlds, home and outputs")
    parser.add_argument("--home", type=Path, help="home with a model, instead of training one")
    chosen = parser.parse_args(arguments)
    sizes = [int(size) for size in chosen.sizes.split(",")]
    home = chosen.home or chosen.folder / "home"
    nights: list[Night] = []
    for size in sizes:
        tables = _world(chosen.folder, size)
        if not nights and chosen.home is None:
            _parlevel(home, "train", "forecast", "--data", str(tables), "--horizon", str(HORIZON))
        nights.append(_night(home, tables, size))
        Console(stderr=True).print(f"{size:,} series done")
    Console().print(table(nights))


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


def _world(folder: Path, series: int) -> Path:
    """Generate a world of so many series unless it stands there; return its tables."""
    skus = max(1, round(series / LOCATIONS))
    profile = Profile(
        name=f"night-{series}",
        skus=skus,
        locations=LOCATIONS,
        days=DAYS,
        plan_days=HORIZON,
        skus_per_part=SKUS_PER_PART,
        partitioned=True,
    )
    return generate(profile, SEED, folder / f"world-{series}" / "tables").out


def _night(home: Path, tables: Path, series: int) -> Night:
    out = tables.parent / f"forecast-{time.time_ns()}"  # a new one, so that nothing is kept
    asked = ("--data", str(tables), "--horizon", str(HORIZON), "--out", str(out), "--by-location")
    started = time.monotonic()
    usage, peak_mib = _parlevel(home, "forecast", *asked)
    seconds = time.monotonic() - started
    shutil.rmtree(out)
    return Night(series, seconds, usage.ru_utime + usage.ru_stime, peak_mib)


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
