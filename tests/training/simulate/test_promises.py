"""What levels promise and what they achieve, on demand whose parameters are a world's truth.

Demand is continuous, with the mean and the variance of a day that the world draws from, so that a
promise can be kept to the point.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pytest

from serving.domain.law_inputs import DemandInputs, LeadTimeInputs, MeanStd
from serving.domain.stock_policy import (
    CycleCosts,
    PolicyTarget,
    StockPolicyInputs,
    StockPolicyKind,
    stock_policy,
)
from training.simulate.events import simulate
from training.simulate.inputs import Demand, Levels, Opening, Supply, Unmet
from training.world import Profile
from training.world.demand import demand_variance
from training.world.world import draw_world

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

PROMISES = [0.80, 0.90, 0.95, 0.98, 0.99]
FEW_PROMISES = [0.80, 0.95, 0.99]
WORLD = Profile(name="promised", skus=24, locations=1, days=120, skus_per_part=24)
CYCLES, COPIES = 10_600, 20
LEAD, REVIEW = 5, 7
DAYS = 240


class Truth(NamedTuple):
    """Mean and deviation of a day's demand of n series, and the source of randomness."""

    mean: Floats
    deviation: Floats
    rng: np.random.Generator

    def draw(self, days: int) -> Floats:
        shape = (self.mean / self.deviation) ** 2
        scale = self.deviation**2 / self.mean
        return self.rng.gamma(shape, scale, size=(days, COPIES, shape.size)).reshape(days, -1)


@pytest.fixture
def truth() -> Truth:
    world = draw_world(WORLD, 11)
    skus = range(WORLD.skus)
    mean = world.products.volume * world.locations.size[0]
    deviation = np.sqrt(demand_variance(world, skus, mean))
    return Truth(mean, deviation, np.random.default_rng(11))


def level_of(truth: Truth, target: PolicyTarget, lead: int) -> Floats:
    """Return the order-up-to level of each series, shape (COPIES x n,)."""
    found = [
        stock_policy(
            StockPolicyInputs(
                StockPolicyKind.ORDER_UP_TO,
                DemandInputs(gamma=MeanStd(mean, deviation)),
                LeadTimeInputs(fixed_days=float(lead)),
                target,
                review_days=float(REVIEW),
            )
        )
        for mean, deviation in zip(truth.mean.tolist(), truth.deviation.tolist(), strict=True)
    ]
    return np.tile([one.order_up_to for one in found], COPIES)


class Kept(NamedTuple):
    """What came of a promise, shape (n,) each; days before the first arrival are left out."""

    service: float
    demand: Floats
    met: Floats
    left: Floats


