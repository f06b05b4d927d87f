"""What a simulation is judged by, with intervals over locations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from training.simulate.events import Outcome
    from training.simulate.terms import Money

    Floats = NDArray[np.float64]

DRAWS = 1_000
OUTER = (2.5, 97.5)
DAYS_A_YEAR = 365.0

# Each measure is a ratio of two sums over series: name -> (numerator, denominator).
MEASURES: dict[str, tuple[str, str]] = {
    "cycle_service": ("served", "cycles"),
    "known_service": ("known_served", "known_cycles"),
    "fill_rate": ("met", "demand"),
    "ready_rate": ("ready_days", "series_days"),
    "days_of_supply": ("stock_days", "demand"),
    "turnover": ("met_a_year", "stock_days"),
    "waste": ("waste", "ordered"),
    "orders_a_week": ("orders", "series_weeks"),
    "emergencies_a_week": ("emergencies", "series_weeks"),
    "balance": ("balance", "demand"),
}
MONEY_MEASURES: dict[str, tuple[str, str]] = {
    "cost": ("cost", "demand"),
    "stock_value": ("stock_value", "series"),
}


class Measured(NamedTuple):
    """A measure with its bootstrap interval.

    Attributes:
        value: The ratio of sums over all series; NaN where the denominator is 0.
        low: Lower end of the 95 % interval; NaN with fewer than two locations.
        high: Upper end.
    """

    value: float
    low: float
    high: float


def sums_by_location(
    outcome: Outcome, money: Money | None, service: Floats, location: NDArray[np.int64]
) -> dict[str, Floats]:
    """Add up everything the measures are made of within each location.

    Args:
        outcome: What became of n series.
        money: What things cost; None leaves money out.
        service: Service level asked of each series, shape (n,).
        location: Index of each series' location, shape (n,).

    Returns:
        Sums by name, each of shape (locations,).
    """
    unmet = outcome.demand - outcome.met
    every = np.ones(outcome.demand.size)
    ratio = service / (1.0 - service)
    parts: dict[str, NDArray[Any]] = {
        "served": outcome.served,
        "cycles": outcome.cycles,
        "known_served": outcome.known_served,
        "known_cycles": outcome.known_cycles,
        "met": outcome.met,
        "demand": outcome.demand,
        "ready_days": outcome.ready_days,
        "series_days": every * outcome.days,
        "series_weeks": every * outcome.days / 7.0,
        "stock_days": outcome.stock_days,
        "met_a_year": outcome.met * DAYS_A_YEAR,
        "waste": outcome.waste,
        "ordered": outcome.ordered + outcome.emergency_units,
        "orders": outcome.orders,
        "emergencies": outcome.emergencies,
        # What a newsvendor would pay who asks for that level: a unit left over costs 1.
        "balance": outcome.left + ratio * unmet,
    }
    if money is not None:
        parts["cost"] = costs(outcome, money)
        parts["stock_value"] = outcome.stock_days * money.unit_cost / outcome.days
        parts["series"] = every
    return {
        name: np.bincount(location, weights=values).astype(np.float64)
        for name, values in parts.items()
    }


def costs(outcome: Outcome, money: Money) -> Floats:
    """Return what ordering, holding, unmet demand and waste cost, in money, shape (n,)."""
    return (
        money.ordering_cost * (outcome.orders + outcome.emergencies)
        + money.holding_cost * outcome.stock_days
        + money.shortage_cost * (outcome.demand - outcome.met)
        + np.maximum(money.unit_cost - money.salvage_value, 0.0) * outcome.waste
    )


def measure(sums: Mapping[str, Floats], seed: int) -> dict[str, Measured]:
    """Return every measure with its interval.

    Days and products of a location share its customers and its deliveries, so locations are what
    is drawn anew; the same seed draws the same locations, so that policies can be compared.

    Args:
        sums: Sums by location, as `sums_by_location` returns them.
        seed: Seed of the draws.

    Returns:
        The measures by name; those of money only where it is known.

    Source: Field and Welsh (2007), Bootstrapping clustered data, J. R. Statist. Soc. B 69.
    """
    weights = _weights(sums["demand"].size, seed)
    known = MEASURES | (MONEY_MEASURES if "cost" in sums else {})
    return {name: _ratio(sums[over], sums[under], weights) for name, (over, under) in known.items()}


def compare(
    sums: Mapping[str, Floats], other: Mapping[str, Floats], name: str, seed: int
) -> Measured:
    """Return how far a sum lies from another policy's, as a share of the other's.

    Args:
        sums: Sums by location of a policy.
        other: Those of the policy it is held against.
        name: Which sum.
        seed: Seed of the draws.
    """
    weights = _weights(other[name].size, seed)
    return _ratio(sums[name] - other[name], other[name], weights)


def yearly_return(
    sums: Mapping[str, Floats], other: Mapping[str, Floats], days: int
) -> tuple[float, float]:
    """Return what a policy saves a year against another, and that over the extra stock it needs.

    Args:
        sums: Sums by location of a policy.
        other: Those of the policy it is held against.
        days: Days simulated.

    Returns:
        Money a year, and money a year per money of extra stock; NaN where it needs no more stock.
    """
    saved = float(other["cost"].sum() - sums["cost"].sum()) * DAYS_A_YEAR / days
    extra = float(sums["stock_value"].sum() - other["stock_value"].sum())
    return saved, saved / extra if extra > 0 else float("nan")


def _weights(locations: int, seed: int) -> Floats:
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(locations, np.full(locations, 1.0 / locations), size=DRAWS)
    return drawn.astype(np.float64)


def _ratio(over: Floats, under: Floats, weights: Floats) -> Measured:
    total = float(under.sum())
    value = float(over.sum()) / total if total > 0 else float("nan")
    if over.size < 2:  # noqa: PLR2004 - one location says nothing of others
        return Measured(value, float("nan"), float("nan"))
    below = weights @ under
    usable = below > 0
    if not usable.any():
        return Measured(value, float("nan"), float("nan"))
    low, high = np.percentile((weights @ over)[usable] / below[usable], OUTER).tolist()
    return Measured(value, low, high)
