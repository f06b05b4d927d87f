"""Periods: the days, weeks or months a data set counts its demand in.

What is named by days counts periods where a data set is weekly or monthly: a horizon of 3 is three
months, a lag of 28 twenty-eight of them. A period is a `datetime64` of the unit of its frequency,
so the next one is one more. Weeks are those of ISO 8601, Monday to Sunday, which numpy's own weeks
name by their Thursday.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Periods = NDArray[np.datetime64]

_TO_THURSDAY = 3


class Frequency(enum.IntEnum):
    """Length of a period; numbers as in the contract."""

    DAY = 1
    WEEK = 2
    MONTH = 3


_UNITS = {Frequency.DAY: "D", Frequency.WEEK: "W", Frequency.MONTH: "M"}
_FREQUENCIES = {unit: frequency for frequency, unit in _UNITS.items()}


def frequency_of(period: np.datetime64) -> Frequency:
    """Return the length of a period.

    Args:
        period: A day, week or month.

    Returns:
        Its length.

    Example:
        >>> frequency_of(np.datetime64("2024-05", "M")).name
        'MONTH'
    """
    return _FREQUENCIES[np.datetime_data(period.dtype)[0]]


def period_of(day: np.datetime64, frequency: Frequency) -> np.datetime64:
    """Return the period a day lies in.

    Args:
        day: The day.
        frequency: Length of a period.

    Returns:
        The period, in the unit of its frequency.

    Example:
        >>> sunday = np.datetime64("2024-01-07", "D")
        >>> [str(first_day(period_of(sunday, frequency))) for frequency in Frequency]
        ['2024-01-07', '2024-01-01', '2024-01-01']
    """
    if frequency is Frequency.WEEK:
        # ISO weeks are counted from the Monday before 1970-01-01, itself a Thursday.
        number = (int(day.astype("datetime64[D]").astype(np.int64)) + _TO_THURSDAY) // 7
        return np.datetime64(number, "W")
    period: np.datetime64 = day.astype(f"datetime64[{_UNITS[frequency]}]")
    return period


def first_days(periods: Periods) -> Periods:
    """Return the first day of each period, unit D."""
    days = periods.astype("datetime64[D]")
    return days - _TO_THURSDAY if np.datetime_data(periods.dtype)[0] == "W" else days


def day_numbers_ahead(origin: np.datetime64, horizon: int) -> list[int]:
    """Return the first day of each period after an origin, days since 1970-01-01.

    Args:
        origin: The last known period.
        horizon: Periods ahead.

    Returns:
        The days, in order.
    """
    days: list[int] = first_days(origin + np.arange(1, horizon + 1)).astype(np.int64).tolist()
    return days


def first_day(period: np.datetime64) -> np.datetime64:
    """Return the first day of a period, unit D."""
    return np.datetime64(first_days(np.asarray([period]))[0])


def last_day(period: np.datetime64) -> np.datetime64:
    """Return the last day of a period.

    Args:
        period: A day, week or month.

    Returns:
        Its last day, unit D.

    Example:
        >>> last_day(np.datetime64("2024-02", "M"))
        np.datetime64('2024-02-29')
    """
    return np.datetime64(first_day(period + 1) - np.timedelta64(1, "D"))
