"""Everything that makes tables, in one list.

A table is added by writing one function and listing it here. Each maker draws from a stream of its
own, named in the list, so no other table changes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from training.world.actions import action_tables
from training.world.campaigns import campaign_tables
from training.world.costs import cost_tables
from training.world.days import calendar_tables
from training.world.endogenous import endogenous_tables
from training.world.exchange import exchange_tables
from training.world.locations import location_tables
from training.world.products import product_tables
from training.world.suppliers import supplier_tables
from training.world.trouble import trade_tables_with_trouble
from training.world.weather import weather_tables

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from training.world.tables import Tables
    from training.world.trade import Trade
    from training.world.world import World

# Called once with the world and a stream of random numbers.
MAKERS: tuple[tuple[str, Callable[[World, np.random.Generator], Tables]], ...] = (
    ("calendar", calendar_tables),
    ("locations", location_tables),
    ("products", product_tables),
    ("suppliers", supplier_tables),
    ("weather", weather_tables),
    ("campaigns", campaign_tables),
    ("exchange", exchange_tables),
    ("costs", cost_tables),
    ("endogenous", endogenous_tables),
    ("actions", action_tables),
)

# Called once for each part of the products, with what happened to it.
TRADE_MAKERS: tuple[Callable[[World, Trade], Tables], ...] = (trade_tables_with_trouble,)
