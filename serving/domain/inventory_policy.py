"""Inputs and results of the inventory formulas of the trade, valid by construction."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass

from serving.errors import InvalidField

# Beyond it a float no longer tells single units from their tenths, and products may overflow.
LARGEST = 1e15


class SafetyStockMethod(enum.IntEnum):
    """Which variances a safety stock counts; numbers as in the contract."""

    STANDARD = 1
    DEMAND_ONLY = 2


@dataclass(frozen=True, slots=True)
class EconomicOrderQuantityInputs:
    """Inputs of the economic order quantity.

    Attributes:
        annual_demand: Units demanded a year, above 0.
        ordering_cost: Money per order, above 0.
        holding_cost: Money per unit and year, above 0.
    """

    annual_demand: float
    ordering_cost: float
    holding_cost: float

    def __post_init__(self) -> None:
        """Refuse what is not above 0: the quantity would be 0 or without bound."""
        for name in ("annual_demand", "ordering_cost", "holding_cost"):
            check_positive(name, getattr(self, name))


@dataclass(frozen=True, slots=True)
class EconomicOrderQuantityResult:
    """The economic order quantity.

    Attributes:
        order_quantity: Units per order.
        orders_per_year: Orders a year.
        days_between_orders: Days between orders, 365 a year.
        ordering_cost_per_year: Money a year spent on ordering.
        holding_cost_per_year: Money a year spent on holding.
        total_cost_per_year: Money a year in all.
    """

    order_quantity: float
    orders_per_year: float
    days_between_orders: float
    ordering_cost_per_year: float
    holding_cost_per_year: float
    total_cost_per_year: float

    def __post_init__(self) -> None:
        """Refuse figures that overflowed."""
        check_finite("economic_order_quantity", self)


@dataclass(frozen=True, slots=True)
class SafetyStockInputs:
    """Inputs of the safety stock.

    Attributes:
        demand_std: Standard deviation of a day's demand or forecast error in units, 0 or more.
        lead_time_days: Lead time in days, 0 or more.
        service_level: Probability of no stock-out in a replenishment cycle, above 0 and below 1.
        mean_demand: Mean units demanded a day, 0 or more; above 0 where the standard method meets
            an uncertain lead time.
        review_days: Days between reviews, 0 or more; 0 is continuous review.
        lead_time_std_days: Standard deviation of the lead time in days, 0 or more.
        method: Which variances count.
    """

    demand_std: float
    lead_time_days: float
    service_level: float
    mean_demand: float = 0.0
    review_days: float = 0.0
    lead_time_std_days: float = 0.0
    method: SafetyStockMethod = SafetyStockMethod.STANDARD

    def __post_init__(self) -> None:
        """Refuse negative figures, a level that is no probability and a forgotten mean."""
        for name in (
            "demand_std",
            "lead_time_days",
            "mean_demand",
            "review_days",
            "lead_time_std_days",
        ):
            check_not_negative(name, getattr(self, name))
        if not 0 < self.service_level < 1:
            raise InvalidField("service_level", "must be above 0 and below 1")
        uncertain = self.lead_time_std_days > 0 and self.method is SafetyStockMethod.STANDARD
        if uncertain and self.mean_demand == 0:
            raise InvalidField("mean_demand", "must be above 0 where lead_time_std_days is above 0")


@dataclass(frozen=True, slots=True)
class SafetyStockResult:
    """The safety stock.

    Attributes:
        safety_stock: Units; negative below a service level of 0.5.
        safety_factor: Standard normal quantile of the service level.
    """

    safety_stock: float
    safety_factor: float

    def __post_init__(self) -> None:
        """Refuse figures that overflowed."""
        check_finite("safety_stock", self)


@dataclass(frozen=True, slots=True)
class ReorderPointInputs:
    """Inputs of the reorder point.

    Attributes:
        annual_demand: Units demanded a year, 0 or more.
        lead_time_days: Lead time in days, 0 or more.
        review_days: Days between reviews, 0 or more; 0 is continuous review.
        safety_stock: Units of safety stock, 0 or more.
        order_quantity: Units per order, 0 or more, or None.
    """

    annual_demand: float
    lead_time_days: float
    review_days: float = 0.0
    safety_stock: float = 0.0
    order_quantity: float | None = None

    def __post_init__(self) -> None:
        """Refuse negative figures."""
        for name in ("annual_demand", "lead_time_days", "review_days", "safety_stock"):
            check_not_negative(name, getattr(self, name))
        if self.order_quantity is not None:
            check_not_negative("order_quantity", self.order_quantity)


@dataclass(frozen=True, slots=True)
class ReorderPointResult:
    """The reorder point, and with an order quantity what follows from it.

    Attributes:
        reorder_point: Units of inventory position at which to order.
        average_inventory: Mean units in stock; None without an order quantity.
        turns_per_year: Times a year the stock is sold; None also where the stock is 0.
        days_of_supply: Days the average stock lasts, 365 a year; None also where demand is 0.
        max_inventory_position: Greatest units of inventory position; None without an order
            quantity.
    """

    reorder_point: float
    average_inventory: float | None = None
    turns_per_year: float | None = None
    days_of_supply: float | None = None
    max_inventory_position: float | None = None

    def __post_init__(self) -> None:
        """Refuse figures that overflowed."""
        check_finite("reorder_point", self)


@dataclass(frozen=True, slots=True)
class NewsvendorInputs:
    """Inputs of the newsvendor with normal demand.

    Attributes:
        underage_cost: Money lost per unit of unmet demand (margin plus penalty), 0 or more.
        overage_cost: Money lost per unit left over (cost less salvage plus holding), 0 or more;
            above 0 where underage_cost is 0 or demand is uncertain.
        mean_demand: Mean units demanded in the season, 0 or more.
        demand_std: Standard deviation of the season's demand in units, 0 or more.
    """

    underage_cost: float
    overage_cost: float
    mean_demand: float
    demand_std: float

    def __post_init__(self) -> None:
        """Refuse negative figures and costs that leave the quantity without bound."""
        for name in ("underage_cost", "overage_cost", "mean_demand", "demand_std"):
            check_not_negative(name, getattr(self, name))
        if self.overage_cost == 0 and self.underage_cost == 0:
            raise InvalidField("overage_cost", "must be above 0 where underage_cost is 0")
        if self.overage_cost == 0 and self.demand_std > 0:
            raise InvalidField("overage_cost", "must be above 0 where demand_std is")


@dataclass(frozen=True, slots=True)
class NewsvendorResult:
    """The newsvendor quantity.

    Attributes:
        critical_ratio: Underage cost over underage plus overage cost.
        order_quantity: Units to order, 0 or more.
        expected_shortage: Expected units of unmet demand.
        expected_leftover: Expected units left over.
        expected_cost: Expected money lost to both.
    """

    critical_ratio: float
    order_quantity: float
    expected_shortage: float
    expected_leftover: float
    expected_cost: float

    def __post_init__(self) -> None:
        """Refuse figures that overflowed."""
        check_finite("newsvendor", self)


def check_positive(field: str, value: float) -> None:
    """Refuse a number that is not above 0 and at most 1e15.

    Args:
        field: Dotted name of the field it came in.
        value: The number.

    Raises:
        InvalidField: If the number breaks its rule.
    """
    if not 0 < value <= LARGEST:
        raise InvalidField(field, f"must be a finite number above 0, at most {LARGEST:g}")


def check_not_negative(field: str, value: float) -> None:
    """Refuse a number that is not from 0 to 1e15.

    Args:
        field: Dotted name of the field it came in.
        value: The number.

    Raises:
        InvalidField: If the number breaks its rule.
    """
    if not 0 <= value <= LARGEST:
        raise InvalidField(field, f"must be a finite number, 0 or more, at most {LARGEST:g}")


def check_finite(formula: str, result: object) -> None:
    """Refuse a result whose inputs, each in its range, are together beyond a float's.

    Args:
        formula: Name of the formula.
        result: Its result, a dataclass of numbers.

    Raises:
        InvalidField: If a number of it is not finite.
    """
    for name in type(result).__dataclass_fields__:  # type: ignore[attr-defined]
        value = getattr(result, name)
        if value is not None and not math.isfinite(value):
            raise InvalidField(formula, f"must give a finite {name}: the inputs lie too far apart")
