"""``parlevel drift``: check tables for drift and gaps; calibrate the check."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from serving import settings
from training.commands.progress import steps_bar

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Check tables for drift; calibrate the check."
)
MOST_GAPS = 10


@app.command()
def check(
    data: Annotated[Path | None, typer.Option(help="Data folder; the home's tables.")] = None,
    table: Annotated[str, typer.Option(help="Table that is checked.")] = "sales",
    days: Annotated[int, typer.Option(min=1, help="Last days that are checked.")] = 7,
    rate: Annotated[float, typer.Option(help="Rate of false alarms.")] = 0.05,
) -> None:
    """Check the last days of a table against the days before, and name gaps in reporting.

    Example: parlevel drift check --data tables --days 14
    """
    from training.gaps import gaps_of
    from training.table_drift import table_drift

    folder, console = data or settings.load().tables, Console()
    with Console(stderr=True).status(f"reading {table}"):
        report = table_drift(folder, table, days, rate)
        gaps = gaps_of(folder) if table == "sales" else None
    shown = Table("feature", "verdict", "p", "KS", "PSI", "reading", "moved (sd)", "missing")
    for one in report.features:
        figures = (one.adjusted_p_value, one.ks, one.psi)
        shown.add_row(
            one.name,
            one.verdict.name.lower(),
            *("" if value is None else f"{value:.3g}" for value in figures),
            one.psi_reading.name.lower(),
            "" if one.wasserstein is None else f"{one.wasserstein:.2f}",
            f"{one.current_missing_share:.1%}",
        )
    console.print(shown)
    for finding in report.findings:
        console.print(f"[yellow]{finding.kind.name.lower()}[/]: {finding.detail}", soft_wrap=True)
    if gaps is not None:
        for first, last, locations, length, names in gaps.head(MOST_GAPS).iter_rows():
            named = ", ".join(names) + (" ..." if locations > len(names) else "")
            console.print(
                f"[yellow]missing data[/]: {locations} location(s) report nothing from {first} to "
                f"{last} ({length} days): {named}",
                soft_wrap=True,
            )
    console.print(f"[bold]{report.verdict.name.lower().replace('_', ' ')}[/]")


@app.command()
def calibrate(
    pairs: Annotated[int, typer.Option(min=20, help="Pairs of samples a cell.")] = 4_000,
    sizes: Annotated[str, typer.Option(help="Sample sizes.")] = "30,100,300,1000,10000,100000",
    rate: Annotated[float, typer.Option(help="Rate of false alarms asked for.")] = 0.05,
) -> None:
    """Measure false alarms and power of the check for every kind of feature and sample size.

    Example: parlevel drift calibrate --pairs 400 --sizes 30,1000
    """
    from training.drift_power import CELLS, measure

    chosen = [int(size) for size in sizes.split(",")]
    console = Console()
    table = Table("feature", "n", "false alarms", "95 % bound", "found .1", "found .3", "PSI > .1")
    bar = steps_bar(console)
    with bar:
        task = bar.add_task("", total=len(CELLS) * len(chosen) * pairs)
        for name in CELLS:
            for size in chosen:
                bar.update(task, description=f"{name}, n = {size:,}")
                found = measure(name, size, pairs, rate, lambda: bar.advance(task))
                shares = (
                    found.false_alarms,
                    found.upper_bound,
                    found.small_found,
                    found.large_found,
                    found.psi_alarms,
                )
                table.add_row(name, f"{size:,}", *(f"{share:.1%}" for share in shares))
    console.print(table)
    console.print(
        "found: a shift of .1 or .3 standard deviations; of categories .03 or .1 of share"
    )
