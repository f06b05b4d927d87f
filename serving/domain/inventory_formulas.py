"""The inventory formulas of the trade."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr, ndtri

from serving.domain.inventory_policy import (
    EconomicOrderQuantityInputs,
    EconomicOrderQuantityResult,
    NewsvendorInputs,
    NewsvendorResult,
    ReorderPointInputs,
    ReorderPointResult,
    SafetyStockInputs,
    SafetyStockMethod,
    SafetyStockResult,
)
from serving.errors import InvalidField

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

DAYS_A_YEAR = 365.0


def economic_order_quantity(inputs: EconomicOrderQuantityInputs) -> EconomicOrderQuantityResult:
    """Compute the order quantity of least ordering plus holding cost, Q = sqrt(2 D S / H).

    Args:
        inputs: Demand D in units a year, ordering cost S per order, holding cost H per unit-year.

    Returns:
        The quantity in units with its frequency, its interval in days and its cost a year.

    Raises:
        InvalidField: If the inputs lie so far apart that no float holds the quantity.

    Source: F. W. Harris, "How many parts to make at once", Factory 10 (1913).

    Example:
        >>> best = economic_order_quantity(EconomicOrderQuantityInputs(50_000, 100, 0.25 * 150))
        >>> round(best.order_quantity, 4), round(best.total_cost_per_year, 2)
        (516.3978, 19364.92)
    """
    demand, per_order = inputs.annual_demand, inputs.ordering_cost
    quantity = math.sqrt(2.0 * demand * per_order / inputs.holding_cost)
    if quantity == 0:
        raise InvalidField("economic_order_quantity", "must exceed 0: the inputs are too small")
    ordering = demand / quantity * per_order
    holding = quantity / 2.0 * inputs.holding_cost
    return EconomicOrderQuantityResult(
        order_quantity=quantity,
        orders_per_year=demand / quantity,
        days_between_orders=quantity / demand * DAYS_A_YEAR,
        ordering_cost_per_year=ordering,
        holding_cost_per_year=holding,
        total_cost_per_year=ordering + holding,
    )


def safety_stock(inputs: SafetyStockInputs) -> SafetyStockResult:
    """Compute the stock held against uncertain demand and lead time.

    SS = z sqrt((L + R) sigma^2 + d^2 sigma_L^2), with z the standard normal quantile of the cycle
    service level; sigma_L counts as 0 under `SafetyStockMethod.DEMAND_ONLY`.

    Args:
        inputs: Daily demand in units, times in days, service level as a probability.

    Returns:
        Safety stock in units (0 where nothing varies) and the safety factor z.

    Source: Silver, Pyke and Thomas, Inventory and Production Management in Supply Chains,
    4th ed. (2017), chapters 6 and 7.

    Example:
        >>> round(safety_stock(SafetyStockInputs(25, 21, 0.98)).safety_stock, 4)
        235.2865
    """
    standard = inputs.method is SafetyStockMethod.STANDARD
    deviation = cover_demand_std(
        np.array([inputs.lead_time_days + inputs.review_days]),
        demand_std=np.array([inputs.demand_std]),
        mean_demand=np.array([inputs.mean_demand]),
        lead_time_std_days=np.array([inputs.lead_time_std_days if standard else 0.0]),
    )
    factor = float(ndtri(inputs.service_level))
    # Adding 0 turns the -0.0 of a level below one half without variance into 0.
    return SafetyStockResult(float(factor * deviation[0]) + 0.0, factor)


def cover_demand_std(
    cover_days: Floats, *, demand_std: Floats, mean_demand: Floats, lead_time_std_days: Floats
) -> Floats:
    """Return the standard deviation of demand over a cover of uncertain length.

    sqrt((L + R) sigma^2 + d^2 sigma_L^2): days are independent of each other and of the lead time.

    Args:
        cover_days: Lead time plus review period L + R in days, shape (n,).
        demand_std: Standard deviation sigma of a day's demand in units, shape (n,).
        mean_demand: Mean d of a day's demand in units, shape (n,).
        lead_time_std_days: Standard deviation sigma_L of the lead time in days, shape (n,).

    Returns:
        Standard deviations in units, shape (n,).

    Example:
        >>> nine, two = np.array([9.0]), np.array([2.0])
        >>> cover_demand_std(
        ...     nine,
        ...     demand_std=np.array([20.0]),
        ...     mean_demand=np.array([100.0]),
        ...     lead_time_std_days=two,
        ... ).round(4)
        array([208.8061])
    """
    deviation: Floats = np.hypot(np.sqrt(cover_days) * demand_std, mean_demand * lead_time_std_days)
    return deviation


def reorder_point(inputs: ReorderPointInputs) -> ReorderPointResult:
    """Compute the inventory position at which to order, s = d (L + R) + SS.

    With an order quantity Q: mean stock Q / 2 + SS, turns D / mean stock, and the greatest position
    s + Q, reached by the order placed as the position arrives at s.

    Args:
        inputs: Demand D in units a year (d = D / 365 a day), times in days, stock in units.

    Returns:
        The reorder point in units, and what follows from the order quantity where there is one.

    Source: Silver, Pyke and Thomas, Inventory and Production Management in Supply Chains,
    4th ed. (2017), chapter 6.

    Example:
        >>> at = reorder_point(ReorderPointInputs(50_000, 21, 0, 235.2865, 516.3978))
        >>> round(at.reorder_point, 4), round(at.average_inventory, 4)
        (3111.9988, 493.4854)
    """
    demand, quantity = inputs.annual_demand, inputs.order_quantity
    cover = inputs.lead_time_days + inputs.review_days
    point = demand / DAYS_A_YEAR * cover + inputs.safety_stock
    if quantity is None:
        return ReorderPointResult(point)
    stock = quantity / 2.0 + inputs.safety_stock
    return ReorderPointResult(
        reorder_point=point,
        average_inventory=stock,
        turns_per_year=demand / stock if stock > 0 else None,
        days_of_supply=stock / demand * DAYS_A_YEAR if demand > 0 else None,
        max_inventory_position=point + quantity,
    )


def newsvendor(inputs: NewsvendorInputs) -> NewsvendorResult:
    """Compute the order quantity for one season of normal demand.

    Q = max(0, mu + z sigma), z the standard normal quantile of the critical ratio Cu / (Cu + Co);
    expected shortage sigma L((Q - mu) / sigma), expected leftover sigma L((mu - Q) / sigma), L the
    unit normal loss.

    Args:
        inputs: Costs Cu and Co in money per unit, demand mu and sigma in units.

    Returns:
        The critical ratio, the quantity in units and what it is expected to miss, leave and cost.

    Raises:
        InvalidField: If the critical ratio is so near 1 that the quantity has no bound.

    Source: Arrow, Harris and Marschak, "Optimal inventory policy", Econometrica 19 (1951).

    Example:
        >>> season = newsvendor(NewsvendorInputs(35, 15, 1_000, 200))
        >>> round(season.order_quantity, 4), round(season.expected_cost, 4)
        (1104.8801, 3476.9261)
    """
    mean, deviation = inputs.mean_demand, inputs.demand_std
    ratio = inputs.underage_cost / (inputs.underage_cost + inputs.overage_cost)
    if deviation == 0:
        quantity = mean if ratio > 0 else 0.0
        shortage, leftover = mean - quantity, 0.0
    else:
        factor = float(ndtri(ratio))
        quantity = mean + factor * deviation
        if quantity <= 0:
            factor, quantity = -mean / deviation, 0.0
        shortage = deviation * unit_normal_loss(factor)
        leftover = deviation * unit_normal_loss(-factor)
    return NewsvendorResult(
        critical_ratio=ratio,
        order_quantity=quantity,
        expected_shortage=shortage,
        expected_leftover=leftover,
        expected_cost=inputs.underage_cost * shortage + inputs.overage_cost * leftover,
    )


def unit_normal_loss(factor: float) -> float:
    """Return the expected excess E[max(0, Z - z)] of a standard normal Z over a factor z.

    L(z) = phi(z) - z (1 - Phi(z)).

    Args:
        factor: The factor z.

    Returns:
        The loss, 0 or more.

    Source: Silver, Pyke and Thomas, Inventory and Production Management in Supply Chains,
    4th ed. (2017), appendix II.

    Example:
        >>> round(unit_normal_loss(0.0), 6)
        0.398942
    """
    density = math.exp(-factor * factor / 2.0) / math.sqrt(2.0 * math.pi)
    return max(0.0, density - factor * float(ndtr(-factor)))
