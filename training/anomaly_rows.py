"""Rows to score from the tables: prices paid, deliveries, and days of sales beside forecasts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from serving.domain.anomaly import INPUTS, AnomalyKind
from serving.domain.demand import DemandTarget
from serving.errors import MissingInput
from training import tables
from training.backtest.forecasts import IN_STOCK, forecast_daily
from training.demand_rows import take
from training.features.records import records_at

if TYPE_CHECKING:
    import datetime as dt
    from pathlib import Path

    from numpy.typing import NDArray

    from serving.ports import DemandModel
    from training.panel import Panel

    Floats = NDArray[np.float64]

USUAL_ROWS, LEAST_ROWS = 12, 3  # earlier rows of a product that make a usual value
USUAL_DELIVERIES, LEAST_DELIVERIES = 60, 8
WEEK = 7
MAX_SERIES = 4_000  # scored a week; of more an even spread is


def cost_rows(data: Path, as_of: dt.date | None) -> pl.DataFrame:
    """Return a row for each price paid, beside what its product usually costs.

    Args:
        data: Data folder.
        as_of: Last day that counts; all where None.

    Returns:
        Columns date, entity (the order), sku and the inputs of the kind; rows of products with
        fewer than LEAST_ROWS earlier orders are left out.

    Raises:
        MissingInput: If there is no table purchase_orders.
    """
    orders = _orders(data, as_of).filter(pl.col("unit_price") > 0)
    paid = pl.col("unit_price") * pl.col("quantity")
    orders = orders.with_columns(
        freight_share=pl.when(paid > 0).then(pl.col("freight_cost") / paid)
    ).sort("order_date", "po_id")
    rows = orders.with_columns(
        last_unit_price=pl.col("unit_price").shift(1).over("sku"),
        **{f"usual_{name}": _usual(name) for name in ("unit_price", "quantity", "freight_share")},
    ).filter(pl.col("usual_unit_price").is_not_null())
    return _laid(rows, AnomalyKind.COST, "order_date", "po_id")


def delay_rows(data: Path, as_of: dt.date | None) -> pl.DataFrame:
    """Return a row for each delivery, beside how long its supplier usually takes.

    An order that is still open is a row once it is late: it has taken as long as until today.

    Args:
        data: Data folder.
        as_of: Last day that counts; the last order's where None.

    Returns:
        Columns date, entity (the order), sku and the inputs of the kind; rows of suppliers with
        fewer than LEAST_DELIVERIES earlier deliveries are left out.

    Raises:
        MissingInput: If there is no table purchase_orders.
    """
    orders = _orders(data, as_of)
    today = as_of or orders["order_date"].max()
    open_ = pl.col("delivered_date").is_null() | (pl.col("delivered_date") > today)
    late = open_ & (pl.col("promised_date") < today)
    rows = orders.filter(~open_ | late).with_columns(
        known_date=pl.when(open_).then(pl.lit(today)).otherwise(pl.col("delivered_date"))
    )
    taken = (pl.col("known_date") - pl.col("order_date")).dt.total_days().cast(pl.Float64)
    promised = (pl.col("promised_date") - pl.col("order_date")).dt.total_days().cast(pl.Float64)
    rows = rows.with_columns(days_taken=taken, promised_days=promised)
    rows = rows.sort("known_date", "po_id").with_columns(
        usual_days=_of_supplier(0.5),
        usual_spread_days=(_of_supplier(0.75) - _of_supplier(0.25)) / 1.349,
        usual_quantity=_usual("quantity"),
    )
    rows = rows.filter(pl.col("usual_days").is_not_null())
    return _laid(rows, AnomalyKind.SUPPLIER_DELAY, "known_date", "po_id")


def demand_rows(panel: Panel, model: DemandModel, weeks: int) -> pl.DataFrame:
    """Return a row for each series and day in stock of the last weeks, beside its forecast.

    Each week is forecast from the day before it, with the prices and promotions that came true, so
    that what a promotion sells is no surprise.

    Args:
        panel: All series.
        model: The model whose forecasts the days are held against.
        weeks: Weeks up to the last day, 1 or more.

    Returns:
        Columns date, entity (the location), sku and the inputs of the kind.
    """
    days = panel.history.days
    first = days - 1 - WEEK * (weeks + 1)  # a week before them completes the sums of the first
    origins = [day for day in range(first, days - 1, WEEK) if day >= WEEK]
    chosen = np.arange(len(panel.skus))
    if chosen.size > MAX_SERIES:
        chosen = np.linspace(0, chosen.size - 1, MAX_SERIES).astype(np.int64)
    mean, quantiles = _forecasts(panel, model, origins, chosen)
    sold = panel.history.quantity[:, chosen]
    at = np.arange(origins[0] + 1 + WEEK, origins[0] + 1 + len(mean))
    if not at.size:
        raise MissingInput("sales of three weeks or more", "sales")
    ahead = at - origins[0] - 1
    week = _week_sums(sold)[at]
    low, median, high = np.moveaxis(quantiles[ahead], -1, 0)
    inputs = {
        "quantity": sold[at],
        "forecast_low": low,
        "forecast_median": median,
        "forecast_high": high,
        "week_quantity": week,
        "week_forecast": _week_sums(mean)[ahead],
        "zero_days": _silent_days(sold)[at],
    }
    scored = ~np.isnan(sold[at]) & (panel.history.available[at][:, chosen] >= IN_STOCK)
    day, series = np.nonzero(scored & ~np.isnan(inputs["week_forecast"]))
    dates = (panel.history.first_day + at)[day]
    names = np.array(panel.skus)[chosen], np.array(panel.locations)[chosen]
    return pl.DataFrame(
        {
            "date": dates,
            "entity": names[1][series],
            "sku": names[0][series],
            **{name: values[day, series] for name, values in inputs.items()},
        }
    )


def inputs_of(kind: AnomalyKind, rows: pl.DataFrame) -> Floats:
    """Return the inputs of rows as the model's door takes them, shape (n, inputs)."""
    found = rows.select(pl.col(list(INPUTS[kind])).cast(pl.Float64).fill_null(np.nan))
    return np.asarray(found.to_numpy(), dtype=np.float64)


