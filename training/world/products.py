"""Products: what is sold, how much of it, and how it answers to price and season.

Volumes are the quantiles of one lognormal distribution dealt out at random, not independent draws,
so that even two hundred products have the concentration a world promises.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from training.world.tables import Tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.world.profiles import Profile
    from training.world.world import World

GROWTH = 1.15
DECLINE = 0.90
DECLINING_CATEGORY = "printing"


@dataclass(frozen=True, slots=True)
class Category:
    """A category: sub-categories, median price in USD, shelf life and response to warm weather.

    ``warmth`` is the change of log demand per 10 degrees Celsius above normal.
    """

    name: str
    sub_categories: tuple[str, ...]
    median_price: float
    shelf_life_days: int | None = None
    warmth: float = 0.0


CATEGORIES = (
    Category("beverages", ("water", "juice", "coffee"), 4.0, 270, 0.10),
    Category("snacks", ("savoury", "sweet"), 3.5, 180),
    Category("household", ("cleaning", "kitchen", "laundry"), 8.0),
    Category("personal care", ("hair", "skin"), 9.0, 720),
    Category("garden", ("tools", "plants"), 18.0, None, 0.15),
    Category("apparel", ("basics", "outdoor", "footwear"), 25.0, None, -0.05),
    Category("electronics", ("audio", "cables", "batteries"), 40.0),
    Category("printing", ("ink", "paper"), 15.0),
)
BRANDS = ("Aldra", "Brenn", "Corvo", "Dunmere", "Estova", "Fjordal", "Galio", "Hestia")

# Median demand per day of a product at a location of average size, and the spread of its log:
# share of the top 12 % = Phi(spread - 1.175) = 0.80 gives 2.02, a little more with few products.
MEDIAN_VOLUME = 20.0
VOLUME_SPREAD = 2.08

# Slow movers sell on few days, and then a handful.
SLOW_MOVER_PERCENTILE = 0.295
SLOW_MOVER_FACTOR = 0.3

# Share of days on which anybody asks for the product at all, by volume percentile.
OCCURRENCE_PERCENTILES = (0.0, SLOW_MOVER_PERCENTILE, 0.30, 0.50, 0.85, 1.0)
OCCURRENCE_SHARES = (0.03, 0.08, 0.78, 0.90, 0.95, 1.0)

PRICE_DECIMALS = 2
LAUNCHED_SHARE = 0.08
LAUNCH_MARGIN_DAYS = 30
LAUNCH_PERCENTILE = 0.7


@dataclass(frozen=True, slots=True)
class Products:
    """The products of a world, in the order of their names; every array has shape (products,).

    Attributes:
        names: the sku codes.
        category: position in ``CATEGORIES``.
        seasonal: twice as seasonal as the others.
        annual_strength: factor on the annual wave, averages 1.
        volume: demand per day at a location of average size, before every effect.
        occurrence: share of days on which anybody asks for it, 0..1.
        dispersion: size parameter k of the negative binomial, > 0; variance = m + m^2 / k.
        growth: factor on demand per year.
        elasticity: d log demand / d log price, -3.5..-0.5.
        price: regular price in USD before any cost shock.
        unit_cost: cost in USD before any cost shock.
        launch_day: index of the first day it is sold; 0 where it was sold before history.
        pack_size: units in a pack.
        review_days: days between two chances to order.
        weight_kg: kilograms of a unit as shipped.
    """

    names: tuple[str, ...]
    category: NDArray[np.int64]
    seasonal: NDArray[np.bool_]
    annual_strength: NDArray[np.float64]
    volume: NDArray[np.float64]
    occurrence: NDArray[np.float64]
    dispersion: NDArray[np.float64]
    growth: NDArray[np.float64]
    elasticity: NDArray[np.float64]
    price: NDArray[np.float64]
    unit_cost: NDArray[np.float64]
    launch_day: NDArray[np.int64]
    pack_size: NDArray[np.int64]
    review_days: NDArray[np.int64]
    weight_kg: NDArray[np.float64]

    @property
    def declining(self) -> NDArray[np.bool_]:
        """Products of the category that shrinks, shape (products,)."""
        return self.growth < 1.0


def draw_products(profile: Profile, rng: np.random.Generator) -> Products:
    """Draw the products of a profile.

    Args:
        profile: gives their number.
        rng: the source of randomness.

    Returns:
        The products.
    """
    count = profile.skus
    rank = rng.permutation(count)
    percentile = (rank + 0.5) / count
    normal = NormalDist()
    quantiles = np.array([normal.inv_cdf((place + 0.5) / count) for place in range(count)])
    volume = MEDIAN_VOLUME * np.exp(VOLUME_SPREAD * quantiles[rank])
    volume = np.where(percentile < SLOW_MOVER_PERCENTILE, SLOW_MOVER_FACTOR * volume, volume)
    category = _deal(rank, len(CATEGORIES), rng)
    seasonal = _deal(rank, 4, rng) == 0
    declining = np.array([c.name == DECLINING_CATEGORY for c in CATEGORIES])[category]
    median_price = np.array([c.median_price for c in CATEGORIES])[category]
    price = np.round(median_price * np.exp(0.4 * rng.standard_normal(count)), PRICE_DECIMALS)
    review_days = rng.choice([7, 14], size=count, p=[0.7, 0.3])
    return Products(
        names=tuple(f"SKU-{number:05d}" for number in range(1, count + 1)),
        category=category,
        seasonal=seasonal,
        # 1 in 4 at 1.6 and 3 in 4 at 0.8: the average stays 1.
        annual_strength=np.where(seasonal, 1.6, 0.8),
        volume=volume,
        occurrence=np.interp(percentile, OCCURRENCE_PERCENTILES, OCCURRENCE_SHARES),
        dispersion=rng.uniform(15.0, 50.0, size=count),
        growth=np.where(declining, DECLINE, GROWTH),
        elasticity=-0.5 - 3.0 * rng.beta(2.0, 3.0, size=count),
        price=price,
        unit_cost=np.round(price * rng.uniform(0.45, 0.70, size=count), PRICE_DECIMALS),
        launch_day=_draw_launch_days(profile, percentile, rng),
        pack_size=_pack_sizes(volume * review_days),
        review_days=review_days,
        weight_kg=np.round(0.05 + rng.gamma(2.0, 0.6, size=count), 2),
    )


def _deal(rank: NDArray[np.int64], hands: int, rng: np.random.Generator) -> NDArray[np.int64]:
    # Every run of `hands` neighbours in volume is dealt one to each hand, so hands sell alike.
    runs = -(-len(rank) // hands)
    dealt = np.concatenate([rng.permutation(hands) for _ in range(runs)])
    return np.asarray(dealt[rank], dtype=np.int64)


def _draw_launch_days(
    profile: Profile, percentile: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.int64]:
    first, last = LAUNCH_MARGIN_DAYS, profile.days - LAUNCH_MARGIN_DAYS
    drawn = rng.integers(first, max(last, first + 1), size=profile.skus)
    # No best-seller is new: a late best-seller would pass for growth.
    launched = rng.random(profile.skus) < LAUNCHED_SHARE / LAUNCH_PERCENTILE
    launched &= percentile < LAUNCH_PERCENTILE
    return np.where(launched & (last > first), drawn, 0)


def _pack_sizes(per_review: NDArray[np.float64]) -> NDArray[np.int64]:
    sizes = np.array([1, 6, 12, 24, 48])
    # A pack is at most about half of what sells between two orders.
    return np.asarray(sizes[np.searchsorted(sizes[1:], per_review / 2.0, side="right")])


def product_tables(world: World, rng: np.random.Generator) -> Tables:
    """Write the products, and beside them what drives their demand.

    Args:
        world: the world.
        rng: draws brands, weights and old launch dates.

    Returns:
        Observed ``products``; truth ``product_effects`` with the parameters of demand and
        ``elasticities``. ``endogenous`` is false: prices follow cost shocks and nothing else.
    """
    products = world.products
    count = len(products.names)
    categories = [CATEGORIES[row] for row in products.category]
    pick = rng.integers(0, 1_000, size=count)
    before = rng.integers(100, 2_500, size=count)
    offsets = np.where(products.launch_day > 0, products.launch_day, -before)
    observed = pl.DataFrame(
        {
            "sku": products.names,
            "category": [category.name for category in categories],
            "sub_category": [
                category.sub_categories[int(number) % len(category.sub_categories)]
                for category, number in zip(categories, pick, strict=True)
            ],
            "brand": [BRANDS[row] for row in rng.integers(0, len(BRANDS), size=count)],
            "price": products.price,
            "unit_cost": products.unit_cost,
            "weight_kg": products.weight_kg,
            "seasonal": products.seasonal,
            "launch_date": [world.profile.first_day + dt.timedelta(int(day)) for day in offsets],
            "shelf_life_days": [category.shelf_life_days for category in categories],
            "pack_size": products.pack_size,
            "minimum_order_quantity": minimum_order(products),
        }
    )
    effects = pl.DataFrame(
        {
            "sku": products.names,
            "volume": products.volume,
            "occurrence": products.occurrence,
            "dispersion": products.dispersion,
            "growth": products.growth,
            "annual_strength": products.annual_strength,
            "warmth": [category.warmth for category in categories],
        }
    )
    elasticities = pl.DataFrame(
        {
            "sku": products.names,
            "elasticity": products.elasticity,
            "endogenous": np.zeros(count, dtype=np.bool_),
        }
    )
    truth = {"product_effects": effects, "elasticities": elasticities}
    return Tables(observed={"products": observed}, truth=truth)


def minimum_order(products: Products) -> NDArray[np.int64]:
    """Return the least units one purchase order may hold.

    Args:
        products: the products.

    Returns:
        Whole packs, about a third of what one location sells between two orders, so that a single
        location's order meets it, shape (products,).
    """
    between_orders = products.volume * products.review_days
    packs = np.maximum(1, np.floor(between_orders / 3.0 / products.pack_size))
    return np.asarray(packs * products.pack_size, dtype=np.int64)
