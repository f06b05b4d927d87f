"""The reorder question and its answer, valid by construction."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

from serving.domain.demand import check_plan
from serving.domain.history import MAX_HORIZON
from serving.domain.inventory_policy import check_not_negative, check_positive
from serving.domain.series import PlanDay, check_key
from serving.domain.stock_policy import check_costs
from serving.domain.supply import DecisionChange, Supply, SupplyChoice, TargetKind
from serving.errors import BeyondTrained, InvalidField

if TYPE_CHECKING:
    import datetime as dt

    import numpy as np
    from numpy.typing import NDArray

    from serving.domain.law_inputs import LeadTimeInputs
    from serving.domain.series import Provenance

    Floats = NDArray[np.float64]

FORMULA_VERSION = "replenishment/2"
MIN_SERVICE_LEVEL, MAX_SERVICE_LEVEL = 0.5, 0.99
_SERVICE_RULE = f"from {MIN_SERVICE_LEVEL} to {MAX_SERVICE_LEVEL}"
_COVER_RULE = f"at most {MAX_HORIZON} days, lead time and review together"


class ReorderMethod(enum.IntEnum):
    """How an order-up-to level is computed; numbers as in the contract."""

    DISTRIBUTION = 1
    TEXTBOOK = 2
    TEXTBOOK_DEMAND_ONLY = 3
    NORMAL = 4


@dataclass(frozen=True, slots=True)
class ReorderQuery:
    """Asks what to order for one series; what is None is taken from its table.

    Attributes:
        sku: Stock-keeping unit.
        location: Location that stocks it.
        lead_time_days: Days from order to receipt, 0 or more.
        review_days: Days between reviews, 0 or more; 0 is continuous review.
        service_level: Probability of no stock-out in a replenishment cycle, 0.5 to 0.99.
        lead_time_std_days: Standard deviation of the lead time in days, 0 or more; not read by
            TEXTBOOK_DEMAND_ONLY.
        on_hand: Units in stock, 0 or more.
        on_order: Units ordered and not yet received, 0 or more.
        backorders: Units owed to customers, 0 or more.
        minimum_order_quantity: Least units a supplier accepts, 0 or more.
        pack_size: Units in a pack, above 0.
        method: How the order-up-to level is computed.
        plan: Decisions for the days of the cover, each day once.
        lead_time: Distribution of the lead time, in place of its days and deviation.
        target: What is promised; None is as the policy table says, by cycle where it is silent.
        fill_rate: Share of demand met at once, above 0 and below 1, where that is the target.
        underage_cost: Money lost per unit not met in a cycle, 0 or more.
        overage_cost: Money lost per unit left over at the end of a cycle, 0 or more.
        supply: What the order may draw on beside, and its limits.
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
    lead_time: LeadTimeInputs | None = None
    target: TargetKind | None = None
    fill_rate: float | None = None
    underage_cost: float | None = None
    overage_cost: float | None = None
    supply: Supply | None = None

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
        if self.plan:
            check_plan(self.plan)
        if self.promised is not TargetKind.CYCLE_SERVICE:
            self._check_target()
        if self.lead_time is not None:
            _check_absent(self, "lead_time", ("lead_time_days", "lead_time_std_days"))
        if self.supply is not None:
            self._check_supply(self.supply)

    @property
    def promised(self) -> TargetKind:
        """What is promised, by cycle where nothing is said."""
        return self.target or TargetKind.CYCLE_SERVICE

    @property
    def ratio(self) -> float:
        """Critical ratio of the costs."""
        underage, overage = self.underage_cost or 0.0, self.overage_cost or 0.0
        return underage / (underage + overage)

    def _check_target(self) -> None:
        if self.method is not ReorderMethod.DISTRIBUTION:
            raise InvalidField("method", "must be the distribution where target_kind is not cycle")
        if self.target is TargetKind.FILL_RATE:
            if self.fill_rate is None or not 0 < self.fill_rate < 1:
                raise InvalidField("fill_rate", "must be above 0 and below 1")
            return
        check_costs(self.underage_cost or 0.0, self.overage_cost or 0.0)
        check_ratio(self.ratio)

    def _check_supply(self, supply: Supply) -> None:
        supply.check_pack("pack_size", self.pack_size)
        if supply.receipts:
            _check_absent(self, "receipts", ("on_order",))
        if supply.lots:
            _check_absent(self, "lots", ("on_hand",))
        if supply.suppliers:
            instead = ("lead_time_days", "lead_time_std_days", "pack_size", "lead_time")
            _check_absent(self, "suppliers", (*instead, "minimum_order_quantity"))
        if supply.transfers or supply.expedite is not None:
            if self.underage_cost is None:
                raise InvalidField("underage_cost", "is required with transfers and an expedite")
            check_not_negative("underage_cost", self.underage_cost)


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
        service_level: What is promised, as the target says: probability of no stock-out in a cycle,
            fill rate, or critical ratio of the costs.
        target: What is promised, by the request or the policy table.
        table_inputs: Inputs taken from tables, by field name, ascending.
        reason: The decision in one sentence.
        provenance: Where the answer came from.
        expected_fill_rate: Share of demand met at once at the order-up-to level.
        after_order: What is expected once the order is placed.
        order_date: Day to order on at the expected rate of demand; None where it is now or far.
        supplier_id: Supplier that was chosen; empty where there was no choice.
        choices: Options that were weighed, best first.
        cheapest_change: The least change of one input that turns the decision, or None.
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
    target: TargetKind
    table_inputs: tuple[str, ...]
    reason: str
    provenance: Provenance
    expected_fill_rate: float
    after_order: AfterOrder
    order_date: dt.date | None = None
    supplier_id: str = ""
    choices: tuple[SupplyChoice, ...] = ()
    cheapest_change: DecisionChange | None = None


@dataclass(frozen=True, slots=True)
class AfterOrder:
    """What is expected of one series once its order is placed.

    Attributes:
        stockout_probability: Probability that demand over the cover exceeds the position.
        shortage: Expected units of demand over the cover that are not met.
        holding: Expected units in stock over the review period.
        waste: Expected units that expire within the cover.
    """

    stockout_probability: float
    shortage: float
    holding: float
    waste: float = 0.0


def _check_absent(query: ReorderQuery, instead: str, names: tuple[str, ...]) -> None:
    for name in names:
        if getattr(query, name) is not None:
            raise InvalidField(name, f"must be absent where {instead} is sent")


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


def check_ratio(ratio: float) -> None:
    """Refuse a critical ratio that no level answers to.

    Args:
        ratio: Underage cost over underage plus overage cost; NaN where both are 0.

    Raises:
        BeyondTrained: If it is above the highest service level.
        InvalidField: If it is undefined or 0.
    """
    if ratio > MAX_SERVICE_LEVEL:
        limit = f"at most {MAX_SERVICE_LEVEL:g} of both costs together"
        raise BeyondTrained("underage_cost", limit=limit)
    if not ratio > 0:
        raise InvalidField("underage_cost", "must be above 0 where the least cost is promised")


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
