"""Exchange rates of the suppliers' and locations' currencies to the US dollar."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from training.world.tables import Tables

if TYPE_CHECKING:
    from training.world.world import World

# US dollars for one unit of the currency on the first day.
OPENING_RATES = {"EUR": 1.09, "MXN": 0.056, "CNY": 0.139, "TWD": 0.0315, "INR": 0.012}
DAILY_DEVIATION = 0.003


def exchange_tables(world: World, rng: np.random.Generator) -> Tables:
    """Write one rate a day and currency, a random walk of the logarithm.

    Args:
        world: gives the days of history.
        rng: draws the steps.

    Returns:
        Observed ``exchange_rates``.
    """
    history = world.days.history
    steps = rng.normal(0.0, DAILY_DEVIATION, size=(len(OPENING_RATES), history))
    opening = np.array(list(OPENING_RATES.values()))[:, np.newaxis]
    rates = np.round(opening * np.exp(np.cumsum(steps, axis=1)), 6)
    observed = pl.DataFrame(
        {
            "date": np.tile(world.days.dates[:history], len(OPENING_RATES)),
            "from_currency": np.repeat(list(OPENING_RATES), history),
            "to_currency": ["USD"] * rates.size,
            "rate": rates.ravel(),
        }
    )
    return Tables(observed={"exchange_rates": observed})
