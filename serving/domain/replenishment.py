"""The reorder question and its answer, valid by construction."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from serving.domain.demand import check_plan, check_rows
from serving.domain.history import MAX_HORIZON
from serving.domain.inventory_policy import LARGEST, check_not_negative, check_positive
from serving.domain.series import PlanDay, check_key
from serving.errors import BeyondTrained, InvalidField

if TYPE_CHECKING:
    import datetime as dt

    from numpy.typing import NDArray

    from serving.domain.inventory_policy import PolicyResult
    from serving.domain.series import Provenance, RowStatus

    Floats = NDArray[np.float64]

FORMULA_VERSION = "replenishment/1"
MIN_SERVICE_LEVEL, MAX_SERVICE_LEVEL = 0.5, 0.99
_SERVICE_RULE = f"from {MIN_SERVICE_LEVEL} to {MAX_SERVICE_LEVEL}"
_COVER_RULE = f"at most {MAX_HORIZON} days, lead time and review together"


class ReorderMethod(enum.IntEnum):
    """How an order-up-to level is computed; numbers as in the contract."""

    DISTRIBUTION = 1
    TEXTBOOK = 2
    TEXTBOOK_DEMAND_ONLY = 3


@dataclass(frozen=True, slots=True)
class ReorderQuery:
    """Asks what to order for one series; what is None is taken from its table.

    Attributes:
        sku: Stock-keeping unit.
        location: Location that stocks it.
        lead_time_days: Days from order to receipt, 0 or more.
        review_days: Days between reviews, 0 or more; 0 is continuous review.
        service_level: Probability of no stock-out in a replenishment cycle, 0.5 to 0.99.
        lead_time_std_days: Standard deviation of the lead time in days, 0 or more; read by
            TEXTBOOK only.
        on_hand: Units in stock, 0 or more.
        on_order: Units ordered and not yet received, 0 or more.
        backorders: Units owed to customers, 0 or more.
        minimum_order_quantity: Least units a supplier accepts, 0 or more.
        pack_size: Units in a pack, above 0.
        method: How the order-up-to level is computed.
        plan: Decisions for the days of the cover, each day once.
    """

    sku: str
    location: str
    lead_time_days: float | None = None
    review_days: float | None = None
    service_level: float | None = None
    lead_time_std_days: float | None = None
    on_hand: float | None = None
    on_order: float | None = None
    backorders: float | None = None
    minimum_order_quantity: float | None = None
    pack_size: float | None = None
    method: ReorderMethod = ReorderMethod.DISTRIBUTION
    plan: tuple[PlanDay, ...] = ()

    def __post_init__(self) -> None:
        """Refuse numbers outside their ranges and a plan that names a day twice."""
        check_key("sku", self.sku)
        check_key("location", self.location)
        for name in (
            "lead_time_days",
            "review_days",
            "lead_time_std_days",
            "on_hand",
            "on_order",
            "backorders",
            "minimum_order_quantity",
        ):
            value = getattr(self, name)
            if value is not None:
                check_not_negative(name, value)
        if self.pack_size is not None:
            check_positive("pack_size", self.pack_size)
        if self.service_level is not None:
            check_service_level("service_level", self.service_level)
        name = "review_days" if self.lead_time_days is None else "lead_time_days"
        check_cover(name, (self.lead_time_days or 0.0) + (self.review_days or 0.0))
        check_plan(self.plan)


@dataclass(frozen=True, slots=True)
class Reorder:
    """What to order now for one series.

    Attributes:
        query: What was asked.
        origin: Last known day.
        order_quantity: Units to order now, 0 or more.
        order_up_to: Units the inventory position is raised to.
        reorder_point: Units of inventory position below which an order is placed.
        safety_stock: Units held beyond expected demand over the cover.
        expected_demand: Expected units of demand over the cover.
        inventory_position: On hand plus on order less back-orders, in units.
        stockout_probability: Probability that demand over the cover exceeds the position before
            this order.
        cover_days: Lead time plus review period, rounded up to whole days.
        service_level: Promised probability of no stock-out in a cycle.
        table_inputs: Inputs taken from tables, by field name, ascending.
        reason: The decision in one sentence.
        provenance: Where the answer came from.
    """

    query: ReorderQuery
    origin: dt.date
    order_quantity: float
    order_up_to: float
    reorder_point: float
    safety_stock: float
    expected_demand: float
    inventory_position: float
    stockout_probability: float
    cover_days: int
    service_level: float
    table_inputs: tuple[str, ...]
    reason: str
    provenance: Provenance


def _absent() -> Floats:
    return np.empty(0)


@dataclass(frozen=True, slots=True)
class BatchReorderQuery:
    """Asks what to order for many series; an empty array takes every row from its table.

    Attributes:
        skus: Stock-keeping units, one a row.
        locations: Locations, one a row; a pair may stand once.
        lead_time_days: Days from order to receipt, 0 or more, shape (0,) or (rows,).
        review_days: Days between reviews, 0 or more, shape (0,) or (rows,).
        service_levels: Probabilities of no stock-out in a cycle, 0.5 to 0.99, shape (0,) or
            (rows,).
        on_hand: Units in stock, 0 or more, shape (0,) or (rows,).
        on_order: Units ordered and not yet received, 0 or more, shape (0,) or (rows,).
        backorders: Units owed to customers, 0 or more, shape (0,) or (rows,).
        method: How the order-up-to levels are computed.
    """

    skus: tuple[str, ...]
    locations: tuple[str, ...]
    lead_time_days: Floats = field(default_factory=_absent)
    review_days: Floats = field(default_factory=_absent)
    service_levels: Floats = field(default_factory=_absent)
    on_hand: Floats = field(default_factory=_absent)
    on_order: Floats = field(default_factory=_absent)
    backorders: Floats = field(default_factory=_absent)
    method: ReorderMethod = ReorderMethod.DISTRIBUTION

    def __post_init__(self) -> None:
        """Refuse malformed rows, arrays of another length and numbers outside their ranges."""
        check_rows(self.skus, self.locations)
        rows = len(self.skus)
        names = ("lead_time_days", "review_days", "on_hand", "on_order", "backorders")
        for name in (*names, "service_levels"):
            values = getattr(self, name)
            if values.size and values.shape != (rows,):
                raise InvalidField(name, f"must be empty or have as many rows as skus ({rows})")
        for name in names:
            values = getattr(self, name)
            for row in np.flatnonzero(~((values >= 0) & (values <= LARGEST)))[:1]:
                check_not_negative(f"{name}[{row}]", float(values[row]))
        for row in np.flatnonzero(~served(self.service_levels))[:1]:
            check_service_level(f"service_levels[{row}]", float(self.service_levels[row]))
        days = np.zeros(rows)
        for part in (self.lead_time_days, self.review_days):
            days += part if part.size else 0.0
        name = "lead_time_days" if self.lead_time_days.size else "review_days"
        for row in np.flatnonzero(days > MAX_HORIZON)[:1]:
            check_cover(f"{name}[{row}]", float(days[row]))


@dataclass(frozen=True, slots=True)
class ReorderBatch:
    """What to order for many series; arrays hold the rows whose status is OK, in order.

    Attributes:
        query: What was asked.
        statuses: Outcome of each asked row.
        order_quantities: Units to order now, shape (rows,).
        order_up_to: Units the inventory positions are raised to, shape (rows,).
        reorder_points: Units of position below which an order is placed, shape (rows,).
        safety_stocks: Units held beyond expected demand over the cover, shape (rows,).
        expected_demand: Expected units of demand over the cover, shape (rows,).
        stockout_probabilities: Probabilities that demand over the cover exceeds the position
            before this order, shape (rows,).
        cover_days: Lead time plus review period in whole days, shape (rows,).
        provenance: Where the answers came from.
    """

    query: BatchReorderQuery
    statuses: tuple[RowStatus, ...]
    order_quantities: Floats
    order_up_to: Floats
    reorder_points: Floats
    safety_stocks: Floats
    expected_demand: Floats
    stockout_probabilities: Floats
    cover_days: NDArray[np.int64]
    provenance: Provenance


@dataclass(frozen=True, slots=True)
class PolicyAnswer:
    """The result of one formula.

    Attributes:
        result: Result of the formula whose inputs were sent.
        provenance: Where the answer came from: the version of the formula.
    """

    result: PolicyResult
    provenance: Provenance


def served(levels: Floats) -> NDArray[np.bool_]:
    """Tell which service levels can be promised, shape as levels."""
    return (levels >= MIN_SERVICE_LEVEL) & (levels <= MAX_SERVICE_LEVEL)


def check_service_level(name: str, level: float) -> None:
    """Refuse a service level that cannot be promised.

    Args:
        name: Name of the field it came in.
        level: Probability of no stock-out in a cycle.

    Raises:
        BeyondTrained: If it lies between the highest trained level and 1.
        InvalidField: If it is no probability or below one half.
    """
    if MIN_SERVICE_LEVEL <= level <= MAX_SERVICE_LEVEL:
        return
    if MAX_SERVICE_LEVEL < level < 1:
        raise BeyondTrained(name, limit=_SERVICE_RULE)
    raise InvalidField(name, f"must be {_SERVICE_RULE}")


def check_cover(name: str, days: float) -> None:
    """Refuse days of cover that no model is trained for.

    Args:
        name: Name of the field that asks for them.
        days: Lead time plus review period, in days.

    Raises:
        BeyondTrained: If there are more than 90.
    """
    if days > MAX_HORIZON:
        raise BeyondTrained(name, limit=_COVER_RULE)
