"""How demand answers to price: estimates and the intervals around them."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from serving.domain.elasticity import (
    DemandShape,
    Elasticity,
    ElasticityMethod,
    ElasticityQuery,
    estimate_elasticity,
    optimal_markup,
)
from serving.domain.instruments import Interval
from serving.errors import InvalidField, TooFewObservations, TooLarge

TRUE = -2.0
PERIODS = 104


def drawn(
    seed: int, *, level: float = 3.0, zeros: bool = False, endogenous: bool = False
) -> ElasticityQuery:
    """Draw periods whose price follows a cost shock, and demand as well where endogenous."""
    rng = np.random.default_rng(seed)
    shock, surge = rng.normal(size=PERIODS), rng.normal(size=PERIODS) * 0.3
    season = np.sin(np.arange(PERIODS) * 2 * np.pi / 52)
    price = 0.15 * shock + (0.3 * surge if endogenous else 0.0) + 0.05 * rng.normal(size=PERIODS)
    mean = np.exp(level + TRUE * price + 0.2 * season + surge)
    sold = (
        rng.poisson(mean).astype(float) if zeros else mean * np.exp(0.1 * rng.normal(size=PERIODS))
    )
    return ElasticityQuery(
        10.0 * np.exp(price),
        sold,
        np.ones(PERIODS),
        season[:, None],
        shock if endogenous else None,
    )


def covers(found: Elasticity) -> bool:
    low = -math.inf if found.interval.low is None else found.interval.low
    high = math.inf if found.interval.high is None else found.interval.high
    return (low <= TRUE <= high) == found.interval.inside


def test_logs_are_regressed_where_every_period_sells() -> None:
    exact = drawn(1)
    noiseless = replace(exact, quantity=5.0 * exact.price**TRUE, controls=np.empty((PERIODS, 0)))
    found = estimate_elasticity(noiseless)
    assert found.method is ElasticityMethod.LOG_LOG
    assert found.elasticity == pytest.approx(TRUE)
    assert found.optimal_markup == pytest.approx(1.0)


def test_a_period_without_a_sale_turns_to_the_poisson_likelihood() -> None:
    found = estimate_elasticity(drawn(2, level=0.5, zeros=True))
    assert found.method is ElasticityMethod.POISSON
    assert found.zero_periods > 0


@pytest.mark.parametrize(
    ("how", "seeds"),
    [({}, 200), ({"level": 0.5, "zeros": True}, 150), ({"endogenous": True}, 120)],
)
def test_intervals_cover_as_often_as_they_say(how: dict[str, Any], seeds: int) -> None:
    held = [covers(estimate_elasticity(drawn(seed, **how))) for seed in range(seeds)]
    spread = math.sqrt(0.95 * 0.05 / seeds)
    assert np.mean(held) == pytest.approx(0.95, abs=3 * spread)


def test_without_the_instrument_prices_that_follow_demand_mislead() -> None:
    missed = [
        not covers(estimate_elasticity(replace(drawn(seed, endogenous=True), instrument=None)))
        for seed in range(40)
    ]
    assert np.mean(missed) > 0.8


def test_an_instrument_holds_where_sales_are_zero_too() -> None:
    found = estimate_elasticity(drawn(3, level=0.5, zeros=True, endogenous=True))
    assert found.method is ElasticityMethod.POISSON_INSTRUMENT
    assert found.first_stage_f is not None
    assert found.first_stage_f > 10
    assert covers(found)


def test_a_weak_instrument_is_called_so_and_bounds_little() -> None:
    asked = drawn(4, endogenous=True)
    noise = np.random.default_rng(0).normal(size=PERIODS)
    found = estimate_elasticity(replace(asked, instrument=noise))
    assert found.weak_instrument
    assert any("weak" in warning for warning in found.provenance.warnings)
    wide = None in (found.interval.low, found.interval.high) or not found.interval.inside
    assert wide or found.interval.high - found.interval.low > 2  # type: ignore[operator]


def test_a_kink_is_found_and_said() -> None:
    asked = drawn(5)
    logs = np.log(asked.price / 10.0)
    answer = -0.5 * logs - 3.0 * np.maximum(logs, 0.0)
    noise = 0.02 * np.random.default_rng(1).normal(size=PERIODS)
    found = estimate_elasticity(replace(asked, quantity=100.0 * np.exp(answer + noise)))
    assert found.shape is DemandShape.KINKED
    assert found.slopes == pytest.approx((-0.5, -3.5), abs=0.5)
    assert found.kink_price == pytest.approx(10.0, rel=0.1)
    assert found.optimal_markup is None


def test_periods_out_of_stock_are_left_out() -> None:
    asked = drawn(6)
    short = asked.available_fraction.copy()
    short[:20] = 0.5
    sold = np.where(short < 1, 0.0, asked.quantity)
    found = estimate_elasticity(replace(asked, available_fraction=short, quantity=sold))
    assert (found.left_out, found.periods, found.zero_periods) == (20, PERIODS - 20, 0)


def test_no_markup_pays_best_unless_demand_surely_answers() -> None:
    assert optimal_markup(-3.0, Interval(-3.5, -2.5)) == 0.5
    assert optimal_markup(-1.5, Interval(-2.5, -0.5)) is None
    assert optimal_markup(-1.5, Interval(-2.5, None)) is None
    assert optimal_markup(-1.5, Interval(-2.5, -1.2, inside=False)) is None


def test_too_few_periods_are_counted() -> None:
    asked = drawn(7)
    few = np.where(np.arange(PERIODS) < 5, 1.0, 0.0)
    with pytest.raises(TooFewObservations) as refused:
        estimate_elasticity(replace(asked, available_fraction=few))
    assert (refused.value.found, refused.value.least) == (5, 12)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"price": np.full(PERIODS, -1.0)}, "price[0]"),
        ({"price": np.full(PERIODS, np.inf)}, "price[0]"),
        ({"quantity": np.full(PERIODS, np.nan)}, "quantity[0]"),
        ({"quantity": np.ones(3)}, "quantity"),
        ({"available_fraction": np.full(PERIODS, 1.5)}, "available_fraction[0]"),
        ({"controls": np.full((PERIODS, 1), np.nan)}, "controls[0]"),
        ({"instrument": np.full(PERIODS, np.inf)}, "instrument[0]"),
        ({"confidence": 1.0}, "confidence"),
    ],
)
def test_what_breaks_its_rule_is_named(change: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidField) as refused:
        replace(drawn(8), **change)
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"price": np.full(PERIODS, 10.0)}, "price"),
        ({"quantity": np.zeros(PERIODS)}, "quantity"),
        ({"controls": np.ones((PERIODS, 1))}, "controls"),
    ],
)
def test_what_cannot_be_told_apart_is_refused(change: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidField) as refused:
        estimate_elasticity(replace(drawn(9), **change))
    assert refused.value.field == field


def test_too_many_periods_are_refused() -> None:
    with pytest.raises(TooLarge):
        ElasticityQuery(np.ones(10_001), np.ones(10_001), np.ones(10_001), np.empty((10_001, 0)))
