"""One order of several items under a budget or in a truck: the best that fits, and what was cut."""

from __future__ import annotations

import heapq
import math
from typing import TYPE_CHECKING

import numpy as np

from serving.domain.joint_items import JointItem, JointLine, JointOrderInputs, JointOrderResult
from serving.domain.stock_policy import CycleCosts
from serving.errors import InvalidField

if TYPE_CHECKING:
    from serving.domain.laws import Law

_ROUNDING = 1e-9
MAX_PACKS = 100_000
_RESTARTS = 20


def joint_order(inputs: JointOrderInputs) -> JointOrderResult:
    """Find the best order of several items that fits the budget and the truck.

    Each pack of an item spares Cu E(min(D - x, pack)+) less Co times what of it is left over, which
    falls from pack to pack. Packs are taken by what they spare per share of the limits they use,
    until none that gains fits; then anew, with a pack that was refused taken first, if that spares
    more. What any order could spare is bounded by the continuous relaxation.

    Args:
        inputs: Items with their demand over the cover, and the limits.

    Returns:
        Every item's order, what it spares, what was cut, and the bound.

    Raises:
        InvalidField: If the items would be ordered in more than 100,000 packs together.

    Source: Fox, "Discrete optimization via marginal analysis", Management Science 13 (1966).
    """
    lots = [_Lot(index, item) for index, item in enumerate(inputs.items)]
    wanted = [lot.alone() for lot in lots]
    if sum(units / lot.pack for units, lot in zip(wanted, lots, strict=True)) > MAX_PACKS:
        raise InvalidField("items", f"must need at most {MAX_PACKS:,} packs: send larger packs")
    best = first = _Filling(inputs, lots)
    for index, units in sorted(first.refused.items(), key=lambda one: one[0])[:_RESTARTS]:
        other = _Filling(inputs, [_Lot(lot.index, lot.item) for lot in lots], (index, units))
        if other.gained > best.gained:
            best = other
    return _result(best.lots, wanted, first.bound)


class _Filling:
    """Packs taken, best value first, while they fit.

    `bound` is the most that any order that fits could spare; `refused` holds the units of items,
    by place, at the first pack of theirs that did not fit.
    """

    def __init__(
        self, inputs: JointOrderInputs, lots: list[_Lot], begin: tuple[int, float] | None = None
    ) -> None:
        """Fill the limits, beginning with so many units of one item where one is named."""
        self.lots, self.gained = lots, 0.0
        self.refused: dict[int, float] = {}
        self._limits = _Limits(inputs)
        if begin is not None and self._limits.fits(lots[begin[0]].item, begin[1]):
            self._take(lots[begin[0]], begin[1])
        bound = self._fill()
        self.bound = self.gained if bound is None else bound

    def _fill(self) -> float | None:
        """Take packs; return the bound at the first that did not fit, None where all did."""
        limits, bound = self._limits, None
        waiting = [lot.offer(limits) for lot in self.lots if lot.gain(lot.step) > 0]
        heapq.heapify(waiting)
        while waiting:
            value, index = heapq.heappop(waiting)
            lot = self.lots[index]
            if not limits.fits(lot.item, lot.step):
                self.refused[index] = lot.ordered + lot.step
                if bound is None:  # beyond it nothing is of more value: the rest at its rate
                    bound = self.gained - value * limits.left
                continue
            self._take(lot, lot.step)
            if lot.gain(lot.step) > 0:
                heapq.heappush(waiting, lot.offer(limits))
        return bound

    def _take(self, lot: _Lot, units: float) -> None:
        gain = lot.gain(units)
        self._limits.take(lot.item, units)
        lot.ordered += units
        lot.gained += gain
        self.gained += gain


