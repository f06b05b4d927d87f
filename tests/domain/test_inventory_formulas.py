"""The inventory formulas against known answers and against what must hold for any numbers."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.domain.inventory_formulas import (
    economic_order_quantity,
    newsvendor,
    reorder_point,
    safety_stock,
    unit_normal_loss,
)
from serving.domain.inventory_policy import (
    EconomicOrderQuantityInputs,
    NewsvendorInputs,
    ReorderPointInputs,
    SafetyStockInputs,
    SafetyStockMethod,
)
from serving.errors import InvalidField

if TYPE_CHECKING:
    from serving.domain.policies import PolicyResult

amounts = st.floats(0.01, 1e6)
days = st.floats(0, 90)
ratios = st.floats(0.01, 0.99)


def approx(value: float) -> object:
    """Take the known answer's own precision."""
    return pytest.approx(value, rel=1e-4, abs=1e-9)


def figures(result: PolicyResult) -> dict[str, float | None]:
    return {part.name: getattr(result, part.name) for part in dataclasses.fields(result)}


def test_the_economic_order_quantity_has_its_known_answer() -> None:
    result = economic_order_quantity(EconomicOrderQuantityInputs(50_000, 100, 0.25 * 150))
    assert figures(result) == {
        "order_quantity": approx(516.3978),
        "orders_per_year": approx(96.8246),
        "days_between_orders": approx(3.7697),
        "ordering_cost_per_year": approx(9682.46),
        "holding_cost_per_year": approx(9682.46),
        "total_cost_per_year": approx(19364.92),
    }


@pytest.mark.parametrize(
    ("inputs", "units"),
    [
        (SafetyStockInputs(25, 21, 0.98), 235.2865),
        (SafetyStockInputs(10, 1, 0.5, mean_demand=100), 0.0),
        (SafetyStockInputs(20, 9, 0.95, mean_demand=100, lead_time_std_days=2), 343.4555),
        (
            SafetyStockInputs(20, 9, 0.95, mean_demand=100, review_days=7, lead_time_std_days=2),
            354.3123,
        ),
    ],
)
def test_the_safety_stock_has_its_known_answers(inputs: SafetyStockInputs, units: float) -> None:
    assert safety_stock(inputs).safety_stock == approx(units)


def test_the_reorder_point_has_its_known_answer() -> None:
    result = reorder_point(ReorderPointInputs(50_000, 21, 0, 235.2865, 516.3978))
    assert figures(result) == {
        "reorder_point": approx(3111.9988),
        "average_inventory": approx(493.4854),
        "turns_per_year": approx(101.3201),
        "days_of_supply": approx(3.6024),
        "max_inventory_position": approx(3628.3966),
    }


def test_the_newsvendor_has_its_known_answer() -> None:
    result = newsvendor(NewsvendorInputs(35, 15, 1_000, 200))
    assert figures(result) == {
        "critical_ratio": approx(0.7),
        "order_quantity": approx(1104.8801),
        "expected_shortage": approx(38.0745),
        "expected_leftover": approx(142.9546),
        "expected_cost": approx(3476.9261),
    }


@pytest.mark.parametrize(("level", "loss"), [(0.5, 0.398942), (0.95, 0.020893)])
def test_the_unit_normal_loss_has_its_known_answers(level: float, loss: float) -> None:
    factor = safety_stock(SafetyStockInputs(1, 1, level)).safety_factor
    assert unit_normal_loss(factor) == pytest.approx(loss, abs=1e-6)


def test_the_unit_normal_loss_is_the_mean_excess_of_a_normal_draw() -> None:
    draws = np.random.default_rng(7).standard_normal(400_000)
    for factor in (-1.0, 0.3, 1.2):
        excess = np.maximum(draws - factor, 0.0).mean()
        assert unit_normal_loss(factor) == pytest.approx(excess, abs=4e-3)


@given(demand=amounts, ordering=amounts, holding=amounts, scale=st.floats(0.5, 20))
def test_the_economic_order_quantity_costs_least_and_balances_both_costs(
    demand: float, ordering: float, holding: float, scale: float
) -> None:
    best = economic_order_quantity(EconomicOrderQuantityInputs(demand, ordering, holding))
    other = best.order_quantity * scale
    cost = demand / other * ordering + other / 2 * holding
    assert best.total_cost_per_year <= cost * (1 + 1e-9)
    assert best.ordering_cost_per_year == pytest.approx(best.holding_cost_per_year)
    assert best.orders_per_year * best.days_between_orders == pytest.approx(365)


