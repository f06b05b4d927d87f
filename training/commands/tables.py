"""Subcommands ``import`` and ``validate``."""

from __future__ import annotations

import datetime as dt
import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from serving import settings
from serving.errors import InvalidField

if TYPE_CHECKING:
    from training.tables.importing import Order, Outcome
    from training.tables.quality import FolderReport

# Hashing, reading and publishing, beside checking and writing once a table.
_STAGES_ONCE, _STAGES_PER_TABLE = 3, 2
# Fits the widest report; a pipe has no width of its own.
_PIPED_WIDTH = 160


def import_table(
    file: Annotated[Path, typer.Argument(help="CSV (also .csv.gz) or parquet file.")],
    *,
    table: Annotated[
        str | None, typer.Option(help="Canonical table; with a recipe, one of those it makes.")
    ] = None,
    recipe: Annotated[Path | None, typer.Option(help="TOML recipe for reading the file.")] = None,
    renames: Annotated[
        list[str] | None,
        typer.Option("--map", help="Rename a column, as old=new; may be repeated."),
    ] = None,
    append: Annotated[
        bool, typer.Option("--append", help="Add to the stored rows instead of replacing them.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="Data folder; default is tables/ in PARLEVEL_HOME.")
    ] = None,
) -> None:
    """Import a file as one table, or as all the tables its recipe makes."""
    from training.tables.importing import Order, Sender, import_file
    from training.tables.recipes import load_recipe

    order = Order(
        source=file,
        table=table,
        recipe=load_recipe(recipe) if recipe else None,
        renames=_renames(renames or []),
        append=append,
    )
    data_dir = out or settings.load().tables
    sender = Sender(who=_account(), now=dt.datetime.now(dt.UTC))
    with _progress() as progress:
        bar = progress.add_task("starting", total=_stages(order))

        def tell(stage: str) -> None:
            progress.update(bar, description=stage, advance=1)

        outcomes = import_file(data_dir, order, sender, tell=tell)
        progress.update(bar, description="done", completed=_stages(order))
    _show_outcomes(outcomes, data_dir)


def validate(
    data: Annotated[Path, typer.Argument(help="Data folder, its tables plain or imported.")],
    as_of: Annotated[
        dt.datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Day after which no fact is; default is today."),
    ] = None,
) -> None:
    """Check every table of a folder; exit with 2 if any row breaks a rule."""
    from training.tables.quality import check_folder

    if not data.is_dir():
        raise InvalidField("data", f"{data} is no folder")
    today = as_of.date() if as_of else settings.load().as_of or dt.datetime.now(dt.UTC).date()
    report = check_folder(data, today=today)
    if not report.tables:
        raise InvalidField("data", f"{data} holds no table: import one, or run `parlevel world`")
    _show_report(report)
    if report.violations:
        raise SystemExit(2)


def _renames(pairs: list[str]) -> dict[str, str]:
    renames = {}
    for pair in pairs:
        old, equals, new = pair.partition("=")
        if not (old and equals and new):
            raise InvalidField("map", f"{pair!r} must be written old=new")
        renames[old] = new
    return renames


def _account() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container may run under a number that has no name.
        return "unknown"


def _stages(order: Order) -> int:
    return _STAGES_ONCE + _STAGES_PER_TABLE * len(order.blocks())


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )


def _console() -> Console:
    """Make a console that cuts no line where its output is piped."""
    console = Console(highlight=False, markup=False, soft_wrap=True)
    return (
        console
        if console.is_terminal
        else Console(highlight=False, markup=False, soft_wrap=True, width=_PIPED_WIDTH)
    )


def _show_outcomes(outcomes: tuple[Outcome, ...], data_dir: Path) -> None:
    console = _console()
    for outcome in outcomes:
        if outcome.load is None:
            console.print(f"{outcome.table}: {outcome.note}")
            continue
        load = outcome.load
        span = f", {load.first_date} to {load.last_date}" if load.first_date else ""
        verb = "appended to" if load.appended else "stored in"
        console.print(
            f"{load.table}: {load.rows_written:,} rows of {load.rows_in:,} {verb} {data_dir}{span}"
        )


def _show_report(report: FolderReport) -> None:
    from training.tables.quality import EXPECTATIONS

    console = _console()
    shown = Table("table", title="Tables")
    for heading in ("rows", "from", "to", "violations", *EXPECTATIONS, "score"):
        shown.add_column(heading, justify="right")
    for each in report.tables:
        shown.add_row(
            each.table,
            f"{each.rows:,}",
            str(each.first or ""),
            str(each.last or ""),
            f"{each.violations:,}",
            *(f"{share:.2%}" for share in (*each.shares, each.score)),
        )
    console.print(shown)
    for each in report.tables:
        for violation in each.examples:
            console.print(f"{each.table}: {violation}")
        if each.violations > len(each.examples):
            console.print(f"{each.table}: and {each.violations - len(each.examples):,} more")
    for warning in report.warnings:
        console.print(f"warning: {warning}")
