"""A world before any table is made of it: the choices that several tables share."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from training.world.campaigns import Campaigns, draw_campaigns
from training.world.days import Days, lay_out_days
from training.world.locations import Locations, draw_locations
from training.world.products import Products, draw_products
from training.world.suppliers import Sourcing, draw_sourcing
from training.world.weather import Weather, draw_weather

if TYPE_CHECKING:
    from training.world.profiles import Profile


def stream(seed: int, name: str, part: int = 0) -> np.random.Generator:
    """Return the random numbers of one purpose.

    The stream follows from its name, not from its turn: a table added later leaves every other
    table as it was.

    Args:
        seed: the seed of the world, >= 0.
        name: what the numbers are for.
        part: which part of the products they are for.

    Returns:
        A generator independent of those of other names and parts.
    """
    key = (zlib.crc32(name.encode()), part)
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


@dataclass(frozen=True, slots=True)
class World:
    """Everything that more than one table is made of."""

    profile: Profile
    seed: int
    days: Days
    locations: Locations
    products: Products
    sourcing: Sourcing
    weather: Weather
    campaigns: Campaigns

    def part(self, number: int) -> range:
        """Return the positions of the products of one part.

        Args:
            number: 0..parts - 1.

        Returns:
            Their positions.
        """
        size = self.profile.skus_per_part
        return range(number * size, min((number + 1) * size, self.profile.skus))


def draw_world(profile: Profile, seed: int) -> World:
    """Draw everything the tables of a world share.

    Args:
        profile: how large the world is.
        seed: the seed, >= 0.

    Returns:
        The world.
    """
    locations = draw_locations(profile, stream(seed, "shared locations"))
    days = lay_out_days(profile, locations.countries)
    cities = locations.distinct_cities
    return World(
        profile=profile,
        seed=seed,
        days=days,
        locations=locations,
        products=draw_products(profile, stream(seed, "shared products")),
        sourcing=draw_sourcing(profile, stream(seed, "shared sourcing")),
        weather=draw_weather(days, cities, stream(seed, "shared weather")),
        campaigns=draw_campaigns(profile, days, stream(seed, "shared campaigns")),
    )
