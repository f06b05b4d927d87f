"""Lead times of many orders, by the path that serves one."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from serving.adapters.reference import Reference
from serving.domain.supplier import LeadTimeQuery
from serving.errors import MissingInput, UnknownSupplier
from serving.flows.supplier import SupplierFlow
from training import tables
from training.features.reference import publish
from training.suppliers import ORDER_COLUMNS, supplier_documents

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence


def predict_orders(
    data_dir: Path, orders_dir: Path, as_of: dt.date | None, levels: Sequence[float]
) -> pl.DataFrame:
    """Predict the lead time of each order of a folder from the past orders of another.

    Args:
        data_dir: Folder of the past orders.
        orders_dir: Folder whose table purchase_orders is predicted.
        as_of: Last known day of the past orders; their last one where None.
        levels: Probabilities to answer at, ascending.

    Returns:
        The orders with a column of days for each level (``p10``), the taken_days where received,
        and the warnings; days are null where nothing is known of the supplier.

    Raises:
        MissingInput: If a folder has no purchase orders.
    """
    if not tables.exists(orders_dir, "purchase_orders"):
        raise MissingInput("--orders", "purchase_orders")
    rows = tables.read(orders_dir, "purchase_orders", columns=("po_id", *ORDER_COLUMNS))
    promised = (pl.col("promised_date") - pl.col("order_date")).dt.total_days()
    rows = rows.with_columns(
        promised_days=promised,
        taken_days=(pl.col("delivered_date") - pl.col("order_date")).dt.total_days(),
    )
    found: dict[tuple[Any, ...], tuple[list[float | None], str]] = {}
    keys = rows.select("supplier_id", pl.col("plant_id", "sku").fill_null(""), "promised_days")
    with tempfile.TemporaryDirectory() as scratch:
        publish(Path(scratch), supplier_documents(data_dir, as_of))
        reference = Reference(Path(scratch))
        reference.refresh()
        flow = SupplierFlow(reference)
        for key in keys.unique().rows():
            found[key] = _answer(flow, key, levels)
    answers = [found[key] for key in keys.rows()]
    return rows.with_columns(
        *(
            pl.Series(_column(level), [days[at] for days, _ in answers], dtype=pl.Float64)
            for at, level in enumerate(levels)
        ),
        warnings=pl.Series([warning for _, warning in answers], dtype=pl.String),
    )


def covered(predicted: pl.DataFrame, levels: Sequence[float]) -> list[tuple[float, int, float]]:
    """Return, for each level, the received orders and the share of them within its days."""
    some = predicted.filter(
        pl.col("taken_days").is_not_null() & pl.col(_column(levels[0])).is_not_null()
    )
    if some.is_empty():
        return []
    return [
        (
            level,
            some.height,
            some.select((pl.col("taken_days") <= pl.col(_column(level))).mean()).item(),
        )
        for level in levels
    ]


def _column(level: float) -> str:
    return f"p{round(level * 100):02d}"


def _answer(
    flow: SupplierFlow, key: tuple[Any, ...], levels: Sequence[float]
) -> tuple[list[float | None], str]:
    supplier, plant, sku, promised = key
    try:
        answer = flow.predict_lead_time(
            LeadTimeQuery(supplier, plant, sku, promised, levels=tuple(levels))
        )
    except UnknownSupplier as error:
        return [None] * len(levels), str(error)
    return list(answer.days), "; ".join(answer.provenance.warnings)
