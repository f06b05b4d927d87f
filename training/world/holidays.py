"""Holidays, paydays and school holidays of the countries that have locations.

Holidays are public holidays and shopping feasts on their real dates; the lifts are invented. A
simplification on purpose: shops are open on every holiday and sell several times a normal day.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

MONDAY, THURSDAY, SATURDAY = 0, 3, 5
DECEMBER = 12


def easter(year: int) -> dt.date:
    """Return Easter Sunday of a year in the Gregorian calendar.

    Args:
        year: 1583 or later.

    Returns:
        The date of Easter Sunday.

    Source: the anonymous Gregorian algorithm, Nature 20 April 1876; J. Meeus, Astronomical
    Algorithms (1991), chapter 8.

    >>> easter(2026)
    datetime.date(2026, 4, 5)
    >>> easter(2024)
    datetime.date(2024, 3, 31)
    """
    century, in_century = divmod(year, 100)
    golden = year % 19
    moon_shift = (century - century // 4 - (century - (century + 8) // 25 + 1) // 3 + 15) % 30
    epact = (19 * golden + moon_shift) % 30
    weekday = (32 + 2 * (century % 4) + 2 * (in_century // 4) - epact - in_century % 4) % 7
    correction = (golden + 11 * epact + 22 * weekday) // 451
    month, day = divmod(epact + weekday - 7 * correction + 114, 31)
    return dt.date(year, month, day + 1)


def nth_weekday(year: int, month: int, weekday: int, n: int) -> dt.date:
    """Return the n-th given weekday of a month.

    Args:
        year: calendar year.
        month: 1..12.
        weekday: 0 is Monday.
        n: 1..4, or -1 for the last.

    Returns:
        The date.

    >>> nth_weekday(2025, 11, THURSDAY, 4)
    datetime.date(2025, 11, 27)
    >>> nth_weekday(2026, 5, MONDAY, -1)
    datetime.date(2026, 5, 25)
    """
    if n < 0:
        last = month_end(year, month)
        return last - dt.timedelta(days=(last.weekday() - weekday) % 7)
    first = dt.date(year, month, 1)
    return first + dt.timedelta(days=(weekday - first.weekday()) % 7 + 7 * (n - 1))


def month_end(year: int, month: int) -> dt.date:
    """Return the last day of a month.

    Args:
        year: calendar year.
        month: 1..12.

    Returns:
        The date.
    """
    following = dt.date(year + month // DECEMBER, month % DECEMBER + 1, 1)
    return following - dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Holiday:
    """A holiday: its name, the factor it puts on demand (3.8..4.5), and its date in a year."""

    name: str
    lift: float
    date_in: Callable[[int], dt.date]


def _fixed(month: int, day: int) -> Callable[[int], dt.date]:
    return lambda year: dt.date(year, month, day)


def _nth(month: int, weekday: int, n: int) -> Callable[[int], dt.date]:
    return lambda year: nth_weekday(year, month, weekday, n)


def _from_easter(days: int) -> Callable[[int], dt.date]:
    return lambda year: easter(year) + dt.timedelta(days=days)


HOLIDAYS: dict[str, tuple[Holiday, ...]] = {
    "US": (
        Holiday("New Year's Day", 4.3, _fixed(1, 1)),
        Holiday("Martin Luther King Day", 4.4, _nth(1, MONDAY, 3)),
        Holiday("Presidents' Day", 4.4, _nth(2, MONDAY, 3)),
        Holiday("Easter Sunday", 4.3, _from_easter(0)),
        Holiday("Memorial Day", 4.3, _nth(5, MONDAY, -1)),
        Holiday("Independence Day", 4.3, _fixed(7, 4)),
        Holiday("Labor Day", 4.2, _nth(9, MONDAY, 1)),
        Holiday("Halloween", 4.1, _fixed(10, 31)),
        Holiday("Veterans Day", 3.8, _fixed(11, 11)),
        Holiday("Thanksgiving Day", 4.4, _nth(11, THURSDAY, 4)),
        Holiday("Christmas Day", 4.5, _fixed(12, 25)),
    ),
    "DE": (
        Holiday("New Year's Day", 4.3, _fixed(1, 1)),
        Holiday("Good Friday", 4.4, _from_easter(-2)),
        Holiday("Easter Monday", 4.2, _from_easter(1)),
        Holiday("Labour Day", 4.2, _fixed(5, 1)),
        Holiday("Ascension Day", 4.3, _from_easter(39)),
        Holiday("Whit Monday", 4.2, _from_easter(50)),
        Holiday("Day of German Unity", 3.9, _fixed(10, 3)),
        Holiday("Reformation Day", 3.8, _fixed(10, 31)),
        Holiday("Saint Nicholas Day", 3.9, _fixed(12, 6)),
        Holiday("Christmas Day", 4.5, _fixed(12, 25)),
        Holiday("Second Day of Christmas", 4.2, _fixed(12, 26)),
    ),
    "MX": (
        Holiday("New Year's Day", 4.3, _fixed(1, 1)),
        Holiday("Constitution Day", 4.4, _nth(2, MONDAY, 1)),
        Holiday("Birthday of Benito Juarez", 4.4, _nth(3, MONDAY, 3)),
        Holiday("Good Friday", 4.4, _from_easter(-2)),
        Holiday("Labour Day", 4.2, _fixed(5, 1)),
        Holiday("Mother's Day", 4.5, _fixed(5, 10)),
        Holiday("Independence Day", 4.3, _fixed(9, 16)),
        Holiday("Day of the Dead", 4.2, _fixed(11, 2)),
        Holiday("Revolution Day", 3.8, _nth(11, MONDAY, 3)),
        Holiday("Our Lady of Guadalupe", 3.9, _fixed(12, 12)),
        Holiday("Christmas Day", 4.5, _fixed(12, 25)),
    ),
}

# (month, day) first and last, both included.
SCHOOL_HOLIDAYS: dict[str, tuple[tuple[tuple[int, int], tuple[int, int]], ...]] = {
    "US": (((6, 15), (8, 25)), ((12, 22), (12, 31)), ((1, 1), (1, 3))),
    "DE": (((7, 15), (8, 31)), ((12, 22), (12, 31)), ((1, 1), (1, 6))),
    "MX": (((7, 10), (8, 20)), ((12, 20), (12, 31)), ((1, 1), (1, 6))),
}


def is_payday(country: str, date: dt.date) -> bool:
    """Tell whether wages are paid on a day.

    Args:
        country: two-letter code; DE pays on the last weekday of the month, the others on the
            15th and on the last day.
        date: the day.

    Returns:
        True on paydays.
    """
    end = month_end(date.year, date.month)
    if country == "DE":
        while end.weekday() >= SATURDAY:
            end -= dt.timedelta(days=1)
        return date == end
    return date in (end, date.replace(day=15))


def is_school_holiday(country: str, date: dt.date) -> bool:
    """Tell whether schools are closed for holidays on a day.

    Args:
        country: two-letter code, a key of ``SCHOOL_HOLIDAYS``.
        date: the day.

    Returns:
        True within a school holiday.
    """
    day = (date.month, date.day)
    return any(first <= day <= last for first, last in SCHOOL_HOLIDAYS[country])