class _Lot:
    """One item while packs are taken."""

    def __init__(self, index: int, item: JointItem) -> None:
        self.index, self.item = index, item
        self.law: Law = item.demand.law()
        self.pack = item.pack_size or 1.0
        self.ordered, self.gained = 0.0, 0.0

    @property
    def step(self) -> float:
        """Units of the next pack; the first ones make up the minimum order."""
        if self.ordered:
            return self.pack
        packs = math.ceil(self.item.minimum_order_quantity / self.pack - _ROUNDING)
        return max(1, packs) * self.pack

    def gain(self, units: float) -> float:
        """Return the expected money that so many units more spare; 0 where no more may be had."""
        most = self.item.maximum_order_quantity
        if most is not None and self.ordered + units > most * (1 + _ROUNDING):
            return 0.0
        start = self.item.position + self.ordered
        losses = self.law.loss(np.array([start, start + units]))
        spared = float(losses[0] - losses[1])
        return self.item.underage_cost * spared - self.item.overage_cost * (units - spared)

    def alone(self) -> float:
        """Return the units the item would order without limits."""
        item = self.item
        ratio = CycleCosts(item.underage_cost, item.overage_cost).ratio
        # The last pack that gains ends beyond the quantile by less than a pack.
        packs = (self.law.quantile(ratio) - item.position) / self.pack
        first = self.step
        if self.gain(first) <= 0:
            return 0.0
        low = max(math.floor(packs), round(first / self.pack))
        units = max(first, low * self.pack)
        if item.maximum_order_quantity is not None:
            most = math.floor(item.maximum_order_quantity / self.pack + _ROUNDING) * self.pack
            units = min(units, most)
        lot = _Lot(self.index, item)
        lot.ordered = units
        while lot.gain(self.pack) > 0:
            lot.ordered += self.pack
        return lot.ordered

    def offer(self, limits: _Limits) -> tuple[float, int]:
        """Return where the next pack stands in the queue: best value first."""
        step = self.step
        return -self.gain(step) / limits.share(self.item, step), self.index


class _Limits:
    """What is left of budget and truck."""

    def __init__(self, inputs: JointOrderInputs) -> None:
        self.budget, self.capacity = inputs.budget, inputs.capacity
        self.spent, self.loaded = 0.0, 0.0

    def share(self, item: JointItem, units: float) -> float:
        """Return the part of the limits that so many units use; units where there is none."""
        if self.budget is None and self.capacity is None:
            return units
        used = 0.0
        for limit, each in ((self.budget, item.unit_price), (self.capacity, item.unit_volume)):
            if limit is not None:
                used += units * each / limit if limit > 0 else math.inf
        return used

    @property
    def left(self) -> float:
        """Return the part of the limits that is not used, added over them."""
        limits = ((self.budget, self.spent), (self.capacity, self.loaded))
        return math.fsum(
            max(0.0, 1.0 - used / limit)
            for limit, used in limits
            if limit is not None and limit > 0
        )

    def fits(self, item: JointItem, units: float) -> bool:
        """Return whether so many units more fit."""
        room = 1 + _ROUNDING
        return (
            self.budget is None or self.spent + units * item.unit_price <= self.budget * room
        ) and (
            self.capacity is None or self.loaded + units * item.unit_volume <= self.capacity * room
        )

    def take(self, item: JointItem, units: float) -> None:
        """Use what so many units need."""
        self.spent += units * item.unit_price
        self.loaded += units * item.unit_volume


def _result(lots: list[_Lot], wanted: list[float], bound: float) -> JointOrderResult:
    lines, alone = [], 0.0
    for lot, units in zip(lots, wanted, strict=True):
        at = np.array([lot.item.position + lot.ordered])
        full = _Lot(lot.index, lot.item)
        alone += full.gain(units) if units else 0.0
        lines.append(
            JointLine(
                sku=lot.item.sku,
                order_quantity=lot.ordered,
                wanted_quantity=units,
                service_level=float(lot.law.at_most(at)[0]),
                expected_gain=lot.gained,
            )
        )
    gained = math.fsum(lot.gained for lot in lots)
    return JointOrderResult(
        lines=tuple(lines),
        total_price=math.fsum(lot.ordered * lot.item.unit_price for lot in lots),
        total_volume=math.fsum(lot.ordered * lot.item.unit_volume for lot in lots),
        expected_gain=gained,
        expected_gain_at_most=max(gained, min(alone, bound)),
        cut_units=math.fsum(max(0.0, line.wanted_quantity - line.order_quantity) for line in lines),
        cut_gain=max(0.0, alone - gained),
    )
