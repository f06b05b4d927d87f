"""What the tables say of stock and supply, per series."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from serving.adapters.packed import STOCK_FIELDS
from serving.domain.supply import TargetKind
from serving.errors import InvalidField
from training import tables
from training.suppliers import ORDER_COLUMNS, FittedDays, known_orders

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

_PAIR = ("sku", "location")
_POLICY = (
    *("review_days", "service_target", "target_kind", "shortage_cost", "margin"),
    *("holding_cost_rate", "salvage_value"),
)
_PRODUCT = ("minimum_order_quantity", "pack_size", "unit_cost", "price", "shelf_life_days")
_TARGETS = {
    "cycle": TargetKind.CYCLE_SERVICE,
    "cycle_service": TargetKind.CYCLE_SERVICE,
    "fill": TargetKind.FILL_RATE,
    "fill_rate": TargetKind.FILL_RATE,
    "cost": TargetKind.COST,
}
_DAYS_A_YEAR = 365.0
_DELIVERIES = 2  # least deliveries of a supplier from which a deviation can be told


def stock_inputs(
    data_dir: Path, pairs: pl.DataFrame, as_of: dt.date
) -> tuple[pl.DataFrame, NDArray[np.float64]]:
    """Collect stock and supply of series, and of those that have stock without sales.

    Args:
        data_dir: The data folder.
        pairs: Columns sku and location of the series that sell.
        as_of: The last known day.

    Returns:
        The sku and location of each record, sorted, and its STOCK_FIELDS, NaN where the tables are
        silent, shape (n, fields).
    """
    held = _inventory(data_dir, as_of)
    frame = pl.concat([pairs.select(_PAIR), held.select(_PAIR)]).unique().sort(_PAIR)
    frame = frame.join(held, on=_PAIR, how="left", maintain_order="left")
    frame = _with_sourcing(frame, data_dir, as_of)
    frame = with_policy(frame, data_dir, _POLICY)
    frame = frame.join(
        _table(data_dir, "products", ("sku", *_PRODUCT)),
        on="sku",
        how="left",
        maintain_order="left",
    ).rename({"service_target": "service_level"})
    frame = frame.with_columns(_target_kind(frame), *_cycle_costs())
    numbers = frame.select(pl.col(STOCK_FIELDS).cast(pl.Float64).fill_null(np.nan)).to_numpy()
    return frame.select(_PAIR), numbers


def _target_kind(frame: pl.DataFrame) -> pl.Series:
    """Return what each series is promised, a TargetKind; null where the tables are silent.

    Raises:
        InvalidField: If a promise is none that is known.
    """
    named = frame["target_kind"].cast(pl.String)
    unknown = set(named.drop_nulls()) - set(_TARGETS)
    if unknown:
        requirement = f"must be one of {', '.join(_TARGETS)}, not {min(unknown)!r}"
        raise InvalidField("policy.target_kind", requirement)
    return named.replace_strict(_TARGETS, return_dtype=pl.Float64).alias("target_kind")


def _cycle_costs() -> tuple[pl.Expr, pl.Expr]:
    """Return what a unit costs that is short, and one that is left over at the end of a review.

    Short: penalty and margin. Left over: holding until the next review, and what the unit loses
    where it spoils before then.
    """
    cost, review = pl.col("unit_cost"), pl.col("review_days")
    margin = pl.col("margin").fill_null(pl.col("price") - cost)
    short = pl.sum_horizontal(pl.col("shortage_cost"), margin.clip(lower_bound=0.0))
    known = pl.col("shortage_cost").is_not_null() | margin.is_not_null()
    spoils = (pl.col("shelf_life_days") <= review).fill_null(value=False)
    lost = pl.when(spoils).then(cost - pl.col("salvage_value").fill_null(0.0)).otherwise(0.0)
    left = cost * pl.col("holding_cost_rate") * review / _DAYS_A_YEAR + lost
    return pl.when(known).then(short).alias("underage_cost"), left.alias("overage_cost")


def _inventory(data_dir: Path, as_of: dt.date) -> pl.DataFrame:
    """Return each pair's stock on its latest day, summed over lots."""
    measures = ("on_hand", "on_order", "backorders")
    if not tables.exists(data_dir, "inventory"):
        return _table(data_dir, "inventory", (*_PAIR, *measures))
    # Years of stock may lie there: rows are looked at as they stream by, twice.
    rows = tables.scan(data_dir, "inventory", ("date", *_PAIR, "lot_id", *measures))
    rows = rows.filter(pl.col("date") <= as_of)
    last = rows.group_by(_PAIR).agg(pl.col("date").max()).collect(engine="streaming")
    since = rows.filter(pl.col("date") >= pl.lit(last["date"].min()))
    latest = since.join(last.lazy(), on=["date", *_PAIR], how="semi").collect(engine="streaming")
    # A sum of nothing known is not known.
    totals = [
        pl.when(pl.col(name).count() > 0).then(pl.col(name).sum()).alias(name) for name in measures
    ]
    # In order of lots, so that the last bit of a sum does not depend on who came first.
    return latest.sort(*_PAIR, "lot_id").group_by(_PAIR, maintain_order=True).agg(totals)