@given(demand=amounts, ordering=amounts, holding=amounts, scale=st.floats(0.1, 10))
def test_the_economic_order_quantity_follows_the_unit_of_measure(
    demand: float, ordering: float, holding: float, scale: float
) -> None:
    once = economic_order_quantity(EconomicOrderQuantityInputs(demand, ordering, holding))
    scaled = economic_order_quantity(
        EconomicOrderQuantityInputs(demand * scale, ordering, holding / scale)
    )
    assert scaled.order_quantity == pytest.approx(once.order_quantity * scale)
    assert scaled.total_cost_per_year == pytest.approx(once.total_cost_per_year)


@given(
    low=st.builds(
        SafetyStockInputs,
        demand_std=st.floats(0, 100),
        lead_time_days=days,
        review_days=days,
        mean_demand=amounts,
        lead_time_std_days=st.floats(0, 20),
        service_level=st.floats(0.5, 0.9),
    ),
    name=st.sampled_from(
        ["demand_std", "lead_time_days", "review_days", "lead_time_std_days", "service_level"]
    ),
    more=st.floats(0, 0.09),
)
def test_the_safety_stock_never_falls_as_risk_or_promise_rises(
    low: SafetyStockInputs, name: str, more: float
) -> None:
    high = SafetyStockInputs(**dataclasses.asdict(low) | {name: getattr(low, name) + more})
    assert safety_stock(high).safety_stock >= safety_stock(low).safety_stock * (1 - 1e-12)


@given(std=amounts, lead=days, lead_std=st.floats(0, 20), level=ratios, scale=st.floats(0.1, 10))
def test_the_safety_stock_follows_the_unit_of_measure(
    std: float, lead: float, lead_std: float, level: float, scale: float
) -> None:
    once = SafetyStockInputs(std, lead, level, mean_demand=7, lead_time_std_days=lead_std)
    scaled = dataclasses.replace(once, demand_std=std * scale, mean_demand=7 * scale)
    assert safety_stock(scaled).safety_stock == pytest.approx(
        safety_stock(once).safety_stock * scale, rel=1e-9, abs=1e-9
    )


@given(lead=days, review=days, mean=amounts, level=ratios)
def test_zero_variance_needs_no_safety_stock(
    lead: float, review: float, mean: float, level: float
) -> None:
    inputs = SafetyStockInputs(0, lead, level, mean_demand=mean, review_days=review)
    assert str(safety_stock(inputs).safety_stock) == "0.0"


@given(level=st.floats(0.001, 0.999))
def test_the_safety_stock_changes_sign_about_one_half(level: float) -> None:
    above, below = (
        safety_stock(SafetyStockInputs(10, 4, one)).safety_stock for one in (level, 1 - level)
    )
    assert above == pytest.approx(-below, rel=1e-6, abs=1e-6)


def test_demand_only_takes_the_lead_time_as_certain() -> None:
    inputs = SafetyStockInputs(
        20, 9, 0.95, lead_time_std_days=2, method=SafetyStockMethod.DEMAND_ONLY
    )
    certain = SafetyStockInputs(20, 9, 0.95)
    assert safety_stock(inputs) == safety_stock(certain)


def test_an_uncertain_lead_time_needs_the_mean_demand() -> None:
    with pytest.raises(InvalidField) as refused:
        SafetyStockInputs(20, 9, 0.95, lead_time_std_days=2)
    assert refused.value.field == "mean_demand"


@given(demand=amounts, lead=days, stock=amounts, quantity=amounts, more=st.floats(0, 10))
def test_the_reorder_point_rises_with_lead_time_and_bounds_the_position(
    demand: float, lead: float, stock: float, quantity: float, more: float
) -> None:
    low = reorder_point(ReorderPointInputs(demand, lead, 0, stock, quantity))
    high = reorder_point(ReorderPointInputs(demand, lead + more, 0, stock, quantity))
    assert high.reorder_point >= low.reorder_point
    assert low.max_inventory_position == low.reorder_point + quantity
    assert low.turns_per_year is not None
    assert low.days_of_supply == pytest.approx(365 / low.turns_per_year)


def test_what_needs_an_order_quantity_is_absent_without_one() -> None:
    result = reorder_point(ReorderPointInputs(3_650, 10, 4))
    assert result.reorder_point == pytest.approx(140)
    assert [value for name, value in figures(result).items() if name != "reorder_point"] == (
        [None] * 4
    )


def test_turns_of_no_stock_and_supply_of_no_demand_are_undefined() -> None:
    assert reorder_point(ReorderPointInputs(100, 1, 0, 0, 0)).turns_per_year is None
    assert reorder_point(ReorderPointInputs(0, 1, 0, 5, 10)).days_of_supply is None


