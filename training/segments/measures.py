"""What each series is measured by, from the sales table alone and what products add."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from serving.errors import InvalidField, MissingInput
from training import tables

if TYPE_CHECKING:
    import datetime as dt
    from pathlib import Path

PAIR = ("sku", "location")
_SALES = ("date", *PAIR, "quantity", "price", "revenue", "promoted")
_WEEKEND = 6  # Saturday, as polars counts


def measure(data_dir: Path, as_of: dt.date | None) -> pl.DataFrame:
    """Measure every series up to a day.

    Weeks and days between a series' first sale and the last day count as zero where nothing was
    sold. Value is revenue where the table has it, else units times the price of the day, else units
    times the product's price; units alone where no price is known.

    Args:
        data_dir: The data folder.
        as_of: Last day; the last one with sales where None.

    Returns:
        One row a series, sorted: sku, location, units, value, daily_mean, weekly_cv, interval
        (ADI), size_cv2, trend, weekend_share, promoted_share, price, margin_share.

    Raises:
        MissingInput: If the folder has no sales.
        InvalidField: If there are none up to that day.
    """
    if not tables.exists(data_dir, "sales"):
        raise MissingInput("sales", "sales")
    sales = tables.read(data_dir, "sales", columns=_SALES)
    if as_of is not None:
        sales = sales.filter(pl.col("date") <= as_of)
    if sales.is_empty():
        raise InvalidField("as_of", "must not be before the first day with sales")
    last = sales["date"].max()
    sales = _valued(sales, data_dir)
    by_day = sales.group_by(*PAIR, "date").agg(
        pl.col("quantity", "value").sum(), pl.col("promoted", "price").mean()
    )
    days = pl.lit(last).sub(pl.col("date").min()).dt.total_days() + 1
    sold = pl.col("quantity") > 0
    frame = by_day.group_by(PAIR).agg(
        units=pl.col("quantity").sum(),
        value=pl.col("value").sum(),
        days=days,
        sale_days=sold.sum(),
        size_cv2=(
            pl.col("quantity").filter(sold).std(ddof=1) / pl.col("quantity").filter(sold).mean()
        )
        ** 2,
        weekend_share=_share(pl.col("date").dt.weekday() >= _WEEKEND),
        promoted_share=_share(pl.col("promoted").fill_null(0.0) > 0),
        trend=_share(pl.lit(last).sub(pl.col("date")).dt.total_days() < days / 2),
        price=pl.col("price").mean(),
    )
    frame = frame.join(_weekly(by_day, last), on=PAIR, how="left")
    frame = _with_margin(frame, data_dir)
    return (
        frame.with_columns(
            daily_mean=pl.col("units") / pl.col("days"),
            interval=pl.col("days") / pl.col("sale_days").clip(lower_bound=1),
            size_cv2=pl.col("size_cv2").fill_nan(0.0).fill_null(0.0),
        )
        .drop("days", "sale_days")
        .sort(PAIR)
    )


def _share(rows: pl.Expr) -> pl.Expr:
    """Return the share of units sold on some rows, 0 where nothing was sold."""
    units = pl.col("quantity")
    part = units.filter(rows).sum() / units.sum()
    return part.fill_nan(0.0)


def _valued(sales: pl.DataFrame, data_dir: Path) -> pl.DataFrame:
    frame = sales.with_columns(pl.col("promoted").cast(pl.Float64))
    known = _products(data_dir)
    frame = frame.join(known.select("sku", product_price="price"), on="sku", how="left")
    each = pl.coalesce("price", "product_price")
    return frame.with_columns(
        price=each,
        value=pl.coalesce("revenue", pl.col("quantity") * each, pl.col("quantity")),
    )


def _products(data_dir: Path) -> pl.DataFrame:
    columns = ("sku", "price", "unit_cost")
    if tables.exists(data_dir, "products"):
        return tables.read(data_dir, "products", columns=columns)
    return pl.DataFrame(schema={"sku": pl.String, "price": pl.Float64, "unit_cost": pl.Float64})


def _weekly(by_day: pl.DataFrame, last: object) -> pl.DataFrame:
    """Return the variation of weekly sums, weeks counted back from the last day."""
    week = pl.lit(last).sub(pl.col("date")).dt.total_days() // 7
    weeks = by_day.group_by(*PAIR, week=week).agg(pl.col("quantity").sum())
    count = pl.col("week").max() + 1
    total, squares = pl.col("quantity").sum(), (pl.col("quantity") ** 2).sum()
    variance = ((squares - total**2 / count) / (count - 1)).clip(lower_bound=0.0)
    cv = variance.sqrt() / (total / count)
    return weeks.group_by(PAIR).agg(
        weekly_cv=pl.when(count > 1).then(cv).otherwise(None).fill_nan(None)
    )


def _with_margin(frame: pl.DataFrame, data_dir: Path) -> pl.DataFrame:
    costs = _products(data_dir).select("sku", "unit_cost")
    share = (pl.col("price") - pl.col("unit_cost")) / pl.col("price")
    return (
        frame.join(costs, on="sku", how="left")
        .with_columns(margin_share=pl.when(pl.col("price") > 0).then(share))
        .drop("unit_cost")
    )
