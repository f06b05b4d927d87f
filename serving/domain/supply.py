"""What an order may draw on beside stock and one supplier: lots, receipts, options and limits."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from serving.domain.inventory_policy import check_not_negative, check_positive
from serving.domain.joint_items import check_currency
from serving.domain.series import check_key
from serving.errors import InvalidField

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

MAX_LOTS = 100
MAX_OPTIONS = 20


class TargetKind(enum.IntEnum):
    """What is promised; numbers as in the contract."""

    CYCLE_SERVICE = 1
    FILL_RATE = 2
    COST = 3


class SupplyKind(enum.IntEnum):
    """What kind of source an option is; numbers as in the contract."""

    SUPPLIER = 1
    TRANSFER = 2
    EXPEDITE = 3


@dataclass(frozen=True, slots=True)
class ExpectedReceipt:
    """Goods on order.

    Attributes:
        quantity: Units, above 0.
        due_date: Day they arrive.
        expiry_date: Last day they can be sold, or None.
    """

    quantity: float
    due_date: dt.date
    expiry_date: dt.date | None = None

    def __post_init__(self) -> None:
        """Refuse no quantity and goods that expire before they arrive."""
        check_positive("quantity", self.quantity)
        if self.expiry_date is not None and self.expiry_date < self.due_date:
            raise InvalidField("expiry_date", "must not be before due_date: they would arrive bad")


@dataclass(frozen=True, slots=True)
class StockLot:
    """Goods in stock.

    Attributes:
        quantity: Units, 0 or more.
        expiry_date: Last day they can be sold, or None.
    """

    quantity: float
    expiry_date: dt.date | None = None

    def __post_init__(self) -> None:
        """Refuse a negative quantity."""
        check_not_negative("quantity", self.quantity)


@dataclass(frozen=True, slots=True)
class SupplierOption:
    """A supplier to order from.

    Attributes:
        supplier_id: Supplier.
        lead_time_days: Days from order to receipt, 0 or more.
        lead_time_std_days: Standard deviation of the lead time in days, 0 or more.
        unit_price: Money a unit costs, 0 or more.
        ordering_cost: Money an order costs whatever its size, 0 or more.
        minimum_order_quantity: Least units it accepts, 0 or more.
        pack_size: Units in a pack, above 0; None is no rounding.
        currency_code: Currency of the amounts; that of the request where empty.
    """

    supplier_id: str
    lead_time_days: float = 0.0
    lead_time_std_days: float = 0.0
    unit_price: float = 0.0
    ordering_cost: float = 0.0
    minimum_order_quantity: float = 0.0
    pack_size: float | None = None
    currency_code: str = ""

    def __post_init__(self) -> None:
        """Refuse figures outside their ranges."""
        check_key("supplier_id", self.supplier_id)
        for name in (
            "lead_time_days",
            "lead_time_std_days",
            "unit_price",
            "ordering_cost",
            "minimum_order_quantity",
        ):
            check_not_negative(name, getattr(self, name))
        if self.pack_size is not None:
            check_positive("pack_size", self.pack_size)


@dataclass(frozen=True, slots=True)
class TransferOption:
    """A neighbour that may send stock.

    Attributes:
        from_location: Where the stock is.
        available_units: Units it can spare, above 0.
        days: Days until they arrive, 0 or more.
        unit_cost: Money per unit, 0 or more.
        currency_code: Currency of the amounts; that of the request where empty.
    """

    from_location: str
    available_units: float = 0.0
    days: float = 0.0
    unit_cost: float = 0.0
    currency_code: str = ""

    def __post_init__(self) -> None:
        """Refuse figures outside their ranges."""
        check_key("from_location", self.from_location)
        check_positive("available_units", self.available_units)
        check_not_negative("days", self.days)
        check_not_negative("unit_cost", self.unit_cost)


@dataclass(frozen=True, slots=True)
class ExpediteOption:
    """A faster way to receive goods.

    Attributes:
        lead_time_days: Days from order to receipt, 0 or more.
        extra_unit_cost: Money per unit beyond the ordinary price, 0 or more.
    """

    lead_time_days: float = 0.0
    extra_unit_cost: float = 0.0

    def __post_init__(self) -> None:
        """Refuse negative figures."""
        check_not_negative("lead_time_days", self.lead_time_days)
        check_not_negative("extra_unit_cost", self.extra_unit_cost)


@dataclass(frozen=True, slots=True)
class Supply:
    """What an order may draw on, and its limits.

    Attributes:
        receipts: What is on order with its due dates.
        lots: Stock by lot.
        suppliers: Suppliers to choose among.
        transfers: Neighbours that may send stock.
        expedite: A faster way to receive goods, or None.
        capacity_units: Units the location can hold, above 0; None is no limit.
        shelf_life_days: Days goods ordered now can be sold after their receipt, above 0, or None.
        budget: Money an order may cost, 0 or more; None is no limit.
        unit_price: Money a unit costs, 0 or more, or None.
        currency_code: Currency of every amount.
    """

    receipts: tuple[ExpectedReceipt, ...] = ()
    lots: tuple[StockLot, ...] = ()
    suppliers: tuple[SupplierOption, ...] = ()
    transfers: tuple[TransferOption, ...] = ()
    expedite: ExpediteOption | None = None
    capacity_units: float | None = None
    shelf_life_days: float | None = None
    budget: float | None = None
    unit_price: float | None = None
    currency_code: str = ""

    def __post_init__(self) -> None:
        """Refuse too many or double options, other currencies and limits that are none."""
        for name, most in (
            ("receipts", MAX_LOTS),
            ("lots", MAX_LOTS),
            ("suppliers", MAX_OPTIONS),
            ("transfers", MAX_OPTIONS),
        ):
            if len(getattr(self, name)) > most:
                raise InvalidField(name, f"must be at most {most}")
        for name in ("capacity_units", "shelf_life_days"):
            value = getattr(self, name)
            if value is not None:
                check_positive(name, value)
        for name in ("budget", "unit_price"):
            value = getattr(self, name)
            if value is not None:
                check_not_negative(name, value)
        if self.budget is not None and self.unit_price is None and not self.suppliers:
            raise InvalidField("unit_price", "is required where there is a budget")
        self._check_options()

    def _check_options(self) -> None:
        _check_once("suppliers", "supplier_id", [one.supplier_id for one in self.suppliers])
        _check_once("transfers", "from_location", [one.from_location for one in self.transfers])
        for index, transfer in enumerate(self.transfers):
            at = f"transfers[{index}].currency_code"
            check_currency(at, transfer.currency_code, self.currency_code)
        for index, supplier in enumerate(self.suppliers):
            at = f"suppliers[{index}].currency_code"
            check_currency(at, supplier.currency_code, self.currency_code)
            self.check_pack(f"suppliers[{index}].pack_size", supplier.pack_size)

    def check_pack(self, field: str, pack_size: float | None) -> None:
        """Refuse a pack that does not fit the location.

        Args:
            field: Name of the field it came in.
            pack_size: Units in a pack, or None.

        Raises:
            InvalidField: If the pack is larger than the capacity.
        """
        if pack_size is not None and pack_size > (self.capacity_units or math.inf):
            raise InvalidField(field, "must be at most capacity_units: no pack would fit")


@dataclass(frozen=True, slots=True)
class SupplyChoice:
    """One option as it was weighed.

    Attributes:
        kind: What it is.
        source: Supplier or location; empty for an expedite.
        quantity: Units to take; 0 where it does not pay.
        days: Days until they arrive, the mean where that is not certain.
        shortage_avoided: Expected units of shortage it spares; 0 for a supplier.
        money: Expected money per unit demanded for a supplier; money gained for the others.
        chosen: Whether the recommendation rests on it.
    """

    kind: SupplyKind
    source: str
    quantity: float
    days: float
    shortage_avoided: float
    money: float
    chosen: bool


@dataclass(frozen=True, slots=True)
class DecisionChange:
    """A change of one input that would turn a decision.

    Attributes:
        field: Field of the request that would have to change.
        value: Its value now.
        turning_value: The nearest value that turns the decision.
        sentence: The change in one sentence.
    """

    field: str
    value: float
    turning_value: float
    sentence: str


def _check_once(name: str, field: str, keys: Sequence[str]) -> None:
    for index, key in enumerate(keys):
        if key in keys[:index]:
            raise InvalidField(f"{name}[{index}].{field}", "must stand once")
