"""Classical forecasts of a series from its packed records: what answers beside the global model.

Each tier gives the expected units of each day ahead. All of it is elementwise arithmetic in double
precision, a series at a time or a million, so an answer has the same bits in any batch.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from serving.domain.croston import Rate, croston, teunter_syntetos_babai
from serving.domain.features import LOCATION, PRODUCT
from serving.domain.history import STATE, TAIL, WEEK
from serving.domain.periods import Frequency, frequency_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from serving.domain.features import SeriesRecords

    Floats = NDArray[np.float64]

INTERVAL_CUT, SIZE_CUT = 1.32, 0.49
YEAR_SLOTS = 366  # one a day of the year, 29 February among them
PRICE_CUTS = (0.75, 1.33)  # price over the category's mean price: cheaper, alike, dearer
# Periods after which demand repeats; weeks repeat after a year, longer than what is kept of them.
_CYCLES = {Frequency.DAY: WEEK, Frequency.WEEK: 1, Frequency.MONTH: 12}
_LEAP_SLOT = 59  # 29 February
_HALF_LIFE = {"level": 12.0, "level_slow": 56.0}
_PAST_DAYS = 400  # past days whose season a level still carries


class DemandPattern(enum.IntEnum):
    """Demand pattern of a series; numbers as in the contract."""

    NEVER_SOLD = 1
    SMOOTH = 2
    ERRATIC = 3
    INTERMITTENT = 4
    LUMPY = 5


class DemandTier(enum.IntEnum):
    """Who answers; numbers as in the contract."""

    GLOBAL_MODEL = 1
    MULTIPLICATIVE = 2
    SPARSE = 3
    SIMILAR = 4
    SEASONAL_NAIVE = 5


class SparseMethod(enum.IntEnum):
    """How the rate of sparse demand is smoothed."""

    CROSTON = 1
    SBA = 2
    TSB = 3


class LevelKind(enum.IntEnum):
    """Which level a multiplicative forecast starts from."""

    RECENT = 1
    SLOW = 2
    PEERS = 3


@dataclass(frozen=True, slots=True, eq=False)
class Multiplicative:
    """Level x weekday x season, the season learned over all series and years.

    Attributes:
        level: Which level it starts from.
        weekday_share: Share of the weekday effect taken from all series, 0..1.
        weekday: Demand on each weekday over that on an average day, Monday first, shape (7,).
        season: Demand on each day of the year over that of an average day, shape (366,).
    """

    level: LevelKind
    weekday_share: float
    weekday: Floats
    season: Floats


@dataclass(frozen=True, slots=True)
class Sparse:
    """Croston's family.

    Attributes:
        method: Which member.
        alpha: Smoothing constant, above 0 and below 1.
        weekday_share: Share of the category's weekday effect that is laid over the rate, 0..1.
    """

    method: SparseMethod
    alpha: float
    weekday_share: float


@dataclass(frozen=True, slots=True, eq=False)
class Similar:
    """The product's mean series, or its category's, moved toward the few days of a series' own.

    Attributes:
        strength_days: Days of own history that weigh as much as the peers.
        location_share: Share of the location's distance from the mean location, 0..1.
        location_level: Level of the mean location, units a day.
        price_factors: Level over the category's, by price over the category's, shape (3,).
    """

    strength_days: float
    location_share: float
    location_level: float
    price_factors: Floats


def patterns(state: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return the demand pattern of each series.

    Args:
        state: Demand states, shape (n, STATE_WIDTH). One sale has no variance: even in size.

    Returns:
        DemandPattern numbers, shape (n,).

    Source: Syntetos, Boylan and Croston (2005), On the categorization of demand patterns, J. Oper.
    Res. Soc. 56.
    """
    interval, size = (state[:, STATE[name].start] for name in ("interval", "size_cv2"))
    rare, uneven = interval >= INTERVAL_CUT, size >= SIZE_CUT
    found = DemandPattern.SMOOTH + uneven.astype(np.int64) + 2 * rare.astype(np.int64)
    return np.where(np.isnan(interval), DemandPattern.NEVER_SOLD, found)


class Parts(NamedTuple):
    """A forecast of n series as a product of what it is made of.

    Attributes:
        level: Units on an average day, shape (n,).
        calendar: Effect of the weekday, shape (n, horizon).
        season: Effect of the day of the year, shape (horizon,).
    """

    level: Floats
    calendar: Floats
    season: Floats

    @property
    def expected(self) -> Floats:
        """Units expected of each day, shape (n, horizon)."""
        return self.level[:, None] * (self.calendar * self.season)


def multiplicative(records: SeriesRecords, horizon: int, by: Multiplicative) -> Parts:
    """Forecast level x weekday x season of daily series."""
    days = records.origin + np.arange(1 - _PAST_DAYS, horizon + 1)
    season = by.season[day_of_year(days)]
    weekday = by.weekday[(days[_PAST_DAYS:].astype(np.int64) + 3) % WEEK]
    own = _own_weekday(records, horizon)
    mixed = own + by.weekday_share * (weekday - own)
    return Parts(_level(records, season[:_PAST_DAYS], by.level), mixed, season[_PAST_DAYS:])


def sparse(records: SeriesRecords, horizon: int, by: Sparse) -> Parts:
    """Forecast the rate of sparse series."""
    recent = _tail(records)
    interval = _field(records, "interval")
    # The long-run rate is what the recent days are smoothed onto.
    start = Rate(_field(records, "expanding_mean") * interval, interval)
    if by.method is SparseMethod.TSB:
        rate = teunter_syntetos_babai(recent, start, by.alpha)
    else:
        found = croston(recent, start, by.alpha)
        debias = 1.0 - by.alpha / 2.0 if by.method is SparseMethod.SBA else 1.0
        rate = found.size / found.interval * debias
    rate = np.where(np.isnan(rate), 0.0, rate)  # never sold: no size, no interval
    weekday = 1.0 + by.weekday_share * (_peer_weekday(records, horizon) - 1.0)
    return Parts(rate, weekday, np.ones(horizon))


