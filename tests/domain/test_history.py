"""A state has the same bits whatever stands beside it, and is defined where history is thin."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.domain.history import STATE, STATE_WIDTH, TAIL, WEEK, History, demand_states
from serving.errors import InvalidField

FIRST = np.datetime64("2026-01-05")  # a Monday


def history(quantity: np.ndarray, first: np.datetime64 = FIRST) -> History:
    shape = quantity.shape
    rng = np.random.default_rng(5)
    return History(
        first_day=first,
        quantity=quantity,
        available=rng.choice([1.0, 1.0, 0.5], shape),
        price=rng.choice([9.0, 10.0], shape),
        discount=rng.choice([0.0, 0.2], shape),
        promoted=rng.choice([0.0, 1.0], shape),
    )


def drawn(days: int, series: int, seed: int = 3) -> History:
    rng = np.random.default_rng(seed)
    quantity = rng.poisson(2.0, (days, series)).astype(float)
    quantity[rng.random(quantity.shape) < 0.1] = np.nan
    return history(quantity)


def one(past: History, series: int) -> History:
    return dataclasses.replace(
        past,
        **{
            name: getattr(past, name)[:, series : series + 1]
            for name in ("quantity", "available", "price", "discount", "promoted")
        },
    )


def last_state(past: History) -> np.ndarray:
    (_, state, _), *_ = demand_states(past, [past.days - 1])
    return state


def field(state: np.ndarray, name: str) -> np.ndarray:
    return state[:, STATE[name]]


@settings(max_examples=15)
@given(days=st.integers(1, 80), series=st.integers(1, 5), seed=st.integers(0, 1000))
def test_other_series_never_change_a_bit(days: int, series: int, seed: int) -> None:
    past = drawn(days, series, seed)
    together = last_state(past)
    for number in range(series):
        assert together[number].tobytes() == last_state(one(past, number))[0].tobytes()


@settings(max_examples=15)
@given(leading=st.integers(1, 40), seed=st.integers(0, 1000))
def test_days_before_the_first_record_never_change_a_bit(leading: int, seed: int) -> None:
    past = drawn(60, 2, seed)
    padded = {
        name: np.concatenate([np.full((leading, 2), fill), getattr(past, name)])
        for name, fill in (
            ("quantity", np.nan),
            ("available", 1.0),
            ("price", np.nan),
            ("discount", 0.0),
            ("promoted", 0.0),
        )
    }
    longer = History(first_day=past.first_day - np.timedelta64(leading, "D"), **padded)
    first = int(np.flatnonzero(~np.isnan(past.quantity).all(axis=1))[0])
    begun = past.between(first, past.days)
    assert last_state(longer).tobytes() == last_state(begun).tobytes()


@settings(max_examples=15)
@given(origin=st.integers(0, 58), seed=st.integers(0, 1000))
def test_no_state_is_younger_than_its_origin(origin: int, seed: int) -> None:
    past = drawn(60, 2, seed)
    (_, before, _), *_ = demand_states(past, [origin])
    changed = past.quantity.copy()
    changed[origin + 1 :] = 99.0
    (_, after, _), *_ = demand_states(dataclasses.replace(past, quantity=changed), [origin])
    (_, cut, _), *_ = demand_states(past.between(0, origin + 1), [origin])
    assert before.tobytes() == after.tobytes() == cut.tobytes()


def test_many_origins_give_the_bits_of_each_alone() -> None:
    past = drawn(70, 3)
    origins = [0, 1, 27, 28, 69]
    for origin, state, completed in demand_states(past, origins):
        ((_, alone, _),) = demand_states(past, [origin])
        assert state.tobytes() == alone.tobytes()
        assert completed.shape == (origin + 1, 3)


def test_one_day_is_enough() -> None:
    state = last_state(history(np.array([[4.0]])))
    assert state.shape == (1, STATE_WIDTH)
    assert field(state, "observed_days")[0, 0] == 1
    assert field(state, "expanding_mean")[0, 0] == field(state, "tail")[0, -1]
    assert np.isnan(field(state, "expanding_std")).all()
    assert np.isnan(field(state, "tail")[0, :-1]).all()
    assert np.isnan(field(state, "year_ago")).all()


def test_a_series_that_never_sold_has_a_level_of_zero() -> None:
    state = last_state(history(np.zeros((60, 1))))
    assert field(state, "level")[0, 0] == 0
    assert field(state, "observed_days")[0, 0] == 60
    assert np.isnan(field(state, "days_since_sale")).all()
    assert np.isfinite(field(state, "weekday")).all()


def test_a_series_that_was_never_recorded_knows_nothing() -> None:
    state = last_state(history(np.full((60, 1), np.nan)))
    assert field(state, "observed_days")[0, 0] == 0
    assert np.isnan(field(state, "tail")).all()
    assert np.isnan(field(state, "price_last")).all()


def test_a_day_not_recorded_is_no_zero() -> None:
    quantity = np.full((40, 1), 5.0)
    full = history(quantity)
    full = dataclasses.replace(full, available=np.ones_like(quantity))
    gaps = quantity.copy()
    gaps[10:15] = np.nan
    state = last_state(dataclasses.replace(full, quantity=gaps))
    assert field(state, "expanding_mean")[0, 0] == 5.0
    assert field(state, "mean_28")[0, 0] == 5.0
    assert field(state, "observed_days")[0, 0] == 35


def test_a_day_out_of_stock_is_completed_from_the_days_before() -> None:
    quantity = np.full((29, 1), 10.0)
    quantity[28] = 4.0
    available = np.ones_like(quantity)
    available[28] = 0.5
    past = dataclasses.replace(history(quantity), available=available)
    ((_, state, completed),) = demand_states(past, [28])
    assert completed[28, 0] == pytest.approx(4.0 + 0.5 * 10.0)
    assert field(state, "tail")[0, -1] == pytest.approx(9.0)


def test_the_tail_is_the_last_four_weeks_oldest_first() -> None:
    quantity = np.arange(40.0)[:, None]
    past = dataclasses.replace(history(quantity), available=np.ones_like(quantity))
    tail = field(last_state(past), "tail")[0]
    assert tail.tolist() == list(range(40 - TAIL, 40))


def test_weekday_factors_begin_with_the_day_after_the_origin() -> None:
    quantity = np.full((70, 1), 10.0)
    quantity[5::WEEK] = 30.0  # Saturdays
    past = dataclasses.replace(history(quantity), available=np.ones_like(quantity))
    factors = field(last_state(past), "weekday")[0]  # the last day is a Sunday
    assert int(np.argmax(factors)) == 5
    shifted = field(last_state(past.between(0, 69)), "weekday")[0]  # now a Saturday
    assert int(np.argmax(shifted)) == 6


@pytest.mark.parametrize("origins", [[3, 1], [1, 1], [-1], [60]])
def test_origins_must_be_ascending_days_of_the_history(origins: list[int]) -> None:
    with pytest.raises(InvalidField, match="ascending days from 0 to 59"):
        list(demand_states(drawn(60, 1), origins))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("quantity", -1.0),
        ("quantity", np.inf),
        ("available", 1.5),
        ("available", np.nan),
        ("discount", -0.1),
        ("promoted", 2.0),
    ],
)
def test_values_outside_their_range_are_refused(name: str, value: float) -> None:
    past = drawn(5, 1)
    changed = getattr(past, name).copy()
    changed[2, 0] = value
    with pytest.raises(InvalidField, match=f"history.{name}"):
        dataclasses.replace(past, **{name: changed})


def test_columns_of_two_lengths_are_refused() -> None:
    with pytest.raises(InvalidField, match="as many entries as quantity"):
        dataclasses.replace(drawn(5, 1), price=np.ones((4, 1)))