def _with_sourcing(frame: pl.DataFrame, data_dir: Path, as_of: dt.date) -> pl.DataFrame:
    """Join lead times of the preferred source, of the location where it has one of its own."""
    names = ("sku", "supplier_id", "plant_id", "location", "share", "lead_time_days", "preferred")
    rows = _table(data_dir, "sourcing", names).sort(
        pl.col("preferred").fill_null(value=False),
        pl.col("share").fill_null(0.0),
        pl.col("lead_time_days").fill_null(np.inf),
        "supplier_id",
        descending=[True, True, False, False],
    )
    rows = _with_deliveries(rows, data_dir, as_of)
    # Both figures of one supplier: a deviation of another's says nothing of this one's lead time.
    figures = ("lead_time_days", "lead_time_std_days")
    rows = rows.filter(pl.col("lead_time_days").is_not_null()).with_columns(
        source=pl.struct(figures)
    )
    for key, chosen in (
        (_PAIR, rows.filter(pl.col("location").is_not_null())),
        (("sku",), rows.filter(pl.col("location").is_null())),
    ):
        best = chosen.unique(key, keep="first", maintain_order=True).select(*key, "source")
        frame = _fill_from(frame, best, key, ("source",))
    return frame.unnest("source")


def _with_deliveries(rows: pl.DataFrame, data_dir: Path, as_of: dt.date) -> pl.DataFrame:
    """Add how long orders from each source take: as past orders say, else as agreed.

    What is agreed is a promise, and tells no deviation. Orders still open count as censored.
    """
    orders = known_orders(_table(data_dir, "purchase_orders", ORDER_COLUMNS), as_of)
    received = orders.filter(~pl.col("open")).group_by("supplier_id").len()
    known = set(received.filter(pl.col("len") >= _DELIVERIES)["supplier_id"])
    fitted = FittedDays(orders, "taken_days") if known else None
    keys = rows.select(pl.col("supplier_id", "plant_id", "sku").fill_null("")).rows()
    found = [fitted.moments(key) if fitted and key[0] in known else None for key in keys]
    schema = dict.fromkeys(("taken", "taken_std"), pl.Float64)
    taken = pl.DataFrame([days or (None, None) for days in found], schema=schema, orient="row")
    return rows.hstack(taken).with_columns(
        lead_time_days=pl.coalesce("taken", "lead_time_days"), lead_time_std_days="taken_std"
    )


def with_policy(frame: pl.DataFrame, data_dir: Path, kept: Sequence[str]) -> pl.DataFrame:
    """Join columns of the policy table, of the most specific row that has a value.

    Args:
        frame: Has columns sku and location.
        data_dir: The data folder.
        kept: Columns to join; null where the table is silent.
    """
    rows = _table(data_dir, "policy", (*_PAIR, *kept))
    sku, location = (pl.col(name).is_not_null() for name in _PAIR)
    for key, chosen in (
        (_PAIR, rows.filter(sku & location)),
        (("sku",), rows.filter(sku & ~location)),
        (("location",), rows.filter(~sku & location)),
        ((), rows.filter(~sku & ~location)),
    ):
        frame = _fill_from(frame, chosen.select(*key, *kept), key, kept)
    return frame


def _fill_from(
    frame: pl.DataFrame, rows: pl.DataFrame, key: Sequence[str], columns: Sequence[str]
) -> pl.DataFrame:
    """Fill what columns leave open from rows with that key; rows without key hold for all."""
    renamed = rows.rename({name: f"{name}_found" for name in columns})
    if key:
        joined = frame.join(renamed, on=list(key), how="left", maintain_order="left")
    else:
        found = renamed.row(0) if renamed.height else (None,) * len(columns)
        joined = frame.with_columns(
            pl.lit(value, dtype=kind).alias(name)
            for (name, kind), value in zip(renamed.schema.items(), found, strict=True)
        )
    filled = [
        pl.coalesce(*([name] if name in frame.columns else []), f"{name}_found").alias(name)
        for name in columns
    ]
    return joined.with_columns(filled).drop(f"{name}_found" for name in columns)


def _table(data_dir: Path, table: str, columns: Sequence[str]) -> pl.DataFrame:
    """Read columns of a table; no rows where the folder has none."""
    if tables.exists(data_dir, table):
        return tables.read(data_dir, table, columns=columns)
    texts = {*_PAIR, "supplier_id", "plant_id", "target_kind", "currency_code"}
    dates = {"date", "order_date", "promised_date", "delivered_date"}
    return pl.DataFrame(
        schema={
            name: pl.String if name in texts else pl.Date if name in dates else pl.Float64
            for name in columns
        }
    )
