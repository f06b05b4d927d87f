"""Rates a cost is made of, each with its day: commodities, exchange, duty, freight, plants."""

from __future__ import annotations

import datetime as dt
import math
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from serving.errors import MissingRate, UnknownSeries

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

YEAR_DAYS = 365
MIN_STEPS = 8  # least changes of a price from which its volatility can be told
MOST_FOUND = 20_000  # rates kept at hand


@dataclass(frozen=True, slots=True)
class Dated:
    """A rate and the day it is from.

    Attributes:
        value: The rate.
        currency: Currency it is in; empty where that is the data's, or it is a share.
        day: The day; None where its source is not dated.
        source: Table it is from.
        deviation: Relative standard deviation it may have over the span an estimate holds.
    """

    value: float
    currency: str
    day: dt.date | None
    source: str
    deviation: float = 0.0


AT_PAR = Dated(1.0, "", None, "")


@dataclass(frozen=True, slots=True)
class RateSeries:
    """A rate by day.

    Attributes:
        days: Days it is known, ascending, days since 1970-01-01.
        values: Its values, above 0.
        currency: Currency it is in; empty where that is the data's.
    """

    days: Sequence[int]
    values: Sequence[float]
    currency: str = ""
    # By place: questions of one day ask for the same deviation again and again.
    _deviations: dict[int, float] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def place(self, day: dt.date) -> int:
        """Return the place of the latest value on or before a day, -1 where there is none."""
        return bisect_right(self.days, (day - dt.date(1970, 1, 1)).days) - 1

    def daily_deviation(self, place: int) -> float:
        """Return the standard deviation of the log of the rate per square root of a day.

        It is taken from the changes of the year up to a place, and 0 where they are too few.
        """
        if place not in self._deviations:
            self._deviations[place] = self._deviation(place)
        return self._deviations[place]

    def _deviation(self, place: int) -> float:
        first = bisect_right(self.days, self.days[place] - YEAR_DAYS)
        values = np.asarray(self.values[first : place + 1])
        if values.size <= MIN_STEPS or (values <= 0).any():
            return 0.0
        steps = np.diff(np.asarray(self.days[first : place + 1], dtype=np.float64))
        return float(np.std(np.diff(np.log(values)) / np.sqrt(steps), ddof=1))


@dataclass(frozen=True, slots=True)
class LaneRate:
    """A duty or a freight rate between two countries, valid for a while.

    Attributes:
        value: Duty per money of goods, or freight per kilogram.
        valid_from: First day, ISO 8601.
        valid_to: Last day, ISO 8601; empty where it goes on.
        category: Category of goods it is for; empty for all.
        commodity: Commodity it is for; empty for all.
        currency: Currency of a freight rate.
        rate_range: Relative half width within which it is negotiated; 0 where that is unknown.
    """

    value: float
    valid_from: str
    valid_to: str = ""
    category: str = ""
    commodity: str = ""
    currency: str = ""
    rate_range: float = 0.0

    def holds(self, day: str) -> bool:
        """Say whether it is valid on a day, ISO 8601."""
        return self.valid_from <= day and (not self.valid_to or day <= self.valid_to)


@dataclass(frozen=True, slots=True)
class Plant:
    """What a plant costs; None where the table is silent.

    Attributes:
        country: Where it stands.
        labor_rate: Money per hour of work.
        overhead_rate: Overhead per money of labor.
        labor_range: Relative half width of the labor rate.
        overhead_range: Relative half width of the overhead rate.
        currency: Currency of its rates.
    """

    country: str = ""
    labor_rate: float | None = None
    overhead_rate: float | None = None
    labor_range: float = 0.0
    overhead_range: float = 0.0
    currency: str = ""


