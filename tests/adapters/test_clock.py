"""The business clock."""

from __future__ import annotations

import datetime as dt

from serving.adapters.clock import BusinessClock


def test_a_pinned_clock_stands_at_the_end_of_its_day() -> None:
    assert BusinessClock(dt.date(2026, 2, 28)).now() == dt.datetime(2026, 3, 1, tzinfo=dt.UTC)


def test_a_clock_that_is_not_pinned_tells_the_time() -> None:
    before = dt.datetime.now(dt.UTC)
    assert before <= BusinessClock().now() <= dt.datetime.now(dt.UTC)
