"""Put a mixed crowd on a running service and hold it to its service levels.

Usage: python -m loadtests run --profile sustained
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loadtests.crowd_run import Load
    from loadtests.slo import Levels, Measured

HERE = Path(__file__).parent
HTML = HERE.parent / ".build" / "load"
WRONG_USE = 2
NOBODY = "none"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m loadtests", description=__doc__)
    run = parser.add_subparsers(required=True, metavar="run").add_parser("run", help="Run a load.")
    run.add_argument("--profile", default="short", help="short, sustained, ramp or spike")
    run.add_argument("--users", type=int, help="most users at any moment")
    run.add_argument("--seconds", type=int, help="length of the run")
    run.add_argument("--host-grpc", help=f"address and port; `{NOBODY}` leaves the door alone")
    run.add_argument("--host-http", help=f"URL; `{NOBODY}` leaves the door alone")
    run.add_argument("--slo", type=Path, default=HERE / "slo.toml", help="file of service levels")
    run.add_argument("--html", type=Path, default=HTML, help="folder of the full report")
    run.add_argument("--out", type=Path, help="keep the figures as a .json and a .md of this name")
    return parser


def main() -> None:
    """Run the command line; a broken service level exits with 3, a wrong option with 2."""
    arguments = _parser().parse_args()
    # Locust patches what the others import, so it comes before them.
    from loadtests.crowd_run import report_name

    # isort: split
    from rich.console import Console

    from loadtests.slo import BREACHED, breaches, read_levels
    from serving.errors import ParlevelError

    console = Console(highlight=False, soft_wrap=True)
    try:
        levels, load = read_levels(arguments.slo), _load(arguments)
    except ParlevelError as error:
        console.print(f"error: {error}", markup=False)
        raise SystemExit(WRONG_USE) from error
    html = arguments.html / report_name(arguments.profile, dt.datetime.now(dt.UTC))
    measured = load.run(html)
    broken = breaches(levels, measured)
    console.print(_page(arguments.profile, measured, broken), markup=False)
    console.print(f"full report: {html}")
    if arguments.out is not None:
        _keep(arguments, levels, measured, broken)
    if broken:
        raise SystemExit(BREACHED)


def _load(arguments: argparse.Namespace) -> Load:
    from loadtests.crowd_run import Load
    from loadtests.profiles import stages_of
    from loadtests.stored_keys import read_series
    from serving import settings as configuration

    settings = configuration.load()
    return Load(
        stages=stages_of(arguments.profile, arguments.users, arguments.seconds),
        series=read_series(settings.features),
        grpc_host=_host(arguments.host_grpc, f"{settings.host}:{settings.grpc_port}"),
        http_host=_host(arguments.host_http, f"http://{settings.host}:{settings.http_port}"),
    )


def _host(asked: str | None, default: str) -> str | None:
    return None if asked == NOBODY else asked or default


def _page(profile: str, measured: Sequence[Measured], broken: Sequence[str]) -> str:
    from loadtests.results import table

    columns = [field.name for field in dataclasses.fields(measured[0])] if measured else []
    rows = [dataclasses.astuple(one) for one in measured]
    verdict = "".join(f"BROKEN {sentence}\n" for sentence in broken)
    return f"{profile}\n\n{table(columns, rows)}\n{verdict or 'every service level holds'}"


def _keep(
    arguments: argparse.Namespace,
    levels: Levels,
    measured: Sequence[Measured],
    broken: Sequence[str],
) -> None:
    from loadtests.results import machine, write

    content = {
        "profile": arguments.profile,
        "machine": machine(),
        "levels": dataclasses.asdict(levels),
        "measured": [dataclasses.asdict(one) for one in measured],
        "broken": list(broken),
    }
    write(arguments.out, content, _page(f"# Load: {arguments.profile}", measured, broken) + "\n")


if __name__ == "__main__":
    main()
