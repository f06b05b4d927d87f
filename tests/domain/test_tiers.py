"""The classical forecasts beside the global model."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.domain.croston import Rate, croston
from serving.domain.features import PRODUCT, WIDTHS, SeriesRecords
from serving.domain.history import STATE, History, demand_states
from serving.domain.tiers import (
    YEAR_SLOTS,
    DemandPattern,
    LevelKind,
    Multiplicative,
    Similar,
    Sparse,
    SparseMethod,
    day_of_year,
    multiplicative,
    patterns,
    seasonal_naive,
    similar,
    sparse,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

FIRST = np.datetime64("2024-01-01", "D")


def records(quantity: np.ndarray, first: np.datetime64 = FIRST) -> SeriesRecords:
    """Return the records of series of the given days, shape (days, series), peers their mean."""
    shape = quantity.shape
    blank = np.zeros(shape)
    history = History(first, quantity, np.ones(shape), np.full(shape, np.nan), blank, blank)
    mean = np.nanmean(quantity, axis=1, keepdims=True)
    peers = History(first, mean, *(part[:, :1] for part in (np.ones(shape), blank, blank, blank)))
    ((_, state, _),) = demand_states(history, [shape[0] - 1])
    ((_, category, _),) = demand_states(peers, [shape[0] - 1])
    product = np.full((shape[1], WIDTHS["product"]), np.nan, dtype=np.float32)
    product[:, PRODUCT["category_state"]] = category
    product[:, PRODUCT["category_level"]] = category[:, STATE["level"]]
    product[:, PRODUCT["category_weekday"]] = category[:, STATE["weekday"]]
    return SeriesRecords(
        origin=history.last_day,
        state=state,
        product=product,
        location=np.full((shape[1], WIDTHS["location"]), np.nan, dtype=np.float32),
        future=np.full((shape[1], WIDTHS["known_future"]), np.nan, dtype=np.float32),
    )


def test_croston_and_its_debiased_form_have_the_known_values() -> None:
    # The first demand is size 5 after 3 periods; what follows it is smoothed.
    after = np.array([[0, 0, 0, 4, 0, 6, 0]], dtype=float)
    found = croston(after, Rate(np.array([5.0]), np.array([3.0])), 0.1)
    assert found.size[0] == pytest.approx(5.01)
    assert found.interval[0] == pytest.approx(2.99)
    rate = found.size / found.interval
    assert rate[0] == pytest.approx(1.675585, abs=1e-6)
    assert rate[0] * 0.95 == pytest.approx(1.591806, abs=1e-6)


def test_patterns_follow_the_cuts() -> None:
    rng = np.random.default_rng(0)
    even, uneven = np.full(200, 5.0), rng.choice([1.0, 40.0], 200)
    rare = (np.arange(200) % 3 == 0).astype(float)
    series = np.stack([np.zeros(200), even, uneven, 5.0 * rare, uneven * rare], axis=1)
    assert patterns(records(series).state).tolist() == [int(one) for one in DemandPattern]


def test_a_series_that_stops_selling_sinks_under_tsb_alone() -> None:
    series = np.zeros((120, 1))
    series[:80:4] = 6.0
    by = {
        method: sparse(records(series), 1, Sparse(method, 0.1, 0.0)).level[0]
        for method in SparseMethod
    }
    assert by[SparseMethod.TSB] < 0.2 * by[SparseMethod.SBA] < 0.2 * by[SparseMethod.CROSTON]


def test_season_and_weekday_are_laid_over_the_level_without_their_own_past() -> None:
    days = FIRST + np.arange(800)
    season = 1.0 + 0.4 * np.sin(np.arange(YEAR_SLOTS) / YEAR_SLOTS * 2 * np.pi)
    weekday = np.array([0.8, 0.9, 1.0, 1.0, 1.0, 1.1, 1.2])
    made = season[day_of_year(days)] * weekday[(days.astype(int) + 3) % 7]
    level = np.array([10.0, 70.0])
    known = records(made[:700, None] * level)
    for kind in LevelKind:
        found = multiplicative(known, 90, Multiplicative(kind, 1.0, weekday, season)).expected
        # Weekday factors lag a season that moves, and so do the levels they divide.
        assert np.allclose(found, (made[700:790, None] * level).T, rtol=0.07)


def test_similar_moves_from_the_category_to_the_series_as_days_come_in() -> None:
    series = np.column_stack([np.full(400, 10.0), np.full(400, 2.0)])
    by = Similar(7.0, 0.0, 1.0, np.ones(3))
    whole = records(series)
    expected = [similar(records(series[:days]), 1, by).level[1] for days in (1, 7, 70, 400)]
    assert expected == sorted(expected, reverse=True)
    assert expected[1] == pytest.approx((7 * 2.0 + 7 * 6.0) / 14, rel=0.01)
    none = whole.state.copy()
    none[:, STATE["observed_days"].start] = 0.0
    cold = similar(dataclasses.replace(whole, state=none), 1, by).expected
    assert cold[:, 0] == pytest.approx([6.0, 6.0], rel=0.01)


def test_months_repeat_the_year_before_and_days_the_week() -> None:
    series = np.arange(40, dtype=float)[:, None]
    assert seasonal_naive(records(series), 9)[0, :8].tolist() == [33, 34, 35, 36, 37, 38, 39, 33]
    months = records(series, np.datetime64("2020-01", "M"))
    assert seasonal_naive(months, 13)[0].tolist() == [*range(28, 40), 28]


@given(seed=st.integers(0, 10_000), count=st.integers(1, 9))
def test_a_tier_gives_one_series_the_bits_it_has_in_a_crowd(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    series = rng.poisson(0.7, (120, 9)).astype(float)
    series[rng.random(series.shape) < 0.1] = np.nan
    crowd = records(series)
    some = rng.permutation(9)[:count]
    alone = dataclasses.replace(
        crowd,
        **{name: getattr(crowd, name)[some] for name in ("state", "product", "location", "future")},
    )
    season = 1.0 + rng.random(YEAR_SLOTS)
    by_peers = Multiplicative(LevelKind.PEERS, 0.5, season[:7], season)
    forecasters: tuple[Callable[[SeriesRecords], NDArray[np.float64]], ...] = (
        lambda one: multiplicative(one, 30, by_peers).expected,
        lambda one: sparse(one, 30, Sparse(SparseMethod.SBA, 0.1, 1.0)).expected,
        lambda one: similar(one, 30, Similar(7.0, 1.0, 2.0, np.ones(3))).expected,
        lambda one: seasonal_naive(one, 30),
    )
    for forecaster in forecasters:
        assert np.array_equal(forecaster(crowd)[some], forecaster(alone))
