"""Where supply comes from: what is promised, and options as they were weighed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class TargetKind(StrEnum):
    """What is promised."""

    CYCLE_SERVICE = "cycle_service"
    """Probability of no stock-out in a replenishment cycle."""
    FILL_RATE = "fill_rate"
    """Share of demand met from stock at once."""
    COST = "cost"
    """Least expected cost of shortage and leftover."""


class SupplyKind(StrEnum):
    """What kind of source an option is."""

    SUPPLIER = "supplier"
    """An order from a supplier."""
    TRANSFER = "transfer"
    """Stock of a neighbour."""
    EXPEDITE = "expedite"
    """A faster receipt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SupplyChoice:
    """One option as it was weighed."""

    kind: SupplyKind
    """What it is."""
    source: str
    """Supplier or location; empty for an expedite."""
    quantity: float
    """Units to take; 0 where it does not pay."""
    days: float
    """Days until they arrive, the mean where that is not certain."""
    shortage_avoided: float
    """Expected units of shortage it spares; 0 for a supplier."""
    money: float
    """Expected money per unit demanded for a supplier; money gained for the others."""
    chosen: bool
    """Whether the recommendation rests on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionChange:
    """A change of one input that would turn a decision."""

    field: str
    """Field of the request that would have to change."""
    value: float
    """Its value now."""
    turning_value: float
    """The nearest value that turns the decision."""
    sentence: str
    """The change in one sentence."""
