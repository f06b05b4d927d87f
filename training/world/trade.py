"""Trade: prices, demand, stock and sales of one part of the products, and their tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from training.world.campaigns import Promotions, lay_out_promotions
from training.world.demand import Demand, draw_demand, latent_mean, listed
from training.world.prices import Prices, draw_prices
from training.world.stock import (
    StockHistory,
    draw_available_fraction,
    set_rules,
    simulate_stock,
)
from training.world.suppliers import SUPPLIERS
from training.world.tables import Tables
from training.world.world import stream

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.world.world import World

FREIGHT_PER_ORDER = 12.0
FREIGHT_SHARE = 0.03


@dataclass(frozen=True, slots=True)
class Trade:
    """Everything that happened to one part of the products.

    Attributes:
        part: number of the part.
        skus: positions of its products.
        listed: on sale, shape (products, locations, days), over history and the planned days.
        prices: their prices.
        promotions: what campaigns mean for them.
        demand: what was asked for.
        stock: what stock did to it.
        available_fraction: shape (products, locations, days of history).
    """

    part: int
    skus: range
    listed: NDArray[np.bool_]
    prices: Prices
    promotions: Promotions
    demand: Demand
    stock: StockHistory
    available_fraction: NDArray[np.float64]


def draw_trade(world: World, part: int) -> Trade:
    """Draw what happened to one part of the products.

    Args:
        world: the world.
        part: number of the part, 0..parts - 1.

    Returns:
        The trade of its products at every location.
    """
    skus, seed, history = world.part(part), world.seed, world.days.history
    prices = draw_prices(world.products, world.days, skus, stream(seed, "prices", part))
    promotions = lay_out_promotions(world.campaigns, world.days, skus)
    mean = latent_mean(world, skus, prices, promotions, stream(seed, "taste", part))
    demand = draw_demand(world, skus, mean, stream(seed, "demand", part))
    rules = set_rules(world, skus, demand, stream(seed, "stock", part))
    past = demand.units[:, :, :history]
    stock = simulate_stock(past, rules)
    return Trade(
        part=part,
        skus=skus,
        listed=listed(world, skus),
        prices=prices,
        promotions=promotions,
        demand=demand,
        stock=stock,
        available_fraction=draw_available_fraction(past, stock, stream(seed, "moments", part)),
    )


def trade_tables(world: World, trade: Trade) -> Tables:
    """Write the tables of one part of the products.

    Args:
        world: the world.
        trade: what happened to them.

    Returns:
        Observed ``sales``, ``plan``, ``inventory`` and ``purchase_orders``; truth ``demand``,
        ``prices``, ``stockouts`` and ``receipts``.
    """
    history = world.days.history
    rows = _Rows(world, trade, slice(0, history))
    observed = {
        "sales": _sales(world, trade, rows),
        "plan": _plan(world, trade),
        "inventory": rows.frame(
            on_hand=trade.stock.on_hand,
            on_order=trade.stock.on_order,
            backorders=np.zeros_like(trade.stock.on_hand),
        ),
        "purchase_orders": _purchase_orders(world, trade),
    }
    every_day = _Rows(world, trade, slice(0, world.days.drawn))
    demand = every_day.frame(demand=trade.demand.units, latent_mean=trade.demand.mean)
    lost = trade.demand.units[:, :, :history] - trade.stock.sold
    stockouts = rows.frame(available_fraction=trade.available_fraction, lost_units=lost)
    truth = {
        "demand": demand,
        "prices": _price_truth(world, trade),
        "stockouts": stockouts.filter(pl.col("available_fraction") < 1.0),
        "receipts": _receipts(world, trade),
    }
    return Tables(observed=observed, truth=truth)


class _Rows:
    """The rows of a daily table: one per product, location and listed day, in that order."""

    def __init__(self, world: World, trade: Trade, days: slice) -> None:
        self._chosen = trade.listed[:, :, days]
        sku, location, day = np.nonzero(self._chosen)
        names = world.products.names[trade.skus.start : trade.skus.stop]
        self._keys = {
            "date": pl.Series(world.days.dates[days][day]),
            "sku": pl.Series(names, dtype=pl.String).gather(sku),
            "location": pl.Series(world.locations.names, dtype=pl.String).gather(location),
        }

    def frame(self, **values: NDArray[np.float64] | NDArray[np.bool_]) -> pl.DataFrame:
        """Return the keys beside values of shape (products, locations, days)."""
        columns = {name: pl.Series(array[self._chosen]) for name, array in values.items()}
        return pl.DataFrame(self._keys | columns)


def _sales(world: World, trade: Trade, rows: _Rows) -> pl.DataFrame:
    days = slice(0, world.days.history)
    price, discount, promoted = _terms(world, trade, days)
    revenue = np.round(trade.stock.sold * price * (1.0 - discount), 2)
    return rows.frame(
        quantity=trade.stock.sold,
        price=price,
        discount=discount,
        promoted=promoted,
        available_fraction=trade.available_fraction,
        revenue=revenue,
    )


def _plan(world: World, trade: Trade) -> pl.DataFrame:
    days = slice(world.days.history, world.days.drawn)
    price, discount, promoted = _terms(world, trade, days)
    return _Rows(world, trade, days).frame(price=price, discount=discount, promoted=promoted)


def _terms(
    world: World, trade: Trade, days: slice
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    # Regular price, discount and promoted, each of shape (products, locations, days).
    region = world.locations.region_index
    discount = trade.promotions.discount[:, region, days]
    price = np.broadcast_to(trade.prices.regular[:, np.newaxis, days], discount.shape)
    return price, discount, trade.promotions.promoted[:, region, days]


def _order_ids(trade: Trade) -> pl.Series:
    orders = trade.stock.orders
    numbers = pl.DataFrame({"sku": orders.sku}).select(
        sku=pl.lit(trade.skus.start + 1) + pl.col("sku"),
        turn=pl.int_range(1, pl.len() + 1).over("sku"),
    )
    return numbers.select(
        pl.format(
            "PO-{}-{}",
            pl.col("sku").cast(pl.String).str.zfill(5),
            pl.col("turn").cast(pl.String).str.zfill(4),
        ).alias("po_id")
    )["po_id"]


def _purchase_orders(world: World, trade: Trade) -> pl.DataFrame:
    orders, dates = trade.stock.orders, world.days.dates
    sku = trade.skus.start + orders.sku
    quantity = orders.quantity.sum(axis=1)
    shock = trade.prices.cost_shock[orders.sku, orders.placed]
    unit_price = np.round(world.products.unit_cost[sku] * np.exp(shock), 2)
    delivered = dates[0] + orders.delivered
    delivered[orders.delivered >= world.days.history] = np.datetime64("NaT")
    suppliers = np.array([supplier.supplier_id for supplier in SUPPLIERS])
    return pl.DataFrame(
        {
            "po_id": _order_ids(trade),
            "sku": np.array(world.products.names)[sku],
            "supplier_id": suppliers[world.sourcing.supplier[sku]],
            "order_date": dates[orders.placed],
            "promised_date": dates[orders.placed] + world.sourcing.promised_days[sku],
            "delivered_date": delivered,
            "quantity": quantity,
            "unit_price": unit_price,
            "freight_cost": np.round(FREIGHT_PER_ORDER + FREIGHT_SHARE * quantity * unit_price, 2),
        }
    )


def _receipts(world: World, trade: Trade) -> pl.DataFrame:
    # What each order brings to each location, and when: open orders too, whose day is known here.
    orders, names = trade.stock.orders, np.array(world.locations.names)
    order, location = np.nonzero(orders.quantity)
    return pl.DataFrame(
        {
            "po_id": _order_ids(trade).gather(order),
            "sku": np.array(world.products.names)[trade.skus.start + orders.sku[order]],
            "location": names[location],
            "date": world.days.dates[0] + orders.delivered[order],
            "quantity": orders.quantity[order, location],
        }
    )


def _price_truth(world: World, trade: Trade) -> pl.DataFrame:
    count, drawn = trade.prices.regular.shape
    names = world.products.names[trade.skus.start : trade.skus.stop]
    return pl.DataFrame(
        {
            "date": np.tile(world.days.dates[:drawn], count),
            "sku": np.repeat(names, drawn),
            "price": trade.prices.regular.ravel(),
            "cost_shock": trade.prices.cost_shock.ravel(),
        }
    )
