"""Terms, money and lead times of the simulated series, as the tables knew them before the start."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from serving.adapters.packed import STOCK_FIELDS
from serving.domain.replenishment import ReorderMethod, check_service_level, served
from serving.domain.supply import TargetKind
from serving.errors import InvalidField, MissingInput
from serving.flows.reorder_inputs import INPUTS, resolve
from serving.ports import StockInputs
from training import tables
from training.features.stock import stock_inputs, with_policy

if TYPE_CHECKING:
    import datetime as dt
    from pathlib import Path

    from numpy.typing import NDArray

    from serving.domain.reorder_levels import ReorderTerms

    Floats = NDArray[np.float64]

DAYS_A_YEAR = 365.0
CURRENT = "current"  # the policy in force
_POLICY = ("ordering_cost", "holding_cost_rate", "shortage_cost", "salvage_value", "margin")
_PRODUCT = ("unit_cost", "price", "shelf_life_days")


@dataclass(frozen=True, slots=True)
class Asked:
    """Terms that hold for every series, whatever the tables say; None leaves them to the tables.

    Attributes:
        lead_time_days: Days from order to receipt.
        lead_time_std_days: Standard deviation of the lead time in days; 0 where a lead time is
            asked without it.
        review_days: Days between reviews; 0 is continuous review.
        service_level: Probability of no stock-out in a cycle, 0.5 to 0.99.
        minimum_order_quantity: Least units an order may have; 0 lifts the minimum.
        pack_size: Units in a pack; 0 where there are none.
        holding_cost_rate: Money a year per money held; what stands in where the tables are silent.
    """

    lead_time_days: float | None = None
    lead_time_std_days: float | None = None
    review_days: float | None = None
    service_level: float | None = None
    minimum_order_quantity: float | None = None
    pack_size: float | None = None
    holding_cost_rate: float = 0.25

    def __post_init__(self) -> None:
        """Refuse negative figures and a service level that cannot be promised."""
        for name in (one.name for one in fields(self)):
            value = getattr(self, name)
            if value is not None and not 0 <= value < np.inf:
                raise InvalidField(name, "must be 0 or more")
        if self.service_level is not None:
            check_service_level("service_level", self.service_level)
        if self.lead_time_days is not None and self.lead_time_std_days is None:
            object.__setattr__(self, "lead_time_std_days", 0.0)


@dataclass(frozen=True, slots=True)
class Money:
    """What things cost, shape (n,) each.

    Attributes:
        unit_cost: Money per unit bought.
        ordering_cost: Money per order.
        holding_cost: Money per unit and day.
        shortage_cost: Money lost per unit of unmet demand: penalty, and margin where it is lost.
        salvage_value: Money got back per unit that expires.
    """

    unit_cost: Floats
    ordering_cost: Floats
    holding_cost: Floats
    shortage_cost: Floats
    salvage_value: Floats


@dataclass(frozen=True, slots=True)
class Terms:
    """Terms of n series.

    Attributes:
        reorder: What a reorder is decided on, stock apart.
        target: Service level of the policy table, NaN where it is silent, shape (n,).
        shelf_life: Whole days a unit can be sold, infinite where it keeps, shape (n,).
        money: What things cost; None where no table tells the cost of a unit.
        assumed: Sentences on what stood in for what the tables do not say.
    """

    reorder: ReorderTerms
    target: Floats
    shelf_life: Floats
    money: Money | None
    assumed: tuple[str, ...] = field(default=())

    def service_of(self, policy: str) -> Floats:
        """Return the service level asked of a policy: that in force has its own, shape (n,)."""
        return self.target if policy == CURRENT else self.reorder.service_level


def read_terms(data_dir: Path, pairs: pl.DataFrame, as_of: dt.date, asked: Asked) -> Terms:
    """Read the terms of series as they were known on a day.

    Args:
        data_dir: The data folder.
        pairs: Columns sku and location.
        as_of: The last known day.
        asked: Terms that go before the tables'.

    Raises:
        MissingInput: If lead time, review days or service level are neither asked nor in a table.
        InvalidField: If a service level of the tables cannot be promised.
    """
    keys, stored = stock_inputs(data_dir, pairs, as_of)
    at = pairs.join(
        keys.with_row_index("row"), on=["sku", "location"], how="left", maintain_order="left"
    )["row"].to_numpy()
    found = dict(zip(STOCK_FIELDS, stored[at].T, strict=True))
    target = found["service_level"].copy()
    values = {one.name: _settled(one.name, one.default, found, asked) for one in INPUTS}
    for name in ("lead_time_days", "review_days", "service_level"):
        if np.isnan(values[name]).any():
            raise MissingInput(name, next(one.table for one in INPUTS if one.name == name))
    if not served(values["service_level"]).all():
        raise InvalidField("policy.service_target", "must be from 0.5 to 0.99 to be simulated")
    stocks = [StockInputs()] * pairs.height
    money, life, assumed = _money(data_dir, pairs, asked)
    return Terms(
        resolve(values, stocks, ReorderMethod.TEXTBOOK).terms, target, life, money, assumed
    )


def draw_lead_times(
    mean: Floats, deviation: Floats, days: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Draw the lead time of an order placed on each day, rounded to whole days.

    Args:
        mean: Days, 0 or more, shape (n,).
        deviation: Standard deviation in days, 0 where the lead time is certain, shape (n,).
        days: Days on which orders may be placed.
        rng: The source of randomness.

    Returns:
        Days, gamma distributed before rounding, shape (days, n); (1, n) where all are certain.
    """
    certain = np.rint(mean).astype(np.int64)
    uncertain = (deviation > 0) & (mean > 0)
    if not uncertain.any():
        return certain[None]
    drawn = np.repeat(certain[None], days, axis=0)
    shape = (mean[uncertain] / deviation[uncertain]) ** 2
    scale = mean[uncertain] / shape
    drawn[:, uncertain] = np.rint(rng.gamma(shape, scale, size=(days, shape.size)))
    return drawn


