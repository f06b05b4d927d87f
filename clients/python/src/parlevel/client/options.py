"""The keyword options of each question, written once for both clients.

Every question takes the options of a call; an option that is not named keeps the default of the
contract. A name that is no option is a ``TypeError``, as with any keyword argument.
"""

# No lazy annotations here: they would hide Required from __required_keys__.
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, Required, TypedDict

from parlevel.client.values.demand import (
    DemandObservation,
    DemandTarget,
    LocationAttributes,
    PlanDay,
    ProductAttributes,
)
from parlevel.client.values.replenishment import ReorderMethod, SafetyStockMethod
from parlevel.client.values.supply import TargetKind
from parlevel.v1 import supply_pb2

Target = DemandTarget | Literal["demand", "sales"]
Method = ReorderMethod | Literal["distribution", "textbook", "textbook_demand_only", "normal"]
Promise = TargetKind | Literal["cycle_service", "fill_rate", "cost"]
Variances = SafetyStockMethod | Literal["standard", "demand_only"]
PerRow = float | Sequence[float]


class CallOptions(TypedDict, total=False):
    """How a question is asked."""

    timeout_seconds: float
    """Time the call may take with all its retries, above 0; default: the client's. Each of the
    calls a batch is split into has this time."""
    request_id: str
    """Sent as ``x-request-id`` with every call of the question; default: made up for each call."""


class ForecastBatchOptions(CallOptions, total=False):
    """Options of ``forecast_batch``."""

    quantile_levels: Sequence[float]
    """Probability levels, each from 0.02 to 0.98, ascending; default: the trained ones."""
    target: Target
    """What is forecast; default: demand."""


class ForecastOptions(ForecastBatchOptions, total=False):
    """Options of ``forecast``."""

    plan: Iterable[PlanDay]
    """Decisions for days to come; each overrides the stored plan of its day, field by field."""
    history: Iterable[DemandObservation]
    """Recent history, oldest first, one entry a day without gaps; replaces the stored features."""
    product: ProductAttributes
    """Attributes that make an unlisted product known (cold start)."""
    location_attributes: LocationAttributes
    """Attributes that make an unlisted location known."""


class ExplainOptions(CallOptions, total=False):
    """Options of ``explain_forecast``."""

    target: DemandTarget
    """What is forecast; default: demand in stock."""
    plan: Iterable[PlanDay]
    """Decisions for days to come; each overrides the stored plan of its day, field by field."""


class ReorderOptions(CallOptions, total=False):
    """Options of ``recommend_reorder``; what is not given is taken from its table."""

    lead_time_days: float
    """Days from order to receipt, 0 or more; default: table sourcing."""
    review_days: float
    """Days between reviews, 0 is continuous review; default: table policy."""
    service_level: float
    """Probability of no stock-out in a cycle, 0.5 to 0.99; default: table policy."""
    lead_time_std_days: float
    """Standard deviation of the lead time in days, 0 or more; default: 0."""
    on_hand: float
    """Units in stock, 0 or more; default: table inventory."""
    on_order: float
    """Units ordered and not yet received, 0 or more; default: table inventory."""
    backorders: float
    """Units owed to customers, 0 or more; default: table inventory."""
    minimum_order_quantity: float
    """Least units a supplier accepts, 0 or more; default: table products, else 0."""
    pack_size: float
    """Units in a pack, above 0; default: table products, else no rounding."""
    method: Method
    """How the level is computed; default: distribution."""
    plan: Iterable[PlanDay]
    """Decisions for the days of the cover."""
    lead_time: supply_pb2.LeadTimeDistribution
    """Distribution of the lead time, in place of its days and deviation."""
    target_kind: Promise
    """What is promised; default: cycle service."""
    fill_rate: float
    """Share of demand met at once, above 0 and below 1, where that is the target."""
    underage_cost: float
    """Money lost per unit of demand not met in a cycle, 0 or more."""
    overage_cost: float
    """Money lost per unit left over at the end of a cycle, 0 or more."""
    receipts: Iterable[supply_pb2.ExpectedReceipt]
    """What is on order with its due dates, in place of ``on_order``."""
    lots: Iterable[supply_pb2.StockLot]
    """Stock by lot with its expiry dates, in place of ``on_hand``."""
    capacity_units: float
    """Units the location can hold, above 0; default: no limit."""
    shelf_life_days: float
    """Days goods ordered now can be sold after their receipt; default: no limit."""
    suppliers: Iterable[supply_pb2.SupplierOption]
    """Suppliers to choose among."""
    transfers: Iterable[supply_pb2.TransferOption]
    """Neighbours that may send stock; needs ``underage_cost``."""
    expedite: supply_pb2.ExpediteOption
    """A faster way to receive part of an order; needs ``underage_cost``."""
    budget: float
    """Money the order may cost; needs a unit price."""
    unit_price: float
    """Money a unit costs where no supplier is chosen."""
    currency_code: str
    """Currency of every amount, ISO 4217."""


