"""The days of a world: what each one is called in each country and what it does to demand."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from training.world.holidays import HOLIDAYS, SATURDAY, is_payday, is_school_holiday
from training.world.profiles import CALENDAR_DAYS_AHEAD
from training.world.tables import Tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.world.profiles import Profile
    from training.world.world import World

# Monday to Sunday: weekdays average 1, Saturday and Sunday 0.70.
WEEKLY = np.array([0.95, 0.97, 1.00, 1.02, 1.06, 0.74, 0.66])
Q4_OVER_Q2 = 1.40
EVE_LIFT = 1.15
EVE_DAYS = 2
PAYDAY_LIFT = 1.10
SCHOOL_HOLIDAY_LIFT = 1.05
ANNUAL_PEAK_DAY = 320
DAYS_PER_YEAR = 365


@dataclass(frozen=True, slots=True)
class Days:
    """Every day from the first of history to the end of the calendar.

    Attributes:
        dates: datetime64[D], shape (days,).
        history: number of leading days that lie in the past.
        planned: number of days after them that demand is drawn for.
        countries: two-letter codes, shape (countries,).
        holiday_names: per country and day, None where there is none, shape (countries, days).
        holiday_lift: factor on demand of the holiday alone, shape (countries, days).
        eve: within ``EVE_DAYS`` before a holiday, shape (countries, days).
        payday: shape (countries, days).
        school_holiday: shape (countries, days).
    """

    dates: NDArray[np.datetime64]
    history: int
    planned: int
    countries: tuple[str, ...]
    holiday_names: tuple[tuple[str | None, ...], ...]
    holiday_lift: NDArray[np.float64]
    eve: NDArray[np.bool_]
    payday: NDArray[np.bool_]
    school_holiday: NDArray[np.bool_]

    @property
    def drawn(self) -> int:
        """The number of days demand is drawn for: history and the planned days."""
        return self.history + self.planned

    @property
    def weekday(self) -> NDArray[np.int64]:
        """Day of the week, 0 is Monday, shape (days,)."""
        # The epoch, 1970-01-01, was a Thursday.
        return (self.dates.astype(np.int64) + 3) % 7

    @property
    def weekend(self) -> NDArray[np.bool_]:
        """Saturdays and Sundays, shape (days,)."""
        return self.weekday >= SATURDAY

    @property
    def month(self) -> NDArray[np.int64]:
        """Month 1..12, shape (days,)."""
        return self.dates.astype("datetime64[M]").astype(np.int64) % 12 + 1

    @property
    def day_of_year(self) -> NDArray[np.int64]:
        """Day of the year from 0, shape (days,)."""
        starts = self.dates.astype("datetime64[Y]").astype("datetime64[D]")
        return np.asarray((self.dates - starts).astype(np.int64))

    @property
    def special(self) -> NDArray[np.bool_]:
        """Holidays and their eves, shape (countries, days)."""
        return (self.holiday_lift > 1.0) | self.eve

    def annual_wave(self) -> NDArray[np.float64]:
        """Return the annual season as a wave around zero.

        Returns:
            Shape (days,); ``1 + wave`` averages 1.40 times as much over a fourth quarter as
            over a second one.
        """
        wave = _annual_cosine(self.day_of_year)
        year = np.arange(np.datetime64("2025-01-01"), np.datetime64("2026-01-01"))
        quarter = (year.astype("datetime64[M]").astype(np.int64) % 12) // 3
        reference = _annual_cosine(np.arange(DAYS_PER_YEAR))
        q2, q4 = reference[quarter == 1].mean(), reference[quarter == 3].mean()  # noqa: PLR2004
        amplitude = (Q4_OVER_Q2 - 1.0) / (q4 - Q4_OVER_Q2 * q2)
        return np.asarray(amplitude * wave, dtype=np.float64)

    def calendar_effect(self) -> NDArray[np.float64]:
        """Return the factor of weekday, holiday, eve, payday and school holiday on demand.

        On a holiday only the weekday counts beside it.

        Returns:
            Shape (countries, days), all > 0.
        """
        other = np.where(self.eve, EVE_LIFT, 1.0)
        other = other * np.where(self.payday, PAYDAY_LIFT, 1.0)
        other = other * np.where(self.school_holiday, SCHOOL_HOLIDAY_LIFT, 1.0)
        holiday = self.holiday_lift > 1.0
        return WEEKLY[self.weekday] * np.where(holiday, self.holiday_lift, other)


def _annual_cosine(day_of_year: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.asarray(np.cos(2.0 * np.pi * (day_of_year - ANNUAL_PEAK_DAY) / 365.25))


def lay_out_days(profile: Profile, countries: tuple[str, ...]) -> Days:
    """Lay out the days of a profile for the countries that have locations.

    Args:
        profile: gives the first day, the length of history and of the plan.
        countries: two-letter codes.

    Returns:
        The days, ending 120 days after history.
    """
    first = np.datetime64(profile.first_day, "D")
    dates = first + np.arange(profile.days + CALENDAR_DAYS_AHEAD)
    civil: list[dt.date] = dates.tolist()
    names: list[tuple[str | None, ...]] = []
    lift = np.ones((len(countries), len(civil)))
    eve = np.zeros(lift.shape, dtype=np.bool_)
    for row, country in enumerate(countries):
        by_date = {
            holiday.date_in(year): holiday
            for year in range(civil[0].year, civil[-1].year + 2)
            for holiday in HOLIDAYS[country]
        }
        names.append(tuple(by_date[date].name if date in by_date else None for date in civil))
        for column, date in enumerate(civil):
            if date in by_date:
                lift[row, column] = by_date[date].lift
            else:
                coming = (date + dt.timedelta(days=ahead) for ahead in range(1, EVE_DAYS + 1))
                eve[row, column] = any(day in by_date for day in coming)
    return Days(
        dates=dates,
        history=profile.days,
        planned=profile.plan_days,
        countries=countries,
        holiday_names=tuple(names),
        holiday_lift=lift,
        eve=eve,
        payday=np.array([[is_payday(c, date) for date in civil] for c in countries]),
        school_holiday=np.array(
            [[is_school_holiday(c, date) for date in civil] for c in countries]
        ),
    )


def calendar_tables(world: World, rng: np.random.Generator) -> Tables:
    """Write the calendar, and beside it the factor every kind of day puts on demand.

    Args:
        world: the world.
        rng: not drawn from; every maker has the same signature.

    Returns:
        Observed ``calendar``; truth ``calendar_effects`` (effect, level, factor).
    """
    del rng
    days = world.days
    calendar = pl.concat(
        pl.DataFrame(
            {
                "date": days.dates,
                "country": [country] * len(days.dates),
                "holiday_name": pl.Series(days.holiday_names[row], dtype=pl.String),
                "payday": days.payday[row],
                "school_holiday": days.school_holiday[row],
            }
        )
        for row, country in enumerate(days.countries)
    )
    effects = [("weekday", str(day), float(factor)) for day, factor in enumerate(WEEKLY)]
    effects += [
        ("holiday", f"{country} {holiday.name}", holiday.lift)
        for country in days.countries
        for holiday in HOLIDAYS[country]
    ]
    effects += [
        ("holiday_eve", f"within {EVE_DAYS} days before", EVE_LIFT),
        ("payday", "payday", PAYDAY_LIFT),
        ("school_holiday", "school holiday", SCHOOL_HOLIDAY_LIFT),
    ]
    truth = pl.DataFrame(effects, schema=["effect", "level", "factor"], orient="row")
    return Tables(observed={"calendar": calendar}, truth={"calendar_effects": truth})
