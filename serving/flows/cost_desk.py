"""What the stored cost tables say, each document read once for all questions of one call."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from serving.domain.cost import BillLine, Incoterm
from serving.domain.cost_rollup import PartRecord
from serving.domain.part_features import Part, Terms

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from serving.domain.cost import Quote, ShouldCostQuery
    from serving.domain.part_features import Attributes, PartEncoding
    from serving.ports import ReferenceReader

PART, COMPONENT, RATES = "cost_part", "cost_component", "cost_rates"
_EPOCH = np.datetime64("1970-01-01", "D")


class CostDesk:
    """Reads parts and components for the questions of one call."""

    def __init__(self, reference: ReferenceReader) -> None:
        """Take the reader of what the tables say."""
        self._reference = reference
        self._documents: dict[str, dict[str, Any] | None] = {}
        self._records: dict[str, PartRecord | None] = {}
        self._components: dict[str, Attributes] = {}

    def record(self, sku: str) -> PartRecord | None:
        """Return what the tables say of a part, or None where no table has it."""
        if sku not in self._records:
            said = self._document(sku)
            self._records[sku] = None if said is None else _record(said)
        return self._records[sku]

    def rows(
        self, encoding: PartEncoding, queries: Sequence[ShouldCostQuery], today: dt.date
    ) -> NDArray[np.float32]:
        """Return the rows the model reads of some questions, shape (n, features)."""
        seen: dict[str, NDArray[np.float64]] = {}
        parts = np.empty((len(queries), encoding.width))
        for place, query in enumerate(queries):
            if query.bill or query.sku not in seen:
                row = encoding.part_row(self._part(query), self._components)
                if query.bill:
                    parts[place] = row
                    continue
                seen[query.sku] = row
            parts[place] = seen[query.sku]
        days = [query.as_of_date or today for query in queries]
        terms = terms_of([query.quote for query in queries], days)
        return encoding.rows([query.sku for query in queries], terms, parts)

    def _part(self, query: ShouldCostQuery) -> Part:
        said = self._document(query.sku) or {}
        record = self.record(query.sku)
        bill = query.bill or (record.bill if record else ())
        for line in bill:
            if line.component not in self._components:
                found = self._reference.document(COMPONENT, line.component)
                self._components[line.component] = found or {}
        lines = tuple((line.component, line.quantity) for line in bill)
        return Part(query.sku, said.get("attributes", {}), lines)

    def _document(self, sku: str) -> dict[str, Any] | None:
        if sku not in self._documents:
            self._documents[sku] = self._reference.document(PART, sku)
        return self._documents[sku]


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
