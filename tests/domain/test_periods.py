"""Days, weeks and months as periods of a data set."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.domain.periods import Frequency, first_day, frequency_of, last_day, period_of

DAYS = st.dates(dt.date(1950, 1, 1), dt.date(2100, 12, 31))


@given(day=DAYS, frequency=st.sampled_from(Frequency))
def test_a_day_lies_between_the_ends_of_its_period(day: dt.date, frequency: Frequency) -> None:
    period = period_of(np.datetime64(day, "D"), frequency)
    assert frequency_of(period) is frequency
    assert first_day(period) <= np.datetime64(day, "D") <= last_day(period)
    assert first_day(period + 1) == last_day(period) + 1


@given(day=DAYS)
def test_a_week_is_that_of_the_iso_calendar(day: dt.date) -> None:
    week = period_of(np.datetime64(day, "D"), Frequency.WEEK)
    assert first_day(week).astype(object).weekday() == 0
    assert week.astype("datetime64[D]").astype(object).isocalendar()[:2] == day.isocalendar()[:2]


@pytest.mark.parametrize(("year", "days"), [(2023, 28), (2024, 29), (2100, 28)])
def test_february_ends_where_the_calendar_ends_it(year: int, days: int) -> None:
    month = np.datetime64(f"{year}-02", "M")
    assert last_day(month).astype(object).day == days
