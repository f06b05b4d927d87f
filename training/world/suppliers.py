"""Suppliers, who buys what from them, and the policy stock is ordered by."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from training.world.sites import PLANTS
from training.world.tables import Tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.world.profiles import Profile
    from training.world.world import World


@dataclass(frozen=True, slots=True)
class Supplier:
    """A supplier and the gamma distribution its lead times in days are drawn from."""

    supplier_id: str
    name: str
    country: str
    lead_time_mean: float
    lead_time_cv: float
    quality_score: float
    price_premium: float

    @property
    def promised_days(self) -> int:
        """The lead time the supplier promises, in days."""
        return math.ceil(self.lead_time_mean * 1.15)


SUPPLIERS = (
    Supplier("SUP-1", "Pearl Delta Trading", "CN", 24.0, 0.30, 0.90, -0.06),
    Supplier("SUP-2", "Formosa Components", "TW", 20.0, 0.22, 0.95, 0.00),
    Supplier("SUP-3", "Rhein Werke", "DE", 9.0, 0.15, 0.98, 0.07),
    Supplier("SUP-4", "Lakeside Supply", "US", 6.0, 0.20, 0.96, 0.05),
    Supplier("SUP-5", "Deccan Exports", "IN", 16.0, 0.35, 0.88, -0.04),
)
SERVICE_TARGETS = (0.90, 0.95, 0.98)
AT_HOME_SHARE = 0.8  # of products made in their supplier's own country


@dataclass(frozen=True, slots=True)
class Sourcing:
    """Who supplies each product and to what service; every array has shape (products,).

    Attributes:
        supplier: position in ``SUPPLIERS``.
        service_target: share of replenishment cycles without a stock-out, 0..1.
        plant: position in ``PLANTS`` of the plant that makes it.
    """

    supplier: NDArray[np.int64]
    service_target: NDArray[np.float64]
    plant: NDArray[np.int64]

    @property
    def lead_time_mean(self) -> NDArray[np.float64]:
        """Mean lead time in days, shape (products,)."""
        return np.array([supplier.lead_time_mean for supplier in SUPPLIERS])[self.supplier]

    @property
    def lead_time_deviation(self) -> NDArray[np.float64]:
        """Standard deviation of the lead time in days, shape (products,)."""
        cv = np.array([supplier.lead_time_cv for supplier in SUPPLIERS])[self.supplier]
        return np.asarray(self.lead_time_mean * cv)

    @property
    def promised_days(self) -> NDArray[np.int64]:
        """Promised lead time in days, shape (products,)."""
        return np.array([supplier.promised_days for supplier in SUPPLIERS])[self.supplier]


def draw_sourcing(profile: Profile, rng: np.random.Generator) -> Sourcing:
    """Give every product a supplier and a service target.

    Args:
        profile: gives the number of products.
        rng: the source of randomness.

    Returns:
        The sourcing.
    """
    supplier = rng.choice(len(SUPPLIERS), size=profile.skus, p=[0.2, 0.2, 0.2, 0.25, 0.15])
    return Sourcing(
        supplier=supplier,
        service_target=rng.choice(SERVICE_TARGETS, size=profile.skus, p=[0.3, 0.5, 0.2]),
        plant=_draw_plants(supplier, rng),
    )


def _draw_plants(supplier: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Give every product a plant, mostly of its supplier's own country."""
    countries = np.array([plant.country for plant in PLANTS])
    chosen = rng.integers(0, len(PLANTS), size=supplier.size)
    at_home = rng.random(supplier.size) < AT_HOME_SHARE
    for place, each in enumerate(SUPPLIERS):
        own = np.flatnonzero(countries == each.country)
        here = at_home & (supplier == place)
        chosen[here] = own[rng.integers(0, own.size, size=int(here.sum()))]
    return chosen


def draw_lead_times(
    mean: NDArray[np.float64], deviation: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.int64]:
    """Draw lead times in whole days.

    Args:
        mean: days, > 0.
        deviation: days, > 0, of a shape that broadcasts with ``mean``.
        rng: the source of randomness.

    Returns:
        Days, >= 1, gamma distributed before rounding.
    """
    shape = np.square(mean / deviation)
    return np.maximum(1, np.rint(rng.gamma(shape, mean / shape))).astype(np.int64)


def supplier_tables(world: World, rng: np.random.Generator) -> Tables:
    """Write suppliers, sourcing and policy, and the lead-time distributions behind them.

    Args:
        world: the world.
        rng: draws the record of deliveries on time, and ordering and holding costs.

    Returns:
        Observed ``suppliers``, ``sourcing`` and ``policy``; truth ``lead_times``.
    """
    on_time = [_on_time_rate(supplier, rng) for supplier in SUPPLIERS]
    columns = ("supplier_id", "name", "country", "quality_score", "price_premium")
    suppliers = pl.DataFrame(
        {column: [getattr(s, column) for s in SUPPLIERS] for column in columns}
        | {
            "on_time_rate": on_time,
            "lead_time_days": [float(supplier.promised_days) for supplier in SUPPLIERS],
        }
    )
    lead_times = pl.DataFrame(
        {
            "supplier_id": [supplier.supplier_id for supplier in SUPPLIERS],
            "distribution": ["gamma, rounded to days, at least 1"] * len(SUPPLIERS),
            "mean_days": [supplier.lead_time_mean for supplier in SUPPLIERS],
            "deviation_days": [s.lead_time_mean * s.lead_time_cv for s in SUPPLIERS],
        }
    )
    observed = {
        "suppliers": suppliers,
        "sourcing": _sourcing_table(world),
        "policy": _policy_table(world, rng),
    }
    return Tables(observed=observed, truth={"lead_times": lead_times})


def _on_time_rate(supplier: Supplier, rng: np.random.Generator) -> float:
    mean = np.full(500, supplier.lead_time_mean)
    drawn = draw_lead_times(mean, mean * supplier.lead_time_cv, rng)
    return round(float((drawn <= supplier.promised_days).mean()), 3)


def _sourcing_table(world: World) -> pl.DataFrame:
    chosen = [SUPPLIERS[row] for row in world.sourcing.supplier]
    count = len(chosen)
    return pl.DataFrame(
        {
            "sku": world.products.names,
            "supplier_id": [supplier.supplier_id for supplier in chosen],
            "plant_id": [PLANTS[place].plant_id for place in world.sourcing.plant],
            "share": np.ones(count),
            "lead_time_days": world.sourcing.promised_days.astype(np.float64),
            "unit_price": world.products.unit_cost,
            "currency_code": ["USD"] * count,
            "preferred": np.ones(count, dtype=np.bool_),
        }
    )


def _policy_table(world: World, rng: np.random.Generator) -> pl.DataFrame:
    count = len(world.products.names)
    return pl.DataFrame(
        {
            "sku": world.products.names,
            "ordering_cost": rng.choice([25.0, 40.0, 60.0], size=count),
            "holding_cost_rate": np.round(rng.uniform(0.18, 0.30, size=count), 2),
            "service_target": world.sourcing.service_target,
            "review_days": world.products.review_days.astype(np.float64),
        }
    )
