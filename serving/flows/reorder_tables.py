"""What the tables let an order draw on: lots, a neighbour's stock and a faster source."""

from __future__ import annotations

import dataclasses
import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from serving.domain.series import SEPARATOR
from serving.domain.supply import ExpediteOption, StockLot, Supply

if TYPE_CHECKING:
    from serving.domain.replenishment import ReorderQuery
    from serving.ports import ReferenceReader, StockInputs

SUPPLY = "supply"
ANY = ""  # key of the document that is there where any series has one


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A location that stock may come from.

    Attributes:
        location: The location.
        days: Days until its stock arrives.
        capacity: Most units its lane takes; None is no limit.
    """

    location: str
    days: float
    capacity: float | None = None


@dataclass(frozen=True, slots=True)
class Drawn:
    """A question with what its tables let it draw on; the request goes before them.

    Attributes:
        query: The question.
        neighbours: Where a transfer may come from, what they can spare not known yet.
        names: What came from tables, by field name.
        warnings: What is not weighed, and why.
    """

    query: ReorderQuery
    neighbours: tuple[Neighbour, ...] = ()
    names: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class SupplyTables:
    """Reads what the tables let orders draw on."""

    def __init__(self, reference: ReferenceReader | None) -> None:
        """Take the reader of the documents; None where there is none."""
        self._reference = reference
        self._known = ("", False)

    def of(self, query: ReorderQuery, stock: StockInputs) -> Drawn:
        """Lay what the tables let a series draw on under its question.

        Args:
            query: The question.
            stock: What the tables say of the stock and terms of its series.

        Returns:
            The question as it is to be weighed.
        """
        body = self._document(query)
        return Drawn(query) if body is None else _drawn(query, stock, body)

    def _document(self, query: ReorderQuery) -> dict[str, Any] | None:
        reference = self._reference
        if reference is None:
            return None
        generation, some = self._known
        if reference.generation != generation:  # most tables say nothing: one look a generation
            some = reference.document(SUPPLY, ANY) is not None
            self._known = (reference.generation, some)
        if not some:
            return None
        return reference.document(SUPPLY, SEPARATOR.join((query.sku, query.location)))


def _drawn(query: ReorderQuery, stock: StockInputs, body: dict[str, Any]) -> Drawn:
    supply = query.supply or Supply()
    found: dict[str, Any] = {}
    if body["lots"] and not supply.lots and query.on_hand is None:
        found["lots"] = tuple(
            StockLot(units, None if day is None else dt.date.fromisoformat(day))
            for units, day in body["lots"]
        )
    neighbours = () if supply.transfers else tuple(Neighbour(**one) for one in body["neighbours"])
    # What a supplier of the request costs beside those of the table is not known.
    expedite = body["expedite"] if supply.expedite is None and not supply.suppliers else None
    underage = stock.underage_cost if query.underage_cost is None else query.underage_cost
    warnings: list[str] = []
    if (neighbours or expedite) and underage is None:
        warnings.append(
            "transfers and an expedite of the tables are not weighed: underage_cost is neither "
            "sent nor in table 'policy'"
        )
        neighbours, expedite = (), None
    if expedite is not None and expedite["extra_unit_cost"] is None:
        warnings.append(
            "an expedite is not weighed: table 'sourcing' does not tell its price in one currency"
        )
        expedite = None
    if expedite is not None:
        found["expedite"] = ExpediteOption(**expedite)
    names = [*found, *(["transfers"] if neighbours else [])]
    if not names:
        return Drawn(query, warnings=tuple(warnings))
    if "lots" not in names or len(names) > 1:
        names += ["underage_cost"] if query.underage_cost is None else []
        query = dataclasses.replace(query, underage_cost=underage)
    query = dataclasses.replace(query, supply=dataclasses.replace(supply, **found))
    return Drawn(query, neighbours, tuple(names), tuple(warnings))
