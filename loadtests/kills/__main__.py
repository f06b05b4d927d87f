"""Kill work at random moments and see that the old state or the new one stands whole each time.

    python -m loadtests.kills --kind import --times 20

Works on a small home of its own, made anew, or on a copy of the home that is named.
"""

from __future__ import annotations

import argparse
import datetime as dt
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from serving.errors import ParlevelError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from loadtests.kills.children import Killed, Work
    from serving.settings import Settings

    Make = Callable[[Settings, Path], Work]

KINDS = ("import", "materialize", "publish", "train", "promote", "swap")
NOT_WHOLE, WRONG_USE = 1, 2
SEED = 7
# The home kills are made on where none is named; a process of its own uses what a fork must not.
MAKING = """
import datetime as dt, sys
from pathlib import Path
from loadtests.kills.models import RECIPE
from serving.settings import Settings
from training.content import ForecastRun
from training.features.materialize import Job, materialize
from training.registry import Registry
from training.runs import train_forecast
from training.world import LAST_DAY, Profile, generate
settings = Settings(home=Path(sys.argv[1]), as_of=LAST_DAY)
generate(Profile(name="small", skus=8, locations=3, days=120, skus_per_part=8), 42, settings.tables)
train_forecast(settings, ForecastRun(settings.tables, LAST_DAY, RECIPE), lambda _: None)
materialize(Job(settings.tables, settings.features, LAST_DAY), now=dt.datetime.now(dt.UTC))
Registry(settings).promote("forecast", "1")
"""


def main() -> None:
    """Run the command line; exits with 1 where a state was not whole, with 2 on a wrong use."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.kills", description=__doc__)
    parser.add_argument("--kind", choices=(*KINDS, "all"), default="all", help="what is killed")
    parser.add_argument("--times", type=int, default=20, help="kills of each kind")
    parser.add_argument("--seed", type=int, default=SEED, help="seed of the moments")
    parser.add_argument("--home", type=Path, help="home to copy; a small one is made where absent")
    asked = parser.parse_args()
    console = Console(highlight=False, soft_wrap=True)
    kinds = KINDS if asked.kind == "all" else (asked.kind,)
    try:
        with tempfile.TemporaryDirectory(prefix="parlevel-kills-") as scratch:
            settings = _home(asked.home, Path(scratch))
            found = _killed(settings, kinds, Path(scratch), (asked.times, asked.seed))
    except ParlevelError as error:
        console.print(f"error: {error}", markup=False)
        raise SystemExit(WRONG_USE) from error
    console.print(_table(found))
    failures = [one.failure for killed in found.values() for one in killed if one.failure]
    for failure in failures:
        console.print(failure, markup=False)
    raise SystemExit(NOT_WHOLE if failures else 0)


def _home(named: Path | None, scratch: Path) -> Settings:
    """Make the home that is worked on."""
    from serving.settings import Settings
    from training.operations import upgrade

    home = scratch / "home"
    if named is None:
        command = [sys.executable, "-c", MAKING, str(home)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - our own command
    else:
        shutil.copytree(named, home, symlinks=True)
        upgrade(home)  # it lies elsewhere now
    return Settings(home=home, as_of=_last_day(home))


def _last_day(home: Path) -> dt.date:
    from serving.adapters.features import PackedFeatures

    features = PackedFeatures(home / "features" / "online").snapshot()
    return dt.date.fromisoformat(features.meta["last_day"])


def _killed(
    settings: Settings, kinds: Sequence[str], scratch: Path, order: tuple[int, int]
) -> dict[str, list[Killed]]:
    """Kill each kind so many times, from a seed on."""
    from loadtests.kills.children import rounds

    times, seed = order
    makers = _makers()
    found: dict[str, list[Killed]] = {}
    # A thread that draws would hold its locks in every child: the bar moves when a kill is done.
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), auto_refresh=False) as bar:
        for kind in kinds:
            task = bar.add_task(kind, total=times)
            bar.refresh()
            found[kind] = []
            for killed in rounds(makers[kind](settings, scratch / kind), times, seed):
                found[kind].append(killed)
                bar.update(task, advance=1, refresh=True)
            bar.console.print(f"{kind}: {_whole(found[kind])} whole")
    return found


def _makers() -> Mapping[str, Make]:
    from loadtests.kills.models import Promote, Swap, Train
    from loadtests.kills.ready import Publish
    from loadtests.kills.tables import Import, Materialize

    return dict(zip(KINDS, (Import, Materialize, Publish, Train, Promote, Swap), strict=True))


def _table(found: Mapping[str, Sequence[Killed]]) -> Table:
    table = Table("killed", "times", "at work still", "at most after", "whole")
    for kind, killed in found.items():
        table.add_row(
            kind,
            str(len(killed)),
            str(sum(one.running for one in killed)),
            f"{max((one.seconds for one in killed), default=0.0):.2f} s",
            _whole(killed),
        )
    return table


def _whole(killed: Sequence[Killed]) -> str:
    return f"{sum(not one.failure for one in killed)} of {len(killed)}"


if __name__ == "__main__":
    main()
