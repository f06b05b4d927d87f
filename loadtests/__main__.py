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

    from rich.console import Console

    from loadtests.capacity import Tried
    from loadtests.crowd_run import Load
    from loadtests.slo import Levels, Measured

HERE = Path(__file__).parent
HTML = HERE.parent / ".build" / "load"
WRONG_USE = 2
NOBODY, ALL = "none", "all"
AT_LENGTH = ("sustained", "ramp", "spike")  # what `all` runs, one after another


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m loadtests", description=__doc__)
    run = parser.add_subparsers(required=True, metavar="run").add_parser("run", help="Run a load.")
    run.add_argument("--profile", default="short", help="short, sustained, ramp, spike or all")
    run.add_argument("--users", type=int, help="most users; else a share of what is borne")
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
    names = AT_LENGTH if arguments.profile == ALL else (arguments.profile,)
    runs: list[Run] = []
    try:
        levels = read_levels(arguments.slo)
        loads, tried = _loads(names, arguments, levels, console)
        for name, load in loads.items():
            html = arguments.html / report_name(name, dt.datetime.now(dt.UTC))
            measured = load.run(html)
            runs.append(Run(name, measured, breaches(levels, measured)))
            console.print(runs[-1].page(), markup=False)
            console.print(f"full report: {html}")
    except ParlevelError as error:
        console.print(f"error: {error}", markup=False)
        raise SystemExit(WRONG_USE) from error
    if arguments.out is not None:
        _keep(arguments.out, levels, tried, runs)
    if any(run.broken for run in runs):
        raise SystemExit(BREACHED)


def _loads(
    names: Sequence[str], arguments: argparse.Namespace, levels: Levels, console: Console
) -> tuple[dict[str, Load], list[Tried]]:
    """Return the load of each profile, and what was tried to find how many users are borne."""
    from loadtests import capacity
    from loadtests.profiles import SETTLE_SECONDS, profile_of, stages_of

    profiles = {name: profile_of(name) for name in names}
    load = _load(arguments)
    tried: list[Tried] = []

    def tell(one: Tried) -> None:
        tried.append(one)
        verdict = "held" if one.held else "broke"
        console.print(
            f"{one.users:5} users  {one.requests_per_second:7.1f} requests/s  "
            f"P95 {one.p95_ms:6.1f} ms  {verdict}"
        )

    borne = None
    if arguments.users is None and any(one.share is not None for one in profiles.values()):
        borne = capacity.find(
            levels,
            lambda stages: dataclasses.replace(
                load, stages=stages, settle_seconds=SETTLE_SECONDS
            ).run(),
            tell,
        )
        console.print(f"borne: {borne} users\n")
    loads = {}
    for name, profile in profiles.items():
        users = arguments.users
        if borne is not None and profile.share is not None:
            users = max(1, round(borne * profile.share))
        stages = stages_of(name, users, arguments.seconds)
        loads[name] = dataclasses.replace(
            load, stages=stages, settle_seconds=profile.settle_seconds
        )
    return loads, tried


def _load(arguments: argparse.Namespace) -> Load:
    """Return a load on the running service, without a crowd yet."""
    from loadtests.crowd_run import Load
    from loadtests.stored_keys import read_series
    from serving import settings as configuration

    settings = configuration.load()
    return Load(
        stages=(),
        series=read_series(settings.features),
        grpc_host=_host(arguments.host_grpc, f"{settings.host}:{settings.grpc_port}"),
        http_host=_host(arguments.host_http, f"http://{settings.host}:{settings.http_port}"),
    )


def _host(asked: str | None, default: str) -> str | None:
    return None if asked == NOBODY else asked or default


@dataclasses.dataclass(frozen=True, slots=True)
class Run:
    """What one profile came to.

    Attributes:
        profile: Its name.
        measured: What was measured of each question at each door.
        broken: A sentence for each service level that broke.
    """

    profile: str
    measured: Sequence[Measured]
    broken: Sequence[str]

    def page(self) -> str:
        """Return it as text."""
        from loadtests.results import table

        columns = (
            [field.name for field in dataclasses.fields(self.measured[0])] if self.measured else []
        )
        rows = [dataclasses.astuple(one) for one in self.measured]
        verdict = "".join(f"BROKEN {sentence}\n" for sentence in self.broken)
        return f"{self.profile}\n\n{table(columns, rows)}\n{verdict or 'every service level holds'}"


def _keep(out: Path, levels: Levels, tried: Sequence[Tried], runs: Sequence[Run]) -> None:
    from loadtests.results import machine, write

    content = {
        "machine": machine(),
        "levels": dataclasses.asdict(levels),
        "tried": [one._asdict() for one in tried],
        "runs": [dataclasses.asdict(one) for one in runs],
    }
    pages = "\n\n".join(f"# Load: {run.page()}" for run in runs)
    write(out, content, f"{pages}\n")


if __name__ == "__main__":
    main()
