"""Suppliers from the tables: their performance and lead times, as reference documents."""

from __future__ import annotations

import math
from dataclasses import asdict
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from scipy.special import betaincinv

from serving.domain.series import SEPARATOR
from serving.domain.supplier import LEVELS, Performance, Share
from serving.flows.supplier import LEAD_TIME, PERFORMANCE
from training import tables
from training.lead_times import LeadTimes, Orders, best_strength, calibrated_levels, fit, groups_of

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

INTERVAL = (0.05, 0.95)
LEAST_SPREAD = 1e-4  # variance of shares between suppliers below which they count as alike
MOST_PRIOR = 1e4
WITHIN_A_DAY = 1.0 / 12.0  # variance of what is spread evenly over a day
MOST_TO_CHOOSE = 20_000  # orders that strength and levels are chosen on
PRICE_PRIOR = 10.0  # priced orders that a premium of 0 counts as
ORDER_COLUMNS = (
    "sku",
    "supplier_id",
    "plant_id",
    "order_date",
    "promised_date",
    "delivered_date",
    "unit_price",
    "currency_code",
)


def supplier_documents(
    data_dir: Path, as_of: dt.date | None
) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Yield what past orders and inspections say of every supplier and group of orders.

    Args:
        data_dir: The data folder.
        as_of: Last known day; what was delivered later is open, what was ordered later is not
            known. The last day of the orders where None.

    Yields:
        Kind, key and body of each document; none without purchase orders.
    """
    if not tables.exists(data_dir, "purchase_orders"):
        return
    orders = tables.read(data_dir, "purchase_orders", columns=ORDER_COLUMNS)
    orders = known_orders(orders, as_of)
    if orders.filter(pl.col("delivered_date").is_not_null()).is_empty():
        return
    known_day = orders["known_day"][0]
    lead_time, delay = _lead_times(orders)
    for one in _performances(orders, _inspections(data_dir, known_day), lead_time):
        yield PERFORMANCE, one.supplier_id, asdict(one)
    yield from _histories(orders, lead_time, delay)


def known_orders(orders: pl.DataFrame, as_of: dt.date | None) -> pl.DataFrame:
    """Return orders as they were known on a day, with the days each has taken until then.

    Args:
        orders: Rows of table purchase_orders.
        as_of: Last known day; the last day of the rows where None.

    Returns:
        The rows ordered by then, with columns known_day, open, taken_days (until receipt, or until
        the known day where open) and late_days (beyond the promise, null without one).
    """
    if as_of is None:
        last = orders.select(pl.max_horizontal(pl.col("order_date", "delivered_date").max()))
        as_of = last.item()
    received = pl.col("delivered_date") <= as_of
    until = pl.when(received).then("delivered_date").otherwise(pl.lit(as_of))
    return (
        orders.filter(pl.col("order_date") <= as_of)
        .with_columns(
            known_day=pl.lit(as_of),
            open=received.fill_null(value=False).not_(),
            delivered_date=pl.when(received).then("delivered_date"),
            until=until,
        )
        .with_columns(
            taken_days=(pl.col("until") - pl.col("order_date")).dt.total_days(),
            late_days=(pl.col("until") - pl.col("promised_date")).dt.total_days(),
        )
        .drop("until")
    )


class FittedDays:
    """Lead times or delays of every group, at the levels that cover what they say."""

    def __init__(self, rows: pl.DataFrame, days: str) -> None:
        """Fit to orders, one or more of them received.

        Args:
            rows: Orders as `known_orders` gives them.
            days: The column that holds their days.
        """
        keys = rows.select(pl.col("supplier_id"), pl.col("plant_id", "sku").fill_null("")).rows()
        orders = Orders(
            rows[days].to_numpy().astype(np.int64), rows["open"].to_numpy().astype(bool), keys
        )
        # What all groups share is found on an even spread of many orders as well as on all.
        some = np.zeros(len(keys), dtype=bool)
        some[np.unique(np.linspace(0, len(keys) - 1, MOST_TO_CHOOSE).astype(np.int64))] = True
        self._chosen = orders.take(some)
        self._strength = best_strength(self._chosen)
        self._times: LeadTimes = fit(orders, self._strength)

    @cached_property
    def _levels(self) -> tuple[float, ...]:
        return calibrated_levels(self._chosen, self._strength)

    def quantiles(self, group: tuple[str, ...]) -> Floats | None:
        """Return the days of a group at LEVELS, None where no order was of it."""
        hazards = self._times.hazards.get(group)
        return None if hazards is None else self._times.quantiles(hazards, self._levels)

    def moments(self, key: tuple[str, str, str]) -> tuple[float, float] | None:
        """Return mean and deviation of the days of a key's most specific group.

        They are those of the days at LEVELS as estimated: beyond these a group of few orders rests
        on others', and levels moved to cover all orders alike would lean for one group.

        Args:
            key: Supplier, plant and item; empty where not known.

        Returns:
            Days; None where no order was of the supplier.
        """
        for group in groups_of(key):
            if group and group in self._times.hazards:
                days = self._times.quantiles(self._times.hazards[group], LEVELS)
                return float(days.mean()), math.sqrt(max(float(days.var()) - WITHIN_A_DAY, 0.0))
        return None


def _lead_times(orders: pl.DataFrame) -> tuple[FittedDays, FittedDays | None]:
    promised = orders.filter(pl.col("promised_date").is_not_null())
    some = promised.filter(~pl.col("open"))
    return FittedDays(orders, "taken_days"), FittedDays(
        promised, "late_days"
    ) if some.height else None


def _histories(
    orders: pl.DataFrame, lead_time: FittedDays, delay: FittedDays | None
) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    counts: dict[tuple[str, ...], list[int]] = {}
    rows = orders.select("supplier_id", pl.col("plant_id", "sku").fill_null(""), "open").rows()
    for supplier, plant, sku, still_open in rows:
        for group in groups_of((supplier, plant, sku)):
            count = counts.setdefault(group, [0, 0])
            count[0] += 1
            count[1] += still_open
    for group, (total, still) in counts.items():
        yield (
            LEAD_TIME,
            SEPARATOR.join(group),
            {
                "orders": total,
                "open_orders": still,
                "lead_time": lead_time.quantiles(group),
                "delay": delay.quantiles(group) if delay is not None else None,
            },
        )


def _inspections(data_dir: Path, known_day: dt.date) -> pl.DataFrame:
    """Return units inspected and found defective by supplier."""
    columns = ("date", "supplier_id", "batch_size", "defects")
    if tables.exists(data_dir, "quality_events"):
        rows = tables.read(data_dir, "quality_events", columns=columns)
        rows = rows.filter((pl.col("date") <= known_day) & pl.col("batch_size").is_not_null())
    else:
        rows = pl.DataFrame(
            schema={"supplier_id": pl.String, "batch_size": pl.Int64, "defects": pl.Int64}
        )
    return rows.group_by("supplier_id").agg(
        pl.col("batch_size").sum(), pl.col("defects").fill_null(0).sum()
    )


def _performances(
    orders: pl.DataFrame, inspections: pl.DataFrame, lead_time: FittedDays
) -> Iterator[Performance]:
    # A promise is kept or broken once the order is received, and broken once it is overdue.
    due = pl.col("promised_date").is_not_null() & (~pl.col("open") | (pl.col("late_days") > 0))
    kept = due & ~pl.col("open") & (pl.col("late_days") <= 0)
    frame = (
        orders.group_by("supplier_id")
        .agg(
            delivered=(~pl.col("open")).sum(),
            open=pl.col("open").sum(),
            due=due.sum(),
            kept=kept.sum(),
        )
        .join(_premiums(orders), on="supplier_id", how="left")
        .join(inspections, on="supplier_id", how="left")
        .with_columns(pl.col("batch_size", "defects", "priced").fill_null(0))
        .sort("supplier_id")
    )
    on_time = _shares(frame["kept"].to_numpy(), frame["due"].to_numpy())
    defects = _shares(frame["defects"].to_numpy(), frame["batch_size"].to_numpy())
    for place, row in enumerate(frame.iter_rows(named=True)):
        mean, std = lead_time.moments((row["supplier_id"], "", "")) or (None, None)
        yield Performance(
            supplier_id=row["supplier_id"],
            delivered_orders=row["delivered"],
            open_orders=row["open"],
            on_time=on_time[place],
            defects=defects[place],
            price_premium=row["premium"],
            priced_orders=row["priced"],
            lead_time_mean_days=mean,
            lead_time_std_days=std,
        )


def _premiums(orders: pl.DataFrame) -> pl.DataFrame:
    """Return each supplier's price over the median price others ask for the same item."""
    item = ["sku", "currency_code"]
    priced = orders.filter(pl.col("unit_price") > 0)
    asked = priced.group_by(*item, "supplier_id").agg(
        pl.col("unit_price").median().alias("own"), pl.len().alias("count")
    )
    several = asked.filter(pl.len().over(item) > 1)
    middle = pl.col("own").median().over(item)
    return (
        several.with_columns(over=(pl.col("own") / middle).log())
        .group_by("supplier_id")
        .agg(
            priced=pl.col("count").sum(),
            over=(pl.col("over") * pl.col("count")).sum() / pl.col("count").sum(),
        )
        .select(
            "supplier_id",
            "priced",
            premium=(pl.col("over") * pl.col("priced") / (pl.col("priced") + PRICE_PRIOR)).exp()
            - 1,
        )
    )


