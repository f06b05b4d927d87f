"""Gaps in reporting: who sent nothing while the others did. Missing data, not a drop in demand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from training import tables

if TYPE_CHECKING:
    from pathlib import Path

LEAST_DAYS = 14  # of silence, so that holidays and closed weekends are none


def reporting_gaps(sales: pl.DataFrame, least_days: int = LEAST_DAYS) -> pl.DataFrame:
    """Find locations without any row for days on end, between days on which they reported.

    A location that stopped before the last day of the data has a gap that lasts: it is listed with
    that day as its end.

    Args:
        sales: Columns date and location, a row for whatever was reported, zeros among it.
        least_days: Days of silence, 1 or more, that make a gap.

    Returns:
        Columns first_day, last_day, locations (how many were silent on just these days), days and
        names (of up to five), the most locations first.
    """
    reported = sales.select("location", "date").unique().sort("location", "date")
    last = reported["date"].max()
    after = pl.col("date").shift(-1).over("location")
    beyond = pl.lit(last).cast(pl.Date).dt.offset_by("1d")
    steps = reported.with_columns(next_day=after.fill_null(beyond))
    silent = (pl.col("next_day") - pl.col("date")).dt.total_days() - 1
    gaps = steps.with_columns(days=silent).filter(pl.col("days") >= least_days)
    return (
        gaps.with_columns(
            first_day=pl.col("date").dt.offset_by("1d"),
            last_day=pl.col("next_day").dt.offset_by("-1d"),
        )
        .group_by("first_day", "last_day", "days")
        .agg(locations=pl.len(), names=pl.col("location").sort().head(5))
        .sort(["locations", "days"], descending=True)
        .select("first_day", "last_day", "locations", "days", "names")
    )


def gaps_of(data: Path) -> pl.DataFrame:
    """Find the reporting gaps of a data folder.

    Raises:
        TableRefused: If the sales break their contract.
    """
    return reporting_gaps(tables.read(data, "sales", columns=["date", "location"]))
