"""Locations: where goods are sold."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from training.world.tables import Tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.world.profiles import Profile
    from training.world.world import World


@dataclass(frozen=True, slots=True)
class City:
    """A city a location may stand in; latitude and longitude in degrees."""

    name: str
    state: str
    region: str
    country: str
    time_zone: str
    latitude: float
    longitude: float


# In the order they are used, so that even three locations lie in three countries.
CITIES = (
    City("Chicago", "IL", "us-east", "US", "America/Chicago", 41.88, -87.63),
    City("Berlin", "BE", "europe", "DE", "Europe/Berlin", 52.52, 13.40),
    City("Monterrey", "NLE", "mexico", "MX", "America/Monterrey", 25.67, -100.31),
    City("Dallas", "TX", "us-west", "US", "America/Chicago", 32.78, -96.80),
    City("Atlanta", "GA", "us-east", "US", "America/New_York", 33.75, -84.39),
    City("Munich", "BY", "europe", "DE", "Europe/Berlin", 48.14, 11.58),
    City("Seattle", "WA", "us-west", "US", "America/Los_Angeles", 47.61, -122.33),
    City("Boston", "MA", "us-east", "US", "America/New_York", 42.36, -71.06),
    City("Guadalajara", "JAL", "mexico", "MX", "America/Mexico_City", 20.67, -103.35),
    City("Hamburg", "HH", "europe", "DE", "Europe/Berlin", 53.55, 9.99),
    City("Denver", "CO", "us-west", "US", "America/Denver", 39.74, -104.99),
    City("Miami", "FL", "us-east", "US", "America/New_York", 25.76, -80.19),
    City("Phoenix", "AZ", "us-west", "US", "America/Phoenix", 33.45, -112.07),
    City("Cologne", "NW", "europe", "DE", "Europe/Berlin", 50.94, 6.96),
    City("Mexico City", "CMX", "mexico", "MX", "America/Mexico_City", 19.43, -99.13),
    City("Columbus", "OH", "us-east", "US", "America/New_York", 39.96, -83.00),
)
REGIONS = tuple(dict.fromkeys(city.region for city in CITIES))


@dataclass(frozen=True, slots=True)
class Locations:
    """The locations of a world, in the order of their names.

    Attributes:
        names: shape (locations,).
        cities: the city of each, shape (locations,).
        size: factor on demand, averages 1, shape (locations,).
    """

    names: tuple[str, ...]
    cities: tuple[City, ...]
    size: NDArray[np.float64]

    @property
    def countries(self) -> tuple[str, ...]:
        """The countries that have a location, each once."""
        return tuple(dict.fromkeys(city.country for city in self.cities))

    @property
    def country_index(self) -> NDArray[np.int64]:
        """Position of each location's country in ``countries``, shape (locations,)."""
        return np.array([self.countries.index(city.country) for city in self.cities])

    @property
    def region_index(self) -> NDArray[np.int64]:
        """Position of each location's region in ``REGIONS``, shape (locations,)."""
        return np.array([REGIONS.index(city.region) for city in self.cities])

    @property
    def distinct_cities(self) -> tuple[City, ...]:
        """The cities that have a location, each once."""
        return tuple(dict.fromkeys(self.cities))

    @property
    def city_index(self) -> NDArray[np.int64]:
        """Position of each location's city in ``distinct_cities``, shape (locations,)."""
        return np.array([self.distinct_cities.index(city) for city in self.cities])


def draw_locations(profile: Profile, rng: np.random.Generator) -> Locations:
    """Place the locations in cities and give each a size.

    Args:
        profile: gives their number.
        rng: decides which location gets which size.

    Returns:
        The locations; beyond sixteen, cities have several.
    """
    size = np.linspace(0.6, 1.4, profile.locations) if profile.locations > 1 else np.ones(1)
    return Locations(
        names=tuple(f"LOC-{number:03d}" for number in range(1, profile.locations + 1)),
        cities=tuple(CITIES[row % len(CITIES)] for row in range(profile.locations)),
        size=rng.permutation(size),
    )


def location_tables(world: World, rng: np.random.Generator) -> Tables:
    """Write the locations and the factor each puts on demand.

    Args:
        world: the world.
        rng: draws capacities and opening dates.

    Returns:
        Observed ``locations``; truth ``location_effects`` (location, factor).
    """
    locations = world.locations
    count = len(locations.names)
    age_days = rng.integers(200, 4_000, size=count)
    opened = [world.profile.first_day - dt.timedelta(days=int(age)) for age in age_days]
    cover_days = world.sourcing.lead_time_mean + world.products.review_days
    usual_stock = locations.size * float(np.sum(world.products.volume * cover_days))
    columns = ("city", "state", "region", "country", "time_zone", "latitude", "longitude")
    attributes = ("name", *columns[1:])
    observed = pl.DataFrame(
        {
            "location": locations.names,
            **{
                column: [getattr(city, attribute) for city in locations.cities]
                for column, attribute in zip(columns, attributes, strict=True)
            },
            "capacity_units": np.round(usual_stock * rng.uniform(2.0, 2.5, size=count), -2),
            "opened_date": opened,
        }
    )
    truth = pl.DataFrame({"location": locations.names, "factor": locations.size})
    return Tables(observed={"locations": observed}, truth={"location_effects": truth})
