"""Weather of the cities: what it was, and what was forecast each day."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from training.world.tables import Tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.world.days import Days
    from training.world.locations import City
    from training.world.world import World

FORECAST_DAYS = 10
HOT_OR_COLD = 8.0
DOWNPOUR_MM = 35.0
EXTREME_FACTOR = 0.85
PERSISTENCE = 0.75
RAINY_SHARE = 0.3
WARMEST_DAY = 200


@dataclass(frozen=True, slots=True)
class Weather:
    """Realised weather per city and day, of the past and of the days to come.

    Attributes:
        normal: expected temperature in degrees Celsius, shape (cities, days).
        temperature: degrees Celsius, shape (cities, days).
        precipitation: mm a day, >= 0, shape (cities, days).
    """

    normal: NDArray[np.float64]
    temperature: NDArray[np.float64]
    precipitation: NDArray[np.float64]

    @property
    def anomaly(self) -> NDArray[np.float64]:
        """Degrees Celsius above normal, shape (cities, days)."""
        return self.temperature - self.normal

    @property
    def extreme(self) -> NDArray[np.bool_]:
        """Days far from normal, or with a downpour, shape (cities, days)."""
        return _is_extreme(self.anomaly, self.precipitation)


def _is_extreme(
    anomaly: NDArray[np.float64], precipitation: NDArray[np.float64]
) -> NDArray[np.bool_]:
    return (np.abs(anomaly) > HOT_OR_COLD) | (precipitation > DOWNPOUR_MM)


def draw_weather(days: Days, cities: tuple[City, ...], rng: np.random.Generator) -> Weather:
    """Draw the weather of each city: a yearly wave, persistent anomalies and rainy days.

    Args:
        days: the days.
        cities: the cities; the further from the equator, the colder and the more seasonal.
        rng: the source of randomness.

    Returns:
        The weather.
    """
    latitude = np.array([city.latitude for city in cities])[:, np.newaxis]
    wave = np.cos(2.0 * np.pi * (days.day_of_year - WARMEST_DAY) / 365.25)
    normal = 32.0 - 0.42 * latitude + 0.25 * latitude * wave
    shape = normal.shape
    shocks = rng.normal(0.0, 2.2, size=shape)
    anomaly = np.empty(shape)
    anomaly[:, 0] = shocks[:, 0]
    for day in range(1, shape[1]):
        anomaly[:, day] = PERSISTENCE * anomaly[:, day - 1] + shocks[:, day]
    rain = np.zeros(shape)
    rainy = rng.random(shape) < RAINY_SHARE
    rain[rainy] = rng.gamma(0.9, 8.0, size=int(rainy.sum()))
    temperature = np.asarray(np.round(normal + anomaly, 1), dtype=np.float64)
    return Weather(normal, temperature, rain.round(1))


def weather_tables(world: World, rng: np.random.Generator) -> Tables:
    """Write realised weather for history and the forecasts issued on each of its days.

    Args:
        world: the world.
        rng: draws the errors of the forecasts.

    Returns:
        Observed ``weather``; truth ``weather_to_come``, the weather of the days after history,
        and ``weather_effects``, the factor of an extreme day on demand.
    """
    dates, history = world.days.dates, world.days.history
    realised = _rows(world, world.weather, dates, np.full(history, "NaT", "datetime64[D]"))
    steps = np.arange(1, FORECAST_DAYS + 1)
    origin = np.repeat(np.arange(history), FORECAST_DAYS)
    target = origin + np.tile(steps, history)
    forecast = _forecast(world.weather, origin, target, rng)
    issued = _rows(world, forecast, dates[target], dates[origin])
    observed = pl.concat([realised, issued]).sort("city", "date", "issued_date", nulls_last=True)
    coming = Weather(
        world.weather.normal[:, history:],
        world.weather.temperature[:, history:],
        world.weather.precipitation[:, history:],
    )
    ahead = len(dates) - history
    truth = _rows(world, coming, dates[history:], np.full(ahead, "NaT", "datetime64[D]"))
    effects = pl.DataFrame({"effect": ["extreme weather"], "factor": [EXTREME_FACTOR]})
    return Tables(
        observed={"weather": observed},
        truth={"weather_to_come": truth.drop("issued_date"), "weather_effects": effects},
    )


def _forecast(
    weather: Weather,
    origin: NDArray[np.int64],
    target: NDArray[np.int64],
    rng: np.random.Generator,
) -> Weather:
    # The further ahead, the less of the anomaly a forecast knows and the more it errs.
    ahead = target - origin
    skill = 1.0 / (1.0 + 0.12 * ahead)
    normal = weather.normal[:, target]
    error = rng.normal(0.0, 1.0, size=normal.shape) * 0.35 * np.sqrt(ahead)
    temperature = normal + skill * weather.anomaly[:, target] + error
    noise = np.exp(rng.normal(0.0, 1.0, size=normal.shape) * 0.15 * np.sqrt(ahead))
    return Weather(
        normal,
        np.round(temperature, 1),
        np.round(skill * weather.precipitation[:, target] * noise, 1),
    )


def _rows(
    world: World,
    weather: Weather,
    dates: NDArray[np.datetime64],
    issued: NDArray[np.datetime64],
) -> pl.DataFrame:
    cities, count = world.locations.distinct_cities, len(issued)
    return pl.DataFrame(
        {
            "date": np.tile(dates[:count], len(cities)),
            "city": np.repeat([city.name for city in cities], count),
            "issued_date": np.tile(issued, len(cities)),
            "temperature_avg": weather.temperature[:, :count].ravel(),
            "precipitation_mm": weather.precipitation[:, :count].ravel(),
            "extreme": weather.extreme[:, :count].ravel(),
        }
    )
