"""Plants, commodities, freight and duties: the rates every cost of a world is made of."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from training.world.exchange import draw_exchange
from training.world.profiles import LAST_DAY
from training.world.sites import PLANTS
from training.world.world import stream

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.world.world import World

    Floats = NDArray[np.float64]


# USD per kilogram on the first day, and the deviation of a day's change of its log.
COMMODITIES = {
    "steel": (0.75, 0.008),
    "copper": (9.0, 0.012),
    "resin": (1.3, 0.007),
    "aluminium": (2.4, 0.010),
    "silicon": (2.9, 0.009),
}
HOME = "US"
# Duty on goods to the home country before and after it was last changed, by origin.
DUTIES = {
    "CN": (0.15, 0.20),
    "TW": (0.04, 0.05),
    "DE": (0.025, 0.03),
    "MX": (0.0, 0.01),
    "IN": (0.06, 0.08),
    "JP": (0.02, 0.025),
}
FREIGHT = {"CN": 0.09, "TW": 0.085, "DE": 0.07, "US": 0.02, "MX": 0.03, "IN": 0.10, "JP": 0.08}
DUTY_CHANGED_DAYS_AGO = 400
LABOR_RANGE, OVERHEAD_RANGE, FREIGHT_RANGE = 0.05, 0.08, 0.15


@dataclass(frozen=True, slots=True)
class Rates:
    """Rates by day of history, in USD.

    Attributes:
        commodities: Price per kilogram, shape (commodities, days).
        labor: Money per hour of each plant, shape (plants, days).
        duty: Duty on goods of each plant, shape (plants, days).
        freight: Freight per kilogram from each plant, shape (plants,).
        overhead: Overhead per money of labor of each plant, shape (plants,).
        exchange: USD for one unit of the currency of each plant, shape (plants, days).
    """

    commodities: Floats
    labor: Floats
    duty: Floats
    freight: Floats
    overhead: Floats
    exchange: Floats


def lay_out_rates(world: World) -> Rates:
    """Return all rates of a world by day; each call returns the same."""
    history = world.days.history
    rng = stream(world.seed, "shared commodities")
    openings, deviations = np.array(list(COMMODITIES.values())).T
    steps = rng.normal(0.0, 1.0, size=(len(COMMODITIES), history)) * deviations[:, None]
    commodities = np.round(openings[:, None] * np.exp(np.cumsum(steps, axis=1)), 4)
    exchange = draw_exchange(history, stream(world.seed, "tables exchange"))
    to_usd = {"USD": np.ones(history), **exchange}
    changed = max(0, history - DUTY_CHANGED_DAYS_AGO)
    duty = np.zeros((len(PLANTS), history))
    for place, plant in enumerate(PLANTS):
        before, after = DUTIES.get(plant.country, (0.0, 0.0))
        duty[place, :changed], duty[place, changed:] = before, after
    per_plant = np.stack([to_usd[plant.currency] for plant in PLANTS])
    return Rates(
        commodities=commodities,
        labor=np.array([[plant.labor_rate] for plant in PLANTS]) * per_plant,
        duty=duty,
        freight=np.array([FREIGHT[plant.country] for plant in PLANTS]),
        overhead=np.array([plant.overhead_rate for plant in PLANTS]),
        exchange=per_plant,
    )


def rate_tables(world: World, rates: Rates) -> dict[str, pl.DataFrame]:
    """Return the observed tables of plants, commodity prices, tariffs and freight rates."""
    history = world.days.history
    plants = pl.DataFrame(
        {
            "plant_id": [plant.plant_id for plant in PLANTS],
            "country": [plant.country for plant in PLANTS],
            "region": [plant.region for plant in PLANTS],
            "labor_rate_hourly": [plant.labor_rate for plant in PLANTS],
            "overhead_rate": [plant.overhead_rate for plant in PLANTS],
            "capacity_utilization": np.round(
                stream(world.seed, "plant load").uniform(0.6, 0.95, size=len(PLANTS)), 2
            ),
            "currency_code": [plant.currency for plant in PLANTS],
            "labor_rate_range": [LABOR_RANGE] * len(PLANTS),
            "overhead_rate_range": [OVERHEAD_RANGE] * len(PLANTS),
        }
    )
    prices = pl.DataFrame(
        {
            "date": np.tile(world.days.dates[:history], len(COMMODITIES)),
            "commodity": np.repeat(list(COMMODITIES), history),
            "price": rates.commodities.ravel(),
            "currency": ["USD"] * rates.commodities.size,
        }
    )
    first = world.profile.first_day
    return {
        "plants": plants,
        "commodity_prices": prices,
        "tariffs": _tariff_table(first),
        "freight_rates": pl.DataFrame(
            {
                "origin_country": list(FREIGHT),
                "destination_country": [HOME] * len(FREIGHT),
                "rate_per_kg": list(FREIGHT.values()),
                "valid_from": [first] * len(FREIGHT),
                "rate_range": [FREIGHT_RANGE] * len(FREIGHT),
                "currency_code": ["USD"] * len(FREIGHT),
            }
        ),
    }


def _tariff_table(first: dt.date) -> pl.DataFrame:
    """Return duties with the days they held; the older ones only where history reaches back."""
    changed = LAST_DAY - dt.timedelta(DUTY_CHANGED_DAYS_AGO - 1)
    rows: list[tuple[str, str, float, dt.date, dt.date | None]] = []
    for origin, (before, after) in DUTIES.items():
        if first < changed:
            rows.append((origin, HOME, before, first, changed - dt.timedelta(1)))
        rows.append((origin, HOME, after, max(first, changed), None))
    names = ("origin_country", "destination_country", "rate", "valid_from", "valid_to")
    kinds = (pl.String, pl.String, pl.Float64, pl.Date, pl.Date)
    return pl.DataFrame(rows, schema=dict(zip(names, kinds, strict=True)), orient="row")