@dataclass(frozen=True, slots=True)
class CostRates:
    """All rates of a data folder.

    Attributes:
        currency_code: Currency of amounts that name none; empty where the data names none.
        country: Country goods go to unless said otherwise; empty where the data names none.
        commodities: Money per kilogram of each commodity.
        exchange: Rates by pair of currencies.
        tariffs: Duties by origin and destination.
        freight: Freight rates by origin and destination.
        plants: Plants by code.
        suppliers: Country of each supplier.
    """

    currency_code: str = ""
    country: str = ""
    commodities: Mapping[str, RateSeries] = field(default_factory=dict)
    exchange: Mapping[tuple[str, str], RateSeries] = field(default_factory=dict)
    tariffs: Mapping[tuple[str, str], tuple[LaneRate, ...]] = field(default_factory=dict)
    freight: Mapping[tuple[str, str], tuple[LaneRate, ...]] = field(default_factory=dict)
    plants: Mapping[str, Plant] = field(default_factory=dict)
    suppliers: Mapping[str, str] = field(default_factory=dict)
    # By question: parts of one call ask for the same rates of the same day again and again.
    _found: dict[tuple[object, ...], Dated] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def plant(self, plant_id: str) -> Plant:
        """Look a plant up.

        Args:
            plant_id: Its code.

        Returns:
            The plant.

        Raises:
            UnknownSeries: If no table has it.
        """
        if plant_id not in self.plants:
            raise UnknownSeries("plant_id", plant_id)
        return self.plants[plant_id]

    def commodity(self, name: str, day: dt.date, span_days: float) -> Dated:
        """Return the price of a commodity on a day.

        Args:
            name: The commodity.
            day: The day; the latest price on or before it counts.
            span_days: Days over which the price may move.

        Returns:
            Money per kilogram.

        Raises:
            MissingRate: If it has no price by then.
        """
        asked = (name, day, span_days)
        known = self._found.get(asked)
        if known is not None:
            return known
        series = self.commodities.get(name)
        place = -1 if series is None else series.place(day)
        if series is None or place < 0:
            raise MissingRate(f"price of commodity {name!r}", day, "commodity_prices")
        return self._keep(asked, _dated(series, place, "commodity_prices", span_days))

    def exchange_rate(self, source: str, target: str, day: dt.date, span_days: float) -> Dated:
        """Return what one unit of a currency is in another on a day.

        Where no row tells of the pair, that of each to the currency of the data does.

        Args:
            source: The currency; empty for that of the data.
            target: The other; likewise.
            day: The day; the latest rate on or before it counts.
            span_days: Days over which the rate may move.

        Returns:
            Units of the other currency; 1 without a day where both are the same.

        Raises:
            MissingRate: If there is no rate by then, neither way.
        """
        source, target = source or self.currency_code, target or self.currency_code
        if source == target:
            return AT_PAR
        asked = (source, target, day, span_days)
        known = self._found.get(asked)
        if known is not None:
            return known
        rate = self._quoted(source, target, day, span_days)
        if rate is None:
            over = self.currency_code
            halves = [self._quoted(source, over, day, span_days)]
            halves.append(self._quoted(over, target, day, span_days))
            rate = _crossed([half for half in halves if half is not None])
        if rate is None:
            raise MissingRate(f"exchange rate from {source!r} to {target!r}", day, "exchange_rates")
        return self._keep(asked, rate)

    def _quoted(self, source: str, target: str, day: dt.date, span_days: float) -> Dated | None:
        """Return the rate the table has for a pair, either way; None where it has none."""
        for pair, way in (((source, target), 1.0), ((target, source), -1.0)):
            series = self.exchange.get(pair)
            place = -1 if series is None else series.place(day)
            if series is not None and place >= 0:
                found = _dated(series, place, "exchange_rates", span_days)
                return Dated(found.value**way, "", found.day, found.source, found.deviation)
        return None

    def tariff(self, lane: tuple[str, str], goods: tuple[str, str], day: dt.date) -> Dated:
        """Return the duty on goods, the row of their category before that of their commodity.

        Args:
            lane: Origin and destination country.
            goods: Category and chief commodity; either may be empty.
            day: The day.

        Returns:
            Duty per money of goods.

        Raises:
            MissingRate: If no row holds for the goods on the day.
        """
        asked = (lane, goods, day)
        known = self._found.get(asked)
        if known is not None:
            return known
        category, commodity = goods
        fits = [
            rate
            for rate in _valid(self.tariffs.get(lane, ()), day)
            if rate.category in ("", category) and rate.commodity in ("", commodity)
        ]
        if not fits:
            what = f"tariff from {lane[0]} to {lane[1]} on {category or commodity or 'any goods'}"
            raise MissingRate(what, day, "tariffs")
        best = max(fits, key=lambda r: (bool(r.category), bool(r.commodity), r.valid_from))
        start = dt.date.fromisoformat(best.valid_from)
        return self._keep(asked, Dated(best.value, "", start, "tariffs"))

    def freight_rate(self, lane: tuple[str, str], day: dt.date) -> Dated:
        """Return the freight per kilogram from one country to another.

        Args:
            lane: Origin and destination country.
            day: The day.

        Returns:
            Money per kilogram.

        Raises:
            MissingRate: If no row holds on the day.
        """
        asked = (lane, day)
        known = self._found.get(asked)
        if known is not None:
            return known
        fits = list(_valid(self.freight.get(lane, ()), day))
        if not fits:
            raise MissingRate(f"freight from {lane[0]} to {lane[1]}", day, "freight_rates")
        best = max(fits, key=lambda rate: rate.valid_from)
        start = dt.date.fromisoformat(best.valid_from)
        deviation = deviation_of(best.rate_range)
        rate = Dated(best.value, best.currency, start, "freight_rates", deviation)
        return self._keep(asked, rate)

    def _keep(self, asked: tuple[object, ...], rate: Dated) -> Dated:
        if len(self._found) >= MOST_FOUND:
            self._found.clear()
        self._found[asked] = rate
        return rate

    @classmethod
    def from_document(cls, said: Mapping[str, Any]) -> CostRates:
        """Read rates as `training.cost.documents` writes them."""
        return cls(
            currency_code=said["currency_code"],
            country=said["country"],
            commodities={name: RateSeries(**one) for name, one in said["commodities"].items()},
            exchange={(a, b): RateSeries(**one) for a, b, one in said["exchange"]},
            tariffs=_lanes(said["tariffs"]),
            freight=_lanes(said["freight"]),
            plants={name: Plant(**one) for name, one in said["plants"].items()},
            suppliers=said["suppliers"],
        )


