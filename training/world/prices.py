"""Prices: the regular price of every product and day, moved by shocks to its cost.

The shock to cost is the instrument: it moves the price and touches demand in no other way. The
variant whose prices also answer to demand is a data folder of its own, `training.world.endogenous`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from training.world.days import DAYS_PER_YEAR
from training.world.products import PRICE_DECIMALS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.world.days import Days
    from training.world.products import Products

DAYS_BETWEEN_CHANGES = 60
COST_SHOCK_DEVIATION = 0.10
PASS_THROUGH = 0.7


@dataclass(frozen=True, slots=True)
class Prices:
    """Prices of some products over history and the planned days, shape (products, days).

    Attributes:
        regular: price in USD before any discount.
        cost_shock: log of the factor on unit cost.
    """

    regular: NDArray[np.float64]
    cost_shock: NDArray[np.float64]


def draw_prices(products: Products, days: Days, skus: range, rng: np.random.Generator) -> Prices:
    """Draw the cost shocks of some products and the prices that follow them.

    Args:
        products: all products.
        days: the days.
        skus: positions of the products to draw.
        rng: the source of randomness.

    Returns:
        Their prices, each constant for about two months.
    """
    shape = (len(skus), days.drawn)
    changes = rng.random(shape) < 1.0 / DAYS_BETWEEN_CHANGES
    # Costs stand still over the planned days: what is decided is the price, not the market.
    changes[:, days.history :] = False
    levels = rng.normal(0.0, COST_SHOCK_DEVIATION, size=shape)
    shock = np.take_along_axis(levels, np.cumsum(changes, axis=1) - changes[:, :1], axis=1)
    # The price list is revised once a year, so that within each year shocks average to zero:
    # otherwise a product's price path would pass for growth or decline.
    for end in range(days.history, 0, -DAYS_PER_YEAR):
        start = max(0, end - DAYS_PER_YEAR)
        stop = days.drawn if end == days.history else end
        shock[:, start:stop] -= shock[:, start:end].mean(axis=1, keepdims=True)
    base = products.price[skus.start : skus.stop, np.newaxis]
    regular = np.round(base * np.exp(PASS_THROUGH * shock), PRICE_DECIMALS)
    return Prices(regular=regular, cost_shock=shock)
