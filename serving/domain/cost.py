"""The should-cost questions, valid by construction."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from serving.domain.series import check_key
from serving.errors import InvalidField, TooLarge

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

MAX_LINES, MAX_BRACKETS, MAX_BATCH = 1_000, 100, 1_000
MAX_AMOUNT = 1e12
ALARM_RATES = (0.005, 0.5)
_CURRENCY_LETTERS, _COUNTRY_LETTERS = 3, 2


class ShouldCostMethod(enum.IntEnum):
    """How a should-cost is estimated; numbers as in the contract."""

    AUTO = 1
    BILL = 2
    QUOTES = 3


class Incoterm(enum.IntEnum):
    """What a price covers; numbers as in the contract."""

    DDP = 1
    DAP = 2
    EXW = 3


class CostElementKind(enum.IntEnum):
    """Element of a cost; numbers as in the contract."""

    RAW_MATERIAL = 1
    LABOR = 2
    OVERHEAD = 3
    LOGISTICS = 4
    TARIFF = 5


class CostRowStatus(enum.IntEnum):
    """Outcome of one row of a batch; numbers as in the contract."""

    OK = 1
    UNKNOWN_PART = 2
    MISSING_RATE = 3
    NO_ESTIMATE = 4


@dataclass(frozen=True, slots=True)
class BillLine:
    """One line of a bill of materials.

    Attributes:
        component: Code of the component.
        quantity: Units of it in one unit of the part, above 0.
        commodity: Commodity it is made of; empty where it has a bill or a price of its own.
        mass_kg: Kilograms of the commodity in one unit of it, 0 or more.
        yield_rate: Share of the commodity bought that ends in it, above 0 to 1.
        labor_minutes: Minutes of work for one unit of it, 0 or more.
    """

    component: str
    quantity: float
    commodity: str = ""
    mass_kg: float = 0.0
    yield_rate: float = 1.0
    labor_minutes: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what no bill can say."""
        check_key("bill.component", self.component)
        if self.commodity:
            check_key("bill.commodity", self.commodity)
        _check_positive("bill.quantity", self.quantity)
        _check_amount("bill.mass_kg", self.mass_kg)
        _check_amount("bill.labor_minutes", self.labor_minutes)
        if not 0.0 < self.yield_rate <= 1.0:
            raise InvalidField("bill.yield_rate", "must be above 0 and at most 1")


@dataclass(frozen=True, slots=True)
class CostOverrides:
    """What if these drivers were other than the tables say; None leaves a driver as it is.

    Attributes:
        commodity_prices: Money per kilogram by commodity.
        labor_rate_hourly: Money per hour of work.
        overhead_rate: Overhead per money of labor.
        freight_per_kg: Money of freight per kilogram.
        tariff_rate: Duty per money of goods.
        labor_minutes_factor: Factor on every labor minute.
        mass_factor: Factor on every commodity mass.
    """

    commodity_prices: Mapping[str, float] = field(default_factory=dict)
    labor_rate_hourly: float | None = None
    overhead_rate: float | None = None
    freight_per_kg: float | None = None
    tariff_rate: float | None = None
    labor_minutes_factor: float | None = None
    mass_factor: float | None = None

    def __post_init__(self) -> None:
        """Refuse negative drivers."""
        for commodity, price in self.commodity_prices.items():
            check_key("overrides.commodity_prices.commodity", commodity)
            _check_amount("overrides.commodity_prices.price", price)
        for name in self.__dataclass_fields__:
            value = getattr(self, name)
            if name != "commodity_prices" and value is not None:
                _check_amount(f"overrides.{name}", value)


