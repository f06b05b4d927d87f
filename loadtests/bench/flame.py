"""Where a server's time goes under load: sampled stacks, collapsed, one file a path.

    python -m loadtests.bench.flame --server asyncio --door grpc

The file is what flame graph viewers read (speedscope, flamegraph.pl). Needs py-spy.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from loadtests.bench.__main__ import SCRATCH, WRONG_USE
from loadtests.bench.cases import DOORS, OURS, SIZES, Case
from loadtests.bench.processes import BIN, Cores, Fleet
from loadtests.bench.rounds import Bench
from loadtests.bench.series import make_home
from loadtests.results import table
from serving import settings as configuration
from serving.errors import NotReady, ParlevelError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

FOLDER = SCRATCH.with_name("load")
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
    """Begin to sample a process into a file.

    Raises:
        NotReady: If py-spy is not installed.
    """
    command = BIN / "py-spy"
    if not command.exists():
        raise NotReady(f"py-spy is needed: {sys.executable} -m pip install py-spy")
    path.parent.mkdir(parents=True, exist_ok=True)
    options = f"record --format raw --function --rate {RATE} --duration {seconds}".split()
    return subprocess.Popen(  # noqa: S603 - our own command, no shell
        [str(command), *options, "--pid", str(pid), "--output", str(path)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def main() -> None:
    """Run the command line; a wrong use exits with 2."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.bench.flame")
    parser.add_argument("--server", choices=KINDS, default=KINDS[0], help="kind of gRPC server")
    parser.add_argument("--door", choices=DOORS, default=DOORS[0])
    parser.add_argument("--series", type=int, choices=SIZES, default=1, help="series a call")
    parser.add_argument("--seconds", type=int, default=5)
    arguments = parser.parse_args()
    console = Console(highlight=False, soft_wrap=True)
    try:
        text = _run(arguments)
    except ParlevelError as error:
        console.print(f"error: {error}", markup=False)
        raise SystemExit(WRONG_USE) from error
    console.print(text, markup=False)


def _run(arguments: argparse.Namespace) -> str:
    cores = Cores.of_this_machine()
    home = make_home(configuration.load().home, SCRATCH)
    fleet = Fleet(cores, home, SCRATCH)
    path = FOLDER / f"{arguments.server}-{arguments.door}-{arguments.series}.txt"
    try:
        server = fleet.start_ours(arguments.server)
        bench = Bench(fleet, home, cores, [arguments.series])
        case = Case(server.name, arguments.door, arguments.series, SIZES[arguments.series][-1])
        sampler = sample(server.process.pid, arguments.seconds, path)
        tally = asyncio.run(bench.load(case, arguments.seconds))
        sampler.wait()
    finally:
        fleet.stop()
    lines = path.read_text(encoding="utf-8").splitlines()
    rows = sorted(shares(lines), key=lambda row: -row[1])[:SHOWN]
    shown = [(name, own * 100, whole * 100) for name, own, whole in rows]
    head = f"{tally.answered} calls, {case.concurrency} in flight; stacks: {path}\n\n"
    return head + table(("function", "own %", "whole %"), shown)


if __name__ == "__main__":
    main()
