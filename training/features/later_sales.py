"""The sales after a day, of a folder whose earlier days were read another time."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

import numpy as np
import polars as pl

from serving.domain.periods import period_of
from training import tables
from training.features.periods import period_numbers
from training.features.plans import REGIME
from training.features.sales import COLUMNS, without_outliers
from training.tables.casting import DTYPES

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence
    from pathlib import Path

    from training.features.sales import Sales

_PAIR = ("sku", "location")


def later_sales(
    data_dir: Path, as_of: dt.date | None, known: Sales, files: Sequence[Path]
) -> Sales:
    """Find the sales after the last day of others, of the same frequency and meaning.

    Args:
        data_dir: The data folder.
        as_of: Last day to read; the last day with a row where None.
        known: The sales up to a day; its rows are not read.
        files: Files with the rows after it; other files have none.

    Returns:
        Series and extent of all sales; its rows are those of the later days alone.
    """
    day = pl.col("date")
    last = int(known.last_day.astype(np.int64))
    rows = pl.LazyFrame(schema=_schema())
    if files:
        rows = without_outliers(tables.scan(data_dir, "sales", COLUMNS, files=files), data_dir)
    rows = rows.filter(period_numbers(day.cast(pl.Int32), known.frequency) > last)
    if as_of is not None:
        rows = rows.filter(day <= as_of)
    found = (
        rows.group_by(*_PAIR)
        .agg(day.max(), *(pl.col(name).is_not_null().any() for name in REGIME))
        .collect(engine="streaming")
    )
    end = as_of or cast("dt.date | None", found["date"].max())
    return replace(
        known,
        rows=rows,
        series=pl.concat([known.series, found.select(_PAIR)]).unique().sort(*_PAIR),
        last_day=period_of(np.datetime64(end, "D"), known.frequency) if end else known.last_day,
        recorded=known.recorded | {name for name in REGIME if found[name].any()},
    )


def _schema() -> dict[str, type[pl.DataType]]:
    kinds = {column.name: DTYPES[column.kind] for column in tables.contract("sales").columns}
    return {name: kinds[name] for name in COLUMNS}