@dataclass(frozen=True, slots=True)
class Quote:
    """A quote to judge, or the terms of one; None and empty are unknown.

    Attributes:
        unit_price: Price of one unit, 0 or more; None asks for no gap.
        quantity: Units quoted, above 0.
        supplier_id: Supplier that quotes.
        minimum_order_quantity: Least units the supplier accepts.
        annual_usage: Units bought a year.
        bracket_quantities: All quantities quoted together.
        valid_until_date: Last day the quote holds.
        bracket_pricing: Whether the price is one of several by quantity.
    """

    unit_price: float | None = None
    quantity: float = 1.0
    supplier_id: str = ""
    minimum_order_quantity: float | None = None
    annual_usage: float | None = None
    bracket_quantities: tuple[float, ...] = ()
    valid_until_date: dt.date | None = None
    bracket_pricing: bool | None = None

    def __post_init__(self) -> None:
        """Refuse what no quote can say."""
        _check_positive("quote.quantity", self.quantity)
        for name in ("unit_price", "minimum_order_quantity", "annual_usage"):
            value = getattr(self, name)
            if value is not None:
                _check_amount(f"quote.{name}", value)
        if self.supplier_id:
            check_key("quote.supplier_id", self.supplier_id)
        if len(self.bracket_quantities) > MAX_BRACKETS:
            raise InvalidField("quote.bracket_quantities", f"must be at most {MAX_BRACKETS}")
        for index, value in enumerate(self.bracket_quantities):
            _check_positive(f"quote.bracket_quantities[{index}]", value)
        if self.bracket_quantities and self.quantity not in self.bracket_quantities:
            raise InvalidField("quote.bracket_quantities", "must hold quantity")


@dataclass(frozen=True, slots=True)
class ShouldCostQuery:
    """Asks what one part should cost; what is None or empty is taken from its table.

    Attributes:
        sku: Code of the part.
        method: How to estimate.
        bill: Bill to use in place of the stored one.
        currency_code: Currency of the answer and of amounts sent.
        as_of_date: Day whose rates are used; the business day where None.
        plant_id: Plant that makes the part.
        destination_country: Country it is delivered to.
        incoterm: What the price covers.
        overrides: Drivers that take the place of the tables'.
        quote: The quote to judge, or its terms.
        allowed_margin: Margin a supplier may have over should-cost, 0 to 1.
        false_alarm_rate: Share of honest quotes the calibrated flag may mark, 0.005 to 0.5.
    """

    sku: str
    method: ShouldCostMethod = ShouldCostMethod.AUTO
    bill: tuple[BillLine, ...] = ()
    currency_code: str = ""
    as_of_date: dt.date | None = None
    plant_id: str = ""
    destination_country: str = ""
    incoterm: Incoterm | None = None
    overrides: CostOverrides = field(default_factory=CostOverrides)
    quote: Quote = field(default_factory=Quote)
    allowed_margin: float = 0.0
    false_alarm_rate: float = 0.05

    def __post_init__(self) -> None:
        """Refuse what cannot be asked."""
        check_key("sku", self.sku)
        check_terms(self.currency_code, self.allowed_margin, self.false_alarm_rate)
        if self.plant_id:
            check_key("plant_id", self.plant_id)
        country = self.destination_country
        if country and not _is_code(country, _COUNTRY_LETTERS):
            raise InvalidField("destination_country", "must be two capital letters, as DE")
        if len(self.bill) > MAX_LINES:
            raise TooLarge("lines of a bill", limit=MAX_LINES)
        if self.bill and self.method is ShouldCostMethod.QUOTES:
            raise InvalidField("bill", "must not be sent with SHOULD_COST_METHOD_QUOTES")
        for index, line in enumerate(self.bill):
            if line.component == self.sku:
                raise InvalidField(f"bill[{index}].component", "must not be the part itself")


