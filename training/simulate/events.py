"""Event-true simulation of stock, day by day over all series at once.

A day goes: review and order, on what was known at the close of the day before; receipts due that
morning; demand; expiry. An order placed at the review of day d after a lead time of L days is on
the shelf on the morning of day d + L, so with R days to the next review a level answers for the
demand of L + R whole days, as in serving. Continuous review (R = 0) sees stock at each close and
orders as of that day: its orders arrive a day sooner, and a level answers for L days.

A replenishment cycle runs from the arrival of one order to that of the next: the orders of a
periodic review, whether or not there was anything to order, and the orders placed under continuous
review. It is served where no demand went unmet in it. Days before the first arrival, and a cycle
that has not ended, count for no cycle.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from serving.domain.reorder_levels import order_quantity
from serving.errors import InvalidField
from training.simulate.inputs import Unmet
from training.simulate.shelves import Shelves

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.simulate.inputs import Demand, Levels, Opening, Supply

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of n series over some days; every array but `stock` has shape (n,).

    Attributes:
        days: Days simulated.
        demand: Units asked for.
        met: Units handed over on the day they were asked for.
        cycles: Replenishment cycles that ended.
        served: Cycles in which all demand was met.
        known_cycles: Cycles that ended, all of whose demand is known.
        known_served: Those of them in which all demand was met.
        left: Units on the shelf as cycles ended, summed over them.
        ready_days: Days that closed with positive net stock.
        short_days: Days on which demand went unmet.
        stock_days: Units on the shelf, mean of morning and close, summed over days.
        waste: Units that expired.
        orders: Orders placed.
        ordered: Units ordered.
        emergencies: Orders placed out of turn.
        emergency_units: Units ordered out of turn.
        stock: Units on the shelf at each close, shape (days, n); no rows unless asked for.
    """

    days: int
    demand: Floats
    met: Floats
    cycles: Ints
    served: Ints
    known_cycles: Ints
    known_served: Ints
    left: Floats
    ready_days: Ints
    short_days: Ints
    stock_days: Floats
    waste: Floats
    orders: Ints
    ordered: Floats
    emergencies: Ints
    emergency_units: Floats
    stock: Floats


def simulate(
    demand: Demand, levels: Levels, supply: Supply, opening: Opening, *, traced: bool = False
) -> Outcome:
    """Run a policy of reorder points and order-up-to levels over days of demand.

    Args:
        demand: What is asked for.
        levels: The levels of the policy.
        supply: How orders are filled.
        opening: Stock before the first review.
        traced: Whether to keep the stock at each close.

    Returns:
        What became of each series.

    Raises:
        InvalidField: If shapes do not agree.
    """
    days, series = demand.units.shape
    sizes = {levels.series, supply.review_days.size, opening.on_hand.size, series}
    if len(sizes) > 1:
        raise InvalidField("demand", "must have as many series as levels, supply and opening")
    run = _Run(levels, supply, opening, days)
    stock = np.empty((days if traced else 0, series))
    for day in range(days):
        run.review(day)
        run.receive(day)
        run.sell(day, demand.units[day])
        if demand.known is not None:
            run.guessed |= ~demand.known[day]
        if traced:
            stock[day] = run.shelves.on_hand
    run.review(days, ordering=False)
    return Outcome(days=days, demand=demand.units.sum(axis=0), stock=stock, **run.tallies())


_COUNTED = (
    *("cycles", "served", "known_cycles", "known_served"),
    *("ready_days", "short_days", "orders", "emergencies"),
)
_SUMMED = ("met", "left", "stock_days", "waste", "ordered", "emergency_units")


