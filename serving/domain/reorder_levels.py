"""From the distribution of demand over the cover to a level and an order, for many series at once.

Every step is elementwise, so a series' figures have the same bits in any batch.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri

from serving.domain import protection
from serving.domain.inventory_formulas import cover_demand_std
from serving.domain.protection import level_for_fill_rate
from serving.domain.replenishment import MAX_SERVICE_LEVEL, ReorderMethod, served
from serving.domain.supply import TargetKind

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from serving.domain.cover_demand import CoverDemand

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
        target_kind: What the service level is, a TargetKind: probability of no stock-out in a
            cycle, fill rate, or critical ratio of the costs, shape (n,).
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
    target_kind: Floats

    @property
    def by_fill_rate(self) -> NDArray[np.bool_]:
        """Where a fill rate is promised, shape (n,)."""
        filled: NDArray[np.bool_] = self.target_kind == TargetKind.FILL_RATE
        return filled

    @property
    def promisable(self) -> NDArray[np.bool_]:
        """Where what is promised can be, shape (n,)."""
        level = self.service_level
        some = (level > 0) & (level < 1) & (self.by_fill_rate | (level <= MAX_SERVICE_LEVEL))
        by_cycle = self.target_kind == TargetKind.CYCLE_SERVICE
        return np.where(by_cycle, served(level), some)

    def kind(self, row: int) -> TargetKind:
        """Return what is promised of one series."""
        return TargetKind(int(self.target_kind[row]))

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

    def take(self, rows: NDArray[np.intp]) -> ReorderTerms:
        """Return the terms of some rows."""
        return ReorderTerms(
            **{part.name: getattr(self, part.name)[rows] for part in dataclasses.fields(self)}
        )


@dataclass(frozen=True, slots=True)
class ReorderLevels:
    """What n series need, and what is expected of them.

    Attributes:
        order_up_to: Units the position is raised to, shape (n,). It is the reorder point too: an
            order costs nothing by itself here, so any position below the level is raised to it.
        safety_stock: Units held beyond expected demand, shape (n,).
        expected_demand: Expected units over the cover, shape (n,).
        stockout_probability: Probability that demand over the cover exceeds the position, (n,).
        bounded: Where that probability is a bound rather than a reading, shape (n,).
        order_quantity: Units to order, shape (n,).
        fill_rate: Share of demand met at once at the level, shape (n,).
    """

    order_up_to: Floats
    safety_stock: Floats
    expected_demand: Floats
    stockout_probability: Floats
    bounded: NDArray[np.bool_]
    order_quantity: Floats
    fill_rate: Floats


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is expected of n series at inventory positions.

    Attributes:
        stockout_probability: Probability that demand over the cover exceeds the position, (n,).
        shortage: Expected units of demand over the cover that are not met, shape (n,).
        holding: Expected units in stock over the review period, shape (n,).
    """

    stockout_probability: Floats
    shortage: Floats
    holding: Floats


