"""From the distribution of demand over the cover to a level and an order, for many series at once.

Every step is elementwise, so a series' figures have the same bits in any batch.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri

from serving.domain.inventory_formulas import cover_demand_std
from serving.domain.replenishment import ReorderMethod

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

# Relative size of differences that arithmetic alone makes: no pack is ordered for one of them.
ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class ReorderTerms:
    """Stock and terms of n series, whatever they came from.

    Attributes:
        on_hand: Units in stock, shape (n,).
        on_order: Units ordered and not yet received, shape (n,).
        backorders: Units owed to customers, shape (n,).
        lead_time_days: Days from order to receipt, shape (n,).
        lead_time_std_days: Standard deviation of the lead time in days, shape (n,).
        review_days: Days between reviews, shape (n,).
        service_level: Probability of no stock-out in a cycle, shape (n,).
        minimum_order_quantity: Least units a supplier accepts, shape (n,).
        pack_size: Units in a pack, 0 where there are none, shape (n,).
    """

    on_hand: Floats
    on_order: Floats
    backorders: Floats
    lead_time_days: Floats
    lead_time_std_days: Floats
    review_days: Floats
    service_level: Floats
    minimum_order_quantity: Floats
    pack_size: Floats

    @property
    def position(self) -> Floats:
        """Inventory position: on hand plus on order less back-orders, in units, shape (n,)."""
        return self.on_hand + self.on_order - self.backorders

    @property
    def days(self) -> Floats:
        """Lead time plus review period in days, shape (n,)."""
        return self.lead_time_days + self.review_days

    @property
    def cover_days(self) -> NDArray[np.int64]:
        """Lead time plus review period in whole days, at least 1, shape (n,)."""
        # 4.000000000000001 is four days that were added up.
        return np.maximum(np.ceil(self.days - ROUNDING), 1.0).astype(np.int64)

    @classmethod
    def joined(cls, parts: Sequence[ReorderTerms]) -> ReorderTerms:
        """Return the terms of all series of several parts, in order."""
        names = (part.name for part in dataclasses.fields(cls))
        return cls(
            **{name: np.concatenate([getattr(one, name) for one in parts]) for name in names}
        )

    def take(self, rows: NDArray[np.intp]) -> ReorderTerms:
        """Return the terms of some rows."""
        return ReorderTerms(
            **{part.name: getattr(self, part.name)[rows] for part in dataclasses.fields(self)}
        )


@dataclass(frozen=True, slots=True)
class CoverDemand:
    """Demand of n series over their covers.

    Attributes:
        levels: Trained probability levels, ascending.
        quantiles: Units over the cover, shape (n, levels), never crossing.
        mean: Expected units over the cover, shape (n,).
        daily_mean: Expected units a day, shape (n,).
        daily_std: Standard deviation of a day's forecast error in units, shape (n,).
    """

    levels: tuple[float, ...]
    quantiles: Floats
    mean: Floats
    daily_mean: Floats
    daily_std: Floats


@dataclass(frozen=True, slots=True)
class ReorderLevels:
    """What n series need.

    Attributes:
        order_up_to: Units the position is raised to, shape (n,). It is the reorder point too: an
            order costs nothing by itself here, so any position below the level is raised to it.
        safety_stock: Units held beyond expected demand, shape (n,).
        expected_demand: Expected units over the cover, shape (n,).
        stockout_probability: Probability that demand over the cover exceeds the position, (n,).
        bounded: Where that probability is a bound rather than a reading, shape (n,).
        order_quantity: Units to order, shape (n,).
    """

    order_up_to: Floats
    safety_stock: Floats
    expected_demand: Floats
    stockout_probability: Floats
    bounded: NDArray[np.bool_]
    order_quantity: Floats


def decide(terms: ReorderTerms, demand: CoverDemand, method: ReorderMethod) -> ReorderLevels:
    """Compute level, safety stock, stock-out probability and order of n series.

    Under DISTRIBUTION the level is the quantile of demand over the cover at the service level, and
    the safety stock what it exceeds the mean by. Under the textbook methods it is
    s = d (L + R) + z sqrt((L + R) sigma^2 + d^2 sigma_L^2) with L + R not rounded; TEXTBOOK takes
    sigma_L from the terms, TEXTBOOK_DEMAND_ONLY as 0. The stock-out probability is read off the
    distribution under every method.

    Args:
        terms: Stock and terms of n series, service levels within the trained ones.
        demand: Demand of the same series over `terms.cover_days`.
        method: How the level is computed.

    Returns:
        What the series need, each array of shape (n,).

    Source: Silver, Pyke and Thomas, Inventory and Production Management in Supply Chains,
    4th ed. (2017), chapters 6 and 7.
    """
    if method is ReorderMethod.DISTRIBUTION:
        order_up_to = quantiles_at(demand.levels, demand.quantiles, terms.service_level)
        expected = demand.mean
        safety = order_up_to - expected
    else:
        uncertain = method is ReorderMethod.TEXTBOOK
        expected = demand.daily_mean * terms.days
        safety = ndtri(terms.service_level) * cover_demand_std(
            terms.days,
            demand_std=demand.daily_std,
            mean_demand=demand.daily_mean,
            lead_time_std_days=terms.lead_time_std_days * float(uncertain),
        )
        order_up_to = expected + safety
    position = terms.position
    probability, bounded = stockout_probability(demand.levels, demand.quantiles, position)
    return ReorderLevels(
        order_up_to=order_up_to,
        safety_stock=safety,
        expected_demand=expected,
        stockout_probability=probability,
        bounded=bounded,
        order_quantity=order_quantity(
            position,
            order_up_to,
            pack_size=terms.pack_size,
            minimum=terms.minimum_order_quantity,
        ),
    )


def quantiles_at(levels: Sequence[float], quantiles: Floats, wanted: Floats) -> Floats:
    """Read each row's quantile at its own level, linearly between the trained levels.

    Args:
        levels: Trained levels, ascending.
        quantiles: Quantiles in units, shape (n, levels).
        wanted: Level of each row, within the trained ones, shape (n,).

    Returns:
        Quantiles in units, shape (n,).

    Example:
        >>> rows = np.array([[2.0, 4.0], [10.0, 20.0]])
        >>> quantiles_at((0.5, 0.9), rows, np.array([0.7, 0.9]))
        array([ 3., 20.])
    """
    ladder = np.asarray(levels)
    right = np.maximum(ladder.searchsorted(wanted), 1)
    rows = np.arange(wanted.size)
    below, above = quantiles[rows, right - 1], quantiles[rows, right]
    share = (wanted - ladder[right - 1]) / (ladder[right] - ladder[right - 1])
    read = below + share * (above - below)
    # At a trained level its own bits, as `interpolate_levels` reads them.
    return np.where(ladder[right] == wanted, above, read)


def stockout_probability(
    levels: Sequence[float], quantiles: Floats, position: Floats
) -> tuple[Floats, NDArray[np.bool_]]:
    """Read P(demand > position) off the quantiles, linearly between the trained levels.

    Beyond the outer quantiles the distribution is not known, so the reading is a bound: below the
    lowest it is one less the lowest level (at least that), at or above the highest one less the
    highest level (at most that). A position below 0 is 1 exactly: demand is never negative.

    Args:
        levels: Trained levels, ascending.
        quantiles: Quantiles in units, shape (n, levels), never crossing.
        position: Inventory positions in units, shape (n,).

    Returns:
        Probabilities, shape (n,), and where they are bounds, shape (n,).

    Example:
        >>> stockout_probability((0.5, 0.9), np.array([[2.0, 4.0]]), np.array([3.0]))
        (array([0.3]), array([False]))
    """
    ladder = np.asarray(levels)
    reached = (quantiles <= position[:, None]).sum(axis=1)
    last = ladder.size - 1
    left, right = np.maximum(reached - 1, 0), np.minimum(reached, last)
    rows = np.arange(position.size)
    below = quantiles[rows, left]
    inside = left < right
    share = np.zeros(position.shape)
    np.divide(position - below, quantiles[rows, right] - below, out=share, where=inside)
    probability = 1.0 - (ladder[left] + share * (ladder[right] - ladder[left]))
    never_met = position < 0
    return np.where(never_met, 1.0, probability), ~inside & ~never_met


def order_quantity(
    position: Floats, order_up_to: Floats, *, pack_size: Floats, minimum: Floats
) -> Floats:
    """Compute what raises each position to its level, in whole packs and at least the minimum.

    Shortfalls and parts of a pack below a billionth are arithmetic's, and order nothing.

    Args:
        position: Inventory positions in units, shape (n,).
        order_up_to: Levels to reach in units, shape (n,).
        pack_size: Units in a pack, 0 where there are none, shape (n,).
        minimum: Least units an order may have, shape (n,).

    Returns:
        Units to order, shape (n,): 0 where the position is at or above the level.

    Example:
        >>> order_quantity(
        ...     np.array([10.0, 60.0]),
        ...     np.array([35.0, 50.0]),
        ...     pack_size=np.array([12.0, 12.0]),
        ...     minimum=np.array([30.0, 30.0]),
        ... )
        array([36.,  0.])
    """
    shortfall = order_up_to - position
    needed = np.maximum(shortfall, minimum)
    packs = np.divide(needed, pack_size, out=np.zeros_like(needed), where=pack_size > 0)
    whole = np.maximum(np.ceil(packs - ROUNDING * np.maximum(packs, 1.0)), 1.0) * pack_size
    return np.where(
        shortfall > ROUNDING * np.abs(order_up_to), np.where(pack_size > 0, whole, needed), 0.0
    )


def explain(terms: ReorderTerms, levels: ReorderLevels, row: int = 0) -> str:
    """Say the decision on one of n series in one sentence."""
    position, up_to = float(terms.position[row]), float(levels.order_up_to[row])
    order = float(levels.order_quantity[row])
    rule = (
        f"the order-up-to level of {_units(up_to)} ({_units(float(levels.expected_demand[row]))} "
        f"expected over {terms.cover_days[row]} days and {_units(float(levels.safety_stock[row]))} "
        f"of safety stock for a service level of {float(terms.service_level[row]):g})"
    )
    if order == 0:
        return f"Order nothing: the inventory position of {_units(position)} has reached {rule}."
    pack, minimum = float(terms.pack_size[row]), float(terms.minimum_order_quantity[row])
    steps = []
    if up_to - position < minimum:
        steps.append(f"the minimum order of {_units(minimum)}")
    if pack > 0:
        steps.append(f"whole packs of {_units(pack)}")
    raised = f", raised to {' and '.join(steps)}" if steps and order > up_to - position else ""
    return (
        f"Order {_units(order)}: the inventory position of {_units(position)} is "
        f"{_units(up_to - position)} below {rule}{raised}."
    )


def _units(value: float) -> str:
    """Write units with at most two decimals."""
    text = f"{value:,.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
