"""(s, S) under periodic review, by renewal: exact where demand is in whole units.

Demand that is not in whole units is laid on a grid of a hundredth of its spread a review period.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from serving.domain.laws import least
from serving.errors import InvalidField

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from serving.domain.laws import Law

    Floats = NDArray[np.float64]

_CELLS_OF_SPREAD = 100
MAX_CELLS = 20_000
_CERTAIN = 1e-12  # probability that is left out of a grid
_ROUNDING = 1e-9


class MinMaxDemand(NamedTuple):
    """The laws an (s, S) policy meets.

    Attributes:
        between: Demand between two reviews.
        over_lead: Demand over the lead time.
        over_cover: Demand over lead time plus review period.
    """

    between: Law
    over_lead: Law
    over_cover: Law


@dataclass(frozen=True, slots=True)
class MinMax:
    """An (s, S) policy and what it does.

    The position after a review is S less j with probability m(j) / M, m being the renewal density
    of demand between reviews up to S - s. A cycle runs from one order to the next; it is met where
    demand over the lead time stays within the position at which the order was placed.

    Attributes:
        reorder_point: Position at or below which an order is placed, in units.
        order_up_to: Units the position is raised to.
        cycle_service_level: Probability of no stock-out in a replenishment cycle.
        fill_rate: Share of demand met from stock at once.
        expected_shortage: Expected units short at the end of a review period.
        expected_leftover: Expected units in stock at the end of a review period.
        expected_cost: Money a review period, orders included; None where no cost was asked.
    """

    reorder_point: float
    order_up_to: float
    cycle_service_level: float
    fill_rate: float
    expected_shortage: float
    expected_leftover: float
    expected_cost: float | None = None

    @classmethod
    def least(
        cls, demand: MinMaxDemand, gap: float, wanted: float, *, by_fill_rate: bool
    ) -> MinMax:
        """Find the least reorder point that serves so well, for a given S - s.

        Args:
            demand: The laws met.
            gap: S - s in units, above 0.
            wanted: Cycle service or fill rate, above 0 and below 1.
            by_fill_rate: Whether the fill rate is wanted.

        Returns:
            The policy.

        Raises:
            InvalidField: If the grid would be too large.
        """
        grid = _Grid.of(demand, gap)

        def serves(point: float) -> bool:
            served = grid.fill_rate(point) if by_fill_rate else grid.cycle_service(point)
            return served >= wanted - _ROUNDING

        cover = demand.over_cover
        spread = max(cover.mean, math.sqrt(cover.variance), grid.step)
        cells = least(
            lambda cell: serves(cell * grid.step),
            start=cover.mean / grid.step,
            step=spread / grid.step,
            whole=True,
        )
        return grid.policy(cells * grid.step, None)

    @classmethod
    def cheapest(
        cls,
        demand: MinMaxDemand,
        *,
        ordering_cost: float,
        underage_cost: float,
        overage_cost: float,
    ) -> MinMax:
        """Find the policy of least long-run cost.

        Args:
            demand: The laws met.
            ordering_cost: Money per order, 0 or more.
            underage_cost: Money per unit short at the end of a review period, 0 or more.
            overage_cost: Money per unit in stock at the end of a review period, above 0.

        Returns:
            The policy, its cost a review period included.

        Raises:
            InvalidField: If the grid would be too large.

        Source: Zheng and Federgruen, "Finding optimal (s, S) policies is about as simple as
        evaluating a single policy", Operations Research 39 (1991).
        """
        step = grid_step(demand.between)
        search = _Search(demand, step, (ordering_cost, underage_cost, overage_cost))
        point, up_to, cost = search.run()
        return _Grid.of(demand, (up_to - point) * step, step).policy(point * step, cost)


@dataclass(frozen=True, slots=True)
class _Grid:
    """The renewal of positions for one S - s.

    Attributes:
        demand: The laws met.
        step: Units of a cell.
        shares: Probability that the position after a review is S less j cells, shape (gap,).
        starts: Probability that an order is placed at s less i cells, shape (cells,).
    """

    demand: MinMaxDemand
    step: float
    shares: Floats
    starts: Floats

    @classmethod
    def of(cls, demand: MinMaxDemand, gap: float, step: float | None = None) -> _Grid:
        step = step or grid_step(demand.between)
        cells = max(1, round(gap / step))
        single = cell_shares(demand.between, step)
        if cells + single.size > MAX_CELLS:
            raise InvalidField("order_quantity", "must be nearer to the demand of a review period")
        density = _renewal(single, cells)
        shares = density / density.sum()
        crossed = np.convolve(shares, single)[cells:]  # order placed at s - i, i from 0
        return cls(demand, step, shares, crossed / crossed.sum())

    def cycle_service(self, point: float) -> float:
        """Return the probability of no stock-out in a cycle."""
        positions = point - self.step * np.arange(float(self.starts.size))
        return float(np.dot(self.starts, self.demand.over_lead.at_most(positions)))

    def fill_rate(self, point: float) -> float:
        """Return the share of demand met at once."""
        positions = self._positions(point)
        short = self.demand.over_cover.loss(positions) - self.demand.over_lead.loss(positions)
        asked = self.demand.between.mean
        return 1.0 - min(1.0, max(0.0, float(self.shares @ short) / asked)) if asked > 0 else 1.0

    def policy(self, point: float, cost: float | None) -> MinMax:
        """Return the policy of a reorder point."""
        positions = self._positions(point)
        shortage = float(self.shares @ self.demand.over_cover.loss(positions))
        leftover = float(self.shares @ positions) - self.demand.over_cover.mean + shortage
        return MinMax(
            reorder_point=point,
            order_up_to=point + self.step * self.shares.size,
            cycle_service_level=self.cycle_service(point),
            fill_rate=self.fill_rate(point),
            expected_shortage=shortage,
            expected_leftover=leftover,
            expected_cost=cost,
        )

    def _positions(self, point: float) -> Floats:
        return point + self.step * np.arange(float(self.shares.size), 0.0, -1.0)


class _Search:
    """The search of Zheng and Federgruen over cells."""

    def __init__(
        self, demand: MinMaxDemand, step: float, costs: tuple[float, float, float]
    ) -> None:
        """Take the laws, the units of a cell, and the costs: of ordering, underage, overage."""
        self._step = step
        self._cover = demand.over_cover
        self._ordering, self._underage, self._overage = costs
        self._single = cell_shares(demand.between, step)
        self._density = np.zeros(0)
        self._kept: dict[int, float] = {}

    def run(self) -> tuple[int, int, float]:
        """Return s and S in cells, and the cost."""
        ratio = self._underage / (self._underage + self._overage)
        middle = round(self._cover.quantile(ratio) / self._step)
        point, up_to = middle - 1, middle
        while self._cost(point, up_to) > self._at(point):
            point -= 1
        best = self._cost(point, up_to)
        best_up_to, tried = up_to, up_to + 1
        while self._at(tried) <= best:
            if self._cost(point, tried) < best:
                best_up_to = tried
                while self._cost(point, best_up_to) <= self._at(point + 1):
                    point += 1
                best = self._cost(point, best_up_to)
            tried += 1
        return point, best_up_to, best

    def _at(self, cell: int) -> float:
        """Return the expected cost of a review period that begins at a position."""
        if cell not in self._kept:
            units = cell * self._step
            short = float(self._cover.loss(np.array([units]))[0])
            left = units - self._cover.mean + short
            self._kept[cell] = self._underage * short + self._overage * left
        return self._kept[cell]

    def _cost(self, point: int, up_to: int) -> float:
        """Return the long-run cost a review period of (s, S)."""
        gap = up_to - point
        if gap > MAX_CELLS:
            raise InvalidField("ordering_cost", "must be nearer to the cost of holding")
        if gap > self._density.size:
            self._density = _renewal(self._single, max(gap, 2 * self._density.size))
        density = self._density[:gap]
        running = sum(density[j] * self._at(up_to - j) for j in range(gap))
        return float((self._ordering + running) / density.sum())


def grid_step(between: Law) -> float:
    """Return the units of a cell: one where demand is in whole units.

    Args:
        between: Demand between two reviews.

    Returns:
        Units, above 0.
    """
    if between.whole:
        return 1.0
    return (math.sqrt(between.variance) or between.mean or 1.0) / _CELLS_OF_SPREAD


def cell_shares(law: Law, step: float) -> Floats:
    """Return the probabilities of demand by cell, each cell around its middle.

    Args:
        law: The demand.
        step: Units of a cell, above 0.

    Returns:
        Probabilities of 0, 1, 2 ... cells, summing to 1, shape (cells,).

    Raises:
        InvalidField: If it spans too many cells.
    """
    last = math.ceil(law.quantile(1.0 - _CERTAIN) / step) + 1
    if last > MAX_CELLS:
        raise InvalidField("demand", f"must span at most {MAX_CELLS:,} units a review period")
    edges = (np.arange(last + 1.0) + (0.0 if law.whole else 0.5)) * step
    shares: Floats = np.maximum(np.diff(law.at_most(edges), prepend=0.0), 0.0)
    return shares / float(shares.sum())


def _renewal(single: Floats, cells: int) -> Floats:
    """Return the renewal density m(0) .. m(cells - 1): m = 1 / (1 - p0), then by convolution."""
    stay = 1.0 - single[0]
    if stay <= 0:
        raise InvalidField("demand", "must exceed 0 in some review period")
    density = np.zeros(cells)
    density[0] = 1.0 / stay
    for cell in range(1, cells):
        reach = min(cell, single.size - 1)
        density[cell] = single[1 : reach + 1] @ density[cell - reach : cell][::-1] / stay
    return density
