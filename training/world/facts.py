"""The facts a world must reproduce, measured.

A series is one product at one location; a SKU-day is one day of one series on which the product
is listed. Unless a fact says sales, it is about true demand. Every fact is measured over history.

- Weekend, annual season and holidays are read on the typical product: the mean over products sold
  all along of their demand in units of its own deviation, growth divided out. Otherwise the
  campaigns of two or three best-sellers, or the rare orders of slow movers, would decide them.
- Weekend and annual season leave out holidays and their eves. A holiday's lift is demand on it over
  the mean of the same weekday one to three weeks before and after, so a holiday on a Sunday is
  compared with Sundays.
- Growth is demand of the last 365 days over that of the first 365, per year between them, of
  products sold all along.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from training.world.days import DAYS_PER_YEAR

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from training.world.days import Days
    from training.world.trade import Trade
    from training.world.world import World

GROWING, DECLINING = 0, 1
Z_LIMIT = 3.0
VOLUME_SHARE = 0.80
NEIGHBOUR_DAYS = (-21, -14, -7, 7, 14, 21)


@dataclass(frozen=True, slots=True)
class Tally:
    """What the facts need to know of one part of the products.

    Attributes:
        volume: demand per product over history, shape (products,).
        variation: coefficient of variation per series, NaN where nothing was asked for, shape
            (series,).
        days: listed days per series.
        zero_days: listed days without demand per series.
        far_days: listed days more than 3 deviations from the mean per series.
        short_days: listed days on which stock ran out per series.
        sold: units sold over history.
        daily: demand by growing or declining and day, of products sold all along, shape
            (2, days of history).
        relative: the same with each product in units of its deviation in the country, by country,
            shape (countries, 2, days of history).
    """

    volume: NDArray[np.float64]
    variation: NDArray[np.float64]
    days: NDArray[np.int64]
    zero_days: NDArray[np.int64]
    far_days: NDArray[np.int64]
    short_days: NDArray[np.int64]
    sold: float
    daily: NDArray[np.float64]
    relative: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact: what was asked, between which limits it holds, and what was measured.

    ``measured`` is None where history is too short to tell.
    """

    name: str
    basis: str
    asked: str
    low: float
    high: float
    measured: float | None

    @property
    def holds(self) -> bool | None:
        """Whether the measured value lies within the limits; None where there is none."""
        return None if self.measured is None else self.low <= self.measured <= self.high


def tally(world: World, trade: Trade) -> Tally:
    """Count what the facts need of one part of the products.

    Args:
        world: the world.
        trade: what happened to those products.

    Returns:
        The counts.
    """
    history = world.days.history
    demand = trade.demand.units[:, :, :history]
    listed = trade.listed[:, :, :history]
    days = listed.sum(axis=2)
    total = demand.sum(axis=2)
    mean = total / days
    # Before launch demand is zero, so the sum of squares needs no mask.
    deviation = np.sqrt(np.maximum(np.square(demand).sum(axis=2) / days - mean**2, 0.0))
    with np.errstate(invalid="ignore"):
        variation = deviation / mean
    distance = np.abs(demand - mean[:, :, np.newaxis])
    far = (distance > Z_LIMIT * deviation[:, :, np.newaxis]) & listed
    daily, relative = _daily_totals(world, trade, demand)
    return Tally(
        volume=demand.sum(axis=(1, 2)),
        variation=variation.ravel(),
        days=days.ravel(),
        zero_days=((demand == 0.0) & listed).sum(axis=2).ravel(),
        far_days=far.sum(axis=2).ravel(),
        short_days=((trade.available_fraction < 1.0) & listed).sum(axis=2).ravel(),
        sold=float(trade.stock.sold.sum()),
        daily=daily,
        relative=relative,
    )


