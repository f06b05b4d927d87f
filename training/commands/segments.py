"""``parlevel segments``: series in classes and segments, to one parquet file and a report page."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated

import typer


def segments(
    *,
    out: Annotated[Path, typer.Option("--out", help="Parquet file to write.")],
    data: Annotated[
        Path | None, typer.Option("--data", help="Data folder; $PARLEVEL_HOME/tables if absent.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option("--report", help="HTML page to write; none if absent.")
    ] = None,
    as_of: Annotated[
        dt.datetime | None,
        typer.Option("--as-of", formats=["%Y-%m-%d"], help="Last day; the last with sales."),
    ] = None,
    policies: Annotated[
        Path | None,
        typer.Option("--policies", help="CSV of the policy of each class; the defaults if absent."),
    ] = None,
    write_policies: Annotated[
        Path | None, typer.Option("--write-policies", help="CSV to write the policies to, to edit.")
    ] = None,
) -> None:
    """Sort every series into classes by value, variability, speed and pattern, and into segments.

    Example: parlevel segments --out segments.parquet --report segments.html
    """
    import polars as pl
    from rich.console import Console
    from rich.table import Table

    from serving.errors import InvalidField
    from serving.settings import load
    from training.segments.classes import classify, default_policies, read_policies
    from training.segments.likeness import segment
    from training.segments.measures import measure
    from training.segments.page import page_of

    if out.suffix != ".parquet":
        raise InvalidField("out", f"must end in .parquet, got {out.name!r}")
    table = default_policies() if policies is None else read_policies(policies)
    settings, console = load(), Console()
    with console.status("measuring series"):
        classed = classify(measure(data or settings.tables, as_of.date() if as_of else None))
        found = segment(classed)
    rows = classed.with_columns(
        kmeans_segment=pl.Series(found.kmeans), dbscan_segment=pl.Series(found.dbscan)
    ).join(table, on=("abc", "xyz"), how="left", maintain_order="left")
    out.parent.mkdir(parents=True, exist_ok=True)
    rows.write_parquet(out)
    console.print(f"wrote {rows.height:,} series to {out}", soft_wrap=True)
    if write_policies is not None:
        write_policies.parent.mkdir(parents=True, exist_ok=True)
        table.write_csv(write_policies)
        console.print(f"wrote the policies to {write_policies}: edit, and pass by --policies")
    if report is not None:
        page_of(classed, found, table).write(report)
        console.print(f"wrote the report to {report}", soft_wrap=True)
    counts = Table("class", "X", "Y", "Z", title="Series by value and variability")
    for grade in "ABC":
        cells = (rows.filter(abc=grade, xyz=other).height for other in "XYZ")
        counts.add_row(grade, *(f"{count:,}" for count in cells))
    console.print(counts)