@dataclass(frozen=True, slots=True)
class BatchShouldCostQuery:
    """Asks what many parts should cost; each array is empty or has one entry a row.

    Attributes:
        skus: Parts.
        method: How to estimate.
        currency_code: Currency of the answer and of the unit prices.
        as_of_date: Day whose rates are used; the business day where None.
        unit_prices: Quoted prices, 0 or more.
        quantities: Units quoted, above 0.
        supplier_ids: Suppliers that quote; empty where unknown.
        minimum_order_quantities: Least units each supplier accepts.
        annual_usages: Units bought a year.
        allowed_margin: As in `ShouldCostQuery`.
        false_alarm_rate: As in `ShouldCostQuery`.
    """

    skus: tuple[str, ...]
    method: ShouldCostMethod = ShouldCostMethod.AUTO
    currency_code: str = ""
    as_of_date: dt.date | None = None
    unit_prices: Floats = field(default_factory=lambda: np.empty(0))
    quantities: Floats = field(default_factory=lambda: np.empty(0))
    supplier_ids: tuple[str, ...] = ()
    minimum_order_quantities: Floats = field(default_factory=lambda: np.empty(0))
    annual_usages: Floats = field(default_factory=lambda: np.empty(0))
    allowed_margin: float = 0.0
    false_alarm_rate: float = 0.05

    def __post_init__(self) -> None:
        """Refuse arrays of unequal length and rows that cannot be asked."""
        if not self.skus:
            raise InvalidField("skus", "must have at least one row")
        if len(self.skus) > MAX_BATCH:
            raise TooLarge("rows of a batch", limit=MAX_BATCH)
        check_terms(self.currency_code, self.allowed_margin, self.false_alarm_rate)
        for name in (
            "unit_prices",
            "quantities",
            "supplier_ids",
            "minimum_order_quantities",
            "annual_usages",
        ):
            count = len(getattr(self, name))
            if count not in (0, len(self.skus)):
                raise InvalidField(name, f"must be empty or have {len(self.skus)} entries")
        self._check_rows()

    def _check_rows(self) -> None:
        for index, sku in enumerate(self.skus):
            check_key(f"skus[{index}]", sku)
        for index, supplier in enumerate(self.supplier_ids):
            if supplier:
                check_key(f"supplier_ids[{index}]", supplier)
        for index, value in enumerate(self.quantities.tolist()):
            _check_positive(f"quantities[{index}]", value)
        for name in ("unit_prices", "minimum_order_quantities", "annual_usages"):
            for index, value in enumerate(getattr(self, name).tolist()):
                _check_amount(f"{name}[{index}]", value)


def bill_of(lines: Sequence[Mapping[str, Any]]) -> tuple[BillLine, ...]:
    """Make a bill of the lines of a request.

    Args:
        lines: Fields of each line by name.

    Returns:
        The bill.

    Raises:
        InvalidField: If a line breaks its rule; the index says which.
    """
    bill = []
    for index, line in enumerate(lines):
        try:
            bill.append(BillLine(**line))
        except InvalidField as error:
            at = error.field.replace("bill", f"bill[{index}]", 1)
            raise InvalidField(at, error.requirement) from None
    return tuple(bill)


def check_terms(currency_code: str, allowed_margin: float, false_alarm_rate: float) -> None:
    """Refuse terms both questions share.

    Args:
        currency_code: Currency of the answer; empty for that of the data.
        allowed_margin: Margin a supplier may have.
        false_alarm_rate: Share of honest quotes that may be flagged.

    Raises:
        InvalidField: If one breaks its rule.
    """
    if currency_code and not _is_code(currency_code, _CURRENCY_LETTERS):
        raise InvalidField("currency_code", "must be three capital letters, as EUR")
    if not 0.0 <= allowed_margin <= 1.0:
        raise InvalidField("allowed_margin", "must be from 0 to 1")
    low, high = ALARM_RATES
    if not low <= false_alarm_rate <= high:
        raise InvalidField("false_alarm_rate", f"must be from {low} to {high}")


def _is_code(text: str, letters: int) -> bool:
    return len(text) == letters and text.isascii() and text.isalpha() and text.isupper()


def _check_amount(name: str, value: float) -> None:
    if not (math.isfinite(value) and 0.0 <= value <= MAX_AMOUNT):
        raise InvalidField(name, f"must be from 0 to {MAX_AMOUNT:g}")


def _check_positive(name: str, value: float) -> None:
    if not (math.isfinite(value) and 0.0 < value <= MAX_AMOUNT):
        raise InvalidField(name, f"must be above 0 and at most {MAX_AMOUNT:g}")
