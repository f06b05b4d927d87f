"""The economic order quantity where the price falls with the quantity."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass

from serving.domain.inventory_policy import check_finite, check_not_negative, check_positive
from serving.errors import InvalidField

MAX_BRACKETS = 100


class DiscountKind(enum.IntEnum):
    """To which units a bracket's price applies; numbers as in the contract."""

    ALL_UNITS = 1
    INCREMENTAL = 2


@dataclass(frozen=True, slots=True)
class PriceBracket:
    """A price from a quantity on.

    Attributes:
        minimum_quantity: Least units of an order the price holds for, 0 or more.
        unit_price: Money per unit, above 0.
    """

    minimum_quantity: float = 0.0
    unit_price: float = 0.0

    def __post_init__(self) -> None:
        """Refuse negative quantities and prices that are none."""
        check_not_negative("minimum_quantity", self.minimum_quantity)
        check_positive("unit_price", self.unit_price)


@dataclass(frozen=True, slots=True)
class QuantityDiscountInputs:
    """Inputs of the order quantity where the price falls with the quantity.

    Attributes:
        annual_demand: Units demanded a year, above 0.
        ordering_cost: Money per order, above 0.
        holding_cost_rate: Money per unit-value and year, above 0.
        brackets: Price brackets, ascending in quantity, prices falling; the first starts at 0.
        kind: To which units a bracket's price applies.
    """

    annual_demand: float = 0.0
    ordering_cost: float = 0.0
    holding_cost_rate: float = 0.0
    brackets: tuple[PriceBracket, ...] = ()
    kind: DiscountKind = DiscountKind.ALL_UNITS

    def __post_init__(self) -> None:
        """Refuse figures that are not above 0 and brackets that do not ascend."""
        for name in ("annual_demand", "ordering_cost", "holding_cost_rate"):
            check_positive(name, getattr(self, name))
        if not 1 <= len(self.brackets) <= MAX_BRACKETS:
            raise InvalidField("brackets", f"must be from 1 to {MAX_BRACKETS}")
        if self.brackets[0].minimum_quantity != 0:
            raise InvalidField("brackets[0].minimum_quantity", "must be 0")
        for index, (one, other) in enumerate(
            zip(self.brackets[:-1], self.brackets[1:], strict=True), start=1
        ):
            if other.minimum_quantity <= one.minimum_quantity:
                raise InvalidField(
                    f"brackets[{index}].minimum_quantity", "must be above the one before it"
                )
            if other.unit_price >= one.unit_price:
                raise InvalidField(f"brackets[{index}].unit_price", "must be below the one before")


@dataclass(frozen=True, slots=True)
class QuantityDiscountResult:
    """The order quantity of least purchase, ordering and holding cost.

    Attributes:
        order_quantity: Units per order.
        unit_price: Money per unit, on average over the order.
        orders_per_year: Orders a year.
        purchase_cost_per_year: Money a year spent on goods.
        ordering_cost_per_year: Money a year spent on ordering.
        holding_cost_per_year: Money a year spent on holding.
        total_cost_per_year: Money a year in all.
        bracket: Bracket it falls in, from 0.
    """

    order_quantity: float
    unit_price: float
    orders_per_year: float
    purchase_cost_per_year: float
    ordering_cost_per_year: float
    holding_cost_per_year: float
    total_cost_per_year: float
    bracket: int

    def __post_init__(self) -> None:
        """Refuse figures that overflowed."""
        check_finite("quantity_discount", self)


def quantity_discount(inputs: QuantityDiscountInputs) -> QuantityDiscountResult:
    """Compute the order quantity of least cost a year over all price brackets.

    In each bracket the cheapest quantity is the economic order quantity at its price, moved to the
    bracket's bounds. With incremental prices an order of Q in bracket j costs c_j Q + f_j, f_j the
    dearer units' surplus, which adds to the cost of ordering: Q = sqrt(2 D (S + f_j) / (i c_j)),
    and the surplus is held as well, i f_j / 2.

    Args:
        inputs: Demand D in units a year, ordering cost S, holding rate i, and the brackets.

    Returns:
        The quantity in units with its costs a year.

    Raises:
        InvalidField: If the inputs lie so far apart that no float holds a figure.

    Source: Silver, Pyke and Thomas, Inventory and Production Management in Supply Chains,
    4th ed. (2017), section 4.5; Nahmias, Production and Operations Analysis, section 4.7.

    Example:
        >>> tiers = tuple(
        ...     PriceBracket(least, price) for least, price in ((0, 0.3), (500, 0.29), (1000, 0.28))
        ... )
        >>> best = quantity_discount(QuantityDiscountInputs(600.0, 8.0, 0.2, tiers))
        >>> best.order_quantity, round(best.total_cost_per_year, 2)
        (500, 198.1)
    """
    found = [_best_of(inputs, bracket) for bracket in range(len(inputs.brackets))]
    return min(found, key=lambda one: one.total_cost_per_year)


def _best_of(inputs: QuantityDiscountInputs, bracket: int) -> QuantityDiscountResult:
    """Return the cheapest order quantity within one bracket."""
    demand, rate = inputs.annual_demand, inputs.holding_cost_rate
    low, price = inputs.brackets[bracket].minimum_quantity, inputs.brackets[bracket].unit_price
    surplus = _surplus(inputs, bracket)
    free = math.sqrt(2.0 * demand * (inputs.ordering_cost + surplus) / (rate * price))
    last = bracket == len(inputs.brackets) - 1
    high = math.inf if last else inputs.brackets[bracket + 1].minimum_quantity
    # At its upper bound an order would be priced by the next bracket, which is tried itself.
    quantity = min(max(free, low), high)
    if quantity == 0:
        raise InvalidField("quantity_discount", "must exceed 0: the inputs are too small")
    average = price + surplus / quantity
    orders = demand / quantity
    purchase, ordering = demand * average, orders * inputs.ordering_cost
    holding = rate * average * quantity / 2.0
    return QuantityDiscountResult(
        order_quantity=quantity,
        unit_price=average,
        orders_per_year=orders,
        purchase_cost_per_year=purchase,
        ordering_cost_per_year=ordering,
        holding_cost_per_year=holding,
        total_cost_per_year=purchase + ordering + holding,
        bracket=bracket,
    )


def _surplus(inputs: QuantityDiscountInputs, bracket: int) -> float:
    """Return what the units below a bracket cost beyond its price; 0 where all units have it."""
    if inputs.kind is DiscountKind.ALL_UNITS:
        return 0.0
    steps = zip(inputs.brackets[:bracket], inputs.brackets[1 : bracket + 1], strict=True)
    return math.fsum(
        other.minimum_quantity * (one.unit_price - other.unit_price) for one, other in steps
    )
