"""The items of a joint order, and the order found, valid by construction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from serving.domain.inventory_policy import LARGEST, check_not_negative, check_positive
from serving.domain.series import check_key
from serving.domain.stock_policy import CycleCosts
from serving.errors import InvalidField

if TYPE_CHECKING:
    from serving.domain.law_inputs import DemandInputs

MAX_ITEMS = 10_000


@dataclass(frozen=True, slots=True)
class JointItem:
    """One item of a joint order.

    Attributes:
        sku: Stock-keeping unit.
        demand: Demand over the cover of the order.
        position: Inventory position before the order in units.
        unit_price: Money a unit costs, 0 or more.
        unit_volume: Volume or weight of a unit, 0 or more.
        underage_cost: Money lost per unit of unmet demand, 0 or more.
        overage_cost: Money lost per unit left over, above 0.
        pack_size: Units in a pack, above 0; 1 where None.
        minimum_order_quantity: Least units of an order of the item, 0 or more.
        maximum_order_quantity: Most units to order, 0 or more, or None.
        currency_code: Currency of the amounts; that of the order where empty.
    """

    sku: str
    demand: DemandInputs
    position: float = 0.0
    unit_price: float = 0.0
    unit_volume: float = 0.0
    underage_cost: float = 0.0
    overage_cost: float = 0.0
    pack_size: float | None = None
    minimum_order_quantity: float = 0.0
    maximum_order_quantity: float | None = None
    currency_code: str = ""

    def __post_init__(self) -> None:
        """Refuse figures outside their ranges."""
        check_key("sku", self.sku)
        if not -LARGEST <= self.position <= LARGEST:
            raise InvalidField("position", "must be a finite number")
        for name in ("unit_price", "unit_volume", "minimum_order_quantity"):
            check_not_negative(name, getattr(self, name))
        if self.pack_size is not None:
            check_positive("pack_size", self.pack_size)
        if self.maximum_order_quantity is not None:
            check_not_negative("maximum_order_quantity", self.maximum_order_quantity)
        CycleCosts(self.underage_cost, self.overage_cost)


@dataclass(frozen=True, slots=True)
class JointOrderInputs:
    """Inputs of one order of several items.

    Attributes:
        items: The items.
        budget: Money the order may cost, 0 or more; None is no limit.
        capacity: Volume or weight the truck takes, 0 or more; None is no limit.
        currency_code: Currency of the amounts.
    """

    items: tuple[JointItem, ...] = ()
    budget: float | None = None
    capacity: float | None = None
    currency_code: str = ""

    def __post_init__(self) -> None:
        """Refuse items that stand twice, are of another currency, or lack what a limit counts."""
        if not 1 <= len(self.items) <= MAX_ITEMS:
            raise InvalidField("items", f"must be from 1 to {MAX_ITEMS:,}")
        for name, unit in (("budget", "unit_price"), ("capacity", "unit_volume")):
            limit = getattr(self, name)
            if limit is None:
                continue
            check_not_negative(name, limit)
            for index, item in enumerate(self.items):
                check_positive(f"items[{index}].{unit}", getattr(item, unit))
        seen: set[str] = set()
        for index, item in enumerate(self.items):
            if item.sku in seen:
                raise InvalidField(f"items[{index}].sku", "must stand once")
            seen.add(item.sku)
            check_currency(f"items[{index}].currency_code", item.currency_code, self.currency_code)


@dataclass(frozen=True, slots=True)
class JointLine:
    """One item of the order.

    Attributes:
        sku: Stock-keeping unit.
        order_quantity: Units to order.
        wanted_quantity: Units the item alone would order.
        service_level: Probability that its demand over the cover is met.
        expected_gain: Expected money its order spares.
    """

    sku: str
    order_quantity: float
    wanted_quantity: float
    service_level: float
    expected_gain: float


@dataclass(frozen=True, slots=True)
class JointOrderResult:
    """The best order that fits.

    Attributes:
        lines: Every item in the order asked.
        total_price: Money the order costs.
        total_volume: Volume or weight of the order.
        expected_gain: Expected money the order spares in shortage, net of leftover.
        expected_gain_at_most: The most any order that fits could spare.
        cut_units: Units cut from what the items alone would order.
        cut_gain: Expected money lost by the cut.
    """

    lines: tuple[JointLine, ...]
    total_price: float
    total_volume: float
    expected_gain: float
    expected_gain_at_most: float
    cut_units: float
    cut_gain: float


def check_currency(field: str, currency: str, expected: str) -> None:
    """Refuse an amount in another currency: nothing is converted without a rate.

    Args:
        field: Name of the field the currency came in.
        currency: Currency of the amount; empty is the expected one.
        expected: Currency the amounts are compared in.

    Raises:
        InvalidField: If they differ.
    """
    if currency and currency != expected:
        named = f"{expected}, as that of the request" if expected else "absent, as in the request"
        raise InvalidField(field, f"must be {named}: convert it first")
