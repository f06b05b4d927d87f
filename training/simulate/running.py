"""Runs of policies over the days of a study: as they came, under scenarios, and what if."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from training.simulate.events import simulate
from training.simulate.inputs import Demand, Opening, Supply
from training.simulate.measures import sums_by_location
from training.simulate.policies import DAILY
from training.simulate.scenarios import SCENARIOS, WhatIf

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from training.simulate.decisions import Decided
    from training.simulate.events import Outcome
    from training.simulate.inputs import Levels
    from training.simulate.study import Ground, Study

    Floats = NDArray[np.float64]
    Sums = Mapping[str, Floats]
    Progress = Callable[[str], None]

QUINTILES = 5


@dataclass(frozen=True, slots=True)
class Found:
    """What a study found: sums by location, from which every measure is made.

    Attributes:
        asked: By policy, at the service asked.
        promised: By policy and promise.
        quintiles: Cycle service by policy in each fifth of the series by volume, least first.
        scenarios: By scenario and policy, at the service asked.
        what_ifs: Each change with its sums by policy.
    """

    asked: Mapping[str, Sums]
    promised: Mapping[tuple[str, float], Sums]
    quintiles: Mapping[str, tuple[float, ...]]
    scenarios: Mapping[tuple[str, str], Sums]
    what_ifs: Sequence[tuple[WhatIf, Mapping[str, Sums]]]

    @property
    def runs(self) -> int:
        """Number of simulations."""
        changed = sum(len(by_policy) for _, by_policy in self.what_ifs)
        return len(self.asked) + len(self.promised) + len(self.scenarios) + changed


def run_study(
    study: Study, ground: Ground, decided: Decided, what_ifs: Sequence[WhatIf], progress: Progress
) -> Found:
    """Simulate every policy at the service asked, at each promise, and under every change.

    Levels are what they were decided to be: no policy knows of a scenario or a change in advance.

    Args:
        study: What is asked.
        ground: What the policies meet.
        decided: Levels of the policies.
        what_ifs: Changes.
        progress: Told the name of each step as it begins.
    """
    asked, quintiles = {}, {}
    for name in study.policies:
        progress(f"simulating {name}")
        outcome = run_policy(study, ground, name, decided.asked[name])
        asked[name] = _summed(ground, name, outcome)
        quintiles[name] = _by_volume(ground, outcome)
    promised = {}
    for (name, promise), levels in decided.promised.items():
        progress(f"simulating {name} at {promise:g}")
        promised[name, promise] = _summed(
            ground, name, run_policy(study, ground, name, levels), promise
        )
    scenarios = {}
    for scenario, change in SCENARIOS.items():
        changed = dataclasses.replace(ground, course=change(ground.course))
        for name in study.policies:
            progress(f"simulating {name}, {scenario}")
            outcome = run_policy(study, changed, name, decided.asked[name])
            scenarios[scenario, name] = _summed(changed, name, outcome)
    changes = [(one, _changed(study, ground, decided, one)) for one in what_ifs]
    return Found(asked, promised, quintiles, scenarios, changes)


def run_policy(
    study: Study, ground: Ground, name: str, levels: Levels, *, traced: bool = False
) -> Outcome:
    """Simulate one policy.

    Args:
        study: What is asked.
        ground: What the policy meets.
        name: The policy.
        levels: Its levels.
        traced: Whether to keep the stock at each close.

    Returns:
        What became of each series.
    """
    supply = supply_of(study, ground, name)
    opening = steady_opening(levels, supply, ground.recent_mean())
    asked = Demand(ground.course.demand, ground.known)
    return simulate(asked, levels, supply, opening, traced=traced)


def supply_of(study: Study, ground: Ground, name: str) -> Supply:
    """Return how the orders of a policy are reviewed and filled."""
    terms = ground.terms.reorder
    review = np.rint(terms.review_days).astype(np.int64)
    return Supply(
        review_days=np.ones_like(review) if name in DAILY else review,
        lead_time=ground.course.lead_time,
        pack_size=terms.pack_size,
        minimum=terms.minimum_order_quantity,
        shelf_life=ground.terms.shelf_life,
        unmet=study.unmet,
        emergency_days=study.emergency_days,
    )


def steady_opening(levels: Levels, supply: Supply, daily_mean: Floats) -> Opening:
    """Return the stock a policy would hold before the first review had it run for long.

    The position lies one review period of mean demand below the level; orders of as much are on
    their way from earlier reviews, after the mean lead time.

    Args:
        levels: Levels of the policy.
        supply: How orders are filled.
        daily_mean: Units a day, shape (n,).
    """
    _, up_to = levels.before(0)
    period = np.maximum(supply.review_days, 1)
    lead = np.rint(supply.lead_time.mean(axis=0)).astype(np.int64)
    lead = np.where(supply.review_days == 0, np.maximum(lead - 1, 0), lead)
    due = np.zeros((int(lead.max()) + 1, up_to.size))
    batch, rows = period * daily_mean, np.arange(up_to.size)
    for back in range(1, int((lead // period).max()) + 1):
        arrival = lead - back * period
        coming = arrival >= 0
        due[arrival[coming], rows[coming]] += batch[coming]
    return Opening(np.maximum(up_to - batch - due.sum(axis=0), 0.0), due)


def _changed(study: Study, ground: Ground, decided: Decided, change: WhatIf) -> dict[str, Sums]:
    """Simulate every policy under a change; the policy in force takes no other service level."""
    money = ground.terms.money
    if money is not None:
        money = dataclasses.replace(
            money,
            holding_cost=money.holding_cost * change.holding_cost,
            shortage_cost=money.shortage_cost * change.shortage_cost,
        )
    changed = dataclasses.replace(
        ground,
        course=change.change(ground.course),
        terms=dataclasses.replace(ground.terms, money=money),
    )
    promise, found = change.service_level, {}
    for name in study.policies:
        if promise is None:
            outcome = run_policy(study, changed, name, decided.asked[name])
            found[name] = _summed(changed, name, outcome)
        elif (name, promise) in decided.promised:
            outcome = run_policy(study, changed, name, decided.promised[name, promise])
            found[name] = _summed(changed, name, outcome, promise)
    return found


def _summed(ground: Ground, name: str, outcome: Outcome, promise: float | None = None) -> Sums:
    level = ground.terms.service_of(name)
    if promise is not None:
        level = np.full(level.size, promise)
    return sums_by_location(outcome, ground.terms.money, level, ground.location)


def _by_volume(ground: Ground, outcome: Outcome) -> tuple[float, ...]:
    """Return the cycle service of each fifth of the series by volume before the start."""
    rank = np.argsort(np.argsort(ground.recent_mean(), kind="stable"), kind="stable")
    fifth = rank * QUINTILES // rank.size
    cycles = np.bincount(fifth, weights=outcome.cycles, minlength=QUINTILES)
    served = np.bincount(fifth, weights=outcome.served, minlength=QUINTILES)
    shares = np.divide(served, cycles, out=np.full(QUINTILES, np.nan), where=cycles > 0)
    return tuple(shares.tolist())