class ReorderBatchOptions(CallOptions, total=False):
    """Options of ``recommend_reorder_batch``: one number for all rows, or one a row.

    A frame's column of the same name is read where the option is not given.
    """

    lead_time_days: PerRow
    """Days from order to receipt, 0 or more; default: table sourcing."""
    review_days: PerRow
    """Days between reviews, 0 or more; default: table policy."""
    service_level: PerRow
    """Probability of no stock-out in a cycle, 0.5 to 0.99; default: table policy."""
    on_hand: PerRow
    """Units in stock, 0 or more; default: table inventory."""
    on_order: PerRow
    """Units ordered and not yet received, 0 or more; default: table inventory."""
    backorders: PerRow
    """Units owed to customers, 0 or more; default: table inventory."""
    method: Method
    """How the levels are computed; default: distribution."""


class EconomicOrderQuantityOptions(CallOptions, total=False):
    """Inputs of ``economic_order_quantity``."""

    annual_demand: Required[float]
    """Units demanded a year, above 0."""
    ordering_cost: Required[float]
    """Money per order, above 0."""
    holding_cost: Required[float]
    """Money per unit and year, above 0."""


class SafetyStockOptions(CallOptions, total=False):
    """Inputs of ``safety_stock``."""

    demand_std: Required[float]
    """Standard deviation of a day's demand or forecast error in units, 0 or more."""
    lead_time_days: Required[float]
    """Lead time in days, 0 or more."""
    service_level: Required[float]
    """Probability of no stock-out in a replenishment cycle, above 0 and below 1."""
    mean_demand: float
    """Mean units demanded a day, 0 or more; needed with ``lead_time_std_days``; default: 0."""
    review_days: float
    """Days between reviews, 0 is continuous review; default: 0."""
    lead_time_std_days: float
    """Standard deviation of the lead time in days, 0 or more; default: 0."""
    method: Variances
    """Which variances count; default: standard."""


class ReorderPointOptions(CallOptions, total=False):
    """Inputs of ``reorder_point``."""

    annual_demand: Required[float]
    """Units demanded a year, 0 or more."""
    lead_time_days: Required[float]
    """Lead time in days, 0 or more."""
    review_days: float
    """Days between reviews, 0 is continuous review; default: 0."""
    safety_stock: float
    """Units of safety stock, 0 or more; default: 0."""
    order_quantity: float
    """Units per order, 0 or more; gives the figures that depend on it."""


class NewsvendorOptions(CallOptions, total=False):
    """Inputs of ``newsvendor``."""

    underage_cost: Required[float]
    """Money lost per unit of unmet demand (margin plus penalty), 0 or more."""
    overage_cost: Required[float]
    """Money lost per unit left over (cost less salvage plus holding), 0 or more."""
    mean_demand: Required[float]
    """Mean units demanded in the season, 0 or more."""
    demand_std: Required[float]
    """Standard deviation of the season's demand in units, 0 or more."""


class TargetingOptions(CallOptions, total=False):
    """Inputs of ``uplift.plan_targeting``."""

    budget: Required[float]
    """Money to spend, 0 or more."""
    action_costs: Required[PerRow]
    """Money an action costs, above 0: one number for all units, or one a unit."""
    minimum_effect: float
    """Least effect a unit must promise, 0 or more; default: 0."""
    value_per_effect: float
    """Money one unit of effect is worth, above 0; default: 1."""


def check_options(options: Mapping[str, object], kind: type) -> None:
    """Refuse options a question does not have and demand those it needs.

    Args:
        options: What was given by keyword.
        kind: The typed dictionary of the question.

    Raises:
        TypeError: An option is unknown, or a needed one is absent.
    """
    needed: frozenset[str] = getattr(kind, "__required_keys__", frozenset())
    allowed: frozenset[str] = getattr(kind, "__optional_keys__", frozenset())
    unknown = sorted(set(options) - needed - allowed)
    missing = sorted(needed - set(options))
    if unknown or missing:
        wrong = [f"no option {name!r}" for name in unknown]
        wrong += [f"{name!r} is required" for name in missing]
        message = f"{kind.__name__}: {', '.join(wrong)}"
        raise TypeError(message)
