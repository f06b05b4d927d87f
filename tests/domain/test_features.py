"""Feature rows: what each column reads, and that none reads what was not known at the origin."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.domain.features import (
    COLUMN,
    FEATURES,
    FUTURE,
    KNOWN_DAYS,
    LAGS,
    LOCATION,
    WIDTHS,
    SeriesRecords,
    cover_rows,
    daily_rows,
    date_columns,
    series_scale,
)
from serving.domain.history import MAX_HORIZON, STATE, TAIL, WEEK, History, demand_states
from tests.fakes.demand import ORIGIN, location_values, past, product_values, state_of

LAST = np.datetime64(ORIGIN)


def records(*seeds: int, days: int = 500) -> SeriesRecords:
    return SeriesRecords(
        origin=LAST,
        state=np.stack([state_of(past(seed, days)) for seed in seeds]),
        product=np.stack([product_values(seed) for seed in seeds]),
        location=np.stack([location_values(seed) for seed in seeds]),
        future=np.full((len(seeds), WIDTHS["known_future"]), np.nan, dtype=np.float32),
    )


@pytest.fixture(scope="module")
def two() -> SeriesRecords:
    return records(1, 2)


@pytest.fixture(scope="module")
def rows(two: SeriesRecords) -> np.ndarray:
    return daily_rows(two, MAX_HORIZON, sales_target=False)


def column(rows: np.ndarray, name: str) -> np.ndarray:
    return rows[:, :, COLUMN[name]]


def test_rows_have_a_column_for_every_feature(rows: np.ndarray) -> None:
    assert rows.shape == (2, MAX_HORIZON, len(FEATURES))
    assert rows.dtype == np.float32
    assert len(set(FEATURES)) == len(FEATURES)


@pytest.mark.parametrize("lag", LAGS)
def test_a_lag_not_known_yet_is_the_last_same_weekday_that_is(
    two: SeriesRecords, rows: np.ndarray, lag: int
) -> None:
    tail = two.state[:, STATE["tail"]]
    scale = series_scale(two.state)
    for ahead in range(1, MAX_HORIZON + 1):
        back = lag - ahead  # days before the origin
        while back < 0:
            back += WEEK
        per_unit = np.float32(1) / scale
        expected = tail[:, TAIL - 1 - back] * per_unit
        assert np.array_equal(column(rows, f"lag_{lag}")[:, ahead - 1], expected)
        if lag % WEEK == 0:
            assert (lag - ahead - back) % WEEK == 0, "the weekday is kept"


def test_the_mean_of_same_weekdays_is_that_of_the_last_four(
    two: SeriesRecords, rows: np.ndarray
) -> None:
    tail = two.state[:, STATE["tail"]] / series_scale(two.state)[:, None]
    for ahead in (1, 7, 8, 90):
        same = tail[:, (TAIL - 1 + ahead) % WEEK :: WEEK]
        assert same.shape[1] == 4
        got = column(rows, "same_weekday_mean")[:, ahead - 1]
        assert got == pytest.approx(same.mean(axis=1), rel=1e-5)


def test_the_last_days_known_stand_in_every_row(two: SeriesRecords, rows: np.ndarray) -> None:
    tail = two.state[:, STATE["tail"]] / series_scale(two.state)[:, None]
    for ahead in (1, 2, 90):
        assert column(rows, "last")[:, ahead - 1] == pytest.approx(tail[:, -1], rel=1e-5)
        three = tail[:, -3:].mean(axis=1)
        assert column(rows, "last_three")[:, ahead - 1] == pytest.approx(three, rel=1e-5)


@settings(max_examples=10)
@given(origin=st.integers(120, 480), seed=st.integers(0, 50))
def test_no_column_reads_what_comes_after_the_origin(origin: int, seed: int) -> None:
    whole = past(seed, 500)
    future = whole.quantity.copy()
    future[origin + 1 :] = 1e6
    changed = dataclasses.replace(
        whole, quantity=future, price=np.where(np.isnan(future) | (future < 1e6), whole.price, 1e3)
    )
    base = records(1)
    made = []
    for history in (whole, changed):
        ((_, state, _),) = demand_states(history, [origin])
        known = dataclasses.replace(base, origin=LAST - 499 + origin, state=state)
        made.append(daily_rows(known, MAX_HORIZON, sales_target=False))
    assert made[0].tobytes() == made[1].tobytes()


def test_a_longer_horizon_leaves_the_nearer_days_as_they_were(
    two: SeriesRecords, rows: np.ndarray
) -> None:
    for horizon in (1, 13, 60):
        short = daily_rows(two, horizon, sales_target=False)
        assert short.tobytes() == rows[:, :horizon].tobytes()


def test_rows_of_a_batch_have_the_bits_of_each_alone(rows: np.ndarray) -> None:
    for place, seed in enumerate((1, 2)):
        alone = daily_rows(records(seed), MAX_HORIZON, sales_target=False)
        assert alone[0].tobytes() == rows[place].tobytes()


def test_dates_at_hand_give_the_same_bits(two: SeriesRecords, rows: np.ndarray) -> None:
    dates = date_columns(LAST, MAX_HORIZON)
    given_dates = daily_rows(two, MAX_HORIZON, sales_target=False, dates=dates)
    assert given_dates.tobytes() == rows.tobytes()


def test_dates_are_those_of_the_days_ahead(rows: np.ndarray) -> None:
    for ahead in (1, 2, 31, 90):
        day = (LAST + np.timedelta64(ahead, "D")).astype(object)
        row = rows[0, ahead - 1]
        assert row[COLUMN["weekday"]] == day.weekday()
        assert row[COLUMN["weekend"]] == (day.weekday() >= 5)
        assert (row[COLUMN["month"]], row[COLUMN["day_of_month"]]) == (day.month, day.day)
        assert row[COLUMN["horizon"]] == ahead


def test_the_year_is_read_364_days_back() -> None:
    sold = np.full(500, 40.0)
    marked = 500 + 30 - 364  # 30 days ahead, a year ago
    sold[marked - 1] = 47.0
    flat = np.ones((500, 1))
    history = History(LAST - 499, sold[:, None], flat, flat, 0 * flat, 0 * flat)
    base = records(4)
    location = base.location.copy()
    location[0, LOCATION["holiday"]] = 0.0
    known = dataclasses.replace(base, state=state_of(history)[None], location=location)
    scale = float(series_scale(known.state)[0])
    row = daily_rows(known, MAX_HORIZON, sales_target=False)
    for ahead, name, units in (
        (1, "year_ago", 40.0),
        (30, "year_ago", 47.0),
        (90, "year_ago", 40.0),
        (30, "year_ago_mean", 41.0),
        (90, "year_ago_mean", 40.0),
    ):
        assert row[0, ahead - 1, COLUMN[name]] * scale == pytest.approx(units, rel=1e-2)
    assert row[0, 29, COLUMN["year_ago_rise"]] == pytest.approx(41.0 / 40.0, rel=1e-2)


def test_what_is_expected_follows_weekday_and_promotion() -> None:
    days = np.arange(500)
    promoted = ((days // 7) % 2 == 0).astype(float)
    monday = (LAST - 499 + days).astype(np.int64) % 7 == 4
    sold = 10.0 * np.where(monday, 2.0, 1.0) * np.where(promoted > 0, 1.5, 1.0)
    flat = np.ones((500, 1))
    history = History(LAST - 499, sold[:, None], flat, flat, 0 * flat, promoted[:, None])
    base = records(4)
    future = base.future.copy()
    future[0, FUTURE["promoted"]] = np.arange(KNOWN_DAYS) < 7
    future[0, FUTURE["promoted"].start + 13] = np.nan  # as likely as it was: every other week
    state, location = state_of(history)[None], base.location.copy()
    location[0, LOCATION["holiday"]] = 0.0
    known = dataclasses.replace(base, state=state, location=location, future=future)
    row = daily_rows(known, 14, sales_target=False)[0]
    expected = row[:, COLUMN["expected"]] * row[:, COLUMN["scale"]]
    mondays = row[:, COLUMN["weekday"]] == 0
    lift = [*[1.5] * 7, *[1.0] * 6, 1.0 + 0.5 * float(state[0, STATE["promoted_level"].start])]
    came = 10.0 * np.where(mondays, 2.0, 1.0) * lift
    assert expected == pytest.approx(came, rel=0.06)  # a day of no effect still weighs


def test_a_holiday_is_expected_to_sell_as_a_sunday() -> None:
    days = np.arange(500)
    sunday = (LAST - 499 + days).astype(np.int64) % 7 == 3
    flat = np.ones((500, 1))
    sold = np.where(sunday, 4.0, 10.0)[:, None]
    history = History(LAST - 499, sold, flat, flat, 0 * flat, 0 * flat)
    base = records(4)
    location = base.location.copy()
    location[0, LOCATION["holiday"]] = 1.0
    known = dataclasses.replace(base, state=state_of(history)[None], location=location)
    row = daily_rows(known, 7, sales_target=False)[0]
    expected = row[:, COLUMN["expected"]] * row[:, COLUMN["scale"]]
    assert expected == pytest.approx(np.full(7, 4.0), rel=0.08)


def test_where_nothing_is_planned_the_last_regime_goes_on(two: SeriesRecords) -> None:
    state = two.state
    row = daily_rows(two, 3, sales_target=False)
    assert (column(row, "planned") == 0).all()
    assert np.array_equal(column(row, "discount")[:, 0], state[:, STATE["discount_last"].start])
    future = two.future.copy()
    future[0, FUTURE["discount"].start + 1] = 0.75
    planned = daily_rows(dataclasses.replace(two, future=future), 3, sales_target=False)
    assert column(planned, "planned").tolist() == [[0, 1, 0], [0, 0, 0]]
    assert column(planned, "discount")[0, 1] == np.float32(0.75)
    assert np.array_equal(column(planned, "discount")[1], column(row, "discount")[1])


def test_a_day_the_calendar_does_not_reach_is_no_holiday_and_near_none(
    two: SeriesRecords, rows: np.ndarray
) -> None:
    location = two.location.copy()
    for name in ("holiday", "days_to_holiday", "days_since_holiday"):
        location[:, LOCATION[name].start + 5 : LOCATION[name].stop] = np.nan
    ended = daily_rows(dataclasses.replace(two, location=location), 10, sales_target=False)
    assert np.array_equal(ended[:, :5], rows[:, :5], equal_nan=True)
    assert (column(ended, "holiday")[:, 5:] == 0).all()
    # Trees that never met a gap read it as 0, which is the holiday itself.
    assert (column(ended, "days_to_holiday")[:, 5:] > WEEK).all()
    assert (column(ended, "days_since_holiday")[:, 5:] > WEEK).all()


def test_a_price_nobody_knows_is_the_usual_one(two: SeriesRecords) -> None:
    state = two.state.copy()
    for name in ("price_last", "price_level"):
        state[:, STATE[name]] = np.nan
    found = daily_rows(dataclasses.replace(two, state=state), 3, sales_target=False)
    assert (column(found, "price_ratio") == 1).all()
    assert np.array_equal(column(found, "price_x_discount"), column(found, "discount"))


@pytest.mark.parametrize("factor", [0.5, 4.0, 1024.0])
def test_rows_but_for_the_scale_do_not_depend_on_the_unit(factor: float) -> None:
    base, history = records(3), past(3, 500)
    larger = dataclasses.replace(history, quantity=history.quantity * factor)
    rows = daily_rows(base, 7, sales_target=False)
    scaled_state = dataclasses.replace(base, state=state_of(larger)[None])
    scaled = daily_rows(scaled_state, 7, sales_target=False)
    own = [COLUMN[name] for name in FEATURES if name.startswith(("lag_", "mean_", "std_"))]
    assert scaled[:, :, COLUMN["scale"]] == pytest.approx(rows[:, :, COLUMN["scale"]] * factor)
    assert scaled[:, :, own] == pytest.approx(rows[:, :, own], rel=1e-4, nan_ok=True)


def test_a_cover_is_the_mean_of_its_days(rows: np.ndarray) -> None:
    covers = np.array([1, 23])
    cover = cover_rows(rows, covers)
    assert cover[:, COLUMN["horizon"]].tolist() == [1, 23]
    assert np.array_equal(cover[:, COLUMN["scale"]], rows[:, 0, COLUMN["scale"]])
    kept = [COLUMN[name] for name in FEATURES if name not in {"horizon", "scale"}]
    assert np.array_equal(cover[0, kept], rows[0, 0, kept], equal_nan=True)
    mean = rows[1, :23, kept].mean(axis=1)
    assert cover[1, kept] == pytest.approx(mean, rel=1e-4, abs=1e-6, nan_ok=True)


def test_covers_of_a_batch_have_the_bits_of_each_alone(rows: np.ndarray) -> None:
    covers = np.array([90, 7])
    together = cover_rows(rows, covers)
    for place in range(2):
        days = int(covers[place])
        alone = cover_rows(rows[place : place + 1, :days], covers[place : place + 1])
        assert alone[0].tobytes() == together[place].tobytes()


def test_a_day_planned_closed_sells_nothing_and_lengthens_no_cover(two: SeriesRecords) -> None:
    location = two.location.copy()
    location[0, LOCATION["closed"].start + np.array([0, 3])] = 1.0
    shut = dataclasses.replace(two, location=location)
    rows = daily_rows(shut, 7, sales_target=False)
    usual = daily_rows(two, 7, sales_target=False)
    assert np.flatnonzero(column(rows, "scale")[0] == 0).tolist() == [0, 3]
    others = [COLUMN[name] for name in FEATURES if name != "scale"]
    assert np.array_equal(rows[:, :, others], usual[:, :, others], equal_nan=True)
    covers = cover_rows(rows, np.array([7, 7]))
    assert covers[:, COLUMN["horizon"]].tolist() == [5, 7]
    assert np.array_equal(covers[:, COLUMN["scale"]], usual[:, 0, COLUMN["scale"]])
    opened = cover_rows(usual[:1, [1, 2, 4, 5, 6]], np.array([5]))
    assert np.array_equal(covers[0], opened[0], equal_nan=True)
    alone = cover_rows(rows[1:], np.array([7]))
    assert alone[0].tobytes() == covers[1].tobytes()
    assert cover_rows(rows[:1], np.array([1]))[0, COLUMN["horizon"]] == 0
