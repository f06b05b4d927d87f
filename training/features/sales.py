"""Sales rows onto a grid of consecutive days."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from serving.domain.history import History
from serving.domain.periods import Frequency, period_of
from serving.errors import InvalidField
from training import tables
from training.features.periods import period_numbers
from training.features.plans import REGIME
from training.tables.datasets import Dataset, infer_frequency, stored_dataset

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from training.features.plans import Campaign

    Floats = NDArray[np.float64]

TAGS, OUTLIER = "demand_tags", "outlier"
UNRECORDED = math.nan  # unlike null, which a day without a row has too
_KEYS = ("sku", "location")
COLUMNS = ("date", *_KEYS, "quantity", "available_fraction", *REGIME)


@dataclass(frozen=True, slots=True)
class Sales:
    """Sales of a folder, read as far as they are asked for.

    Attributes:
        rows: The rows up to the last day, unread.
        series: Columns sku and location of the series with a row, sorted.
        first_day: First period with a row, in the unit of the frequency.
        last_day: Last period of the grid.
        absent_is_zero: Whether a day without a row is a day without sales.
        recorded: Which of price, discount and promoted the rows record.
        frequency: Length of a period of the grid.
    """

    rows: pl.LazyFrame
    series: pl.DataFrame
    first_day: np.datetime64
    last_day: np.datetime64
    absent_is_zero: bool
    recorded: frozenset[str]
    frequency: Frequency = Frequency.DAY

    @property
    def days(self) -> int:
        """Days, or periods, of the grid."""
        return int((self.last_day - self.first_day).astype(np.int64)) + 1

    def series_per_sku(self) -> list[tuple[str, int]]:
        """Count the locations of each product, products ascending."""
        return self.series.group_by("sku", maintain_order=True).len().rows()

    def of(self, skus: Sequence[str] | None) -> pl.DataFrame:
        """Read the rows of some products, or of all, series first and time last.

        Dates come as numbers of periods; what falls into one week or month is brought together.
        """
        rows = self.rows
        if skus is not None:
            # The range lets whole files and row groups of other products stay unread.
            near = pl.col("sku").is_between(pl.lit(min(skus)), pl.lit(max(skus)))
            rows = rows.filter(near & pl.col("sku").is_in(list(skus)))
        number = period_numbers(pl.col("date").cast(pl.Int32), self.frequency)
        rows = rows.with_columns(number)
        if self.frequency is not Frequency.DAY:
            rows = rows.group_by(*_KEYS, "date").agg(
                pl.col("quantity").sum(),
                pl.col("available_fraction").mean(),
                *(pl.col(name).cast(pl.Float64).mean() for name in REGIME),
            )
        return rows.collect().sort(*_KEYS, "date")


@dataclass(frozen=True, slots=True)
class Before:
    """What goes before the days of some rows, where earlier ones were read another time.

    Attributes:
        last_day: Last period read then.
        keys: Columns sku and location of all series, sorted.
        begun: Whether each series had a row by then, shape (n,).
        regime: Price, discount and promoted at its end, NaN where unknown, shape (3, n).
    """

    last_day: np.datetime64
    keys: pl.DataFrame
    begun: NDArray[np.bool_]
    regime: Floats

    def rows_of(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Return the series with the number of their rows, as `series_keys` does; some have none.

        Args:
            rows: Rows after the last day.
        """
        counted = self.keys.join(series_keys(rows), on=_KEYS, how="left", maintain_order="left")
        return counted.with_columns(pl.col("rows").fill_null(0))


def open_sales(data_dir: Path, as_of: dt.date | None) -> Sales:
    """Find the extent of the sales of a folder.

    Args:
        data_dir: The data folder.
        as_of: Last day to read; the last day with a row where None.

    Returns:
        The sales up to that day.

    Raises:
        MissingInput: If the folder has no sales.
        InvalidField: If no row is as old as `as_of`.
    """
    rows = without_outliers(tables.scan(data_dir, "sales", COLUMNS), data_dir)
    dataset = stored_dataset(data_dir) or _inferred(rows)
    frequency = Frequency[dataset.frequency.upper()]
    if as_of is not None:
        rows = rows.filter(pl.col("date") <= as_of)
    date = pl.col("date")
    found = (
        rows.group_by(*_KEYS)
        .agg(
            date.min().alias("first"),
            date.max().alias("last"),
            *(pl.col(name).is_not_null().any() for name in REGIME),
        )
        .collect(engine="streaming")
        .sort(*_KEYS)
    )
    if found.is_empty():
        raise InvalidField("as_of", f"must not be before the first day of sales, got {as_of}")
    days = found.select("first", "last").to_numpy().astype("datetime64[D]")
    last = np.datetime64(as_of, "D") if as_of else days.max()
    return Sales(
        rows=rows,
        series=found.select(_KEYS),
        first_day=period_of(days.min(), frequency),
        last_day=period_of(last, frequency),
        absent_is_zero=dataset.absent_days == "zero",
        recorded=frozenset(name for name in REGIME if found[name].any()),
        frequency=frequency,
    )


