"""``parlevel features``: define, materialise and check the stored features."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from training.features.check import Agreement, Difference
    from training.features.materialize import Job, Materialized

app = typer.Typer(
    name="features",
    help="Apply, materialize and check features.",
    no_args_is_help=True,
    add_completion=False,
)

Data = Annotated[
    Path | None, typer.Option("--data", help="Data folder; $PARLEVEL_HOME/tables if absent.")
]
AsOf = Annotated[
    dt.datetime | None,
    typer.Option("--as-of", formats=["%Y-%m-%d"], help="Last known day; the last one with sales."),
]
WEEK = 7


@app.command()
def apply() -> None:
    """Record entities, views and the feature service in Feast's registry."""
    from rich.console import Console

    from feature_repo.definitions import service_name
    from serving.settings import load
    from training.features.store import apply as apply_definitions

    store = apply_definitions(load().features)
    views = ", ".join(sorted(view.name for view in store.list_feature_views()))
    Console().print(f"applied {service_name()}: {views}")


@app.command()
def materialize(
    data: Data = None,
    as_of: AsOf = None,
    origins: Annotated[
        int, typer.Option(min=1, help="Days kept offline: the last one and so many weeks back.")
    ] = 3,
) -> None:
    """Compute the features of every entity and publish them to the service."""
    from rich.console import Console

    from training import tables
    from training.features.materialize import materialize as run
    from training.features.reference import materialize_reference

    job = _job(data, as_of, origins)
    console = Console()
    with console.status("reading suppliers, parts and units"):
        documents = materialize_reference(job.data_dir, job.features, job.as_of)
    if documents:
        console.print(f"{documents:,} documents of suppliers, parts and units of experiments")
        if not tables.exists(job.data_dir, "sales"):
            return
    with console.status("materialising features") as status:
        found = run(
            job,
            now=dt.datetime.now(dt.UTC),
            progress=lambda done: status.update(f"materialising features: {done:,} series"),
        )
    _print_materialized(console, found)
    _print_calendar_end(console, job.data_dir, found.last_day)
    share(console)


@app.command()
def check(
    data: Data = None,
    as_of: AsOf = None,
    sample: Annotated[int, typer.Option(min=1, help="Series to compare.")] = 1000,
) -> None:
    """Compare offline, online, packed and request-time features bit for bit."""
    from rich.console import Console

    from training.features.check import check as run

    console = Console()
    with console.status("comparing features"):
        agreement = run(_job(data, as_of, 1), sample=sample)
    _print_agreement(console, agreement)
    if agreement.difference is not None:
        _print_difference(Console(stderr=True), agreement.difference)
        raise SystemExit(2)  # Typer's own Exit is unknown to the group of the command line


def share(console: Console) -> None:
    """Bring what is materialised to the online store, where one is set."""
    from serving.settings import load

    settings = load()
    if settings.online_store is None:
        return
    from training.features.sharing import share as run

    with console.status("sharing features") as status:
        brought = run(
            settings.features,
            settings.online_store,
            lambda done: status.update(f"sharing features: {done:,} records"),
        )
    state = "unchanged, nothing to do" if brought is None else f"{brought:,} records brought"
    console.print(f"online store: {state}")


def _job(data: Path | None, as_of: dt.datetime | None, origins: int) -> Job:
    from serving.settings import load
    from training.features.materialize import Job

    settings = load()
    return Job(
        data_dir=data or settings.tables,
        features=settings.features,
        as_of=as_of.date() if as_of is not None else settings.as_of,
        days_back=tuple(WEEK * weeks for weeks in range(1, origins)),
    )


def _print_materialized(console: Console, found: Materialized) -> None:
    """Print what was published, and whether it had been there before."""
    from rich.table import Table

    state = "unchanged, nothing to do" if found.cached else "published"
    console.print(f"features as of {found.last_day}: {state}")
    table = Table()
    table.add_column("view")
    table.add_column("records", justify="right")
    for view, records in found.records.items():
        table.add_row(view, f"{records:,}")
    console.print(table)
    console.print(f"generation {found.generation}, feature set {found.feature_set_hash}")


def _print_calendar_end(console: Console, data_dir: Path, last_day: dt.date) -> None:
    """Say where the calendar ends before the longest forecast does."""
    from serving.domain.history import MAX_HORIZON
    from training import tables

    if not tables.exists(data_dir, "calendar"):
        return
    ends = max(tables.read(data_dir, "calendar", columns=["date"])["date"], default=last_day)
    if ends < last_day + dt.timedelta(days=MAX_HORIZON):
        console.print(f"calendar ends {ends}: days after it are taken as days without a holiday")


def _print_agreement(console: Console, agreement: Agreement) -> None:
    """Print how much was compared per view."""
    from rich.table import Table

    days = ", ".join(str(day) for day in agreement.origins)
    verdict = "every bit is the same" if agreement.difference is None else "they differ"
    console.print(f"offline, online, packed and request-time features: {verdict}")
    table = Table()
    table.add_column("view")
    table.add_column("entities", justify="right")
    table.add_column("values in each source", justify="right")
    for view, entities in agreement.entities.items():
        table.add_row(view, f"{entities:,}", f"{agreement.values[view]:,}")
    console.print(table)
    console.print(f"as of {days}")


def _print_difference(console: Console, found: Difference) -> None:
    """Print the first value that differs."""
    values = ", ".join(f"{source} {value!r}" for source, value in found.values.items())
    entity = "/".join(found.entity)
    console.print(
        f"[bold red]error:[/] {found.view} of {entity} as of {found.origin}: "
        f"{found.field} is {values}",
        highlight=False,
    )
