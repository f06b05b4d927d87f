"""What scenarios and changes do to demand and lead times."""

from __future__ import annotations

import numpy as np
import pytest

from serving.errors import InvalidField
from training.simulate.scenarios import SCENARIOS, Course, WhatIf, parse_what_if

RNG = np.random.default_rng(2)
COURSE = Course(RNG.gamma(2.0, 5.0, size=(30, 20)), np.full((1, 20), 4))


@pytest.mark.parametrize("name", ["as-it-came", "industrial"])
def test_scenarios_that_only_move_demand_keep_its_sum(name: str) -> None:
    found = SCENARIOS[name](COURSE)
    assert found.demand.sum(axis=0) == pytest.approx(COURSE.demand.sum(axis=0))


def test_the_season_rises_to_its_peak_and_keeps_the_mean() -> None:
    flat = Course(np.ones((30, 2)), COURSE.lead_time[:, :2])
    found = SCENARIOS["seasonal"](flat).demand[:, 0]
    assert found.mean() == pytest.approx(1.0)
    assert found.max() / found.min() == pytest.approx(1.4, abs=0.03)
    assert 14 <= found.argmax() <= 15


def test_industry_orders_on_one_day_of_the_week() -> None:
    found = SCENARIOS["industrial"](COURSE)
    assert ((found.demand[:7] > 0).sum(axis=0) == 1).all()
    assert found.demand[:7].sum(axis=0) == pytest.approx(COURSE.demand[:7].sum(axis=0))


def test_a_shock_doubles_demand_of_three_in_ten_and_delays_orders_of_all() -> None:
    found = SCENARIOS["shock"](COURSE)
    ratio = found.demand / COURSE.demand
    assert (ratio[:15] == 1).all()
    assert ((ratio[15:29] == 2).all(axis=0) == (np.arange(20) % 10 < 3)).all()
    assert (found.lead_time[:15] == 4).all()
    assert (found.lead_time[15:29] == 6).all()
    assert (COURSE.lead_time == 4).all()


def test_a_change_is_read_and_said_alike() -> None:
    change = parse_what_if("lead_time=1.5, demand=1.2")
    assert change == WhatIf(lead_time=1.5, demand=1.2)
    assert str(change) == "lead_time=1.5, demand=1.2"
    changed = change.change(COURSE)
    assert (changed.lead_time == 6).all()
    assert changed.demand == pytest.approx(1.2 * COURSE.demand)


@pytest.mark.parametrize("text", ["luck=2", "demand=much", "demand=-1", "service_level=0.4", ""])
def test_a_change_nobody_can_make_is_refused(text: str) -> None:
    with pytest.raises(InvalidField, match="what_if"):
        parse_what_if(text)