@given(underage=amounts, overage=amounts, mean=amounts, std=amounts, factor=st.floats(1, 10))
def test_the_newsvendor_buys_more_as_a_lost_sale_costs_more(
    underage: float, overage: float, mean: float, std: float, factor: float
) -> None:
    low = newsvendor(NewsvendorInputs(underage, overage, mean, std))
    high = newsvendor(NewsvendorInputs(underage * factor, overage, mean, std))
    assert high.order_quantity >= low.order_quantity * (1 - 1e-12)
    assert low.expected_shortage >= 0
    assert low.expected_leftover >= 0


@given(underage=amounts, overage=amounts, mean=amounts, std=amounts, scale=st.floats(0.1, 10))
def test_the_newsvendor_follows_the_unit_of_measure_and_the_currency(
    underage: float, overage: float, mean: float, std: float, scale: float
) -> None:
    once = newsvendor(NewsvendorInputs(underage, overage, mean, std))
    units = newsvendor(NewsvendorInputs(underage, overage, mean * scale, std * scale))
    money = newsvendor(NewsvendorInputs(underage * scale, overage * scale, mean, std))
    least = 1e-6 * (mean + std) * scale
    for got, want in (
        (units.order_quantity, once.order_quantity * scale),
        (units.expected_shortage, once.expected_shortage * scale),
        (money.order_quantity, once.order_quantity),
    ):
        assert got == pytest.approx(want, rel=1e-6, abs=least)


@given(underage=amounts, overage=amounts, mean=amounts, std=amounts)
def test_what_is_bought_is_what_is_sold_and_left(
    underage: float, overage: float, mean: float, std: float
) -> None:
    result = newsvendor(NewsvendorInputs(underage, overage, mean, std))
    assert result.order_quantity + result.expected_shortage == pytest.approx(
        mean + result.expected_leftover, rel=1e-9, abs=1e-9 * (mean + std)
    )


def test_a_season_without_variance_buys_its_demand() -> None:
    assert newsvendor(NewsvendorInputs(5, 0, 40, 0)).order_quantity == 40
    assert newsvendor(NewsvendorInputs(0, 5, 40, 0)).order_quantity == 0


def test_the_newsvendor_never_orders_less_than_nothing() -> None:
    result = newsvendor(NewsvendorInputs(1, 99, 10, 100))
    assert result.order_quantity == 0
    assert result.expected_shortage == pytest.approx(100 * unit_normal_loss(-0.1))


@pytest.mark.parametrize(
    ("kind", "numbers", "field"),
    [
        (EconomicOrderQuantityInputs, (0, 1, 1), "annual_demand"),
        (EconomicOrderQuantityInputs, (1, -1, 1), "ordering_cost"),
        (EconomicOrderQuantityInputs, (1, 1, math.inf), "holding_cost"),
        (SafetyStockInputs, (-1, 1, 0.9), "demand_std"),
        (SafetyStockInputs, (1, math.nan, 0.9), "lead_time_days"),
        (SafetyStockInputs, (1, 1, 1.0), "service_level"),
        (SafetyStockInputs, (1, 1, math.nan), "service_level"),
        (ReorderPointInputs, (-1, 1), "annual_demand"),
        (ReorderPointInputs, (1, 1, 0, 0, -1), "order_quantity"),
        (NewsvendorInputs, (-1, 1, 1, 1), "underage_cost"),
        (NewsvendorInputs, (0, 0, 1, 1), "overage_cost"),
        (NewsvendorInputs, (1, 0, 1, 1), "overage_cost"),
        (NewsvendorInputs, (1, 1, 1, 1e16), "demand_std"),
    ],
)
def test_a_number_outside_its_range_is_refused_by_name(
    kind: type, numbers: tuple[float, ...], field: str
) -> None:
    with pytest.raises(InvalidField) as refused:
        kind(*numbers)
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("compute", "inputs", "field"),
    [
        (
            economic_order_quantity,
            EconomicOrderQuantityInputs(5e-324, 5e-324, 1),
            "economic_order_quantity",
        ),
        (reorder_point, ReorderPointInputs(1e15, 1, 0, 0, 5e-324 * 4), "reorder_point"),
        (newsvendor, NewsvendorInputs(1e15, 1e-15, 1, 1), "newsvendor"),
    ],
)
def test_numbers_too_far_apart_for_a_float_are_refused(
    compute: object, inputs: object, field: str
) -> None:
    assert callable(compute)
    with pytest.raises(InvalidField) as refused:
        compute(inputs)
    assert refused.value.field == field