def deviation_of(rate_range: float) -> float:
    """Return the standard deviation of a rate that is uniform within a half width.

    Args:
        rate_range: Relative half width, 0 or more.

    Returns:
        Relative standard deviation, half width / sqrt(3).

    Example:
        >>> round(deviation_of(0.1), 6)
        0.057735
    """
    return rate_range / math.sqrt(3.0)


def _dated(series: RateSeries, place: int, source: str, span_days: float) -> Dated:
    deviation = series.daily_deviation(place) * math.sqrt(span_days)
    day = dt.date(1970, 1, 1) + dt.timedelta(days=series.days[place])
    return Dated(series.values[place], series.currency, day, source, deviation)


def _crossed(halves: Sequence[Dated]) -> Dated | None:
    """Return two rates of exchange one after the other, as old as the older; None where one lacks.

    They move apart from each other, as all rates are taken to.
    """
    if len(halves) < 2:  # noqa: PLR2004  one to the currency of the data and one from it
        return None
    first, second = halves
    deviation = math.hypot(first.deviation, second.deviation)
    days = [half.day for half in halves if half.day is not None]
    return Dated(first.value * second.value, "", min(days), first.source, deviation)


def _valid(rates: Sequence[LaneRate], day: dt.date) -> list[LaneRate]:
    text = day.isoformat()
    return [rate for rate in rates if rate.holds(text)]


def _lanes(said: Sequence[Any]) -> dict[tuple[str, str], tuple[LaneRate, ...]]:
    return {
        (origin, destination): tuple(LaneRate(**one) for one in rates)
        for origin, destination, rates in said
    }
