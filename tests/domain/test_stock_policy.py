"""Stock policies: published answers, promises that come true, and what is refused."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.domain.demand_laws import PoissonLaw
from serving.domain.law_inputs import (
    DemandInputs,
    DiscreteLeadTime,
    GammaLeadTime,
    LeadTimeInputs,
    MeanStd,
    ObservedDemand,
    PoissonMean,
)
from serving.domain.min_max import MinMax, MinMaxDemand
from serving.domain.stock_policy import (
    CycleCosts,
    PolicyTarget,
    StockPolicyInputs,
    StockPolicyKind,
    stock_policy,
)
from serving.errors import InvalidField

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from serving.domain.stock_policy import StockPolicyResult

    Floats = NDArray[np.float64]

GAMMA = DemandInputs(gamma=MeanStd(10.0, 8.0))
LEAD, REVIEW = 4, 3
PROMISES = (0.80, 0.90, 0.95, 0.98, 0.99)
ONE_OF_TWO = LeadTimeInputs(discrete=DiscreteLeadTime((2.0, 6.0), (0.5, 0.5)))


def asked(kind: StockPolicyKind, target: PolicyTarget, **changed: object) -> StockPolicyInputs:
    inputs = StockPolicyInputs(
        kind,
        GAMMA,
        LeadTimeInputs(fixed_days=float(LEAD)),
        target,
        review_days=None if kind is StockPolicyKind.ORDER_QUANTITY else float(REVIEW),
        order_quantity=60.0 if kind is not StockPolicyKind.ORDER_UP_TO else None,
    )
    return dataclasses.replace(inputs, **changed)  # type: ignore[arg-type]


def drawn_days(count: int, seed: int) -> Floats:
    """Draw days of the gamma demand all these policies meet."""
    shape, scale = (10.0 / 8.0) ** 2, 8.0**2 / 10.0
    return np.random.default_rng(seed).gamma(shape, scale, count)


def simulated_order_up_to(level: float, cycles: int = 60_000) -> tuple[float, float]:
    """Return the cycle service and the fill rate of (R, S), unmet demand waiting."""
    total = np.concatenate(([0.0], drawn_days(cycles * REVIEW + LEAD + 1, 1).cumsum()))
    starts = np.arange(0, cycles * REVIEW, REVIEW)
    lead = total[starts + LEAD] - total[starts]
    cover = total[starts + LEAD + REVIEW] - total[starts]
    short = np.maximum(cover - level, 0) - np.maximum(lead - level, 0)
    return float((cover <= level).mean()), float(1 - short.sum() / (cover - lead).sum())


@pytest.mark.parametrize("promise", PROMISES)
def test_simulated_service_of_an_order_up_to_level_is_what_was_promised(promise: float) -> None:
    by_cycle = stock_policy(
        asked(StockPolicyKind.ORDER_UP_TO, PolicyTarget(cycle_service_level=promise))
    )
    assert simulated_order_up_to(by_cycle.order_up_to)[0] == pytest.approx(promise, abs=0.01)
    by_fill = stock_policy(asked(StockPolicyKind.ORDER_UP_TO, PolicyTarget(fill_rate=promise)))
    assert simulated_order_up_to(by_fill.order_up_to)[1] == pytest.approx(promise, abs=0.01)
    assert simulated_order_up_to(by_fill.order_up_to)[0] == pytest.approx(
        by_fill.cycle_service_level, abs=0.01
    )
    costs = CycleCosts(promise, 1 - promise)
    by_cost = stock_policy(asked(StockPolicyKind.ORDER_UP_TO, PolicyTarget(cost=costs)))
    assert simulated_order_up_to(by_cost.order_up_to)[0] == pytest.approx(promise, abs=0.01)


def simulated_min_max(point: float, up_to: float, days: int = 400_000) -> tuple[float, float]:
    """Return the cycle service and the fill rate of (s, S) reviewed every day, lead time LEAD."""
    demand = drawn_days(days, 2)
    position, net = up_to, up_to
    due = np.zeros(days + LEAD + 2)
    ordered_at = []
    met = asked_for = 0.0
    for day in range(days):
        net += due[day]
        units = demand[day]
        met += min(units, max(net, 0.0))
        asked_for += units
        net -= units
        position -= units
        if position <= point:
            due[day + LEAD + 1] += up_to - position
            ordered_at.append((day, position))
            position = up_to
    total = np.concatenate(([0.0], demand.cumsum()))
    kept = [
        total[day + 1 + LEAD] - total[day + 1] <= left
        for day, left in ordered_at
        if day + 1 + LEAD < days
    ]
    return float(np.mean(kept)), met / asked_for


@pytest.mark.parametrize(
    ("target", "which"),
    [
        (PolicyTarget(cycle_service_level=0.9), 0),
        (PolicyTarget(cycle_service_level=0.98), 0),
        (PolicyTarget(fill_rate=0.9), 1),
        (PolicyTarget(fill_rate=0.98), 1),
    ],
)
def test_simulated_service_of_a_min_max_policy_is_what_was_promised(
    target: PolicyTarget, which: int
) -> None:
    found = stock_policy(asked(StockPolicyKind.MIN_MAX, target, review_days=1.0))
    achieved = simulated_min_max(found.reorder_point, found.order_up_to)
    promised = (found.cycle_service_level, found.fill_rate)
    assert achieved == pytest.approx(promised, abs=0.01)
    assert promised[which] == pytest.approx(
        target.cycle_service_level or target.fill_rate, abs=0.005
    )


@pytest.mark.parametrize("promise", PROMISES)
@pytest.mark.parametrize("by_fill_rate", [False, True])
def test_simulated_service_of_an_order_quantity_is_what_was_promised(
    promise: float, *, by_fill_rate: bool
) -> None:
    target = (
        PolicyTarget(fill_rate=promise)
        if by_fill_rate
        else PolicyTarget(cycle_service_level=promise)
    )
    normal = DemandInputs(normal=MeanStd(10.0, 3.0))
    found = stock_policy(asked(StockPolicyKind.ORDER_QUANTITY, target, demand=normal))
    random = np.random.default_rng(3)
    lead = random.normal(10.0 * LEAD, 3.0 * np.sqrt(LEAD), 200_000)
    if not by_fill_rate:
        assert (lead <= found.reorder_point).mean() == pytest.approx(promise, abs=0.01)
        return
    # The position is uniform between s and s + Q; a unit is met where stock is left when it comes.
    position = found.reorder_point + 60.0 * random.random(lead.size)
    assert (lead < position).mean() == pytest.approx(promise, abs=0.01)


@pytest.mark.parametrize(
    ("mean", "point", "up_to", "cost"),
    [
        # Zheng and Federgruen (1991), table I: K = 64, h = 1, p = 9, no lead time.
        (10.0, 6.0, 40.0, 35.0215553),
        (20.0, 14.0, 62.0, 49.1730357),
        (64.0, 55.0, 74.0, 78.4023207),
    ],
)
def test_the_cheapest_min_max_policy_is_the_published_one(
    mean: float, point: float, up_to: float, cost: float
) -> None:
    law = PoissonLaw(mean)
    found = MinMax.cheapest(
        MinMaxDemand(law, law.over(0), law), ordering_cost=64, underage_cost=9, overage_cost=1
    )
    assert (found.reorder_point, found.order_up_to) == (point, up_to)
    assert found.expected_cost == pytest.approx(cost, rel=1e-7)


def test_the_textbook_case_is_the_normal_quantile() -> None:
    inputs = asked(
        StockPolicyKind.ORDER_UP_TO,
        PolicyTarget(cycle_service_level=0.95),
        demand=DemandInputs(normal=MeanStd(100.0, 20.0)),
        lead_time=LeadTimeInputs(fixed_days=9.0),
        review_days=7.0,
    )
    assert stock_policy(inputs).safety_stock == pytest.approx(1.6448536 * 20.0 * 4.0, rel=1e-6)


WHOLE = [
    DemandInputs(poisson=PoissonMean(3.0)),
    DemandInputs(negative_binomial=MeanStd(3.0, 4.0)),
    DemandInputs(observed=ObservedDemand((0.0, 0.0, 1.0, 2.0, 9.0))),
]
TARGETS: list[Callable[[float], PolicyTarget]] = [
    lambda promise: PolicyTarget(cycle_service_level=promise),
    lambda promise: PolicyTarget(fill_rate=promise),
]


@pytest.mark.parametrize("kind", StockPolicyKind)
@pytest.mark.parametrize("demand", WHOLE)
@pytest.mark.parametrize("which", [0, 1])
def test_whole_units_get_the_least_quantity_that_suffices(
    kind: StockPolicyKind, demand: DemandInputs, which: int
) -> None:
    inputs = asked(kind, TARGETS[which](0.95), demand=demand, lead_time=ONE_OF_TWO)
    found = stock_policy(inputs)
    served = (found.cycle_service_level, found.fill_rate)
    assert found.reorder_point == round(found.reorder_point)
    assert served[which] >= 0.95 - 1e-9
    # A promise just above what it serves takes one unit more: one unit less did not do.
    more = stock_policy(dataclasses.replace(inputs, target=TARGETS[which](served[which] + 1e-6)))
    assert more.reorder_point > found.reorder_point
    less = stock_policy(dataclasses.replace(inputs, target=TARGETS[which](0.95)))
    assert less == found


@settings(max_examples=40)
@given(
    kind=st.sampled_from([one for one in StockPolicyKind if one is not StockPolicyKind.MIN_MAX]),
    which=st.sampled_from([0, 1]),
    promise=st.floats(0.55, 0.97),
    law=st.tuples(st.floats(1.0, 50.0), st.floats(0.2, 1.2)),
    scale=st.floats(0.1, 10.0),
)
def test_levels_rise_with_promise_risk_and_time_and_follow_the_unit(
    kind: StockPolicyKind, which: int, promise: float, law: tuple[float, float], scale: float
) -> None:
    mean, spread = law

    def level(**changed: object) -> float:
        inputs = {
            "demand": DemandInputs(gamma=MeanStd(mean, mean * spread)),
            "target": TARGETS[which](promise),
            "order_quantity": 5.0 * mean,
        }
        found = stock_policy(asked(kind, **(inputs | changed)))  # type: ignore[arg-type]
        return found.reorder_point

    base = level()
    slack = 1e-6 * (1 + base)
    assert level(target=TARGETS[which](promise + 0.02)) >= base - slack
    assert level(lead_time=LeadTimeInputs(fixed_days=LEAD + 1.0)) >= base - slack
    if promise > 0.8 and not which:
        wider = DemandInputs(gamma=MeanStd(mean, mean * spread * 1.1))
        assert level(demand=wider) >= base - slack
    scaled = DemandInputs(gamma=MeanStd(mean * scale, mean * spread * scale))
    assert level(demand=scaled, order_quantity=5.0 * mean * scale) == pytest.approx(
        base * scale, rel=1e-6, abs=1e-6
    )


@given(low=st.floats(0.1, 50), factor=st.floats(1, 10))
def test_a_dearer_shortage_never_lowers_the_level(low: float, factor: float) -> None:
    levels: list[StockPolicyResult] = [
        stock_policy(
            asked(StockPolicyKind.ORDER_UP_TO, PolicyTarget(cost=CycleCosts(underage, 1.0)))
        )
        for underage in (low, low * factor)
    ]
    assert levels[1].order_up_to >= levels[0].order_up_to - 1e-9


def test_a_lead_time_that_varies_needs_more_stock_than_its_mean() -> None:
    target = PolicyTarget(cycle_service_level=0.95)
    certain = stock_policy(asked(StockPolicyKind.ORDER_UP_TO, target))
    for lead_time in (
        ONE_OF_TWO,
        LeadTimeInputs(gamma=GammaLeadTime(4.0, 2.0)),
    ):
        spread = stock_policy(asked(StockPolicyKind.ORDER_UP_TO, target, lead_time=lead_time))
        assert spread.order_up_to > certain.order_up_to


def test_a_base_stock_is_ordered_every_day_unless_told_otherwise() -> None:
    target = PolicyTarget(cycle_service_level=0.95)
    daily = stock_policy(asked(StockPolicyKind.BASE_STOCK, target, review_days=None))
    one = stock_policy(asked(StockPolicyKind.ORDER_UP_TO, target, review_days=1.0))
    assert daily == one


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (PolicyTarget, "target"),
        (lambda: PolicyTarget(cycle_service_level=0.9, fill_rate=0.9), "target"),
        (lambda: PolicyTarget(cycle_service_level=0.0), "cycle_service_level"),
        (lambda: PolicyTarget(cycle_service_level=1.0), "cycle_service_level"),
        (lambda: PolicyTarget(fill_rate=1.0), "fill_rate"),
        (lambda: CycleCosts(0.0, 0.0), "overage_cost"),
        (lambda: CycleCosts(1.0, 0.0), "overage_cost"),
        (lambda: CycleCosts(-1.0, 1.0), "underage_cost"),
        (
            lambda: asked(
                StockPolicyKind.ORDER_UP_TO, PolicyTarget(fill_rate=0.9), review_days=0.0
            ),
            "review_days",
        ),
        (
            lambda: asked(
                StockPolicyKind.ORDER_QUANTITY, PolicyTarget(fill_rate=0.9), order_quantity=None
            ),
            "order_quantity",
        ),
        (
            lambda: asked(
                StockPolicyKind.ORDER_QUANTITY, PolicyTarget(fill_rate=0.9), review_days=-1.0
            ),
            "review_days",
        ),
    ],
)
def test_a_policy_without_what_it_needs_is_refused(make: Callable[[], object], field: str) -> None:
    with pytest.raises(InvalidField) as refused:
        make()
    assert refused.value.field == field


@pytest.mark.parametrize("kind", [StockPolicyKind.ORDER_UP_TO, StockPolicyKind.ORDER_QUANTITY])
def test_all_zero_demand_needs_no_stock(kind: StockPolicyKind) -> None:
    silent = DemandInputs(observed=ObservedDemand((0.0, 0.0, 0.0)))
    for target in (TARGETS[0](0.95), TARGETS[1](0.95)):
        found = stock_policy(
            asked(
                kind,
                target,
                demand=silent,
                lead_time=LeadTimeInputs(fixed_days=0.0),
                review_days=float(REVIEW),
            )
        )
        assert found.reorder_point == 0.0
        assert found.fill_rate == 1.0


@pytest.mark.parametrize("demand", [GAMMA, *WHOLE])
def test_a_position_seen_late_needs_the_undershoot_on_top(demand: DemandInputs) -> None:
    daily = demand.law()
    target = PolicyTarget(cycle_service_level=0.95)
    inputs = asked(StockPolicyKind.ORDER_QUANTITY, target, demand=demand)
    watched = stock_policy(inputs)
    seen_late = stock_policy(dataclasses.replace(inputs, review_days=1.0))
    half = 0.5 if daily.whole else 0.0
    undershoot = (daily.variance + daily.mean**2) / (2 * daily.mean) - half
    assert seen_late.expected_demand - watched.expected_demand == pytest.approx(
        undershoot, rel=2e-4
    )
    assert seen_late.reorder_point > watched.reorder_point


def test_a_quantity_below_a_days_demand_is_ordered_several_times_at_once() -> None:
    target = PolicyTarget(cycle_service_level=0.95)
    for demand in (GAMMA, WHOLE[1]):
        inputs = asked(
            StockPolicyKind.ORDER_QUANTITY,
            target,
            demand=demand,
            review_days=1.0,
            order_quantity=1.0,
        )
        one_by_one = stock_policy(inputs)
        up_to = stock_policy(
            asked(StockPolicyKind.ORDER_UP_TO, target, demand=demand, review_days=1.0)
        )
        # Ordering unit by unit every day is ordering up to a level, but for days without demand.
        assert one_by_one.order_up_to == pytest.approx(up_to.order_up_to, abs=2.0)