def similar(records: SeriesRecords, horizon: int, by: Similar) -> Parts:
    """Forecast from the product elsewhere, or its category, and the few days there are."""
    elsewhere, category = peer_level(records), category_level(records)
    # A product that has sold nowhere has its category's level: the price says where in it it lies.
    unsold = elsewhere == category
    elsewhere = np.where(unsold, category * _price_factor(records, by), elsewhere)
    place = records.location[:, LOCATION["location_level"].start].astype(np.float64)
    near = _known(place / max(by.location_level, 1e-9), 1.0)
    expected = elsewhere * (1.0 + by.location_share * (near - 1.0))
    observed = _field(records, "observed_days")
    own = long_run_mean(records)
    level = (observed * own + by.strength_days * expected) / (observed + by.strength_days)
    return Parts(level, _peer_weekday(records, horizon), np.ones(horizon))


def peer_level(records: SeriesRecords) -> Floats:
    """Return what each product sells at the mean location, or its category does, shape (n,)."""
    level = records.product[:, PRODUCT["product_level"].start].astype(np.float64)
    return _else(level, category_level(records))


def category_level(records: SeriesRecords) -> Floats:
    """Return what the mean series of each category sells, shape (n,), units a day."""
    return _known(records.product[:, PRODUCT["category_level"].start].astype(np.float64), 0.0)


def seasonal_naive(records: SeriesRecords, horizon: int) -> Floats:
    """Repeat the last week, or of months the last year; the long-run mean where that is not known.

    Args:
        records: Records of n series.
        horizon: Days ahead.

    Returns:
        Units a day, shape (n, horizon).
    """
    cycle = _CYCLES[frequency_of(records.origin)]
    columns = TAIL - cycle + np.arange(horizon) % cycle
    week = _tail(records)[:, columns]
    return np.where(np.isnan(week), long_run_mean(records)[:, None], week)


def long_run_mean(records: SeriesRecords) -> Floats:
    """Return the mean of all days of each series, shape (n,), 0 where there is none."""
    return _known(_field(records, "expanding_mean"), 0.0)


def day_of_year(days: NDArray[np.datetime64]) -> NDArray[np.int64]:
    """Return the slot of each day in a year of 366 days, so that a date keeps its slot.

    Args:
        days: Days, unit D.

    Returns:
        Slots from 0, of the same shape.

    Example:
        >>> day_of_year(np.array(["2023-03-01", "2024-02-29", "2024-03-01"], "datetime64[D]"))
        array([60, 59, 60])
    """
    years = days.astype("datetime64[Y]")
    first = years.astype("datetime64[D]")
    into = (days - first).astype(np.int64)
    length = ((years + 1).astype("datetime64[D]") - first).astype(np.int64)
    slot: NDArray[np.int64] = into + ((length < YEAR_SLOTS) & (into >= _LEAP_SLOT))
    return slot


def _level(records: SeriesRecords, past: Floats, kind: LevelKind) -> Floats:
    """Return the level of each series without the season it was measured in, shape (n,)."""
    recent = _field(records, "level") / _carried(past, "level")
    slow = _field(records, "level_slow")
    if kind is LevelKind.RECENT:
        return recent
    if kind is LevelKind.SLOW:
        return slow / _carried(past, "level_slow")
    first = PRODUCT["category_state"].start
    peers = records.product[:, first + STATE["level"].start].astype(np.float64)
    peers_slow = records.product[:, first + STATE["level_slow"].start].astype(np.float64)
    share = slow / np.where(peers_slow > 0, peers_slow, np.nan)
    return _else(share * (peers / _carried(past, "level")), recent)


def _carried(past: Floats, name: str) -> float:
    """Return the mean season of the past days as a level weighs them."""
    weight = 0.5 ** (np.arange(past.size - 1, -1, -1) / _HALF_LIFE[name])
    return float((weight * past).sum() / weight.sum())


def _price_factor(records: SeriesRecords, by: Similar) -> Floats:
    """Return how products of a like price stand to their category, 1 where none is known."""
    first = PRODUCT["category_state"].start
    usual = records.product[:, first + STATE["price_level"].start].astype(np.float64)
    ratio = records.product[:, PRODUCT["price"].start].astype(np.float64) / usual
    factors = by.price_factors[np.searchsorted(PRICE_CUTS, _known(ratio, 1.0))]
    return np.where(np.isnan(ratio), 1.0, factors)


def _peer_weekday(records: SeriesRecords, horizon: int) -> Floats:
    """Return the weekday factors of each series' category; 1 for anything but days."""
    first = PRODUCT["category_weekday"].start
    columns = first + np.arange(horizon) % WEEK
    factors = _known(records.product[:, columns].astype(np.float64), 1.0)
    return factors if frequency_of(records.origin) is Frequency.DAY else np.ones_like(factors)


def _own_weekday(records: SeriesRecords, horizon: int) -> Floats:
    columns = STATE["weekday"].start + np.arange(horizon) % WEEK
    return _known(records.state[:, columns].astype(np.float64), 1.0)


def _tail(records: SeriesRecords) -> Floats:
    return records.state[:, STATE["tail"]].astype(np.float64)


def _field(records: SeriesRecords, name: str) -> Floats:
    return records.state[:, STATE[name].start].astype(np.float64)


def _known(values: Floats, otherwise: float) -> Floats:
    return np.where(np.isnan(values), otherwise, values)


def _else(values: Floats, otherwise: Floats) -> Floats:
    return np.where(np.isnan(values), otherwise, values)