def run(truth: Truth, level: Floats, lead: int) -> Kept:
    """Simulate periodic review from a full shelf until enough cycles have ended."""
    series = level.size
    supply = Supply(
        review_days=np.full(series, REVIEW),
        lead_time=np.full((1, series), lead),
        pack_size=np.zeros(series),
        minimum=np.zeros(series),
        shelf_life=np.full(series, np.inf),
        unmet=Unmet.BACKORDERED,
    )
    levels = Levels(np.zeros(1, dtype=np.int64), level[None], level[None])
    opening = Opening(level, np.zeros((0, series)))
    units = truth.draw(lead + REVIEW * (CYCLES // series + 2))
    found = simulate(Demand(units), levels, supply, opening)
    early = simulate(Demand(units[:lead]), levels, supply, opening)
    assert found.cycles.sum() >= CYCLES
    return Kept(
        service=float(found.served.sum() / found.cycles.sum()),
        demand=found.demand - early.demand,
        met=found.met - early.met,
        left=found.left,
    )


@pytest.mark.parametrize("promised", PROMISES)
def test_periodic_review_keeps_a_cycle_service(truth: Truth, promised: float) -> None:
    target = PolicyTarget(cycle_service_level=promised)
    level = level_of(truth, target, LEAD)
    found = run(truth, level, LEAD)
    assert found.service == pytest.approx(promised, abs=0.01)


@pytest.mark.parametrize("promised", PROMISES)
def test_periodic_review_keeps_a_fill_rate(truth: Truth, promised: float) -> None:
    level = level_of(truth, PolicyTarget(fill_rate=promised), LEAD)
    found = run(truth, level, LEAD)
    # Each product counts alike: one that sells much would stand for all of them.
    met, demand = (one.reshape(COPIES, -1).sum(axis=0) for one in (found.met, found.demand))
    assert (met / demand).mean() == pytest.approx(promised, abs=0.01)


@pytest.mark.parametrize("ratio", PROMISES)
def test_a_cost_target_serves_its_critical_ratio_at_the_least_cost(
    truth: Truth, ratio: float
) -> None:
    costs = CycleCosts(underage_cost=ratio, overage_cost=1.0 - ratio)
    level = level_of(truth, PolicyTarget(cost=costs), 0)

    def cost(found: Kept) -> float:
        short = found.demand - found.met
        return float((ratio * short + (1.0 - ratio) * found.left).sum())

    found = run(truth, level, 0)
    assert found.service == pytest.approx(ratio, abs=0.01)
    best = min(cost(run(truth, factor * level, 0)) for factor in (0.9, 0.95, 1.05, 1.1))
    assert cost(found) <= 1.05 * best


class Policy(NamedTuple):
    """A policy as it is simulated: looked at as each day closes.

    An order placed at a close is there LEAD mornings on, and so lasts LEAD - 1 days of demand.
    """

    kind: StockPolicyKind
    quantity: float | None = None  # in days of demand


QUANTITY = Policy(StockPolicyKind.ORDER_QUANTITY, 8.0)
MIN_MAX = Policy(StockPolicyKind.MIN_MAX, 8.0)


def run_daily(truth: Truth, policy: Policy, target: PolicyTarget) -> Kept:
    """Simulate a policy that looks at its stock every day until enough cycles have ended."""
    found = [
        stock_policy(
            StockPolicyInputs(
                policy.kind,
                DemandInputs(gamma=MeanStd(mean, deviation)),
                LeadTimeInputs(fixed_days=float(LEAD - 1)),
                target,
                review_days=1.0,
                order_quantity=None if policy.quantity is None else policy.quantity * mean,
            )
        )
        for mean, deviation in zip(truth.mean.tolist(), truth.deviation.tolist(), strict=True)
    ]
    point = np.tile([one.reorder_point for one in found], COPIES)
    up_to = np.tile([one.order_up_to for one in found], COPIES)
    pack = np.zeros(point.size)
    if policy.kind is StockPolicyKind.ORDER_QUANTITY:
        pack, up_to = up_to - point, point  # the least whole quantities that lift it above
    supply = Supply(
        review_days=np.zeros(point.size, dtype=np.int64),
        lead_time=np.full((1, point.size), LEAD),
        pack_size=pack,
        minimum=np.zeros(point.size),
        shelf_life=np.full(point.size, np.inf),
        unmet=Unmet.BACKORDERED,
    )
    levels = Levels(np.zeros(1, dtype=np.int64), point[None], up_to[None])
    opening = Opening(
        point + truth.rng.random(point.size) * (pack + up_to - point), np.zeros((0, point.size))
    )
    units = truth.draw(DAYS)
    done = simulate(Demand(units), levels, supply, opening)
    early = simulate(Demand(units[: 4 * LEAD]), levels, supply, opening)
    assert done.cycles.sum() >= CYCLES
    return Kept(
        service=float(done.served.sum() / done.cycles.sum()),
        demand=done.demand - early.demand,
        met=done.met - early.met,
        left=done.left,
    )


@pytest.mark.parametrize("policy", [QUANTITY, MIN_MAX], ids=["quantity", "min-max"])
@pytest.mark.parametrize("promised", FEW_PROMISES)
def test_a_policy_seen_late_keeps_a_cycle_service(
    truth: Truth, policy: Policy, promised: float
) -> None:
    found = run_daily(truth, policy, PolicyTarget(cycle_service_level=promised))
    assert found.service == pytest.approx(promised, abs=0.01)


@pytest.mark.parametrize("policy", [QUANTITY, MIN_MAX], ids=["quantity", "min-max"])
@pytest.mark.parametrize("promised", FEW_PROMISES)
def test_a_policy_seen_late_keeps_a_fill_rate(
    truth: Truth, policy: Policy, promised: float
) -> None:
    found = run_daily(truth, policy, PolicyTarget(fill_rate=promised))
    met, demand = (one.reshape(COPIES, -1).sum(axis=0) for one in (found.met, found.demand))
    assert (met / demand).mean() == pytest.approx(promised, abs=0.01)


@pytest.mark.parametrize("ratio", FEW_PROMISES)
def test_an_order_quantity_at_least_cost_serves_its_critical_ratio(
    truth: Truth, ratio: float
) -> None:
    costs = CycleCosts(underage_cost=ratio, overage_cost=1.0 - ratio)
    found = run_daily(truth, QUANTITY, PolicyTarget(cost=costs))
    assert found.service == pytest.approx(ratio, abs=0.01)