def _orders(data: Path, as_of: dt.date | None) -> pl.DataFrame:
    if not tables.exists(data, "purchase_orders"):
        raise MissingInput("purchase_orders", "purchase_orders")
    orders = tables.read(data, "purchase_orders")
    for name in ("quantity", "unit_price", "freight_cost"):
        if name not in orders.columns:
            orders = orders.with_columns(pl.lit(None, pl.Float64).alias(name))
    for name in ("promised_date", "delivered_date"):
        if name not in orders.columns:
            orders = orders.with_columns(pl.lit(None, pl.Date).alias(name))
    return orders if as_of is None else orders.filter(pl.col("order_date") <= as_of)


def _usual(name: str) -> pl.Expr:
    """Return the median of a product's earlier rows."""
    earlier = pl.col(name).shift(1)
    return earlier.rolling_median(USUAL_ROWS, min_samples=LEAST_ROWS).over("sku")


def _of_supplier(level: float) -> pl.Expr:
    """Return a quantile of the days a supplier's earlier deliveries took."""
    earlier = pl.col("days_taken").shift(1)
    quantile = earlier.rolling_quantile(
        level, "linear", window_size=USUAL_DELIVERIES, min_samples=LEAST_DELIVERIES
    )
    return quantile.over("supplier_id")


def _laid(rows: pl.DataFrame, kind: AnomalyKind, date: str, entity: str) -> pl.DataFrame:
    keys = {date: "date", entity: "entity"}
    return rows.select(*keys, "sku", *INPUTS[kind]).rename(keys)


def _forecasts(
    panel: Panel, model: DemandModel, origins: list[int], chosen: NDArray[np.int64]
) -> tuple[Floats, Floats]:
    """Return mean (days, n) and quantiles (days, n, 3) of the days after the first origin."""
    levels = model.description.quantile_levels
    wanted = [levels.index(level) for level in (0.05, 0.5, 0.95)]
    means, quantiles = [], []
    for origin, records in records_at(panel, origins, future="realised"):
        horizon = min(WEEK, panel.history.days - 1 - origin)
        daily = forecast_daily(model, take(records, chosen), horizon, DemandTarget.DEMAND)
        means.append(daily.mean.T)
        quantiles.append(daily.quantiles[:, :, wanted].astype(np.float64).transpose(1, 0, 2))
    return np.concatenate(means), np.concatenate(quantiles)


def _week_sums(values: Floats) -> Floats:
    """Return the sum of the seven days that end with each, NaN where one is not known."""
    total = np.cumsum(np.vstack([np.zeros((1, values.shape[1])), np.nan_to_num(values)]), axis=0)
    gaps = np.cumsum(np.vstack([np.zeros((1, values.shape[1])), np.isnan(values)]), axis=0)
    found = np.full(values.shape, np.nan)
    whole = gaps[WEEK:] == gaps[:-WEEK]
    found[WEEK - 1 :] = np.where(whole, total[WEEK:] - total[:-WEEK], np.nan)
    return found


def _silent_days(sold: Floats) -> Floats:
    """Return the days without a sale that end with each day; a day not recorded goes on."""
    silent = np.zeros(sold.shape)
    for day in range(len(sold)):
        before = silent[day - 1] if day else 0.0
        silent[day] = np.where(sold[day] > 0, 0.0, np.where(sold[day] == 0, before + 1.0, before))
    return silent
