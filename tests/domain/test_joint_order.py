"""Joint orders: the best that fits, what was cut, and how far it is from the bound."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.domain.joint_items import JointItem, JointOrderInputs
from serving.domain.joint_order import joint_order
from serving.domain.law_inputs import DemandInputs, PoissonMean
from serving.errors import InvalidField


def item(sku: str, mean: float, **figures: float) -> JointItem:
    given_ = {"unit_price": 2.0, "unit_volume": 1.0, "underage_cost": 5.0, "overage_cost": 1.0}
    return JointItem(sku, DemandInputs(poisson=PoissonMean(mean)), **(given_ | figures))  # type: ignore[arg-type]


ITEMS = (
    item("a", 10.0, unit_price=3.0, pack_size=6.0),
    item("b", 20.0, unit_price=1.0, underage_cost=2.0),
    item(
        "c", 5.0, unit_price=10.0, underage_cost=20.0, overage_cost=2.0, minimum_order_quantity=4.0
    ),
)


def test_without_a_limit_every_item_gets_what_it_wants() -> None:
    found = joint_order(JointOrderInputs(ITEMS))
    assert [line.order_quantity for line in found.lines] == [12.0, 22.0, 8.0]
    assert found.cut_units == found.cut_gain == 0.0
    assert found.expected_gain == pytest.approx(found.expected_gain_at_most)


def gains(items: tuple[JointItem, ...], units: tuple[float, ...]) -> float:
    """Return what an order gains, item by item from the definition."""
    total = 0.0
    for one, ordered in zip(items, units, strict=True):
        mean, chance = 0.0, 2.718281828459045 ** -(one.demand.law().mean)
        for demand in range(200):
            spared = min(max(demand - one.position, 0.0), ordered)
            mean += chance * (one.underage_cost * spared - one.overage_cost * (ordered - spared))
            chance *= one.demand.law().mean / (demand + 1)
        total += mean
    return total


@pytest.mark.parametrize("budget", [0.0, 20.0, 50.0, 64.0, 80.0, 120.0])
def test_an_order_within_a_budget_is_nearly_the_best_of_all_that_fit(budget: float) -> None:
    found = joint_order(JointOrderInputs(ITEMS, budget=budget))
    tried = itertools.product((0, 6, 12), range(23), (0, *range(4, 9)))
    best = max(
        gains(ITEMS, tuple(map(float, units)))
        for units in tried
        if 3 * units[0] + units[1] + 10 * units[2] <= budget
    )
    assert found.total_price <= budget
    assert found.expected_gain >= 0.95 * best - 1e-6
    assert best <= found.expected_gain_at_most + 1e-6


@settings(max_examples=40)
@given(budget=st.floats(0, 200), more=st.floats(0, 100), room=st.floats(0, 60))
def test_limits_and_packs_hold_and_more_money_never_gains_less(
    budget: float, more: float, room: float
) -> None:
    found = joint_order(JointOrderInputs(ITEMS, budget=budget, capacity=room))
    assert found.total_price <= budget * (1 + 1e-9)
    assert found.total_volume <= room * (1 + 1e-9)
    for line, one in zip(found.lines, ITEMS, strict=True):
        assert line.order_quantity % (one.pack_size or 1.0) == 0
        assert line.order_quantity == 0 or line.order_quantity >= one.minimum_order_quantity
        assert line.order_quantity <= line.wanted_quantity
    richer = joint_order(JointOrderInputs(ITEMS, budget=budget + more, capacity=room))
    assert richer.expected_gain_at_most >= found.expected_gain - 1e-6
    assert found.expected_gain <= found.expected_gain_at_most + 1e-9


def test_a_budget_too_small_says_what_was_cut() -> None:
    found = joint_order(JointOrderInputs(ITEMS, budget=0.0))
    assert [line.order_quantity for line in found.lines] == [0.0, 0.0, 0.0]
    assert found.cut_units == 42.0
    assert found.cut_gain == pytest.approx(joint_order(JointOrderInputs(ITEMS)).expected_gain)


def test_what_is_held_is_not_ordered_again() -> None:
    held = joint_order(JointOrderInputs((item("a", 10.0, position=30.0),)))
    owed = joint_order(JointOrderInputs((item("a", 10.0, position=-5.0),)))
    assert held.lines[0].order_quantity == 0.0
    assert owed.lines[0].order_quantity == 18.0


def test_a_maximum_is_kept() -> None:
    capped = item("a", 10.0, pack_size=4.0, maximum_order_quantity=9.0)
    assert joint_order(JointOrderInputs((capped,))).lines[0].order_quantity == 8.0


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (JointOrderInputs, "items"),
        (lambda: JointOrderInputs((ITEMS[0], ITEMS[0])), "items[1].sku"),
        (lambda: JointOrderInputs(ITEMS, budget=-1.0), "budget"),
        (
            lambda: JointOrderInputs((item("a", 1.0, unit_price=0.0),), budget=1.0),
            "items[0].unit_price",
        ),
        (
            lambda: JointOrderInputs(
                (JointItem("a", ITEMS[0].demand, overage_cost=1.0, currency_code="USD"),),
                currency_code="EUR",
            ),
            "items[0].currency_code",
        ),
        (lambda: item("a", 1.0, underage_cost=0.0, overage_cost=0.0), "overage_cost"),
        (lambda: item("a", 1.0, pack_size=0.0), "pack_size"),
        (lambda: joint_order(JointOrderInputs((item("a", 1e6),))), "items"),
    ],
)
def test_a_joint_order_that_breaks_a_rule_is_refused_by_name(make: object, field: str) -> None:
    assert callable(make)
    with pytest.raises(InvalidField) as refused:
        make()
    assert refused.value.field == field
