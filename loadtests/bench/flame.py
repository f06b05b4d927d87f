"""Where a server's time goes under load: sampled stacks and a flame graph of each path.

    python -m loadtests.bench.flame --door grpc --series 1

Stacks go to .build/load, and so do flame graphs; those that are small are kept beside the results
of the day. Needs py-spy.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import itertools
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING

from rich.console import Console

from loadtests.bench.__main__ import LOADTESTS, SCRATCH, WRONG_USE
from loadtests.bench.cases import DOORS, OURS, SIZES, Case
from loadtests.bench.processes import BIN, Cores, Fleet
from loadtests.bench.rounds import Bench
from loadtests.bench.series import answer_ahead, make_home
from loadtests.results import table
from serving import settings as configuration
from serving.errors import NotReady, ParlevelError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from loadtests.bench.processes import Server

FOLDER = SCRATCH.with_name("load")
RESULTS = LOADTESTS / "results"
SMALL_BYTES = 300_000
PATHS = (1, 256)  # series a call
RATE = 500  # samples a second
SHOWN = 25
# Threads that wait: py-spy takes some of them for running.
IDLE = ("Condition.wait ", "Thread.run ", "_worker ", "_serve ")
KINDS = tuple(name.removeprefix("parlevel ") for name in OURS)


def shares(stacks: Iterable[str]) -> list[tuple[str, float, float]]:
    """Return each function's own and whole share of the samples, greatest own share first.

    Args:
        stacks: Lines of frames from the outermost on, parted by semicolons, and a count.
    """
    own: Counter[str] = Counter()
    whole: Counter[str] = Counter()
    for line in stacks:
        frames, _, count = line.rpartition(" ")
        names = frames.split(";")
        if names[-1].startswith(IDLE):
            continue
        own[names[-1]] += int(count)
        for name in set(names):
            whole[name] += int(count)
    total = max(own.total(), 1)
    return [(name, own[name] / total, whole[name] / total) for name, _ in whole.most_common()]


def sample(pid: int, seconds: int, path: Path) -> subprocess.Popen[bytes]:
    """Begin to sample a process into a file, as stacks (.txt) or as a flame graph (.svg).

    Raises:
        NotReady: If py-spy is not installed.
    """
    command = BIN / "py-spy"
    if not command.exists():
        raise NotReady(f"py-spy is needed: {sys.executable} -m pip install py-spy")
    path.parent.mkdir(parents=True, exist_ok=True)
    form = "flamegraph" if path.suffix == ".svg" else "raw"
    options = f"record --format {form} --function --rate {RATE} --duration {seconds}".split()
    return subprocess.Popen(  # noqa: S603 - our own command, no shell
        [str(command), *options, "--pid", str(pid), "--output", str(path)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def main() -> None:
    """Run the command line; a wrong use exits with 2."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.bench.flame", description=__doc__)
    parser.add_argument("--server", choices=KINDS, default=KINDS[0], help="kind of gRPC server")
    parser.add_argument("--door", choices=DOORS, help="this door; both where absent")
    parser.add_argument("--series", type=int, choices=SIZES, help="series a call; 1 and 256")
    parser.add_argument("--seconds", type=int, default=5)
    arguments = parser.parse_args()
    console = Console(highlight=False, soft_wrap=True)
    try:
        for text in _run(arguments):
            console.print(text, markup=False)
    except ParlevelError as error:
        console.print(f"error: {error}", markup=False)
        raise SystemExit(WRONG_USE) from error


def _run(arguments: argparse.Namespace) -> Iterator[str]:
    """Draw each path that is asked for, and yield what is to be said of it."""
    cores = Cores.of_this_machine()
    home = make_home(configuration.load().home, SCRATCH)
    answer_ahead(home)
    doors = (arguments.door,) if arguments.door else DOORS
    sizes = (arguments.series,) if arguments.series else PATHS
    fleet = Fleet(cores, home, SCRATCH)
    try:
        server = fleet.start_ours(f"parlevel {arguments.server}")
        bench = Bench(fleet, home, cores, sizes)
        for door, series in itertools.product(doors, sizes):
            case = Case(server.name, door, series, SIZES[series][1])
            name = f"{arguments.server}-{door}-{series}"
            yield _sampled(bench, server, case, FOLDER / name, arguments.seconds)
    finally:
        fleet.stop()


def _sampled(bench: Bench, server: Server, case: Case, path: Path, seconds: int) -> str:
    """Sample a path once for its stacks and once for its picture."""
    stacks, picture = path.with_suffix(".txt"), path.with_suffix(".svg")
    for file in (stacks, picture):
        sampler = sample(server.process.pid, seconds, file)
        tally = asyncio.run(bench.load(case, seconds))
        sampler.wait()
    lines = stacks.read_text(encoding="utf-8").splitlines()
    rows = sorted(shares(lines), key=lambda row: -row[1])[:SHOWN]
    shown = [(name, own * 100, whole * 100) for name, own, whole in rows]
    head = f"{case.series} series a call at the {case.door} door, {case.concurrency} in flight: "
    return (
        f"{head}{tally.answered} calls\nstacks: {stacks}\nflame graph: {_kept(picture)}\n\n"
        + table(("function", "own %", "whole %"), shown)
    )


def _kept(picture: Path) -> Path:
    """Keep a small picture beside the results of its day; a large one stays where it is."""
    if picture.stat().st_size > SMALL_BYTES:
        return picture
    folder = RESULTS / f"{dt.datetime.now(dt.UTC).date()}-flames"
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / picture.name
    drawn = picture.read_text(encoding="utf-8")  # its title is the command, folders and all
    kept.write_text(drawn.replace(f"{BIN}/", "").replace(f"{FOLDER}/", ""), encoding="utf-8")
    return kept


if __name__ == "__main__":
    main()
