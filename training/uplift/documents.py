"""Units of experiments as reference documents, so that serving can look up their covariates."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import polars as pl

from serving.flows.stored_units import LAST_DAY, UNIT, UNITS
from training import tables
from training.uplift.units import (
    DATE_SUFFIX,
    KNOWN,
    TABLE,
    TREATED_DATE,
    days_of,
    read_units,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


def unit_documents(
    data_dir: Path, as_of: dt.date | None
) -> Iterator[tuple[str, str, Mapping[str, object]]]:
    """Yield what the experiment of a data folder holds of each unit before the action.

    Outcome, treatment and its probability are not among it. Units without an outcome count too.

    Args:
        data_dir: The data folder.
        as_of: Day on which it is known; the last day of treatment where None, if the table tells.

    Yields:
        Kind, key and body of each document, one about all units among them; none without the table.

    Raises:
        InvalidField: If a unit stands twice.
    """
    if not tables.exists(data_dir, TABLE):
        return
    frame = read_units(data_dir)
    last: object = as_of
    if last is None and TREATED_DATE in frame.columns:
        last = days_of(frame[TREATED_DATE]).max()
    yield UNITS, "", {LAST_DAY: last.isoformat() if isinstance(last, dt.date) else None}
    kept = [name for name in frame.columns if name not in KNOWN and not name.endswith(DATE_SUFFIX)]
    covariates = frame.select(
        pl.col(name).cast(
            pl.Float64
            if frame[name].dtype.is_numeric() or frame[name].dtype == pl.Boolean
            else pl.String
        )
        for name in kept
    )
    units = frame["unit_id"].cast(pl.String)
    for unit, record in zip(units, covariates.iter_rows(named=True), strict=True):
        yield UNIT, unit, {name: value for name, value in record.items() if value is not None}
