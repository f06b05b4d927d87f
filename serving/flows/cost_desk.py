"""What the stored cost tables say, each document read once while it is asked of again."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from serving.domain.cost import BillLine, Incoterm
from serving.domain.cost_usage import PartRecord
from serving.domain.part_features import Part, Terms, bill_measures

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from serving.domain.cost import Quote, ShouldCostQuery
    from serving.domain.part_features import Attributes, PartEncoding
    from serving.ports import ReferenceReader

PART, COMPONENT, RATES = "cost_part", "cost_component", "cost_rates"
MOST_KEPT = 20_000  # parts, and components, kept at hand
_EPOCH = np.datetime64("1970-01-01", "D")


@dataclass(frozen=True, slots=True)
class _Stored:
    """A part as its document says it."""

    record: PartRecord
    attributes: Attributes


_UNREAD = _Stored(PartRecord(), {})


class CostDesk:
    """Reads parts and components of one generation, and keeps those asked of last."""

    def __init__(self, reference: ReferenceReader) -> None:
        """Take the reader of what the tables say."""
        self._reference = reference
        self._parts: dict[str, _Stored | None] = {}
        self._components: dict[str, Attributes] = {}

    def record(self, sku: str) -> PartRecord | None:
        """Return what the tables say of a part, or None where no table has it."""
        found = self._stored(sku)
        return None if found is None else found.record

    def rows(
        self, encoding: PartEncoding, queries: Sequence[ShouldCostQuery], today: dt.date
    ) -> NDArray[np.float32]:
        """Return the rows the model reads of some questions, shape (n, features)."""
        parts: list[Part] = []
        components: dict[str, Attributes] = {}
        stored: dict[str, int] = {}
        places = []
        for query in queries:
            known = None if query.bill else stored.get(query.sku)
            if known is None:
                known = len(parts)
                parts.append(self._part(query, components))
                if not query.bill:
                    stored[query.sku] = known
            places.append(known)
        known_of_parts = encoding.part_rows(parts, components)[places]
        days = [query.as_of_date or today for query in queries]
        terms = terms_of([query.quote for query in queries], days)
        return encoding.rows([query.sku for query in queries], terms, known_of_parts)

    def _part(self, query: ShouldCostQuery, components: dict[str, Attributes]) -> Part:
        """Return one part, and note the attributes of its components."""
        found = self._stored(query.sku)
        bill = query.bill or (found.record.bill if found else ())
        for line in bill:
            if line.component not in components:
                components[line.component] = self._component(line.component)
        lines = tuple((line.component, line.quantity) for line in bill)
        measured = ((one.quantity, one.commodity, one.mass_kg, one.labor_minutes) for one in bill)
        attributes = found.attributes if found else {}
        return Part(query.sku, attributes, lines, bill_measures(measured))

    def _stored(self, sku: str) -> _Stored | None:
        # One look-up: another thread may empty what is kept between a test and a read.
        known = self._parts.get(sku, _UNREAD)
        if known is not _UNREAD:
            return known
        said = self._reference.document(PART, sku)
        found = None if said is None else _Stored(_record(said), said["attributes"])
        if len(self._parts) >= MOST_KEPT:
            self._parts.clear()
        self._parts[sku] = found
        return found

    def _component(self, name: str) -> Attributes:
        known = self._components.get(name)
        if known is None:
            known = self._reference.document(COMPONENT, name) or {}
            if len(self._components) >= MOST_KEPT:
                self._components.clear()
            self._components[name] = known
        return known


def terms_of(quotes: Sequence[Quote], days: Sequence[dt.date]) -> Terms:
    """Return what the model reads of the terms of some quotes."""

    def column(values: Sequence[float | None]) -> NDArray[np.float64]:
        return np.array(values, dtype=np.float64)  # None becomes NaN

    brackets = [quote.bracket_quantities for quote in quotes]
    return Terms(
        quantity=column([quote.quantity for quote in quotes]),
        minimum_order_quantity=column([quote.minimum_order_quantity for quote in quotes]),
        annual_usage=column([quote.annual_usage for quote in quotes]),
        bracket_pricing=column([_bracketed(quote) for quote in quotes]),
        bracket_count=column([float(len(one)) if one else None for one in brackets]),
        least_bracket=column([min(one, default=math.nan) for one in brackets]),
        greatest_bracket=column([max(one, default=math.nan) for one in brackets]),
        bracket_rank=column(
            [
                float(sum(each <= quote.quantity for each in quote.bracket_quantities))
                if quote.bracket_quantities
                else None
                for quote in quotes
            ]
        ),
        day=(np.array(days, dtype="datetime64[D]") - _EPOCH).astype(np.float64),
        suppliers=tuple(quote.supplier_id for quote in quotes),
    )


def _bracketed(quote: Quote) -> float | None:
    if quote.bracket_pricing is not None:
        return float(quote.bracket_pricing)
    return float(len(quote.bracket_quantities) > 1) if quote.bracket_quantities else None


def _record(said: Mapping[str, Any]) -> PartRecord:
    return PartRecord(
        bill=tuple(BillLine(*line) for line in said["bill"]),
        category=said["category"],
        weight_kg=said["weight_kg"],
        price=said["price"],
        price_currency=said["price_currency"],
        supplier_id=said["supplier_id"],
        plant_id=said["plant_id"],
        destination=said["destination"],
        incoterm=Incoterm(said["incoterm"]) if said["incoterm"] else None,
    )
