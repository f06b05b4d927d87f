"""The season and weekday effect that all series of a data set share, learned over its years."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from serving.domain.history import WEEK, YEAR
from serving.domain.tiers import YEAR_SLOTS, day_of_year

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

MIN_DAYS = 2 * YEAR  # every day of the year has then been seen inside a full year around it


def season_of(total: Floats, first_day: np.datetime64, window: int) -> tuple[Floats, Floats]:
    """Split daily totals by ratio to a moving year into weekday and season.

    Args:
        total: Units a day of all series, oldest first, shape (days,), MIN_DAYS or more.
        first_day: The first day.
        window: Days over which the season is smoothed, odd.

    Returns:
        Demand on each weekday over that of an average day, Monday first, shape (7,), and on each
        day of the year, shape (366,).

    Example:
        >>> days = np.arange(1500)
        >>> weekday, season = season_of(10.0 + (days % 7 == 3), np.datetime64("2020-01-01"), 1)
        >>> weekday.round(3)  # Saturday is three days after a Wednesday
        array([0.986, 0.986, 0.986, 0.986, 0.986, 1.085, 0.986])
        >>> bool(np.allclose(season, 1.0))
        True
    """
    days = first_day.astype("datetime64[D]") + np.arange(total.size)
    half = YEAR // 2
    year = np.convolve(total, np.full(YEAR, 1.0 / YEAR), "valid")
    # A window of even length lies half a day off its middle: two of them side by side are centred.
    ratio = total[half : half + year.size - 1] / np.maximum((year[1:] + year[:-1]) / 2.0, 1e-9)
    inner = days[half : half + year.size - 1]
    on = (inner.astype(np.int64) + 3) % WEEK
    weekday = _means(ratio, on, WEEK)
    weekday = weekday / weekday.mean()
    season = _means(ratio / np.maximum(weekday[on], 1e-9), day_of_year(inner), YEAR_SLOTS)
    wrapped = np.concatenate([season[-(window // 2) :], season, season[: window // 2]])
    smooth = np.convolve(wrapped, np.full(window, 1.0 / window), "valid") if window > 1 else season
    # A season of nothing cannot be divided by.
    return np.maximum(weekday, 1e-3), np.maximum(smooth / smooth.mean(), 1e-3)


def _means(values: Floats, slot: NDArray[np.int64], slots: int) -> Floats:
    """Return the mean of each slot; one never seen takes the slot before it."""
    count = np.bincount(slot, minlength=slots)
    mean = np.bincount(slot, values, minlength=slots) / np.maximum(count, 1)
    for empty in np.flatnonzero(count == 0):
        mean[empty] = mean[empty - 1]
    return mean
