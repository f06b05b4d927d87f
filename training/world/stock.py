"""Stock: a periodic-review, order-up-to process that turns true demand into sales.

Goods arrive in the morning, demand meets what is there, unmet demand is lost, and on review days
each product is ordered for all its locations together, in whole packs.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from training.world.demand import demand_variance
from training.world.products import minimum_order
from training.world.suppliers import draw_lead_times

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.world.demand import Demand
    from training.world.world import World

# The merchant's forecast misses by this much (deviation of its log), anew every four weeks.
FORECAST_ERROR = 0.20
FORECAST_DAYS = 28
# Merchants keep less safety stock than their service target asks for.
SAFETY_FACTOR = 0.7


@dataclass(frozen=True, slots=True)
class Rules:
    """How some products are ordered.

    Attributes:
        target: order-up-to level in units, shape (days, products, locations).
        reviewed: whether a product may be ordered that day, shape (days, products).
        lead_time: days an order placed that day takes, shape (days, products).
        pack_size: units, shape (products,).
        minimum_order: units of one order over all locations, shape (products,).
        launch_day: day index, shape (products,).
    """

    target: NDArray[np.float64]
    reviewed: NDArray[np.bool_]
    lead_time: NDArray[np.int64]
    pack_size: NDArray[np.int64]
    minimum_order: NDArray[np.int64]
    launch_day: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Orders:
    """Purchase orders of some products, in the order they were placed.

    Attributes:
        sku: position of the product among those simulated, shape (orders,).
        placed: day index, shape (orders,).
        delivered: day index, may lie beyond the last day, shape (orders,).
        quantity: units for each location, shape (orders, locations).
    """

    sku: NDArray[np.int64]
    placed: NDArray[np.int64]
    delivered: NDArray[np.int64]
    quantity: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class StockHistory:
    """What stock did to demand; arrays of shape (products, locations, days of history), in units.

    Attributes:
        sold: sales.
        on_hand: at the end of the day.
        on_order: at the end of the day.
        orders: the purchase orders.
    """

    sold: NDArray[np.float64]
    on_hand: NDArray[np.float64]
    on_order: NDArray[np.float64]
    orders: Orders


def set_rules(world: World, skus: range, demand: Demand, rng: np.random.Generator) -> Rules:
    """Set order-up-to levels from the merchant's forecast of the time each order must cover.

    Args:
        world: the world.
        skus: positions of the products.
        demand: their demand.
        rng: draws forecast errors, review days and lead times.

    Returns:
        The rules.
    """
    part, history = slice(skus.start, skus.stop), world.days.history
    review, sourcing = world.products.review_days[part], world.sourcing
    lead_mean = sourcing.lead_time_mean[part]
    lead_deviation = sourcing.lead_time_deviation[part]
    cover = np.ceil(lead_mean).astype(np.int64) + review
    rate = _forecast_rate(demand.mean, cover, history)
    blocks = history // FORECAST_DAYS + 1
    error = np.exp(rng.normal(0.0, FORECAST_ERROR, size=(*rate.shape[:2], blocks)))
    rate *= np.repeat(error, FORECAST_DAYS, axis=2)[:, :, :history]
    z = np.array([NormalDist().inv_cdf(target) for target in sourcing.service_target[part]])
    over_cover = cover[:, np.newaxis, np.newaxis]
    variance = over_cover * demand_variance(world, skus, rate)
    variance += np.square(rate * lead_deviation[:, np.newaxis, np.newaxis])
    target = rate * over_cover + SAFETY_FACTOR * z[:, np.newaxis, np.newaxis] * np.sqrt(variance)
    phase = rng.integers(0, review)
    days = np.arange(history)[:, np.newaxis]
    return Rules(
        target=np.ceil(np.moveaxis(target, 2, 0)),
        reviewed=(days + phase) % review == 0,
        lead_time=draw_lead_times(
            np.broadcast_to(lead_mean, (history, len(skus))), lead_deviation, rng
        ),
        pack_size=world.products.pack_size[part],
        minimum_order=minimum_order(world.products)[part],
        launch_day=world.products.launch_day[part],
    )


def _forecast_rate(
    mean: NDArray[np.float64], cover: NDArray[np.int64], history: int
) -> NDArray[np.float64]:
    # Mean demand a day over the days an order placed today must cover, shape (.., .., history).
    # Near the end of what is drawn, over the days that are left.
    drawn = mean.shape[2]
    until = np.zeros((*mean.shape[:2], drawn + 1))
    np.cumsum(mean, axis=2, out=until[:, :, 1:])
    rate = np.empty((*mean.shape[:2], history))
    today = np.arange(1, history + 1)
    for row, days in enumerate(cover.tolist()):
        end = np.minimum(today + days, drawn)
        rate[row] = (until[row][:, end] - until[row][:, today]) / (end - today)
    return rate


def simulate_stock(demand: NDArray[np.float64], rules: Rules) -> StockHistory:
    """Run the order process day by day over all products and locations at once.

    Args:
        demand: units, shape (products, locations, days of history).
        rules: how the products are ordered.

    Returns:
        Sales, stock and orders. Stock opens at the order-up-to level on the first day, or at
        launch.
    """
    products, locations, history = demand.shape
    # Day-major, so that each step of the loop reads and writes contiguous memory.
    asked = np.ascontiguousarray(np.moveaxis(demand, 2, 0))
    sold, on_hand, on_order = np.empty_like(asked), np.empty_like(asked), np.empty_like(asked)
    arrivals = np.zeros((history + int(rules.lead_time.max()) + 1, products, locations))
    stock = np.zeros((products, locations))
    pipeline = np.zeros((products, locations))
    placed: list[Orders] = []
    for day in range(history):
        opening = rules.launch_day == day
        stock[opening] = rules.target[day, opening]
        stock += arrivals[day]
        pipeline -= arrivals[day]
        np.minimum(stock, asked[day], out=sold[day])
        stock -= sold[day]
        orders = _order(day, stock + pipeline, rules)
        if len(orders.sku):
            pipeline[orders.sku] += orders.quantity
            # A product is ordered once a day at most, so no index repeats.
            arrivals[orders.delivered, orders.sku] += orders.quantity
            placed.append(orders)
        on_hand[day], on_order[day] = stock, pipeline
    return StockHistory(
        sold=np.ascontiguousarray(np.moveaxis(sold, 0, 2)),
        on_hand=np.ascontiguousarray(np.moveaxis(on_hand, 0, 2)),
        on_order=np.ascontiguousarray(np.moveaxis(on_order, 0, 2)),
        orders=_join(placed, locations),
    )


def _order(day: int, position: NDArray[np.float64], rules: Rules) -> Orders:
    sku = np.flatnonzero(rules.reviewed[day] & (rules.launch_day <= day))
    pack = rules.pack_size[sku, np.newaxis]
    missing = np.maximum(rules.target[day, sku] - position[sku], 0.0)
    # Half a pack short is rounded up: rounding always up would hide most stock-outs.
    quantity = np.floor(missing / pack + 0.5) * pack
    total = quantity.sum(axis=1)
    large = (total > 0.0) & (total >= rules.minimum_order[sku])
    sku = sku[large]
    return Orders(
        sku=sku,
        placed=np.full(len(sku), day),
        delivered=day + rules.lead_time[day, sku],
        quantity=quantity[large],
    )


def _join(placed: list[Orders], locations: int) -> Orders:
    if not placed:
        none = np.zeros(0, dtype=np.int64)
        return Orders(none, none, none, np.zeros((0, locations)))
    return Orders(
        sku=np.concatenate([orders.sku for orders in placed]),
        placed=np.concatenate([orders.placed for orders in placed]),
        delivered=np.concatenate([orders.delivered for orders in placed]),
        quantity=np.concatenate([orders.quantity for orders in placed]),
    )


def draw_available_fraction(
    demand: NDArray[np.float64], stock: StockHistory, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Draw the share of opening hours a product was in stock.

    Args:
        demand: units asked for, shape (products, locations, days).
        stock: what stock did to that demand.
        rng: the source of randomness.

    Returns:
        1 where something was left at the end of the day; else the moment the last unit went, when
        customers come at random moments: the sold-th of demand uniform order statistics. 0 where
        there was nothing to sell.

    Source: order statistics of the uniform distribution are beta distributed, David and Nagaraja,
    Order Statistics (2003), section 2.3.
    """
    fraction = np.ones(demand.shape)
    empty = stock.on_hand == 0.0
    sold, asked = stock.sold[empty], demand[empty]
    moment = np.zeros(sold.shape)
    some = sold > 0.0
    moment[some] = rng.beta(sold[some], asked[some] - sold[some] + 1.0)
    # Rounding must not turn an empty shelf into a full day.
    fraction[empty] = np.minimum(np.round(moment, 3), 0.999)
    return fraction