def decide(
    terms: ReorderTerms,
    demand: CoverDemand,
    method: ReorderMethod = ReorderMethod.DISTRIBUTION,
) -> ReorderLevels:
    """Compute level, safety stock, stock-out probability and order of n series.

    Under DISTRIBUTION the level is the least that keeps the promise over lead time plus review
    period: the quantile of demand at the service level (at the critical ratio under a cost
    target), or the level whose fill rate is the promised one; the safety stock is what it exceeds
    the mean by. NORMAL reads it as mean plus z deviations of that distribution. Under the textbook
    methods it is s = d (L + R) + z sqrt((L + R) sigma^2 + d^2 sigma_L^2) with L + R not rounded;
    TEXTBOOK takes sigma_L from the terms, TEXTBOOK_DEMAND_ONLY as 0. The stock-out probability and
    the fill rate are read off the distribution under every method.

    Args:
        terms: Stock and terms of n series, what they promise within what can be. A fill rate is
            read under DISTRIBUTION alone.
        demand: Demand of the same series.
        method: How the levels are computed.

    Returns:
        What the series need, each array of shape (n,).

    Source: Silver, Pyke and Thomas, Inventory and Production Management in Supply Chains,
    4th ed. (2017), chapters 6 and 7.
    """
    over_cover = demand.over_cover
    if method in {ReorderMethod.DISTRIBUTION, ReorderMethod.NORMAL}:
        expected = demand.mean
        if method is ReorderMethod.NORMAL:
            order_up_to = np.maximum(0.0, expected + ndtri(terms.service_level) * demand.std())
        else:
            order_up_to = _promised_level(terms, demand)
        safety = order_up_to - expected
    else:
        uncertain = method is ReorderMethod.TEXTBOOK
        expected = demand.forecast.daily_mean * terms.days
        safety = ndtri(terms.service_level) * cover_demand_std(
            terms.days,
            demand_std=demand.forecast.daily_std,
            mean_demand=demand.forecast.daily_mean,
            lead_time_std_days=terms.lead_time_std_days * float(uncertain),
        )
        order_up_to = expected + safety
    position = terms.position
    probability, bounded = stockout_probability(demand, position)
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
        fill_rate=protection.fill_rate(over_cover, demand.over_lead, order_up_to),
    )


def _promised_level(terms: ReorderTerms, demand: CoverDemand) -> Floats:
    """Return the least level that keeps what is promised of each series."""
    filled = np.flatnonzero(terms.by_fill_rate)
    if not filled.size:
        return protection.quantile(demand.over_cover, terms.service_level)
    if filled.size == terms.on_hand.size:
        return level_for_fill_rate(demand.over_cover, demand.over_lead, terms.service_level)
    level = np.empty(terms.on_hand.size)
    other = np.flatnonzero(~terms.by_fill_rate)
    level[other] = protection.quantile(demand.over_cover.take(other), terms.service_level[other])
    level[filled] = level_for_fill_rate(
        demand.over_cover.take(filled), demand.over_lead.take(filled), terms.service_level[filled]
    )
    return level


def outlook(demand: CoverDemand, positions: Floats) -> Outlook:
    """Return what is expected of n series at inventory positions, unmet demand waiting.

    Args:
        demand: Demand of n series.
        positions: Inventory positions after ordering in units, shape (n,).

    Returns:
        Probability of running out, shortage and holding, each array of shape (n,).
    """
    over_cover = demand.over_cover
    short = protection.loss(over_cover, positions)
    at_end = positions - protection.mean(over_cover) + short
    at_begin = (
        positions - protection.mean(demand.over_lead) + protection.loss(demand.over_lead, positions)
    )
    return Outlook(
        stockout_probability=1.0 - protection.at_most(over_cover, positions),
        shortage=short,
        holding=0.5 * np.maximum(0.0, at_begin + at_end),
    )


def stockout_probability(demand: CoverDemand, position: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Read P(demand > position) off the distribution.

    Beyond the outer trained quantiles the distribution is not known, so the reading is a bound:
    below the lowest it is one less the lowest level (at least that), at or above the highest one
    less the highest level (at most that). A position below 0 is 1 exactly: demand is never
    negative.

    Args:
        demand: Demand of n series.
        position: Inventory positions in units, shape (n,).

    Returns:
        Probabilities, shape (n,), and where they are bounds, shape (n,).
    """
    forecast = demand.forecast
    low, high = 1.0 - forecast.levels[-1], 1.0 - forecast.levels[0]
    read = 1.0 - protection.at_most(demand.over_cover, position)
    never_met = position < 0
    pads = forecast.weights <= 0
    below = (pads | (position[:, None] < forecast.quantiles[..., 0])).all(axis=1)
    above = (pads | (position[:, None] >= forecast.quantiles[..., -1])).all(axis=1)
    probability = np.where(never_met, 1.0, np.where(below, high, np.where(above, low, read)))
    return probability, (below | above) & ~never_met


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
