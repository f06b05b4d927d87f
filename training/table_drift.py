"""Drift of a table: the last days of its columns against the days before them."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from serving.domain.drift import Column, DriftQuery, DriftReport, Sample
from serving.domain.drift_check import check, profile_of
from serving.errors import InvalidField, MissingInput
from training import tables

if TYPE_CHECKING:
    from pathlib import Path

KEYS = {"transaction_id", "order_id", "customer_id", "po_id", "quote_id", "sku"}
REFERENCE_DAYS = 56  # before the days that are checked: as long as seasons stay put
MOST_ROWS = 500_000  # of each side; of more an even spread is read


def table_drift(data: Path, table: str, days: int, rate: float) -> DriftReport:
    """Check the last days of a table against the days before, by blocks of a day.

    Args:
        data: Data folder.
        table: Name of a table with a column date.
        days: Last days that are checked, 1 or more.
        rate: Rate of false alarms.

    Raises:
        InvalidField: If the table has no column date.
        MissingInput: If a side has no row.
    """
    frame = tables.read(data, table)
    if "date" not in frame.columns:
        raise InvalidField("table", f"must have a column date, {table} has none")
    last: dt.date = frame["date"].max()  # type: ignore[assignment]  # dates, by the contract
    cut = last - dt.timedelta(days=days)
    first = cut - dt.timedelta(days=REFERENCE_DAYS)
    sides = [
        frame.filter((pl.col("date") > first) & (pl.col("date") <= cut)),
        frame.filter(pl.col("date") > cut),
    ]
    if not all(side.height for side in sides):
        raise MissingInput(f"{days + 1} days or more", table)
    samples = [sample_of(side) for side in sides]
    reference = profile_of(samples[0])
    query = DriftQuery(samples[0], samples[1], false_alarm_rate=rate)
    return check(reference, profile_of(samples[1], reference), query)


def sample_of(frame: pl.DataFrame) -> Sample:
    """Return the rows of a table as a sample in blocks of a day; keys and dates are left out."""
    frame = frame.gather_every(-(-frame.height // MOST_ROWS)) if frame.height else frame
    columns = []
    for name in frame.columns:
        kind = frame.schema[name]
        if name in KEYS or kind == pl.Date:
            continue
        if kind == pl.String:
            columns.append(Column(name, labels=tuple(frame[name].to_list())))
        else:
            values = frame[name].cast(pl.Float64).fill_null(float("nan")).to_numpy()
            columns.append(Column(name, values=np.array(values, dtype=np.float64)))
    days = frame["date"].cast(pl.Int32).to_numpy().astype(np.int64)
    return Sample(tuple(columns), days)