def dense(
    rows: pl.DataFrame,
    sales: Sales,
    keys: pl.DataFrame,
    campaigns: Sequence[Campaign],
    before: Before | None = None,
) -> History:
    """Lay sales rows out on the grid.

    Before its first row a series is not recorded. After it a day without a row sold nothing from
    full shelves (unless absent days are missing), at the price and promotion last recorded.

    Args:
        rows: Sorted rows as `Sales.of` reads them.
        sales: Where they come from.
        keys: The series in the order of the rows, as `series_keys` returns them.
        campaigns: Campaigns that say what rows leave open.
        before: What goes before the first day of the grid; nothing where None.

    Returns:
        The history of shape (days, series).
    """
    shape = (sales.days, keys.height)
    first = int(sales.first_day.astype(np.int64))
    day = rows["date"].to_numpy().astype(np.int64) - first
    lengths = keys["rows"].to_numpy().astype(np.int64)
    series = np.repeat(np.arange(keys.height), lengths)
    starts = np.full(keys.height, sales.days)
    some = lengths > 0
    starts[some] = day[(np.cumsum(lengths) - lengths)[some]]
    if before is not None:
        starts[before.begun] = 0

    def spread(column: str) -> Floats:
        out = np.full(shape, np.nan)
        out[day, series] = rows[column].cast(pl.Float64).fill_null(np.nan).to_numpy()
        return out

    begun = np.arange(sales.days)[:, None] >= starts[None, :]
    quantity, available = spread("quantity"), spread("available_fraction")
    if sales.absent_is_zero:
        absent = np.ones(shape, dtype=bool)
        absent[day, series] = False
        quantity[begun & absent] = 0.0
    available[np.isnan(available)] = 1.0
    regime = {name: spread(name) for name in REGIME}
    _fold(campaigns, regime, first)
    for place, name in enumerate(REGIME):
        if name in sales.recorded:
            _carry_forward(regime[name], None if before is None else before.regime[place])
    for name in ("discount", "promoted"):
        regime[name][np.isnan(regime[name])] = 0.0
    return History(sales.first_day, quantity, available, **regime)


def series_keys(rows: pl.DataFrame) -> pl.DataFrame:
    """Return sku, location and number of rows of each series, in the order of sorted rows."""
    return rows.group_by(*_KEYS, maintain_order=True).agg(pl.len().alias("rows"))


def _inferred(rows: pl.LazyFrame) -> Dataset:
    days = rows.select(pl.col("date").unique().sort()).collect()["date"].to_list()
    return Dataset(frequency=infer_frequency(days))


def outliers(data_dir: Path) -> pl.DataFrame:
    """Return date, sku and location of the days that people tagged as outliers."""
    if not tables.exists(data_dir, TAGS):
        return pl.DataFrame(schema={"date": pl.Date, "sku": pl.String, "location": pl.String})
    tags = tables.read(data_dir, TAGS, columns=["date", *_KEYS, "tag"])
    return tags.filter(pl.col("tag") == OUTLIER).select("date", *_KEYS).unique()


def without_outliers(rows: pl.LazyFrame, data_dir: Path) -> pl.LazyFrame:
    """Take days that people tagged as outliers for not recorded."""
    marked = outliers(data_dir)
    if marked.is_empty():
        return rows
    known = rows.join(marked.with_columns(outlier=True).lazy(), on=["date", *_KEYS], how="left")
    hidden = pl.when(pl.col("outlier").is_null()).then(pl.col("quantity"))
    return known.with_columns(hidden.fill_null(UNRECORDED)).select(COLUMNS)


def _fold(campaigns: Sequence[Campaign], regime: dict[str, Floats], first: int) -> None:
    """Put campaigns where no row says otherwise."""
    if not campaigns:
        return
    folded = {name: np.full_like(regime[name], np.nan) for name in ("discount", "promoted")}
    for campaign in campaigns:
        start, stop = max(campaign.first - first, 0), campaign.last + 1 - first
        if start < stop:
            for name, value in (("discount", campaign.discount), ("promoted", 1.0)):
                block = folded[name][start:stop, campaign.series]
                folded[name][start:stop, campaign.series] = np.fmax(block, value)
    for name, values in folded.items():
        regime[name][:] = np.where(np.isnan(regime[name]), values, regime[name])


def _carry_forward(values: Floats, last: Floats | None) -> None:
    """Fill each gap with the value before it, at first with the last one of the days before."""
    for day in range(values.shape[0]):
        if last is not None:
            values[day] = np.where(np.isnan(values[day]), last, values[day])
        last = values[day]
