"""``parlevel up``: from raw tables to a served decision in one command."""

from __future__ import annotations

import datetime as dt
import json
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from serving import settings as configuration
from serving.errors import NotReady, ReleaseRefused
from training import first_answers, service_process, tables
from training.content import ForecastRun, Recipe

if TYPE_CHECKING:
    from serving.settings import Settings

_console = Console()


def up(
    data: Annotated[
        Path | None, typer.Option(help="Your own data folder; a generated world where absent.")
    ] = None,
    profile: Annotated[str, typer.Option(help="World to generate: quick, demo, full.")] = "demo",
    seed: Annotated[int, typer.Option(min=0, help="Seed of the world.")] = 42,
    rows: Annotated[int, typer.Option(help="Training rows sampled.")] = Recipe().rows,
) -> None:
    """Make data, train, register, materialise, serve, and print the first answers.

    What is there already and unchanged is kept. Example: parlevel up --profile quick
    """
    begun = time.monotonic()
    settings = configuration.load()
    if data is None:
        data = settings.tables
        _make_world(settings, profile, seed)
    last_day = settings.as_of or _last_day(data)
    # The data ends then, so business has reached that day: features are as fresh as can be.
    settings = replace(settings, as_of=last_day)
    os.environ["PARLEVEL_AS_OF"] = last_day.isoformat()
    _make_current(settings, ForecastRun(data, last_day, Recipe(rows=rows)))
    running = service_process.find(settings)
    if running is None:
        running, states = service_process.start(settings)
        with _console.status("opening both doors"):
            for _ in states:
                pass
    _console.print(
        f"serving: HTTP http://{running.host}:{running.http_port}, "
        f"gRPC {running.host}:{running.grpc_port}",
        highlight=False,
    )
    for table in first_answers.tables(running, data):
        _console.print(table)
    _console.print(f"up in {time.monotonic() - begun:.0f} s; `make down` stops the service")


def _make_world(settings: Settings, profile: str, seed: int) -> None:
    """Generate the world into the home's tables, unless tables of your own stand there."""
    if tables.present(settings.tables) and not (settings.tables / "world.json").exists():
        _console.print(f"using the tables in {settings.tables}")
        return
    from training.world import WorldJob, find_profile

    truth = settings.home.with_name(f"{settings.home.name}-truth")
    job = WorldJob(find_profile(profile), seed, settings.tables, truth, force=False)
    with _console.status(f"generating the {profile} world"):
        summary = job.run(lambda *_: None)
    state = "kept" if summary.skipped else "generated"
    _console.print(f"{profile} world of seed {seed} {state}: {sum(summary.rows.values()):,} rows")


def _last_day(data: Path) -> dt.date:
    last: dt.date = tables.read(data, "sales", columns=["date"])["date"].sort()[-1]
    return last


def _make_current(settings: Settings, run: ForecastRun) -> None:
    """Train, materialise and promote, unless what serves came from this very content."""
    stamp = settings.home / "run" / "up.json"
    content = json.dumps(run.tags(), sort_keys=True)
    if stamp.exists() and stamp.read_text(encoding="utf-8") == content and _stands(settings):
        _console.print("model and features are current: nothing retrained")
        return
    from training.commands.features import share
    from training.commands.publish import publish
    from training.commands.train import run_with_progress
    from training.features.materialize import Job, materialize
    from training.features.reference import materialize_reference
    from training.registry import Registry

    result = run_with_progress(settings, run)
    with _console.status("materialising features") as status:
        found = materialize(
            Job(run.data, settings.features, run.as_of, days_back=(7, 14)),
            now=dt.datetime.now(dt.UTC),
            progress=lambda done: status.update(f"materialising features: {done:,} series"),
        )
        status.update("reading suppliers")
        materialize_reference(run.data, settings.features, run.as_of)
    records = ", ".join(f"{count:,} {view}" for view, count in found.records.items())
    _console.print(f"features as of {found.last_day}: {records}")
    share(_console)
    Registry(settings).promote("forecast", result.version)
    _console.print(f"forecast version {result.version} serves")
    publish()
    stamp.parent.mkdir(parents=True, exist_ok=True)
    stamp.write_text(content, encoding="utf-8")


def _stands(settings: Settings) -> bool:
    """Return whether a sound release and features are there to serve."""
    from serving.adapters.features import features_of
    from serving.adapters.openers import open_any
    from serving.adapters.releases import CURRENT

    folder = settings.releases / "forecast"
    try:
        open_any(folder / (folder / CURRENT).readlink())
        features_of(settings).snapshot()
    except (OSError, NotReady, ReleaseRefused):
        return False
    return True
