"""Measures of two series at two locations, worked by hand."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from training.simulate.events import Outcome
from training.simulate.measures import compare, measure, sums_by_location, yearly_return
from training.simulate.terms import Money

OUTCOME = Outcome(
    days=10,
    demand=np.array([100.0, 50.0]),
    met=np.array([90.0, 50.0]),
    cycles=np.array([2, 2]),
    served=np.array([1, 2]),
    known_cycles=np.array([1, 1]),
    known_served=np.array([0, 1]),
    left=np.array([4.0, 6.0]),
    ready_days=np.array([8, 10]),
    short_days=np.array([2, 0]),
    stock_days=np.array([200.0, 100.0]),
    waste=np.array([0.0, 5.0]),
    orders=np.array([2, 2]),
    ordered=np.array([100.0, 60.0]),
    emergencies=np.array([0, 0]),
    emergency_units=np.array([0.0, 0.0]),
    stock=np.empty((0, 2)),
)
MONEY = Money(
    unit_cost=np.array([2.0, 3.0]),
    ordering_cost=np.array([1.0, 1.0]),
    holding_cost=np.array([0.01, 0.01]),
    shortage_cost=np.array([5.0, 5.0]),
    salvage_value=np.array([0.0, 1.0]),
)
LOCATION = np.array([0, 1])


def test_measures_are_ratios_of_sums() -> None:
    sums = sums_by_location(OUTCOME, MONEY, np.array([0.9, 0.9]), LOCATION)
    found = {name: one.value for name, one in measure(sums, 1).items()}
    assert found["cycle_service"] == 3 / 4
    assert found["known_service"] == 1 / 2
    assert found["fill_rate"] == 140 / 150
    assert found["ready_rate"] == 18 / 20
    assert found["days_of_supply"] == 300 / 150
    assert found["turnover"] == pytest.approx(140 * 365 / 300)
    assert found["waste"] == 5 / 160
    assert found["orders_a_week"] == pytest.approx(4 / (20 / 7))
    assert found["balance"] == pytest.approx((10 + 9 * 10) / 150)
    # Ordering 2 + 2, holding 2 + 1, unmet 10 x 5, waste 5 x (3 - 1).
    assert found["cost"] == pytest.approx((4 + 3 + 50 + 10) / 150)
    assert found["stock_value"] == pytest.approx((200 * 2 + 100 * 3) / 10 / 2)


def test_money_is_left_out_where_it_is_not_known() -> None:
    sums = sums_by_location(OUTCOME, None, np.array([0.9, 0.9]), LOCATION)
    assert "cost" not in measure(sums, 1)


def test_the_interval_holds_the_value_and_is_none_for_one_location() -> None:
    sums = sums_by_location(OUTCOME, None, np.array([0.9, 0.9]), LOCATION)
    service = measure(sums, 1)["cycle_service"]
    assert (service.low, service.high) == (0.5, 1.0)
    alone = sums_by_location(OUTCOME, None, np.array([0.9, 0.9]), np.array([0, 0]))
    assert np.isnan(measure(alone, 1)["cycle_service"].low)


def test_a_ratio_to_nothing_is_not_defined() -> None:
    idle = dataclasses.replace(
        OUTCOME, cycles=np.zeros(2, dtype=int), served=np.zeros(2, dtype=int)
    )
    sums = sums_by_location(idle, None, np.array([0.9, 0.9]), LOCATION)
    assert np.isnan(measure(sums, 1)["cycle_service"].value)


def test_policies_are_compared_on_the_same_draws() -> None:
    dear = sums_by_location(OUTCOME, MONEY, np.array([0.9, 0.9]), LOCATION)
    cheap = {name: 0.5 * values for name, values in dear.items()}
    found = compare(cheap, dear, "cost", 1)
    assert found == pytest.approx((-0.5, -0.5, -0.5))


def test_the_return_is_what_is_saved_over_the_extra_stock() -> None:
    before = sums_by_location(OUTCOME, MONEY, np.array([0.9, 0.9]), LOCATION)
    after = dict(before)
    after["cost"] = before["cost"] - 1.0
    after["stock_value"] = before["stock_value"] + 10.0
    saved, gain = yearly_return(after, before, OUTCOME.days)
    assert saved == pytest.approx(2 * 365 / 10)
    assert gain == pytest.approx(saved / 20)
    assert np.isnan(yearly_return(before, before, 10)[1])
