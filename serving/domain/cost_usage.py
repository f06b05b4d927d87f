"""What one unit of a part uses: its bill laid open to commodities, bought components and work."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from serving.errors import InvalidField

if TYPE_CHECKING:
    from serving.domain.cost import BillLine, Incoterm

MAX_DEPTH = 50
MAX_STEPS = 100_000  # lines a bill may have once every sub-bill is laid open


@dataclass(frozen=True, slots=True)
class PartRecord:
    """What the tables say of a part; empty and None where they are silent.

    Attributes:
        bill: Lines of its bill.
        category: Category of the product.
        weight_kg: Weight of one unit.
        price: Money one unit is bought for.
        price_currency: Currency of that price.
        supplier_id: Preferred supplier.
        plant_id: Plant that makes it.
        destination: Country it is delivered to.
        incoterm: What its price covers.
    """

    bill: tuple[BillLine, ...] = ()
    category: str = ""
    weight_kg: float | None = None
    price: float | None = None
    price_currency: str = ""
    supplier_id: str = ""
    plant_id: str = ""
    destination: str = ""
    incoterm: Incoterm | None = None


class PartReader(Protocol):
    """Gives what the tables say of parts."""

    def record(self, sku: str) -> PartRecord | None:
        """Return the record of a part, or None where no table has it."""


@dataclass(slots=True)
class Usage:
    """What one unit of a part uses, its sub-bills laid open.

    Attributes:
        commodities: Kilograms bought by commodity.
        bought: Units by component.
        minutes: Minutes of work.
        net_kg: Kilograms of commodities that end in the part.
    """

    commodities: dict[str, float] = field(default_factory=dict)
    bought: dict[str, float] = field(default_factory=dict)
    minutes: float = 0.0
    net_kg: float = 0.0


def usage_of(sku: str, bill: tuple[BillLine, ...], parts: PartReader) -> Usage:
    """Lay a bill open down to commodities, bought components and work.

    Args:
        sku: The part.
        bill: Its bill.
        parts: Reads the records of components.

    Returns:
        What one unit of the part uses.

    Raises:
        InvalidField: If it holds a component cycle, or is too deep or too long.
    """
    usage, steps = Usage(), 0
    open_lines: list[tuple[BillLine, float, tuple[str, ...]]] = [
        (line, 1.0, (sku,)) for line in reversed(bill)
    ]
    while open_lines:
        line, units, path = open_lines.pop()
        steps += 1
        if line.component in path:
            cycle = " > ".join((*path[path.index(line.component) :], line.component))
            raise InvalidField("bill", f"holds a component cycle: {cycle}")
        if len(path) > MAX_DEPTH or steps > MAX_STEPS:
            raise InvalidField(
                "bill", f"must open to {MAX_DEPTH} levels, {MAX_STEPS:,} lines at most"
            )
        units *= line.quantity
        usage.minutes += units * line.labor_minutes
        below = parts.record(line.component)
        if below is not None and below.bill:
            inner = (*path, line.component)
            open_lines += [(one, units, inner) for one in reversed(below.bill)]
        elif line.commodity:
            bought = units * line.mass_kg / line.yield_rate
            usage.commodities[line.commodity] = usage.commodities.get(line.commodity, 0.0) + bought
            usage.net_kg += units * line.mass_kg
        elif not line.labor_minutes or (below is not None and below.price is not None):
            usage.bought[line.component] = usage.bought.get(line.component, 0.0) + units
    return usage
