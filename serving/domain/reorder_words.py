"""A decision in words: its reason, and what would turn it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from serving.domain.replenishment import MIN_SERVICE_LEVEL
from serving.domain.supply import DecisionChange, TargetKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serving.domain.reorder_levels import ReorderLevels, ReorderTerms

_PROMISES = {
    TargetKind.CYCLE_SERVICE: "a service level of",
    TargetKind.FILL_RATE: "a fill rate of",
    TargetKind.COST: "a critical ratio of",
}


def explain(
    terms: ReorderTerms,
    levels: ReorderLevels,
    row: int = 0,
    target: TargetKind = TargetKind.CYCLE_SERVICE,
) -> str:
    """Say the decision on one of n series in one sentence.

    Args:
        terms: Stock and terms of n series.
        levels: What was decided on them.
        row: Which of them.
        target: What was promised.

    Returns:
        The sentence.
    """
    position, up_to = float(terms.position[row]), float(levels.order_up_to[row])
    order = float(levels.order_quantity[row])
    rule = (
        f"the order-up-to level of {units(up_to)} ({units(float(levels.expected_demand[row]))} "
        f"expected over {terms.cover_days[row]} days and {units(float(levels.safety_stock[row]))} "
        f"of safety stock for {_PROMISES[target]} {float(terms.service_level[row]):g})"
    )
    if order == 0:
        return f"Order nothing: the inventory position of {units(position)} has reached {rule}."
    pack, minimum = float(terms.pack_size[row]), float(terms.minimum_order_quantity[row])
    steps = []
    if up_to - position < minimum:
        steps.append(f"the minimum order of {units(minimum)}")
    if pack > 0:
        steps.append(f"whole packs of {units(pack)}")
    raised = f", raised to {' and '.join(steps)}" if steps and order > up_to - position else ""
    return (
        f"Order {units(order)}: the inventory position of {units(position)} is "
        f"{units(up_to - position)} below {rule}{raised}."
    )


def units(value: float) -> str:
    """Write units with at most two decimals.

    Args:
        value: The units.

    Returns:
        The text.
    """
    text = f"{value:,.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def cheapest_change(
    terms: ReorderTerms, levels: ReorderLevels, row: int = 0, *, by_service_level: bool = True
) -> DecisionChange | None:
    """Find the least change of one input, relative to its size, that turns a decision.

    Stock turns it where the position meets the level; the service level where the level meets the
    position.

    Args:
        terms: Stock and terms of n series.
        levels: What was decided on them.
        row: Which of them.
        by_service_level: Whether the level is the quantile at the service level.

    Returns:
        The change, or None where none within the ranges turns it.
    """
    gap = float(levels.order_up_to[row] - terms.position[row])
    ordered = float(levels.order_quantity[row]) > 0
    turned = "nothing would be ordered" if ordered else "an order would be due"
    on_hand = float(terms.on_hand[row])
    found: list[tuple[float, DecisionChange]] = []
    if on_hand + gap >= 0:
        size = max(on_hand, float(levels.expected_demand[row]))
        found.append(
            (abs(gap) / size if size > 0 else 0.0, _change("on_hand", on_hand, gap, turned))
        )
    promised = float(terms.service_level[row])
    met = 1.0 - float(levels.stockout_probability[row])
    if by_service_level and not levels.bounded[row] and met >= MIN_SERVICE_LEVEL:
        level = _change("service_level", promised, met - promised, turned)
        found.append((abs(met - promised) / promised, level))
    return _least(found)


def _change(field: str, value: float, by: float, turned: str) -> DecisionChange:
    turning = value + by
    sentence = f"With {field} of {turning:.6g} instead of {value:.6g} {turned}."
    return DecisionChange(field, value, turning, sentence)


def _least(found: Sequence[tuple[float, DecisionChange]]) -> DecisionChange | None:
    return min(found, key=lambda one: one[0])[1] if found else None
