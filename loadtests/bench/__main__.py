"""Benchmark both doors beside measured floors.

Usage: python -m loadtests.bench --rounds 5 --seconds 2
"""

from __future__ import annotations

import argparse
import datetime as dt
from pathlib import Path

from rich.console import Console

from loadtests.bench import tables
from loadtests.bench.cases import SIZES
from loadtests.bench.processes import Cores, Fleet
from loadtests.bench.rounds import Bench, servers_of
from loadtests.bench.series import answer_ahead, make_home
from loadtests.results import machine, table, write
from serving import settings as configuration
from serving.errors import ParlevelError

LOADTESTS = Path(__file__).resolve().parents[1]
SCRATCH = LOADTESTS.parent / ".build" / "bench"
WRONG_USE = 2
PROCESS_COLUMNS = ("server", "ready seconds", "resident MiB")
WHOLE = 5  # rounds below which the figures are a first look


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m loadtests.bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=WHOLE, help="times each case is measured")
    parser.add_argument("--seconds", type=float, default=2.0, help="length of each measurement")
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)), help="batch sizes")
    parser.add_argument("--date", type=dt.date.fromisoformat, help="date of the result; today")
    parser.add_argument("--out", type=Path, help="the result instead, as .json and .md")
    return parser


def main() -> None:
    """Run the command line; a wrong use exits with 2."""
    arguments = _parser().parse_args()
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
    answer_ahead(home)
    fleet = Fleet(cores, home, SCRATCH)
    sizes = sorted({1, *map(int, arguments.sizes.split(","))} & set(SIZES))
    try:
        servers = servers_of(fleet)
        found = Bench(fleet, home, cores, sizes).run(arguments.rounds, arguments.seconds)
        processes = [(one.name, one.ready_seconds, one.memory_mib()) for one in servers]
    finally:
        fleet.stop()
    date = arguments.date or dt.datetime.now(dt.UTC).date()
    setup = {"date": date.isoformat(), "rounds": arguments.rounds, "seconds": arguments.seconds}
    text = (
        f"# Benchmark of {date}\n\n{_facts({**setup, **machine()})}\n{tables.page(found)}"
        f"\n## Processes\n\n{table(PROCESS_COLUMNS, processes)}"
    )
    out = arguments.out or LOADTESTS / "results" / date.isoformat()
    content = {
        **setup,
        "machine": machine(),
        "processes": [dict(zip(PROCESS_COLUMNS, one, strict=True)) for one in processes],
        **tables.content(found),
    }
    write(out, content, text)
    return text


def _facts(facts: dict[str, object]) -> str:
    return "".join(f"- {name}: {value}\n" for name, value in facts.items())


if __name__ == "__main__":
    main()
