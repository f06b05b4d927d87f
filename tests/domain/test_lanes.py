"""Lanes and the risk of running out: known answers, bounds and refusals."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.domain.lanes import LaneQuery, assess
from serving.domain.series import Provenance
from serving.errors import InvalidField

LOADED = LaneQuery(
    120.0,
    100.0,
    handling_cost=10.0,
    surcharge=5.0,
    mean_demand=12.0,
    demand_std=4.0,
    lead_time_days=9.0,
    holding_cost=2.0,
    shortage_cost=30.0,
    service_levels=(0.8, 0.9, 0.95, 0.99),
    lead_time_stds_days=(0.0, 1.0, 3.0),
)


def test_overflow_has_its_known_answers() -> None:
    over = assess(LOADED, Provenance())
    assert (over.overflow_units, over.internal_units, over.total_cost) == (20.0, 100.0, 1300.0)
    assert over.dependency == pytest.approx(0.166667, rel=1e-4)
    under = assess(dataclasses.replace(LOADED, required_units=80.0), Provenance())
    assert (under.overflow_units, under.internal_units, under.total_cost) == (0.0, 80.0, 800.0)
    assert under.dependency == 0.0


def test_resilience_has_its_known_answers() -> None:
    stocked = LaneQuery(100.0, 100.0, safety_stock=100.0)
    calm = assess(stocked, Provenance())
    assert (calm.coverage, calm.resilience) == (1.0, 100.0)
    depending = dataclasses.replace(
        stocked, capacity_units=0.0, demand_std=10.0, lead_time_days=1.0
    )
    found = assess(depending, Provenance())
    assert (found.dependency, found.resilience) == (1.0, 50.0)
    assert found.coverage == pytest.approx(5.0)


def test_partners_take_what_they_can_and_returns_come_back() -> None:
    found = assess(
        dataclasses.replace(LOADED, partner_capacity_units=15.0, returns_share=0.1), Provenance()
    )
    assert found.unserved_units == 5.0
    assert found.returned_units == 12.0


def test_the_heat_map_holds_more_stock_for_more_service_and_more_delay() -> None:
    found = assess(LOADED, Provenance())
    assert found.heat_map_costs.shape == found.heat_map_safety_stocks.shape == (4, 3)
    assert (np.diff(found.heat_map_safety_stocks, axis=0) > 0).all()
    assert (np.diff(found.heat_map_safety_stocks, axis=1) > 0).all()
    assert (np.diff(found.heat_map_costs, axis=1) > 0).all()
    assert found.heat_map_safety_stocks[2, 0] == pytest.approx(1.6448536 * 12.0, rel=1e-6)


def test_without_axes_there_is_no_heat_map() -> None:
    assert assess(LaneQuery(1.0, 1.0), Provenance()).heat_map_costs.size == 0


@given(
    required=st.floats(0, 1e6),
    capacity=st.floats(0, 1e6),
    stock=st.floats(0, 1e6),
    spread=st.one_of(st.just(0.0), st.floats(1e-6, 1e4)),
)
def test_units_are_conserved_and_the_score_stays_in_its_range(
    required: float, capacity: float, stock: float, spread: float
) -> None:
    query = LaneQuery(required, capacity, safety_stock=stock, demand_std=spread, lead_time_days=4.0)
    found = assess(query, Provenance())
    assert found.internal_units + found.overflow_units == pytest.approx(required)
    assert 0 <= found.dependency <= 1
    assert 0 <= found.resilience <= 100


def test_a_spread_too_small_for_a_float_is_refused() -> None:
    tiny = LaneQuery(1.0, 1.0, safety_stock=1e6, demand_std=5e-324, lead_time_days=4.0)
    with pytest.raises(InvalidField, match="too far apart"):
        assess(tiny, Provenance())


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"required_units": -1.0}, "required_units"),
        ({"returns_share": 1.1}, "returns_share"),
        ({"service_levels": (0.9, 0.8)}, "service_levels[1]"),
        ({"service_levels": (0.0, 0.8)}, "service_levels[0]"),
        ({"lead_time_stds_days": (-1.0,)}, "lead_time_stds_days[0]"),
        ({"lead_time_stds_days": tuple(map(float, range(51)))}, "lead_time_stds_days"),
    ],
)
def test_a_lane_that_breaks_a_rule_is_refused_by_name(
    changed: dict[str, object], field: str
) -> None:
    with pytest.raises(InvalidField) as refused:
        dataclasses.replace(LOADED, **changed)  # type: ignore[arg-type]
    assert refused.value.field == field
