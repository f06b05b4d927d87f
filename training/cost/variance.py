"""Cost against budget from the tables, month by month, by plant, category or supplier."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from serving.domain.variance import (
    ALERT_SHARE,
    ElementCost,
    VarianceQuery,
    VarianceSplit,
    explain_variance,
)
from serving.errors import InvalidField, MissingInput
from training import tables

if TYPE_CHECKING:
    import datetime as dt
    from pathlib import Path

    from numpy.typing import NDArray

TABLE = "cost_transactions"
BY = ("plant_id", "category", "supplier_id", "sku")
PARTS = {
    "raw_material": "raw_material_price",
    "labor": "labor_rate",
    "overhead": "overhead_rate",
    "logistics": "logistics_rate",
    "tariff": "tariff_rate",
}
EXCHANGE = ("fx_rate", "budget_fx_rate")
UNKNOWN = "(none)"
ALL = "(all)"


def monthly_variance(
    data_dir: Path,
    by: str,
    *,
    months: tuple[dt.date, dt.date] | None = None,
    alert_share: float = ALERT_SHARE,
) -> pl.DataFrame:
    """Split each month's cost against budget exactly, by group and for all groups together.

    Args:
        data_dir: The data folder; reads cost_transactions, and products where asked by category.
        by: What lines are grouped by, one of BY.
        months: First day of the first and of the last month; all there are where None.
        alert_share: Share of budget beyond which a group is flagged.

    Returns:
        One row a month and group, the group ALL first in each month, with the columns of
        `VarianceSplit`.

    Raises:
        InvalidField: If `by` is not one of BY, a line names some figures of an element only, or
            one in another currency than the data's has no rate of exchange.
        MissingInput: If there are no transactions, or none of them has a budget.
    """
    if by not in BY:
        raise InvalidField("--by", f"must be one of {', '.join(BY)}")
    lines = _lines(data_dir, by)
    if months is not None:
        lines = lines.filter(pl.col("month").is_between(*months))
    rows = []
    for (month,), part in lines.group_by("month", maintain_order=True):
        report = explain_variance(_query(part, alert_share))
        rows.append({"month": month, **_row(report.total, ALL)})
        rows += [{"month": month, **_row(one, one.group)} for one in report.groups]
    if not rows:
        raise MissingInput("cost transactions", TABLE)
    return pl.DataFrame(rows)


def _lines(data_dir: Path, by: str) -> pl.DataFrame:
    if not tables.exists(data_dir, TABLE):
        raise MissingInput("cost transactions", TABLE)
    names = [name for part in PARTS.values() for name in (part, _usage(part))]
    columns = [
        "date",
        "sku",
        "plant_id",
        "supplier_id",
        *names,
        *(f"budget_{name}" for name in names),
        *("total_unit_cost", "volume", "budget_volume", "budget_unit_cost"),
        *("currency_code", *EXCHANGE),
    ]
    lines = tables.read(data_dir, TABLE, columns=columns).sort("date")
    if by == "category":
        if not tables.exists(data_dir, "products"):
            raise MissingInput("--by category", "products")
        products = tables.read(data_dir, "products", columns=["sku", "category"])
        lines = lines.join(products, on="sku", how="left", maintain_order="left")
    if lines["budget_volume"].null_count() == lines.height:
        raise MissingInput("budget_volume", TABLE)
    _check_rates(lines, tables.dataset(data_dir).currency_code)
    return lines.with_columns(
        month=pl.col("date").dt.truncate("1mo"), group=pl.col(by).fill_null(UNKNOWN)
    )


def _check_rates(lines: pl.DataFrame, home: str) -> None:
    """Refuse lines in another currency than the data's that name no rate of exchange."""
    several = lines["currency_code"].n_unique() > 1
    foreign = pl.col("currency_code") != home if home else pl.lit(several)
    lacking = lines.filter(foreign & pl.any_horizontal(pl.col(name).is_null() for name in EXCHANGE))
    if lacking.height:
        line = lacking.row(0, named=True)
        raise InvalidField(
            " and ".join(EXCHANGE),
            f"must be given on {line['date']} of {line['sku']} at {line['plant_id']}, "
            f"as its costs are in {line['currency_code']}",
        )


def _query(lines: pl.DataFrame, alert_share: float) -> VarianceQuery:
    """Ask of the lines of a month; a line without an element takes none of it."""
    elements = []
    for name, price in PARTS.items():
        usage = _usage(price)
        columns = (f"budget_{price}", price, f"budget_{usage}", usage)
        known = (
            lines.select(pl.sum_horizontal(pl.col(columns).is_not_null())).to_series().to_numpy()
        )
        partly = np.flatnonzero((known > 0) & (known < len(columns)))
        if partly.size:
            line = lines.row(int(partly[0]), named=True)
            raise InvalidField(
                name,
                f"must have price and usage, actual and budget, on {line['date']} of "
                f"{line['sku']} at {line['plant_id']}: a missing rate is never taken as 0",
            )
        if known.any():
            elements.append(ElementCost(name, *(_numbers(lines, one, 0.0) for one in columns)))
    if not elements:
        ones = np.ones(lines.height)
        planned, actual = (
            _numbers(lines, name, 0.0) for name in ("budget_unit_cost", "total_unit_cost")
        )
        elements.append(ElementCost("unit_cost", planned, actual, ones, ones))
    return VarianceQuery(
        groups=tuple(lines["group"].to_list()),
        budget_volume=_numbers(lines, "budget_volume", 0.0),
        volume=_numbers(lines, "volume", 0.0),
        elements=tuple(elements),
        budget_exchange_rate=_numbers(lines, "budget_fx_rate", 1.0),
        exchange_rate=_numbers(lines, "fx_rate", 1.0),
        alert_share=alert_share,
    )


def _usage(price: str) -> str:
    return price.replace("_price", "_usage").replace("_rate", "_usage")


def _numbers(lines: pl.DataFrame, column: str, absent: float) -> NDArray[np.float64]:
    return lines[column].cast(pl.Float64).fill_null(absent).to_numpy()


def _row(split: VarianceSplit, group: str) -> dict[str, object]:
    return {**dataclasses.asdict(split), "group": group}
