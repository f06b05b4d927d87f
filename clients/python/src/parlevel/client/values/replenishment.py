"""What to reorder: the values of the replenishment questions."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import StrEnum
from typing import TYPE_CHECKING

from parlevel.client import frames

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator

    import pandas as pd
    import polars as pl

    from parlevel.client.values.demand import RowStatus
    from parlevel.client.values.provenance import Provenance
    from parlevel.client.values.supply import DecisionChange, SupplyChoice, TargetKind


class ReorderMethod(StrEnum):
    """How an order-up-to level is computed."""

    DISTRIBUTION = "distribution"
    """Quantile of the forecast distribution of the sum over the cover."""
    TEXTBOOK = "textbook"
    """Mean plus z sqrt((L + R) sigma^2 + d^2 sigma_L^2), sigma of the forecast error."""
    TEXTBOOK_DEMAND_ONLY = "textbook_demand_only"
    """As textbook with sigma_L = 0."""
    NORMAL = "normal"
    """Mean plus z times the standard deviation of the forecast of the sum over the cover."""


class SafetyStockMethod(StrEnum):
    """Which variances a safety stock counts."""

    STANDARD = "standard"
    """z sqrt((L + R) sigma^2 + d^2 sigma_L^2)."""
    DEMAND_ONLY = "demand_only"
    """z sigma sqrt(L + R): the lead time is taken as certain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReorderRecommendation:
    """What to order now for one series."""

    provenance: Provenance
    """Where the answer came from."""
    sku: str
    """Stock-keeping unit."""
    location: str
    """Location that stocks it."""
    origin_date: dt.date
    """Last day whose sales are known to the forecast."""
    order_quantity: float
    """Units to order now; 0 where the inventory position is at or above the reorder point."""
    order_up_to: float
    """Units the inventory position is raised to."""
    reorder_point: float
    """Units of inventory position below which an order is placed."""
    safety_stock: float
    """Units held beyond expected demand over the cover."""
    expected_demand: float
    """Expected units of demand over the cover."""
    inventory_position: float
    """On hand plus on order less back-orders, in units."""
    stockout_probability: float
    """Probability that demand over the cover exceeds the position before this order."""
    cover_days: int
    """Lead time plus review period, rounded up to whole days."""
    service_level: float
    """Promised probability of no stock-out in a cycle."""
    method: ReorderMethod
    """How the level was computed."""
    table_inputs: tuple[str, ...]
    """Inputs taken from tables rather than from the request, by field name."""
    reason: str
    """The decision in one sentence."""
    expected_fill_rate: float
    """Share of demand met from stock at once at the order-up-to level."""
    stockout_probability_after_order: float
    """Probability that demand over the cover exceeds the position after this order."""
    expected_shortage: float
    """Expected units of demand over the cover that the position after this order does not meet."""
    expected_holding: float
    """Expected units in stock over the review period."""
    expected_waste: float
    """Expected units that expire within the cover."""
    order_date: dt.date | None
    """Day to order on at the expected rate of demand; None where it is now or beyond a year."""
    target_kind: TargetKind
    """What is promised."""
    supplier_id: str
    """Supplier that was chosen; empty where there was no choice."""
    choices: tuple[SupplyChoice, ...]
    """Suppliers, transfers and the expedite that were weighed, best first."""
    cheapest_change: DecisionChange | None
    """The least change of one input that would turn the decision; None where none would."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReorderFigures:
    """What to order now for one row of a batch."""

    order_quantity: float
    """Units to order now."""
    order_up_to: float
    """Units the inventory position is raised to."""
    reorder_point: float
    """Units of inventory position below which an order is placed."""
    safety_stock: float
    """Units held beyond expected demand over the cover."""
    expected_demand: float
    """Expected units of demand over the cover."""
    stockout_probability: float
    """Probability that demand over the cover exceeds the position before this order."""
    expected_fill_rate: float
    """Share of demand met from stock at once at the order-up-to level."""
    expected_shortage: float
    """Expected units of demand over the cover not met after this order."""
    expected_holding: float
    """Expected units in stock over the review period."""
    cover_days: int
    """Lead time plus review period, rounded up to whole days."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReorderRow:
    """One asked row of a batch."""

    sku: str
    """Stock-keeping unit, as asked."""
    location: str
    """Location, as asked."""
    status: RowStatus
    """Outcome."""
    figures: ReorderFigures | None
    """The recommendation; None unless the status is OK."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReorderBatch:
    """What to order now for many series; iterating yields a ``ReorderRow`` per asked row."""

    provenances: tuple[Provenance, ...]
    """Where the answers came from; one for each call the batch was split into."""
    rows: tuple[ReorderRow, ...]
    """The asked rows in order."""
    method: ReorderMethod
    """How the levels were computed."""

    def __len__(self) -> int:
        """Count the asked rows."""
        return len(self.rows)

    def __iter__(self) -> Iterator[ReorderRow]:
        """Yield the asked rows in order."""
        return iter(self.rows)

    @property
    def failures(self) -> tuple[tuple[str, str, RowStatus], ...]:
        """The (sku, location, status) of every row without figures, in order."""
        return tuple(
            (row.sku, row.location, row.status) for row in self.rows if row.figures is None
        )

    def to_pandas(self) -> pd.DataFrame:
        """Lay out every asked row as one line of a pandas frame.

        Returns:
            Columns sku, location, status and one a figure, empty where the status is not OK.

        Raises:
            MissingLibrary: pandas is not installed.
        """
        return frames.to_pandas(self._columns())

    def to_polars(self) -> pl.DataFrame:
        """Lay out every asked row as one line of a polars frame.

        Returns:
            Columns sku, location, status and one a figure, null where the status is not OK.

        Raises:
            MissingLibrary: polars is not installed.
        """
        return frames.to_polars(self._columns())

    def _columns(self) -> frames.Columns:
        """Lay out one line a row."""
        figures = {
            field.name: [
                None if row.figures is None else getattr(row.figures, field.name)
                for row in self.rows
            ]
            for field in fields(ReorderFigures)
        }
        return {
            "sku": [row.sku for row in self.rows],
            "location": [row.location for row in self.rows],
            "status": [row.status.value for row in self.rows],
            **figures,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class EconomicOrderQuantity:
    """The order quantity of least ordering plus holding cost."""

    provenance: Provenance
    """Where the answer came from."""
    order_quantity: float
    """Units per order."""
    orders_per_year: float
    """Orders a year."""
    days_between_orders: float
    """Days between orders, 365 a year."""
    ordering_cost_per_year: float
    """Money a year spent on ordering."""
    holding_cost_per_year: float
    """Money a year spent on holding."""
    total_cost_per_year: float
    """Money a year in all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SafetyStock:
    """Stock held against uncertain demand and lead time."""

    provenance: Provenance
    """Where the answer came from."""
    safety_stock: float
    """Units; negative below a service level of 0.5."""
    safety_factor: float
    """Standard normal quantile of the service level."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReorderPoint:
    """The inventory position at which to order, and with an order quantity what follows."""

    provenance: Provenance
    """Where the answer came from."""
    reorder_point: float
    """Units of inventory position at which to order."""
    average_inventory: float | None
    """Mean units in stock; None without an order quantity."""
    turns_per_year: float | None
    """Times a year the stock is sold; None without an order quantity."""
    days_of_supply: float | None
    """Days the average stock lasts, 365 a year; None without an order quantity."""
    max_inventory_position: float | None
    """Greatest units of inventory position; None without an order quantity."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Newsvendor:
    """The order quantity for one selling season under normal demand."""

    provenance: Provenance
    """Where the answer came from."""
    critical_ratio: float
    """Underage cost over underage plus overage cost."""
    order_quantity: float
    """Units to order, 0 or more."""
    expected_shortage: float
    """Expected units of unmet demand."""
    expected_leftover: float
    """Expected units left over."""
    expected_cost: float
    """Expected money lost to both."""
