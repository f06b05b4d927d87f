from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.domain.demand import (
    MAX_HISTORY_DAYS,
    MAX_LEVELS,
    MAX_ROWS,
    QUANTILE_LEVELS,
    BatchForecastQuery,
    ForecastQuery,
    check_levels,
    distribution_std,
    interpolate_levels,
)
from serving.domain.series import PlanDay
from serving.errors import InvalidField, TooLarge
from tests.fakes.demand import past

DAY = dt.date(2026, 7, 1)


def test_without_levels_the_trained_ones_are_meant() -> None:
    assert ForecastQuery("a", "b", 1).levels == QUANTILE_LEVELS
    assert BatchForecastQuery(("a",), ("b",), 1).levels == QUANTILE_LEVELS


@pytest.mark.parametrize(
    ("levels", "named"),
    [
        ((0.0, 0.5), r"quantile_levels\[0\]"),
        ((0.5, 1.0), r"quantile_levels\[1\]"),
        ((0.5, 0.5), r"quantile_levels\[1\] must be above the one before"),
        ((0.9, 0.1), r"quantile_levels\[1\]"),
        ((float("nan"),), r"quantile_levels\[0\]"),
        (tuple(np.linspace(0.01, 0.99, MAX_LEVELS + 1)), "at most 99"),
    ],
)
def test_levels_are_ascending_probabilities(levels: tuple[float, ...], named: str) -> None:
    with pytest.raises(InvalidField, match=named):
        check_levels(levels)


@pytest.mark.parametrize("horizon", [0, -1, 91])
def test_a_horizon_is_1_to_90_days(horizon: int) -> None:
    with pytest.raises(InvalidField, match="horizon_days must be from 1 to 90"):
        ForecastQuery("a", "b", horizon)
    with pytest.raises(InvalidField, match="horizon_days"):
        BatchForecastQuery(("a",), ("b",), horizon)


def test_a_plan_names_each_day_once() -> None:
    with pytest.raises(InvalidField, match=r"plan\[2\]\.date must stand once"):
        ForecastQuery("a", "b", 3, plan=(PlanDay(DAY), PlanDay(DAY.replace(day=2)), PlanDay(DAY)))


def test_a_history_has_a_day_and_not_too_many() -> None:
    for days in (0, MAX_HISTORY_DAYS + 1):
        with pytest.raises(InvalidField, match="history must have 1 to 1,500 days"):
            ForecastQuery("a", "b", 3, history=past(1, days))
    assert ForecastQuery("a", "b", 3, history=past(1, MAX_HISTORY_DAYS)).history is not None


@pytest.mark.parametrize(
    ("skus", "locations", "named"),
    [
        ((), (), "skus is required"),
        (("a",), (), "as many rows as skus"),
        (("a", ""), ("b", "b"), r"skus\[1\] is required"),
        (("a", "c"), ("b", ""), r"locations\[1\] is required"),
        (("a", "c", "a"), ("b", "b", "b"), r"skus\[2\] must stand once, row 0"),
    ],
)
def test_rows_that_are_malformed_or_stand_twice_fail_the_call(
    skus: tuple[str, ...], locations: tuple[str, ...], named: str
) -> None:
    with pytest.raises(InvalidField, match=named):
        BatchForecastQuery(skus, locations, 1)


def test_the_limits_of_a_batch_are_in_rows_and_in_values() -> None:
    keys = tuple(f"s{number}" for number in range(MAX_ROWS + 1))
    with pytest.raises(TooLarge, match="rows must be at most 10,000"):
        BatchForecastQuery(keys, keys, 1)
    assert len(BatchForecastQuery(keys[:-1], keys[:-1], 10).skus) == MAX_ROWS
    with pytest.raises(TooLarge, match="values asked for"):
        BatchForecastQuery(keys[:-1], keys[:-1], 11)


@given(st.lists(st.floats(0.02, 0.98), min_size=1, max_size=9, unique=True).map(sorted))
def test_interpolated_quantiles_never_cross_and_stay_within_the_trained(
    levels: list[float],
) -> None:
    values = np.sort(np.random.default_rng(3).gamma(1.0, 9.0, (4, len(QUANTILE_LEVELS))), axis=1)
    found = interpolate_levels(QUANTILE_LEVELS, values, levels)
    assert found.shape == (4, len(levels))
    assert (np.diff(found, axis=1) >= -1e-12).all()
    assert (found >= values[:, :1]).all()
    assert (found <= values[:, -1:]).all()


def test_a_trained_level_keeps_its_bits() -> None:
    values = np.random.default_rng(3).random((3, len(QUANTILE_LEVELS)))
    found = interpolate_levels(QUANTILE_LEVELS, values, (0.1, 0.3, 0.9))
    assert found[:, 0].tobytes() == values[:, 2].tobytes()
    assert found[:, 2].tobytes() == values[:, 6].tobytes()


@pytest.mark.parametrize("level", [0.01, 0.99])
def test_a_level_beyond_the_trained_is_not_made_up(level: float) -> None:
    with pytest.raises(ValueError, match=str(level)):
        interpolate_levels(QUANTILE_LEVELS, np.ones((1, len(QUANTILE_LEVELS))), (level,))


def test_the_deviation_of_a_normal_distribution_is_found_but_for_its_tails() -> None:
    from scipy.stats import norm

    levels = tuple(np.linspace(0.005, 0.995, 199))
    values = norm.ppf(levels)[None, :] * 3.0 + 10.0
    assert distribution_std(levels, values, np.array([10.0]))[0] == pytest.approx(3.0, rel=0.02)


def test_a_sure_thing_has_no_deviation() -> None:
    assert distribution_std((0.1, 0.9), np.array([[5.0, 5.0]]), np.array([5.0]))[0] == 0.0
