"""A decision in words: its reason, and what would turn it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from serving.domain.replenishment import MIN_SERVICE_LEVEL
from serving.domain.supply import DecisionChange, TargetKind

if TYPE_CHECKING:
    from serving.domain.reorder_levels import ReorderLevels, ReorderTerms

_PROMISES: dict[float, str] = {
    TargetKind.CYCLE_SERVICE: "a service level of",
    TargetKind.FILL_RATE: "a fill rate of",
    TargetKind.COST: "a critical ratio of",
}


class Decision(NamedTuple):
    """The decision on one series; each number is named in `ReorderTerms` or `ReorderLevels`."""

    on_hand: float
    position: float
    cover_days: int
    service_level: float
    minimum_order_quantity: float
    pack_size: float
    target_kind: float
    order_up_to: float
    safety_stock: float
    expected_demand: float
    stockout_probability: float
    bounded: bool
    order_quantity: float
    fill_rate: float

    @property
    def target(self) -> TargetKind:
        """What is promised."""
        return TargetKind(int(self.target_kind))

    @property
    def gap(self) -> float:
        """Units from the inventory position up to the level."""
        return self.order_up_to - self.position


def decisions(terms: ReorderTerms, levels: ReorderLevels) -> list[Decision]:
    """Return the decisions on n series one by one.

    Args:
        terms: Stock and terms of n series.
        levels: What was decided on them.

    Returns:
        The decisions, in order.
    """
    names = Decision._fields
    first = names.index("order_up_to")
    columns = [getattr(terms, name).tolist() for name in names[:first]]
    columns += [getattr(levels, name).tolist() for name in names[first:]]
    return [Decision(*row) for row in zip(*columns, strict=True)]


def explain(one: Decision, *, placed: float | None = None) -> str:
    """Say a decision in one sentence.

    Args:
        one: The decision.
        placed: Units ordered after all where limits cut the decision; None is the decision itself.

    Returns:
        The sentence.
    """
    rule = (
        f"the order-up-to level of {units(one.order_up_to)} ({units(one.expected_demand)} "
        f"expected over {one.cover_days} day{'s' * (one.cover_days != 1)} and "
        f"{units(one.safety_stock)} "
        f"of safety stock for {_PROMISES[one.target_kind]} {one.service_level:g})"
    )
    at = f"the inventory position of {units(one.position)}"
    if one.order_quantity == 0:
        return f"Order nothing: {at} has reached {rule}."
    steps = []
    if one.gap < one.minimum_order_quantity:
        steps.append(f"the minimum order of {units(one.minimum_order_quantity)}")
    if one.pack_size > 0:
        steps.append(f"whole packs of {units(one.pack_size)}")
    more = steps and one.order_quantity > one.gap
    raised = f", raised to {' and '.join(steps)}" if more else ""
    order = units(one.order_quantity if placed is None else placed)
    what = "nothing" if order == "0" else order
    return f"Order {what}: {at} is {units(one.gap)} below {rule}{raised}."


def units(value: float) -> str:
    """Write units with at most two decimals.

    Args:
        value: The units.

    Returns:
        The text.
    """
    text = f"{value:,.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def cheapest_change(one: Decision, *, by_quantile: bool = True) -> DecisionChange | None:
    """Find the least change of one input, relative to its size, that turns a decision.

    Stock turns it where the position meets the level; the service level where the level meets the
    position.

    Args:
        one: The decision.
        by_quantile: Whether the level is a quantile of the distribution.

    Returns:
        The change, or None where none within the ranges turns it.
    """
    ordered = one.order_quantity > 0
    turned = "nothing would be ordered" if ordered else "an order would be due"
    found: list[tuple[float, str, float, float]] = []
    if one.on_hand + one.gap >= 0:
        size = max(one.on_hand, one.expected_demand)
        found.append((abs(one.gap) / size if size > 0 else 0.0, "on_hand", one.on_hand, one.gap))
    met, promised = 1.0 - one.stockout_probability, one.service_level
    by_quantile = by_quantile and one.target_kind == TargetKind.CYCLE_SERVICE
    if by_quantile and not one.bounded and met >= MIN_SERVICE_LEVEL:
        by = met - promised
        found.append((abs(by) / promised, "service_level", promised, by))
    if not found:
        return None
    _, field, value, by = min(found, key=lambda change: change[0])
    return _change(field, value, by, turned)


def _change(field: str, value: float, by: float, turned: str) -> DecisionChange:
    turning = value + by
    sentence = f"With {field} of {turning:.6g} instead of {value:.6g} {turned}."
    return DecisionChange(field, value, turning, sentence)
