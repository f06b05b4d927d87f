"""Accuracy of the forecasts that were served, once the sales they were of have come true."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from serving.adapters.forecast_log import column_of
from serving.domain.history import MAX_HORIZON
from serving.errors import InvalidField, MissingInput, NothingMeasured

if TYPE_CHECKING:
    import datetime as dt
    from pathlib import Path

LOW, MEDIAN, HIGH = (column_of(level) for level in (0.05, 0.5, 0.95))
KEY = ("date", "sku", "location")
IN_STOCK = 1.0 - 1e-9
HORIZON_CUTS = (1, 7, 14, 28)
# What accuracy is stated by: a name, and the columns rows are summed or told apart by.
LEVELS: dict[str, tuple[str, ...]] = {
    "sku_location": ("sku", "location"),
    "category_location": ("category", "location"),
    "location": ("location",),
    "total": (),
}
SLICES = ("category", "location", "horizon_days", "model_version")


@dataclass(frozen=True, slots=True)
class Joined:
    """Sales that came true beside the forecasts of them.

    Attributes:
        rows: A row for each forecast of a series and day in stock that came true.
        expected: Series and days that were forecast, on the days the sales cover.
        unknown: Sales of series and days nobody forecast.
        ahead: Sales dated after the business clock.
    """

    rows: pl.DataFrame
    expected: pl.DataFrame
    unknown: int
    ahead: int


def read_actuals(file: Path) -> pl.DataFrame:
    """Read sales that came true.

    Args:
        file: CSV or parquet with columns date, sku, location, quantity and, where known,
            available_fraction.

    Returns:
        The rows, one a series and day.

    Raises:
        InvalidField: If a column is absent, a value breaks its rule, or a series and day stands
            twice with different quantities; the message names the first rows.
    """
    read = pl.read_parquet if file.suffix == ".parquet" else pl.read_csv
    try:
        frame = read(file)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise InvalidField("actuals", f"cannot be read from {file}: {error}") from error
    absent = [name for name in (*KEY, "quantity") if name not in frame.columns]
    if absent:
        raise InvalidField("actuals", f"must have the columns {', '.join(absent)}")
    if "available_fraction" not in frame.columns:
        frame = frame.with_columns(available_fraction=pl.lit(1.0))
    try:
        frame = frame.select(
            _dates(frame),
            pl.col("sku", "location").cast(pl.String),
            pl.col("quantity", "available_fraction").cast(pl.Float64),
        )
    except pl.exceptions.PolarsError as error:
        raise InvalidField("actuals", f"hold a value that does not read: {error}") from error
    frame = frame.with_row_index("row", offset=1)
    wrong = frame.filter(
        pl.any_horizontal(pl.col(*KEY, "quantity").is_null())
        | ~pl.col("quantity").is_finite()
        | (pl.col("quantity") < 0)
    )
    if wrong.height:
        raise InvalidField("actuals", f"rows {_some(wrong)} must have a quantity of 0 or more")
    twice = frame.filter(pl.col("quantity").n_unique().over(KEY) > 1)
    if twice.height:
        raise InvalidField(
            "actuals", f"rows {_some(twice)} are of one series and day with different quantities"
        )
    return frame.unique(KEY, keep="first", maintain_order=True).drop("row")


def _dates(frame: pl.DataFrame) -> pl.Expr:
    if frame.schema["date"] == pl.String:
        return pl.col("date").str.to_date("%Y-%m-%d")
    return pl.col("date").cast(pl.Date)


def _some(rows: pl.DataFrame) -> str:
    return ", ".join(str(row) for row in rows["row"].head(5).to_list())


def served(folder: Path, days: tuple[dt.date, dt.date]) -> pl.LazyFrame:
    """Return the logged forecasts of demand of some days, each once.

    Args:
        folder: The forecast log.
        days: First and last day that was forecast.

    Raises:
        NothingMeasured: If nothing was logged.
    """
    if not any(folder.glob("day=*/part-*.parquet")):
        raise NothingMeasured("no forecast has been logged", "ask the running service for some")
    logged = pl.scan_parquet(folder / "day=*" / "part-*.parquet", hive_partitioning=True)
    return (
        logged.filter((pl.col("target") == "demand") & pl.col("date").is_between(*days))
        .with_columns(pl.col("sku", "location", "model_version").cast(pl.String))
        .unique(["sku", "location", "date", "origin_date", "model_version"], keep="any")
    )


def join(actuals: pl.DataFrame, log: Path, categories: pl.DataFrame, today: dt.date) -> Joined:
    """Join sales with the forecasts of them.

    Args:
        actuals: Sales as `read_actuals` gives them.
        log: Folder of the forecast log.
        categories: Columns sku and category.
        today: The day business has reached; later sales are left out and counted.

    Raises:
        MissingInput: If there is no row.
        NothingMeasured: If nothing was logged.
    """
    past = actuals.filter(pl.col("date") <= today)
    if not past.height:
        raise MissingInput("sales up to today", "sales")
    days = (past["date"].min(), past["date"].max())
    forecasts = served(log, days).collect()  # type: ignore[arg-type]  # dates: there is a row
    expected = forecasts.select(KEY).unique()
    unknown = past.join(expected, on=KEY, how="anti").height
    rows = (
        forecasts.join(past, on=KEY, how="inner")
        .filter(pl.col("available_fraction") >= IN_STOCK)
        .join(categories, on="sku", how="left")
        .with_columns(pl.col("category").fill_null(""), horizon_days=_bucket())
        .sort("date", "sku", "location", "origin_date")
    )
    return Joined(rows, expected, unknown, actuals.height - past.height)


def _bucket() -> pl.Expr:
    ahead, label = pl.col("horizon"), pl.lit(f"{HORIZON_CUTS[-1] + 1}-{MAX_HORIZON}")
    for low, high in reversed(list(zip((0, *HORIZON_CUTS), HORIZON_CUTS, strict=False))):
        label = pl.when(ahead <= high).then(pl.lit(f"{low + 1}-{high}")).otherwise(label)
    return label


def latest(rows: pl.DataFrame) -> pl.DataFrame:
    """Return for each series and day the forecast from the youngest origin, the newest version."""
    newest = pl.col("model_version").cast(pl.Int64, strict=False)
    ordered = rows.sort("origin_date", newest, descending=True)
    return ordered.unique(KEY, keep="first", maintain_order=True).sort(KEY)


def daily(rows: pl.DataFrame, level: str) -> pl.DataFrame:
    """Return accuracy day by day at a level.

    Args:
        rows: Joined rows, each series and day once.
        level: A key of LEVELS.

    Returns:
        Columns date, wmape, sold; days on which nothing sold are left out.
    """
    sums = rows.group_by("date", *LEVELS[level]).agg(
        sold=pl.col("quantity").sum(), median=pl.col(MEDIAN).sum()
    )
    gap = (pl.col("sold") - pl.col("median")).abs().sum()
    days = sums.group_by("date").agg(wmape=gap / pl.col("sold").sum(), sold=pl.col("sold").sum())
    return days.filter(pl.col("sold") > 0).sort("date")


def figures(rows: pl.DataFrame, by: tuple[str, ...] = ()) -> pl.DataFrame:
    """Return the figures of rows, as they are or told apart by columns.

    Args:
        rows: Joined rows.
        by: Columns.

    Returns:
        The columns, rows, wmape (of the median), bias (of the mean), coverage_90 and
        service_level (share of days whose sales the 95 % quantile met); wmape and bias are null
        where nothing sold.
    """
    sold = pl.col("quantity").sum()
    share = pl.when(sold > 0)
    wanted = [
        pl.len().alias("rows"),
        share.then((pl.col("quantity") - pl.col(MEDIAN)).abs().sum() / sold).alias("wmape"),
        share.then((pl.col("mean").sum() - sold) / sold).alias("bias"),
        pl.col("quantity").is_between(pl.col(LOW), pl.col(HIGH)).mean().alias("coverage_90"),
        (pl.col("quantity") <= pl.col(HIGH)).mean().alias("service_level"),
    ]
    return rows.group_by(by).agg(wanted).sort(by) if by else rows.select(wanted)
