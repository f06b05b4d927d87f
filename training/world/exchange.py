"""Exchange rates of the suppliers' and locations' currencies to the US dollar."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from training.world.tables import Tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.world.world import World

# US dollars for one unit of the currency on the first day.
OPENING_RATES = {
    "EUR": 1.09,
    "MXN": 0.056,
    "CNY": 0.139,
    "TWD": 0.0315,
    "INR": 0.012,
    "JPY": 0.0067,
}
DAILY_DEVIATION = 0.003


def draw_exchange(history: int, rng: np.random.Generator) -> dict[str, NDArray[np.float64]]:
    """Draw US dollars for one unit of each currency, a random walk of the logarithm.

    Args:
        history: days of history.
        rng: draws the steps.

    Returns:
        Rates of each currency by day, shape (history,) each.
    """
    steps = rng.normal(0.0, DAILY_DEVIATION, size=(len(OPENING_RATES), history))
    opening = np.array(list(OPENING_RATES.values()))[:, np.newaxis]
    rates = np.round(opening * np.exp(np.cumsum(steps, axis=1)), 6)
    return dict(zip(OPENING_RATES, rates, strict=True))


def exchange_tables(world: World, rng: np.random.Generator) -> Tables:
    """Write one rate a day and currency.

    Args:
        world: gives the days of history.
        rng: draws the steps.

    Returns:
        Observed ``exchange_rates``.
    """
    history = world.days.history
    rates = draw_exchange(history, rng)
    observed = pl.DataFrame(
        {
            "date": np.tile(world.days.dates[:history], len(rates)),
            "from_currency": np.repeat(list(rates), history),
            "to_currency": ["USD"] * (history * len(rates)),
            "rate": np.concatenate(list(rates.values())),
        }
    )
    return Tables(observed={"exchange_rates": observed})
