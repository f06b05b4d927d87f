"""Goods for one season and goods that spoil, against known answers and drawn demand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.domain.inventory_formulas import newsvendor
from serving.domain.inventory_policy import NewsvendorInputs
from serving.domain.law_inputs import DemandInputs, LeadTimeInputs, MeanStd, ObservedDemand
from serving.domain.quantity_discount import (
    DiscountKind,
    PriceBracket,
    QuantityDiscountInputs,
    quantity_discount,
)
from serving.domain.season import PerishableInputs, SeasonInputs, perishable, season
from serving.errors import InvalidField

NORMAL = DemandInputs(normal=MeanStd(1_000.0, 200.0))
TIERS = ((0.0, 0.30), (500.0, 0.29), (1_000.0, 0.28))


def test_a_season_of_normal_demand_is_the_newsvendor() -> None:
    found = season(SeasonInputs(NORMAL, 35.0, 15.0))
    known = newsvendor(NewsvendorInputs(35.0, 15.0, 1_000.0, 200.0))
    for name in ("critical_ratio", "order_quantity", "expected_shortage", "expected_cost"):
        assert getattr(found, name) == pytest.approx(getattr(known, name))
    assert found.order_quantity == pytest.approx(1104.8801, rel=1e-4)
    assert found.service_level == pytest.approx(0.7)


def test_a_season_of_whole_units_buys_the_least_that_reaches_the_ratio() -> None:
    seen = DemandInputs(observed=ObservedDemand((1.0, 2.0, 3.0, 4.0)))
    assert season(SeasonInputs(seen, 1.0, 1.0)).order_quantity == 2.0
    assert season(SeasonInputs(seen, 1.01, 1.0)).order_quantity == 3.0


@given(
    seen=st.lists(st.integers(0, 60), min_size=1, max_size=30),
    underage=st.floats(0.1, 20),
    overage=st.floats(0.1, 20),
)
def test_no_other_quantity_is_cheaper(seen: list[int], underage: float, overage: float) -> None:
    demand = np.array(seen, dtype=np.float64)
    found = season(
        SeasonInputs(DemandInputs(observed=ObservedDemand(tuple(demand))), underage, overage)
    )
    units = np.arange(61.0)[:, None]
    costs = underage * np.maximum(demand - units, 0) + overage * np.maximum(units - demand, 0)
    assert found.expected_cost == pytest.approx(costs.mean(axis=1).min(), rel=1e-9, abs=1e-9)


def spoiling(shelf_life: float, **changed: float) -> PerishableInputs:
    figures = {"review_days": 1.0, "underage_cost": 9.0, "overage_cost": 1.0} | changed
    return PerishableInputs(
        DemandInputs(gamma=MeanStd(20.0, 8.0)),
        LeadTimeInputs(fixed_days=0.0),
        shelf_life_days=shelf_life,
        **figures,
    )


def simulated_waste(level: float, periods: int, count: int = 30_000) -> float:
    """Return the waste a period of order-up-to stock that lasts so many periods, lost sales."""
    demand = np.random.default_rng(5).gamma((20 / 8) ** 2, 64 / 20, count)
    lots = np.zeros(periods)  # oldest last
    wasted = 0.0
    for units in demand:
        lots = np.roll(lots, 1)
        lots[0] = level - lots[1:].sum()
        for age in range(periods - 1, -1, -1):
            sold = min(units, lots[age])
            lots[age] -= sold
            units -= sold  # noqa: PLW2901 - what is left to meet
        wasted += lots[-1]
        lots[-1] = 0.0
    return wasted / count


def test_goods_that_last_one_period_spoil_as_the_newsvendor_says() -> None:
    found = perishable(spoiling(1.0))
    assert found.expected_waste == found.expected_waste_at_most
    assert found.expected_waste == pytest.approx(simulated_waste(found.order_up_to, 1), rel=0.05)


@pytest.mark.parametrize("life", [2, 3])
def test_goods_that_last_longer_spoil_between_the_bounds(life: int) -> None:
    found = perishable(spoiling(float(life), review_days=1.0))
    assert found.cover_days == 1.0
    level = 2.2 * found.order_up_to  # so much that some of it spoils
    more = perishable(spoiling(float(life), underage_cost=1e6))
    waste = simulated_waste(more.order_up_to, life)
    assert more.expected_waste - 0.05 <= waste <= more.expected_waste_at_most + 0.05
    assert level > found.order_up_to


def test_a_shelf_life_below_the_review_period_shortens_the_cover() -> None:
    short = perishable(spoiling(1.0, review_days=7.0))
    assert short.cover_days == 1.0
    assert short.order_up_to < perishable(spoiling(7.0, review_days=7.0)).order_up_to


@pytest.mark.parametrize(
    ("kind", "quantity", "total", "bracket"),
    # Nahmias, Production and Operations Analysis, section 4.7: 600 a year, 8 an order, 20 %.
    [(DiscountKind.ALL_UNITS, 500.0, 198.10, 1), (DiscountKind.INCREMENTAL, 400.0, 204.00, 0)],
)
def test_a_quantity_discount_has_its_published_answer(
    kind: DiscountKind, quantity: float, total: float, bracket: int
) -> None:
    tiers = tuple(PriceBracket(*tier) for tier in TIERS)
    found = quantity_discount(QuantityDiscountInputs(600.0, 8.0, 0.2, tiers, kind))
    assert found.order_quantity == pytest.approx(quantity, rel=1e-3)
    assert found.total_cost_per_year == pytest.approx(total, rel=1e-3)
    assert found.bracket == bracket


@given(
    demand=st.floats(10, 1e5),
    ordering=st.floats(1, 500),
    rate=st.floats(0.05, 0.5),
    kind=st.sampled_from(DiscountKind),
)
def test_no_other_order_quantity_is_cheaper(
    demand: float, ordering: float, rate: float, kind: DiscountKind
) -> None:
    tiers = tuple(PriceBracket(*tier) for tier in TIERS)
    found = quantity_discount(QuantityDiscountInputs(demand, ordering, rate, tiers, kind))
    for units in np.geomspace(1, 1e5, 200):
        if kind is DiscountKind.ALL_UNITS:
            price = next(price for least, price in reversed(TIERS) if units >= least)
        else:
            steps = zip(TIERS, (*(least for least, _ in TIERS[1:]), np.inf), strict=True)
            paid = sum(max(0.0, min(units, high) - low) * price for (low, price), high in steps)
            price = paid / units
        cost = demand * price + demand / units * ordering + rate * price * units / 2
        assert found.total_cost_per_year <= cost * (1 + 1e-9)


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: SeasonInputs(NORMAL, 0.0, 0.0), "overage_cost"),
        (lambda: spoiling(0.0), "shelf_life_days"),
        (lambda: spoiling(1.0, review_days=0.0), "review_days"),
        (lambda: QuantityDiscountInputs(1.0, 1.0, 0.1), "brackets"),
        (
            lambda: QuantityDiscountInputs(1.0, 1.0, 0.1, (PriceBracket(5.0, 1.0),)),
            "brackets[0].minimum_quantity",
        ),
        (
            lambda: QuantityDiscountInputs(
                1.0, 1.0, 0.1, (PriceBracket(0.0, 1.0), PriceBracket(0.0, 0.9))
            ),
            "brackets[1].minimum_quantity",
        ),
        (
            lambda: QuantityDiscountInputs(
                1.0, 1.0, 0.1, (PriceBracket(0.0, 1.0), PriceBracket(5.0, 1.1))
            ),
            "brackets[1].unit_price",
        ),
    ],
)
def test_inputs_that_break_a_rule_are_refused_by_name(make: object, field: str) -> None:
    assert callable(make)
    with pytest.raises(InvalidField) as refused:
        make()
    assert refused.value.field == field
