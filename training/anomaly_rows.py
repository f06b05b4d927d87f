"""Rows to score from the tables: prices paid, costs booked, and deliveries."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from serving.domain.anomaly import INPUTS, AnomalyKind
from serving.errors import MissingInput
from training import tables

if TYPE_CHECKING:
    import datetime as dt
    from pathlib import Path

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

USUAL_ROWS, LEAST_ROWS = 12, 3  # earlier rows of a product that make a usual value
USUAL_DELIVERIES, LEAST_DELIVERIES = 60, 8


def cost_rows(data: Path, as_of: dt.date | None) -> pl.DataFrame:
    """Return a row for each price paid and unit cost booked, beside what its product usually costs.

    Args:
        data: Data folder.
        as_of: Last day that counts; all where None.

    Returns:
        Columns date, entity (the order, or the plant that booked the cost), sku, source (the table)
        and the inputs of the kind; rows with fewer than LEAST_ROWS earlier ones of the product (and
        plant) are left out.

    Raises:
        MissingInput: If there is neither a table purchase_orders nor cost_transactions.
    """
    sources = {"purchase_orders": _prices_paid, "cost_transactions": _costs_booked}
    found = [
        rows(data, as_of).with_columns(source=pl.lit(name))
        for name, rows in sources.items()
        if tables.exists(data, name)
    ]
    if not found:
        raise MissingInput("purchase_orders or cost_transactions", "purchase_orders")
    return pl.concat(found)


def _prices_paid(data: Path, as_of: dt.date | None) -> pl.DataFrame:
    orders = _orders(data, as_of).filter(pl.col("unit_price") > 0)
    paid = pl.col("unit_price") * pl.col("quantity")
    orders = orders.select(
        "sku",
        "unit_price",
        "quantity",
        date="order_date",
        entity="po_id",
        freight_share=pl.when(paid > 0).then(pl.col("freight_cost") / paid),
    )
    return _beside_usual(orders, ("sku",))


def _costs_booked(data: Path, as_of: dt.date | None) -> pl.DataFrame:
    booked = tables.read(data, "cost_transactions").filter(pl.col("total_unit_cost") > 0)
    booked = booked if as_of is None else booked.filter(pl.col("date") <= as_of)
    logistics = {"logistics_rate", "logistics_usage"} <= set(booked.columns)
    spent = pl.col("logistics_rate") * pl.col("logistics_usage") if logistics else pl.lit(None)
    booked = booked.select(
        "sku",
        "date",
        entity="plant_id",
        unit_price="total_unit_cost",
        quantity="volume",
        freight_share=(spent / pl.col("total_unit_cost")).cast(pl.Float64),
    )
    return _beside_usual(booked, ("sku", "entity"))


def _beside_usual(rows: pl.DataFrame, group: tuple[str, ...]) -> pl.DataFrame:
    """Return rows beside the medians of their group's earlier ones, where there are enough."""
    rows = rows.sort("date", "entity").with_columns(
        pl.col("unit_price", "quantity").cast(pl.Float64),
        last_unit_price=pl.col("unit_price").shift(1).over(group).cast(pl.Float64),
        **{
            f"usual_{name}": _usual(name, group)
            for name in ("unit_price", "quantity", "freight_share")
        },
    )
    rows = rows.filter(pl.col("usual_unit_price").is_not_null())
    return rows.select("date", "entity", "sku", *INPUTS[AnomalyKind.COST])


def delay_rows(data: Path, as_of: dt.date | None) -> pl.DataFrame:
    """Return a row for each delivery, beside how long its supplier usually takes.

    An order that is still open is a row once it is late: it has taken as long as until today.

    Args:
        data: Data folder.
        as_of: Last day that counts; the last order's where None.

    Returns:
        Columns date, entity (the order), sku, source (the table) and the inputs of the kind; rows
        of suppliers with fewer than LEAST_DELIVERIES earlier deliveries are left out.

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
        usual_quantity=_usual("quantity", ("sku",)),
    )
    rows = rows.filter(pl.col("usual_days").is_not_null())
    rows = rows.rename({"known_date": "date", "po_id": "entity"})
    rows = rows.with_columns(source=pl.lit("purchase_orders"))
    return rows.select("date", "entity", "sku", "source", *INPUTS[AnomalyKind.SUPPLIER_DELAY])


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


def _usual(name: str, group: tuple[str, ...]) -> pl.Expr:
    """Return the median of a group's earlier rows."""
    earlier = pl.col(name).shift(1)
    return earlier.rolling_median(USUAL_ROWS, min_samples=LEAST_ROWS).over(group)


def _of_supplier(level: float) -> pl.Expr:
    """Return a quantile of the days a supplier's earlier deliveries took."""
    earlier = pl.col("days_taken").shift(1)
    quantile = earlier.rolling_quantile(
        level, "linear", window_size=USUAL_DELIVERIES, min_samples=LEAST_DELIVERIES
    )
    return quantile.over("supplier_id")
