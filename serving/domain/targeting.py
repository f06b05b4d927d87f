"""How to spend a budget on the units that gain most."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from serving.domain.uplift import CURVE_POINTS, LEAST_PROPENSITY, OverlapFlag, Targeting

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from serving.domain.series import Provenance
    from serving.domain.uplift import TargetingQuery

    Floats = NDArray[np.float64]


def flags_of(propensities: Floats, outside: NDArray[np.bool_]) -> tuple[OverlapFlag, ...]:
    """Say of each unit whether the data a model learned from says anything of it.

    Args:
        propensities: Probability that a unit like this was treated, shape (n,).
        outside: Whether a covariate lies outside what was seen, shape (n,).

    Returns:
        One flag a unit; outside what was seen comes first.
    """
    one_arm = np.minimum(propensities, 1.0 - propensities) < LEAST_PROPENSITY
    flags = np.where(outside, OverlapFlag.OUTSIDE_RANGE, np.where(one_arm, OverlapFlag.ONE_ARM, 1))
    return tuple(map(OverlapFlag, flags.tolist()))


def plan_targeting(
    query: TargetingQuery, effects: tuple[Floats, Floats, Floats], provenance: Provenance
) -> Targeting:
    """Choose the units of most gain per money until the budget is spent.

    Units that promise no good, or less than the minimum effect, are never chosen. The order is that
    of gain per money, the best for a budget that does not cut a unit in two; a unit too dear for
    what is left is passed over for the next.

    Args:
        query: Budget, costs and the least effect.
        effects: Effect and the ends of its interval in the good direction, each of shape (n,).
        provenance: Where the effects came from.

    Returns:
        The chosen units, their gain, and the curve over all units that qualify.

    Source: Dantzig, "Discrete-variable extremum problems", Operations Research 5 (1957), for the
    order.

    Example:
        >>> from serving.domain.series import Provenance
        >>> from serving.domain.uplift import TargetingQuery, UnitsQuery
        >>> units = UnitsQuery(("a", "b", "c"))
        >>> query = TargetingQuery(units, budget=2.0, action_costs=np.array([1.0]))
        >>> effect = np.array([0.1, 0.3, -0.2])
        >>> plan = plan_targeting(query, (effect, effect - 0.1, effect + 0.1), Provenance())
        >>> plan.unit_ids, round(plan.expected_gain, 6), round(plan.lower, 6)
        (('b', 'a'), 0.4, 0.2)
    """
    effect, lower, upper = effects
    costs = np.broadcast_to(query.action_costs, effect.shape)
    fit = np.flatnonzero((effect > 0) & (effect >= query.minimum_effect))
    order = fit[np.argsort(-effect[fit] / costs[fit], kind="stable")]
    chosen = _within_budget(order, costs, query.budget)
    value = query.value_per_effect
    points = np.unique(np.linspace(0, len(order), CURVE_POINTS).astype(np.int64))

    def curve(amounts: Floats) -> Floats:
        return np.asarray(np.r_[0.0, np.cumsum(amounts[order])][points])

    return Targeting(
        provenance=provenance,
        unit_ids=tuple(query.units.unit_ids[row] for row in chosen),
        total_cost=float(costs[chosen].sum()),
        expected_gain=float(effect[chosen].sum() * value),
        lower=float(lower[chosen].sum() * value),
        upper=float(upper[chosen].sum() * value),
        curve_units=points,
        curve_costs=curve(costs),
        curve_gains=curve(effect) * value,
        curve_lower=curve(lower) * value,
        curve_upper=curve(upper) * value,
    )


def _within_budget(order: NDArray[np.intp], costs: Floats, budget: float) -> NDArray[np.intp]:
    """Return the units that fit, in order; rounding of the sum never costs the last one."""
    chosen, left = [], budget * (1.0 + 1e-12)
    for row in order:
        if costs[row] <= left:
            chosen.append(row)
            left -= costs[row]
    return np.array(chosen, dtype=np.intp)
