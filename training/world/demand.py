"""True demand: the latent mean of every product, location and day, and a draw around it.

The mean is a product of factors: volume, growth, annual season, kind of day, weather, price and
campaign. The draw is negative binomial, and on some days nobody asks at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from training.world.days import DAYS_PER_YEAR
from training.world.products import CATEGORIES
from training.world.weather import EXTREME_FACTOR

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.world.campaigns import Promotions
    from training.world.prices import Prices
    from training.world.world import World

LOCAL_TASTE = 0.15


@dataclass(frozen=True, slots=True)
class Demand:
    """Demand of some products, shape (products, locations, days), over history and planned days.

    Attributes:
        mean: latent mean in units a day; 0 before launch.
        units: what would sell if stock never ran out.
    """

    mean: NDArray[np.float64]
    units: NDArray[np.float64]


def latent_mean(
    world: World, skus: range, prices: Prices, promotions: Promotions, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Compute the latent mean of demand.

    Args:
        world: the world.
        skus: positions of the products.
        prices: their prices.
        promotions: their promotions.
        rng: draws how each location's taste departs from its size.

    Returns:
        Units a day, >= 0, shape (products, locations, days); 0 before launch.
    """
    part = slice(skus.start, skus.stop)
    products, locations, drawn = world.products, world.locations, world.days.drawn
    taste = rng.normal(0.0, LOCAL_TASTE, size=(len(skus), len(locations.names)))
    level = np.log(products.volume[part, np.newaxis] * locations.size) + taste
    years = np.arange(drawn) / DAYS_PER_YEAR
    growth = np.log(products.growth[part, np.newaxis]) * (years - years[world.days.history // 2])
    strength = products.annual_strength[part, np.newaxis]
    season = np.log1p(strength * world.days.annual_wave()[:drawn])
    log_mean = level[:, :, np.newaxis] + (growth + season)[:, np.newaxis, :]
    log_mean += _place_effect(world)[np.newaxis]
    warmth = np.array([category.warmth for category in CATEGORIES])[products.category[part]]
    anomaly = world.weather.anomaly[world.locations.city_index, :drawn] / 10.0
    log_mean += warmth[:, np.newaxis, np.newaxis] * anomaly
    log_mean += _price_effect(world, skus, prices, promotions)[:, locations.region_index, :]
    mean = np.exp(log_mean)
    mean[~listed(world, skus)] = 0.0
    return np.asarray(mean, dtype=np.float64)


def _place_effect(world: World) -> NDArray[np.float64]:
    # Shape (locations, days): the kind of day in the country, and extreme weather in the city.
    drawn = world.days.drawn
    calendar = np.log(world.days.calendar_effect()[world.locations.country_index, :drawn])
    extreme = world.weather.extreme[world.locations.city_index, :drawn]
    return np.asarray(calendar + np.where(extreme, np.log(EXTREME_FACTOR), 0.0))


def _price_effect(
    world: World, skus: range, prices: Prices, promotions: Promotions
) -> NDArray[np.float64]:
    # Shape (products, regions, days): elasticity acts on the price paid.
    part = slice(skus.start, skus.stop)
    reference = world.products.price[part, np.newaxis]
    regular = np.log(prices.regular / reference)[:, np.newaxis, :]
    paid = regular + np.log1p(-promotions.discount)
    elasticity = world.products.elasticity[part, np.newaxis, np.newaxis]
    return np.asarray(elasticity * paid + np.log(promotions.lift))


def listed(world: World, skus: range) -> NDArray[np.bool_]:
    """Tell on which days products are on sale.

    Args:
        world: the world.
        skus: positions of the products.

    Returns:
        True from launch on, shape (products, locations, days).
    """
    launch = world.products.launch_day[skus.start : skus.stop, np.newaxis, np.newaxis]
    shape = (len(skus), len(world.locations.names), world.days.drawn)
    return np.broadcast_to(np.arange(world.days.drawn) >= launch, shape)


def draw_demand(
    world: World, skus: range, mean: NDArray[np.float64], rng: np.random.Generator
) -> Demand:
    """Draw demand around its latent mean.

    Args:
        world: gives each product's dispersion and share of days with demand.
        skus: positions of the products.
        mean: latent mean, shape (products, locations, days).
        rng: the source of randomness.

    Returns:
        Whole units; zero with probability 1 - occurrence, else negative binomial with mean
        ``mean / occurrence``, so that the latent mean is kept.

    Source: the negative binomial as a gamma mixture of Poisson distributions, Greenwood and Yule
    (1920), J. R. Stat. Soc. 83, 255-279.
    """
    part = slice(skus.start, skus.stop)
    dispersion = world.products.dispersion[part, np.newaxis, np.newaxis]
    occurrence = world.products.occurrence[part, np.newaxis, np.newaxis]
    rate = rng.standard_gamma(np.broadcast_to(dispersion, mean.shape))
    rate *= mean / (occurrence * dispersion)
    units = rng.poisson(rate).astype(np.float64)
    units *= rng.random(mean.shape) < occurrence
    return Demand(mean=mean, units=units)


def demand_variance(world: World, skus: range, mean: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the variance of a day's demand of a given latent mean.

    Args:
        world: gives each product's dispersion and share of days with demand.
        skus: positions of the products.
        mean: units a day, shape (products, locations, ...).

    Returns:
        Variance, of the shape of ``mean``: m + m^2 ((1 + 1/k) / occurrence - 1).
    """
    part = slice(skus.start, skus.stop)
    shape = (len(skus),) + (1,) * (mean.ndim - 1)
    dispersion = world.products.dispersion[part].reshape(shape)
    occurrence = world.products.occurrence[part].reshape(shape)
    return np.asarray(mean + mean**2 * ((1.0 + 1.0 / dispersion) / occurrence - 1.0))
