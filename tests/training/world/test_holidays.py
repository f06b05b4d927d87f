"""Days carry the names and the factors they should."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from training.world.days import lay_out_days
from training.world.holidays import HOLIDAYS, easter, is_payday, is_school_holiday
from training.world.profiles import find_profile


@pytest.mark.parametrize(
    ("year", "month", "day"),
    [(2000, 4, 23), (2008, 3, 23), (2011, 4, 24), (2019, 4, 21), (2038, 4, 25)],
)
def test_easter_falls_where_the_church_puts_it(year: int, month: int, day: int) -> None:
    assert easter(year) == dt.date(year, month, day)


def test_every_holiday_lifts_demand_three_to_five_times() -> None:
    lifts = [holiday.lift for holidays in HOLIDAYS.values() for holiday in holidays]
    assert min(lifts) > 3.0
    assert max(lifts) < 5.0


def test_paydays_follow_the_country() -> None:
    assert is_payday("US", dt.date(2026, 2, 28))
    assert is_payday("MX", dt.date(2026, 3, 15))
    # 28 February 2026 is a Saturday.
    assert is_payday("DE", dt.date(2026, 2, 27))
    assert not is_payday("DE", dt.date(2026, 2, 28))


def test_school_holidays_span_the_turn_of_the_year() -> None:
    assert is_school_holiday("DE", dt.date(2025, 12, 31))
    assert is_school_holiday("DE", dt.date(2026, 1, 6))
    assert not is_school_holiday("DE", dt.date(2026, 1, 7))


def test_weekday_and_season_come_from_the_date() -> None:
    days = lay_out_days(find_profile("demo"), ("US", "DE"))
    civil = days.dates.tolist()
    assert days.weekday.tolist() == [date.weekday() for date in civil]
    assert days.month.tolist() == [date.month for date in civil]
    assert days.day_of_year.tolist() == [date.timetuple().tm_yday - 1 for date in civil]


def test_the_annual_wave_makes_q4_forty_percent_larger_than_q2() -> None:
    days = lay_out_days(find_profile("demo"), ("US",))
    level, quarter = 1.0 + days.annual_wave(), (days.month - 1) // 3
    year = np.arange(len(days.dates)) < 365
    ratio = level[year & (quarter == 3)].mean() / level[year & (quarter == 1)].mean()
    assert ratio == pytest.approx(1.40, abs=0.01)
