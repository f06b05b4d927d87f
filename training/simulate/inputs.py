"""What a simulation takes: demand, levels, supply, and the stock it begins with."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from serving.errors import InvalidField

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]


class Unmet(enum.Enum):
    """What becomes of demand that finds no stock."""

    LOST = "lost"
    BACKORDERED = "backordered"


@dataclass(frozen=True, slots=True)
class Levels:
    """Levels of n series, as decided before some days.

    Attributes:
        days: Days before which they were decided, ascending from 0, shape (k,).
        reorder_point: Units of inventory position; at or above it nothing is ordered, shape (k, n).
        order_up_to: Units the position is raised to, shape (k, n).
    """

    days: Ints
    reorder_point: Floats
    order_up_to: Floats

    def __post_init__(self) -> None:
        """Refuse levels that leave the first day open or do not fit one another."""
        if not self.days.size or self.days[0] != 0 or (np.diff(self.days) <= 0).any():
            raise InvalidField("levels.days", "must ascend from 0")
        if not self.reorder_point.shape == self.order_up_to.shape == (self.days.size, self.series):
            raise InvalidField("levels", "must have one row for each day they were decided before")

    @property
    def series(self) -> int:
        """Number of series n."""
        return int(self.order_up_to.shape[1])

    def before(self, day: int) -> tuple[Floats, Floats]:
        """Return reorder points and order-up-to levels in force before a day, shape (n,) each."""
        row = int(np.searchsorted(self.days, day, side="right")) - 1
        return self.reorder_point[row], self.order_up_to[row]


@dataclass(frozen=True, slots=True)
class Supply:
    """How n series are reviewed and filled.

    Attributes:
        review_days: Whole days between reviews, the first before day 0; 0 is continuous, (n,).
        lead_time: Whole days of an order placed before each day and before the day after the last,
            shape (days + 1, n), or (1, n) where it is the same each day.
        pack_size: Units in a pack, 0 where there are none, shape (n,).
        minimum: Least units an order may have, shape (n,).
        shelf_life: Whole days a unit can be sold, infinite where it keeps, shape (n,).
        unmet: What becomes of demand that finds no stock.
        emergency_days: Days in which what was short arrives out of turn; None where nothing does.
    """

    review_days: Ints
    lead_time: Ints
    pack_size: Floats
    minimum: Floats
    shelf_life: Floats
    unmet: Unmet = Unmet.LOST
    emergency_days: int | None = None

    def __post_init__(self) -> None:
        """Refuse negative times and a shelf life of no day."""
        if (self.review_days < 0).any() or (self.lead_time < 0).any():
            raise InvalidField("supply", "must have review days and lead times of 0 or more")
        if not (self.shelf_life >= 1).all():
            raise InvalidField("supply.shelf_life", "must be 1 day or more")
        if self.emergency_days is not None and self.emergency_days < 1:
            raise InvalidField("supply.emergency_days", "must be 1 or more")

    def reviewed(self, day: int) -> NDArray[np.bool_]:
        """Return which series are reviewed before a day, shape (n,)."""
        reviewed: NDArray[np.bool_] = day % np.maximum(self.review_days, 1) == 0
        return reviewed

    def arrival(self, day: int) -> Ints:
        """Return the day on whose morning an order placed before a day arrives, shape (n,)."""
        lead = self.lead_time[min(day, len(self.lead_time) - 1)]
        arrival: Ints = day + np.where(self.review_days == 0, np.maximum(lead - 1, 0), lead)
        return arrival


@dataclass(frozen=True, slots=True)
class Opening:
    """Stock of n series before the first review.

    Attributes:
        on_hand: Units on the shelf, all fresh, shape (n,).
        due: Units that arrive on the morning of each day, shape (days, n); may have no day.
    """

    on_hand: Floats
    due: Floats


@dataclass(frozen=True, slots=True)
class Demand:
    """Demand of n series.

    Attributes:
        units: Units asked for on each day, 0 or more, shape (days, n).
        known: Where that was seen, and is no estimate of what empty shelves hid; None where all of
            it was, shape (days, n).
    """

    units: Floats
    known: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        """Refuse demand that is negative or not a number."""
        if not (self.units >= 0).all():
            raise InvalidField("demand", "must be 0 or more on every day")
