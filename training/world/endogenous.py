"""Prices that answer to demand: a small data folder on which least squares is biased.

Sellers see a part of what moves demand and raise the price with it, so that price and demand rise
together and demand looks less elastic than it is. The cost shock moves the price and touches demand
in no other way: it is the instrument, seen as the unit cost of the week.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from training.world.profiles import LAST_DAY
from training.world.sites import PLANTS
from training.world.tables import Tables

if TYPE_CHECKING:
    from training.world.world import World

PRODUCTS = 40
WEEKS = 156
ELASTICITIES = (-3.5, -0.5)
COST_DEVIATION, DEMAND_DEVIATION, NOISE = 0.12, 0.20, 0.05
PASS_THROUGH = 0.7
PRICE_ON_DEMAND = 0.5  # of a demand shock that sellers add to the log of the price
MEDIAN_UNITS = 2_000.0
PRICE, COST = 20.0, 12.0
WEEK = 7


def endogenous_tables(world: World, rng: np.random.Generator) -> Tables:
    """Write weekly sales whose prices answer to demand, and the unit costs that instrument them.

    Args:
        world: gives nothing but its place; the folder is the same for every profile.
        rng: draws shocks and elasticities.

    Returns:
        Observed ``endogenous/sales`` and ``endogenous/cost_transactions``; truth
        ``endogenous/elasticities``.
    """
    del world
    elasticity = np.sort(rng.uniform(*ELASTICITIES, size=PRODUCTS))
    shape = (PRODUCTS, WEEKS)
    cost = rng.normal(0.0, COST_DEVIATION, size=shape)
    demand = rng.normal(0.0, DEMAND_DEVIATION, size=shape)
    log_price = PASS_THROUGH * cost + PRICE_ON_DEMAND * demand
    log_units = elasticity[:, None] * log_price + demand + rng.normal(0.0, NOISE, size=shape)
    names = [f"END-{number:03d}" for number in range(1, PRODUCTS + 1)]
    days = [LAST_DAY - dt.timedelta(WEEK * back) for back in range(WEEKS - 1, -1, -1)]
    sku, date = np.repeat(names, WEEKS), days * PRODUCTS
    units = np.round(MEDIAN_UNITS * np.exp(log_units)).ravel()
    sales = pl.DataFrame(
        {
            "date": date,
            "sku": sku,
            "location": ["ALL"] * sku.size,
            "quantity": units,
            "price": np.round(PRICE * np.exp(log_price), 4).ravel(),
        }
    )
    costs = pl.DataFrame(
        {
            "date": date,
            "sku": sku,
            "plant_id": [PLANTS[0].plant_id] * sku.size,
            "total_unit_cost": np.round(COST * np.exp(cost), 4).ravel(),
            "volume": units,
        }
    )
    truth = pl.DataFrame(
        {"sku": names, "elasticity": elasticity, "endogenous": np.ones(PRODUCTS, dtype=np.bool_)}
    )
    return Tables(
        observed={"endogenous/sales": sales, "endogenous/cost_transactions": costs},
        truth={"endogenous/elasticities": truth},
    )
