"""Goods for one season and goods that spoil, under any distribution of demand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from serving.domain.inventory_policy import check_finite, check_positive
from serving.domain.laws import over_lead_time
from serving.domain.stock_policy import CycleCosts

if TYPE_CHECKING:
    from serving.domain.law_inputs import DemandInputs, LeadTimeInputs


@dataclass(frozen=True, slots=True)
class SeasonInputs:
    """Inputs of the order quantity of one season.

    Attributes:
        demand: Demand of the whole season.
        underage_cost: Money lost per unit of unmet demand, 0 or more.
        overage_cost: Money lost per unit left over, above 0.
    """

    demand: DemandInputs
    underage_cost: float = 0.0
    overage_cost: float = 0.0

    def __post_init__(self) -> None:
        """Refuse costs without a critical ratio below 1."""
        CycleCosts(self.underage_cost, self.overage_cost)


@dataclass(frozen=True, slots=True)
class SeasonResult:
    """The order quantity of one season.

    Attributes:
        critical_ratio: Underage cost over underage plus overage cost.
        order_quantity: Units to order, the least that reaches the ratio.
        expected_shortage: Expected units of unmet demand.
        expected_leftover: Expected units left over.
        expected_cost: Expected money lost to both.
        service_level: Probability that all demand is met.
    """

    critical_ratio: float
    order_quantity: float
    expected_shortage: float
    expected_leftover: float
    expected_cost: float
    service_level: float

    def __post_init__(self) -> None:
        """Refuse figures that overflowed."""
        check_finite("season", self)


def season(inputs: SeasonInputs) -> SeasonResult:
    """Compute the order quantity of one season: the demand quantile at the critical ratio.

    Args:
        inputs: Costs Cu and Co in money per unit, and the law of demand.

    Returns:
        The quantity in units, in whole ones where demand is, and what it is expected to cost.

    Source: Arrow, Harris and Marschak, "Optimal inventory policy", Econometrica 19 (1951).

    Example:
        >>> from serving.domain.law_inputs import DemandInputs, MeanStd
        >>> normal = DemandInputs(normal=MeanStd(1_000.0, 200.0))
        >>> bought = season(SeasonInputs(normal, underage_cost=35.0, overage_cost=15.0))
        >>> round(bought.order_quantity, 4), round(bought.expected_cost, 4)
        (1104.8801, 3476.9261)
    """
    law = inputs.demand.law()
    ratio = CycleCosts(inputs.underage_cost, inputs.overage_cost).ratio
    quantity = law.quantile(ratio)
    at = np.array([quantity])
    shortage = float(law.loss(at)[0])
    leftover = quantity - law.mean + shortage
    return SeasonResult(
        critical_ratio=ratio,
        order_quantity=quantity,
        expected_shortage=shortage,
        expected_leftover=leftover,
        expected_cost=inputs.underage_cost * shortage + inputs.overage_cost * leftover,
        service_level=float(law.at_most(at)[0]),
    )


@dataclass(frozen=True, slots=True)
class PerishableInputs:
    """Inputs of the order-up-to level of goods that spoil.

    Attributes:
        demand: Demand of a day, days being independent.
        lead_time: Days from order to receipt.
        review_days: Days between orders, above 0.
        shelf_life_days: Days goods can be sold after their receipt, above 0.
        underage_cost: Money lost per unit of unmet demand, 0 or more.
        overage_cost: Money lost per unit that spoils, above 0.
    """

    demand: DemandInputs
    lead_time: LeadTimeInputs
    review_days: float = 0.0
    shelf_life_days: float = 0.0
    underage_cost: float = 0.0
    overage_cost: float = 0.0

    def __post_init__(self) -> None:
        """Refuse days that are not above 0 and costs without a critical ratio below 1."""
        check_positive("review_days", self.review_days)
        check_positive("shelf_life_days", self.shelf_life_days)
        CycleCosts(self.underage_cost, self.overage_cost)


@dataclass(frozen=True, slots=True)
class PerishableResult:
    """The order-up-to level of goods that spoil.

    Attributes:
        critical_ratio: Underage cost over underage plus overage cost.
        order_up_to: Units the position is raised to.
        cover_days: Days the level covers.
        cycle_service_level: Probability of no stock-out while the goods last.
        expected_waste: Expected units that spoil in a review period, the least they can be.
        expected_waste_at_most: The most they can be.
        expected_shortage: Expected units of unmet demand in a cycle.
    """

    critical_ratio: float
    order_up_to: float
    cover_days: float
    cycle_service_level: float
    expected_waste: float
    expected_waste_at_most: float
    expected_shortage: float

    def __post_init__(self) -> None:
        """Refuse figures that overflowed."""
        check_finite("perishable", self)


def perishable(inputs: PerishableInputs) -> PerishableResult:
    """Compute the order-up-to level of goods that spoil, oldest sold first.

    The level is the quantile, at the critical ratio, of demand over the lead time and the shorter
    of review period R and shelf life m. Goods that last no longer than a review period spoil where
    demand over their life leaves them, E(S - D_L - D_m)+. Those that last k periods spoil in a
    period at least E(S - D_{L + kR})+ / k units and at most E(S / k - D_R)+, where all stock ages
    on the shelf.

    Args:
        inputs: Demand of a day, times in days, costs in money per unit.

    Returns:
        The level in units with its service and the bounds of waste.

    Raises:
        InvalidField: If the law of a day cannot be summed over those days.

    Source: Chazan and Gal, "A Markovian model for a perishable product inventory", Management
    Science 23 (1977); Nahmias, Perishable Inventory Systems (2011), chapter 2.

    Example:
        >>> from serving.domain.law_inputs import DemandInputs, LeadTimeInputs, MeanStd
        >>> fresh = PerishableInputs(
        ...     DemandInputs(normal=MeanStd(100.0, 20.0)),
        ...     LeadTimeInputs(fixed_days=0.0),
        ...     review_days=3.0,
        ...     shelf_life_days=1.0,
        ...     underage_cost=3.0,
        ...     overage_cost=1.0,
        ... )
        >>> round(perishable(fresh).order_up_to, 2), perishable(fresh).cover_days
        (113.49, 1.0)
    """
    daily, lead_time = inputs.demand.law(), inputs.lead_time.lead_time()
    sold_days = min(inputs.review_days, inputs.shelf_life_days)
    cover = over_lead_time(daily, lead_time, sold_days)
    ratio = CycleCosts(inputs.underage_cost, inputs.overage_cost).ratio
    level = cover.quantile(ratio)
    at = np.array([level])
    shortage = float(cover.loss(at)[0])
    periods = int(inputs.shelf_life_days // inputs.review_days)
    least = most = level - cover.mean + shortage
    if periods > 1:
        life = over_lead_time(daily, lead_time, periods * inputs.review_days)
        least = (level - life.mean + float(life.loss(at)[0])) / periods
        period, part = daily.over(inputs.review_days), level / periods
        most = part - period.mean + float(period.loss(np.array([part]))[0])
    return PerishableResult(
        critical_ratio=ratio,
        order_up_to=level,
        cover_days=lead_time.mean + sold_days,
        cycle_service_level=float(cover.at_most(at)[0]),
        expected_waste=max(0.0, least),
        expected_waste_at_most=max(0.0, least, most),
        expected_shortage=shortage,
    )