class _Run:
    """The state of a simulation between two events."""

    def __init__(self, levels: Levels, supply: Supply, opening: Opening, days: int) -> None:
        series = levels.series
        self.levels, self.supply = levels, supply
        # What outlasts the simulation keeps, for all that can be seen.
        self.shelves = Shelves(np.where(supply.shelf_life > days, np.inf, supply.shelf_life))
        self.shelves.receive(opening.on_hand)
        self.backlog = np.zeros(series)
        # One row a day ahead, used again and again: long enough for any order to be under way.
        reach = int(supply.lead_time.max(initial=0)) + (supply.emergency_days or 0) + 2
        self.ring = max(reach, len(opening.due) + 1)
        self.due = np.zeros((self.ring, series))
        self.due[: len(opening.due)] = opening.due
        self.coming = self.due.sum(axis=0)
        self.ends = np.zeros((self.ring, series), dtype=np.bool_)
        self.begun = np.zeros(series, dtype=np.bool_)
        self.short = np.zeros(series, dtype=np.bool_)
        self.guessed = np.zeros(series, dtype=np.bool_)
        self.counts = {name: np.zeros(series, dtype=np.int64) for name in _COUNTED}
        self.sums = {name: np.zeros(series) for name in _SUMMED}

    def review(self, day: int, *, ordering: bool = True) -> None:
        """Order what is reviewed before a day, then end the cycles whose order arrives that day."""
        rows = np.flatnonzero(self.supply.reviewed(day))
        arrival = self.supply.arrival(day)[rows] % self.ring
        periodic = self.supply.review_days[rows] > 0
        if ordering:
            ordered = self._order(day, rows, arrival)
            self.ends[arrival, rows] |= periodic | ordered
        else:
            self.ends[arrival, rows] |= periodic
        ended = self.ends[day % self.ring].copy()
        self.ends[day % self.ring] = False
        self._count(ended & self.begun)
        self.begun |= ended
        self.short &= ~ended
        self.guessed &= ~ended

    def _count(self, closed: NDArray[np.bool_]) -> None:
        """Count the cycles that closed."""
        served, known = closed & ~self.short, closed & ~self.guessed
        self.counts["cycles"] += closed
        self.counts["served"] += served
        self.counts["known_cycles"] += known
        self.counts["known_served"] += known & served
        self.sums["left"] += np.where(closed, self.shelves.on_hand, 0.0)

    def _order(self, day: int, rows: NDArray[np.intp], arrival: Ints) -> NDArray[np.bool_]:
        """Place orders for the reviewed series; return which of them order."""
        point, up_to = (one[rows] for one in self.levels.before(day))
        position = (self.shelves.on_hand + self.coming - self.backlog)[rows]
        units = order_quantity(
            position,
            up_to,
            pack_size=self.supply.pack_size[rows],
            minimum=self.supply.minimum[rows],
        )
        units = np.where(position < point, units, 0.0)
        self.due[arrival, rows] += units
        self.coming[rows] += units
        self.counts["orders"][rows] += units > 0
        self.sums["ordered"][rows] += units
        return units > 0

    def receive(self, day: int) -> None:
        """Put what is due on the shelves and serve the backlog from it."""
        units = self.due[day % self.ring]
        self.shelves.receive(units)
        self.coming -= units
        units[:] = 0.0
        if self.supply.unmet is Unmet.BACKORDERED:
            self.backlog -= self.shelves.take(self.backlog)

    def sell(self, day: int, asked: Floats) -> None:
        """Let demand meet the shelves, end the day and count it."""
        morning = self.shelves.on_hand.copy()
        met = self.shelves.take(asked)
        unmet = asked - met
        short = unmet > 0
        self.short |= short
        if self.supply.unmet is Unmet.BACKORDERED:
            self.backlog += unmet
        if self.supply.emergency_days is not None:
            self.due[(day + self.supply.emergency_days) % self.ring] += unmet
            self.coming += unmet
            self.counts["emergencies"] += short
            self.sums["emergency_units"] += unmet
        self.counts["short_days"] += short
        self.counts["ready_days"] += (self.shelves.on_hand > 0) & (self.backlog <= 0)
        self.sums["stock_days"] += (morning + self.shelves.on_hand) / 2.0
        self.sums["met"] += met
        self.sums["waste"] += self.shelves.expire()

    def tallies(self) -> dict[str, Any]:
        """Return what was counted."""
        return {**self.counts, **self.sums}