def _settled(name: str, default: float | None, found: dict[str, Floats], asked: Asked) -> Floats:
    """Return an input as asked, else as the tables say, else by default."""
    size = len(next(iter(found.values())))
    wanted = getattr(asked, name, None)
    if wanted is not None:
        return np.full(size, float(wanted))
    if name == "target_kind":  # policies are compared by the service of a cycle
        return np.full(size, float(TargetKind.CYCLE_SERVICE))
    if name not in found or name in {"on_hand", "on_order", "backorders"}:
        return np.zeros(size)  # the simulation keeps its own stock
    if default is None:
        return found[name]
    return np.where(np.isnan(found[name]), default, found[name])


def _money(
    data_dir: Path, pairs: pl.DataFrame, asked: Asked
) -> tuple[Money | None, Floats, tuple[str, ...]]:
    """Return what things cost, how long they keep, and what was assumed."""
    frame = with_policy(pairs.select("sku", "location"), data_dir, _POLICY)
    frame = frame.join(_products(data_dir), on="sku", how="left", maintain_order="left")
    read = {name: _numbers(frame, name) for name in (*_POLICY, *_PRODUCT)}
    days = read["shelf_life_days"]
    life = np.where(np.isnan(days), np.inf, np.maximum(np.floor(days), 1.0))
    cost = read["unit_cost"]
    if np.isnan(cost).any():
        return None, life, ("no money: `products` does not give the unit_cost of every sku",)
    margin = np.where(np.isnan(read["margin"]), read["price"] - cost, read["margin"])
    silent = np.isnan(read["holding_cost_rate"])
    rate = np.where(silent, asked.holding_cost_rate, read["holding_cost_rate"])
    shortage = np.nan_to_num(read["shortage_cost"]) + np.maximum(np.nan_to_num(margin), 0.0)
    assumed = []
    if silent.any():
        assumed.append(f"holding costs {asked.holding_cost_rate:g} of the unit cost a year")
    if np.isnan(read["shortage_cost"]).any():
        assumed.append("a unit of unmet demand loses its margin and no more")
    money = Money(
        unit_cost=cost,
        ordering_cost=np.nan_to_num(read["ordering_cost"]),
        holding_cost=cost * rate / DAYS_A_YEAR,
        shortage_cost=shortage,
        salvage_value=np.nan_to_num(read["salvage_value"]),
    )
    return money, life, tuple(assumed)


def _products(data_dir: Path) -> pl.DataFrame:
    if not tables.exists(data_dir, "products"):
        return pl.DataFrame(schema={"sku": pl.String})
    frame = tables.read(data_dir, "products")
    return frame.select("sku", *(name for name in _PRODUCT if name in frame.columns)).unique(
        "sku", keep="first"
    )


def _numbers(frame: pl.DataFrame, name: str) -> Floats:
    if name not in frame.columns:
        return np.full(frame.height, np.nan)
    return frame[name].cast(pl.Float64).fill_null(np.nan).to_numpy().copy()