def _shares(cases: NDArray[np.int64], counts: NDArray[np.int64]) -> list[Share]:
    """Draw each share toward that of all by a beta prior fitted to them by moments.

    Source: Kleinman, JASA 68 (1973), moments of the beta-binomial.
    """
    there = counts > 0
    if not there.any():
        return [Share(0) for _ in counts]
    total, sizes = float(cases.sum()), counts[there].astype(np.float64)
    # One half case added either way keeps the prior off 0 and 1.
    middle = (total + 0.5) / (float(counts.sum()) + 1.0)
    observed = cases[there] / sizes
    within = middle * (1.0 - middle)
    spread = float((sizes * (observed - middle) ** 2).sum()) - within * (len(sizes) - 1)
    between = spread / max(sizes.sum() - float((sizes**2).sum()) / sizes.sum(), 1e-9)
    between = max(between, LEAST_SPREAD * within)
    prior = min(max(within / between - 1.0, 1.0), MOST_PRIOR)
    first = cases + middle * prior
    second = counts - cases + (1.0 - middle) * prior
    ends = [betaincinv(first, second, level) for level in INTERVAL]
    return [
        Share(
            count=int(counts[at]),
            observed=float(cases[at] / counts[at]) if counts[at] else None,
            shrunk=float(first[at] / (first[at] + second[at])),
            low=float(ends[0][at]),
            high=float(ends[1][at]),
        )
        for at in range(len(counts))
    ]
