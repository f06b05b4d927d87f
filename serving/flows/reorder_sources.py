"""Where a reorder may draw from, before its demand is known."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from serving.domain.reorder_levels import ROUNDING
from serving.domain.replenishment import check_cover
from serving.errors import UnknownSeries
from serving.flows.evidence import DAY_SECONDS, civil
from serving.flows.reorder_covers import few, interval

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from serving.domain.reorder_levels import ReorderTerms
    from serving.domain.replenishment import ReorderQuery
    from serving.domain.supply import SupplierOption, Supply
    from serving.flows.reorder_covers import Interval
    from serving.ports import FeatureSnapshot

    Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Source:
    """Where an order may come from.

    Attributes:
        supplier: The supplier; None where there is no choice.
        terms: Stock and terms of the one series.
        asked: The days it has to be covered for.
    """

    supplier: SupplierOption | None
    terms: ReorderTerms
    asked: Interval


@dataclass(frozen=True, slots=True)
class Weighing:
    """A reorder question whose options are to be weighed.

    Attributes:
        query: What was asked.
        supply: What it draws on.
        terms: Stock and terms of the one series, whoever supplies it.
        assumed: Where a default worth a warning stands in, by name, shape (1,) each.
        origin: Last known day.
        sources: Where the order may come from, one or more.
        longest: Days the model was trained for.
        more_days: Days a forecast is needed for beside those of its supply.
    """

    query: ReorderQuery
    supply: Supply
    terms: ReorderTerms
    assumed: Mapping[str, Flags]
    origin: dt.date
    sources: tuple[Source, ...]
    longest: int
    more_days: frozenset[int] = frozenset()

    @property
    def days(self) -> set[int]:
        """Every number of days a forecast is needed for."""
        days = set().union(*(source.asked.days for source in self.sources))
        days |= {day for day, _ in self.expiries() if day}
        days |= {math.ceil(one.days - ROUNDING) for one in self.supply.transfers}
        if self.supply.expedite is not None:
            days.add(math.ceil(self.supply.expedite.lead_time_days - ROUNDING))
        days |= {self.lead_days(source) for source in self.sources}
        days |= self.more_days
        return {min(day, self.longest) for day in days if day > 0}

    def lead_days(self, source: Source) -> int:
        """Return the mean lead time of a source in whole days."""
        return min(self.longest, math.ceil(float(source.terms.lead_time_days[0]) - ROUNDING))

    def ahead(self, date: dt.date) -> int:
        """Return how many days after the origin a date lies, 0 where it has passed."""
        return max(0, (date - self.origin).days)

    def expiries(self) -> list[tuple[int, float]]:
        """Return the days ahead and units of everything that expires within the trained cover."""
        lots = [(lot.expiry_date, lot.quantity) for lot in self.supply.lots]
        lots += [(one.expiry_date, one.quantity) for one in self.supply.receipts]
        dated = ((self.ahead(date), quantity) for date, quantity in lots if date is not None)
        return [(day, quantity) for day, quantity in dated if day <= self.longest]

    def expired(self) -> float:
        """Return the units in stock that have expired."""
        return math.fsum(quantity for day, quantity in self.expiries() if day == 0)

    def late(self, days: int) -> float:
        """Return the units on order that arrive after so many days."""
        return math.fsum(
            one.quantity for one in self.supply.receipts if self.ahead(one.due_date) > days
        )


def supply_inputs(supply: Supply) -> dict[str, float]:
    """Return the inputs that a question's supply carries."""
    sent: dict[str, float] = {}
    if supply.lots:
        sent["on_hand"] = math.fsum(lot.quantity for lot in supply.lots)
    if supply.receipts:
        sent["on_order"] = math.fsum(one.quantity for one in supply.receipts)
    if supply.suppliers:
        sent |= _terms_of(supply.suppliers[0])
    return sent


def prepare(
    query: ReorderQuery,
    found: tuple[ReorderTerms, Mapping[str, Flags]],
    snapshot: FeatureSnapshot,
    longest: int,
) -> Weighing:
    """Find the last known day and the terms of every source.

    Args:
        query: What was asked.
        found: Stock and terms of its series, and what is assumed of them.
        snapshot: The stored features.
        longest: Days the model was trained for.

    Raises:
        UnknownSeries: If the sku or location is in no table.
        BeyondTrained: If a supplier's cover is beyond any model's.
    """
    supply = query.supply
    if supply is None:
        raise AssertionError
    origin = _origin(query, snapshot)
    terms, assumed = found
    covered = terms
    if supply.shelf_life_days is not None:
        # Goods that spoil before the next ones arrive cover no day after that.
        covered = dataclasses.replace(
            terms, review_days=np.minimum(terms.review_days, supply.shelf_life_days)
        )
    sources = [_source(query, covered, longest, option) for option in supply.suppliers]
    if not sources:
        sources = [_source(query, covered, longest, None)]
    return Weighing(query, supply, terms, assumed, origin, tuple(sources), longest)


def _origin(query: ReorderQuery, snapshot: FeatureSnapshot) -> dt.date:
    """Return the last known day of a series, that of its product where it has no past."""
    state = snapshot.record("demand_state", (query.sku, query.location))
    known = state or snapshot.record("product", (query.sku,))
    if known is None:
        raise UnknownSeries("sku", query.sku)
    return civil(known.event_time // DAY_SECONDS - 1)


def _terms_of(option: SupplierOption) -> dict[str, float]:
    return {
        "lead_time_days": option.lead_time_days,
        "lead_time_std_days": option.lead_time_std_days,
        "minimum_order_quantity": option.minimum_order_quantity,
        "pack_size": option.pack_size or 0.0,
    }


def _source(
    query: ReorderQuery, terms: ReorderTerms, longest: int, option: SupplierOption | None
) -> Source:
    if option is not None:
        own = {name: np.array([value]) for name, value in _terms_of(option).items()}
        terms = dataclasses.replace(terms, **own)
        check_cover(f"suppliers.{option.supplier_id}.lead_time_days", float(terms.days[0]))
    if query.lead_time is None:
        mean, std = float(terms.lead_time_days[0]), float(terms.lead_time_std_days[0])
        lead_time = few(mean, std)
    else:
        lead_time = query.lead_time.lead_time()
    return Source(option, terms, interval(lead_time, float(terms.review_days[0]), longest))
