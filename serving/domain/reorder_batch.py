"""The reorder question about many series, in columns, and its answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from serving.domain.demand import check_rows
from serving.domain.history import MAX_HORIZON
from serving.domain.inventory_policy import LARGEST, check_not_negative
from serving.domain.replenishment import ReorderMethod, check_cover, check_service_level, served
from serving.errors import InvalidField

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from serving.domain.series import Provenance, RowStatus

    Floats = NDArray[np.float64]


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
        for name in names:
            check_column(name, getattr(self, name), rows)
        if self.service_levels.size and self.service_levels.shape != (rows,):
            raise InvalidField("service_levels", _rows_rule(rows))
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
        expected_fill_rates: Shares of demand met at once at the level, shape (rows,).
        expected_shortages: Expected units not met after the order, shape (rows,).
        expected_holdings: Expected units in stock over the review period, shape (rows,).
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
    expected_fill_rates: Floats
    expected_shortages: Floats
    expected_holdings: Floats


def check_column(name: str, values: Floats, rows: int) -> None:
    """Refuse a column that is neither empty nor a number of 0 or more a row.

    Args:
        name: Name of the field it came in.
        values: The column, shape (0,) or (rows,).
        rows: Rows asked for.

    Raises:
        InvalidField: If the column breaks its rule; the index says where.
    """
    if values.size and values.shape != (rows,):
        raise InvalidField(name, _rows_rule(rows))
    for row in np.flatnonzero(~((values >= 0) & (values <= LARGEST)))[:1]:
        check_not_negative(f"{name}[{row}]", float(values[row]))


def _rows_rule(rows: int) -> str:
    return f"must be empty or have as many rows as skus ({rows})"