def _daily_totals(
    world: World, trade: Trade, demand: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    part = slice(trade.skus.start, trade.skus.stop)
    established = world.products.launch_day[part] == 0
    declining = world.products.declining[part]
    countries = len(world.days.countries)
    daily = np.zeros((2, demand.shape[2]))
    relative = np.zeros((countries, *daily.shape))
    for country in range(countries):
        by_sku = demand[:, world.locations.country_index == country].sum(axis=1)
        deviation = by_sku.std(axis=1)
        for trend, group in ((GROWING, ~declining), (DECLINING, declining)):
            chosen = established & group & (deviation > 0.0)
            daily[trend] += by_sku[chosen].sum(axis=0)
            relative[country, trend] = (1.0 / deviation[chosen]) @ by_sku[chosen]
    return daily, relative


def measure_facts(world: World, tallies: Sequence[Tally]) -> tuple[Fact, ...]:
    """Measure every fact of a world.

    Args:
        world: the world.
        tallies: the counts of all its parts, at least one.

    Returns:
        The facts, in the order of the product's description.
    """
    daily = np.sum([counted.daily for counted in tallies], axis=0)
    growth, decline = _growth(daily[GROWING]), _growth(daily[DECLINING])
    relative = np.sum([counted.relative for counted in tallies], axis=0)
    level = _without_growth(relative, growth, decline)
    lifts = _holiday_lifts(world.days, level)
    lowest, mean, highest = (
        (min(lifts), float(np.mean(lifts)), max(lifts)) if lifts else (None,) * 3
    )
    demand = "demand"
    return (
        Fact("weekend over weekday", demand, "0.70", 0.67, 0.73, _weekend(world.days, level)),
        Fact("Q4 over Q2", demand, "1.40", 1.32, 1.48, _quarters(world.days, level)),
        Fact("holiday lift, lowest", demand, "3 to 5", 3.0, 5.0, lowest),
        Fact("holiday lift, mean", demand, "3 to 5", 3.0, 5.0, mean),
        Fact("holiday lift, highest", demand, "3 to 5", 3.0, 5.0, highest),
        Fact("growth a year", demand, "1.15", 1.12, 1.18, growth),
        Fact("growth a year, one category", demand, "0.90", 0.86, 0.94, decline),
        *_series_facts(tallies),
    )


def _series_facts(tallies: Sequence[Tally]) -> tuple[Fact, ...]:
    volume = np.concatenate([counted.volume for counted in tallies])
    variation = np.concatenate([counted.variation for counted in tallies])
    variation = variation[np.isfinite(variation)]
    days = sum(int(counted.days.sum()) for counted in tallies)
    zero = sum(int(counted.zero_days.sum()) for counted in tallies) / days
    far = sum(int(counted.far_days.sum()) for counted in tallies) / days
    short = sum(int(counted.short_days.sum()) for counted in tallies) / days
    sold = sum(counted.sold for counted in tallies) / float(volume.sum())
    demand = "demand"
    return (
        Fact("zero SKU-days", demand, "about 0.35", 0.32, 0.38, zero),
        Fact("median CV of series", demand, "near 0.8", 0.75, 0.85, float(np.median(variation))),
        Fact("series with CV > 1", demand, "0.30", 0.26, 0.34, float((variation > 1.0).mean())),
        Fact("SKUs with 80 % of volume", demand, "about 0.12", 0.10, 0.14, _head(volume)),
        Fact("points beyond |z| > 3", demand, "0.025", 0.021, 0.029, far),
        Fact("SKU-days with a stock-out", "sales", "0.03 to 0.06", 0.03, 0.06, short),
        Fact("demand that was sold", "sales", "above 0.90", 0.90, 1.0, sold),
    )


def _head(volume: NDArray[np.float64]) -> float:
    share = np.cumsum(np.sort(volume)[::-1]) / volume.sum()
    return (int(np.searchsorted(share, VOLUME_SHARE)) + 1) / len(volume)


def _growth(totals: NDArray[np.float64]) -> float | None:
    years = (len(totals) - DAYS_PER_YEAR) / DAYS_PER_YEAR
    if years < 1.0 or not totals[:DAYS_PER_YEAR].any():
        return None
    ratio = totals[-DAYS_PER_YEAR:].sum() / totals[:DAYS_PER_YEAR].sum()
    return float(ratio ** (1.0 / years))


def _without_growth(
    relative: NDArray[np.float64], growth: float | None, decline: float | None
) -> NDArray[np.float64]:
    # Shape (countries, days).
    years = np.arange(relative.shape[2]) / DAYS_PER_YEAR
    rates = np.array([growth or 1.0, decline or 1.0])
    return np.asarray((relative / rates[:, np.newaxis] ** years).sum(axis=1))


def _weekend(days: Days, level: NDArray[np.float64]) -> float:
    ratios = []
    for country in range(len(level)):
        plain = ~days.special[country, : days.history]
        weekend = days.weekend[: days.history]
        ratios.append(
            level[country, plain & weekend].mean() / level[country, plain & ~weekend].mean()
        )
    return float(np.mean(ratios))


def _quarters(days: Days, level: NDArray[np.float64]) -> float | None:
    quarter = (days.month[: days.history] - 1) // 3 + 1
    if days.history < 2 * DAYS_PER_YEAR:
        return None
    ratios = []
    for country in range(len(level)):
        plain = ~days.special[country, : days.history]
        second, fourth = (level[country, plain & (quarter == number)].mean() for number in (2, 4))
        ratios.append(fourth / second)
    return float(np.mean(ratios))


def _holiday_lifts(days: Days, level: NDArray[np.float64]) -> list[float]:
    # One lift per country and holiday, the mean over its years.
    lifts: dict[tuple[int, str], list[float]] = {}
    for country in range(len(level)):
        special = days.special[country]
        for day, name in enumerate(days.holiday_names[country][: days.history]):
            around = [
                level[country, day + shift]
                for shift in NEIGHBOUR_DAYS
                if 0 <= day + shift < days.history and not special[day + shift]
            ]
            if name is not None and around:
                lift = float(level[country, day] / np.mean(around))
                lifts.setdefault((country, name), []).append(lift)
    return [float(np.mean(values)) for values in lifts.values()]
