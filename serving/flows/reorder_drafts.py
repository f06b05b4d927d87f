"""Reorder questions with their terms, before their demand is known."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from serving.domain.demand import CoverQuery
from serving.domain.history import MAX_HORIZON
from serving.domain.reorder_levels import ROUNDING
from serving.domain.replenishment import (
    ReorderMethod,
    ReorderQuery,
    check_cover,
    check_ratio,
    check_service_level,
)
from serving.domain.supply import TargetKind
from serving.errors import InvalidField, ParlevelError
from serving.flows.reorder_covers import Interval, few, interval
from serving.flows.reorder_inputs import columns_sent, inputs_sent, resolve, table_inputs
from serving.flows.reorder_sources import Weighing, prepare, supply_inputs
from serving.flows.reorder_tables import SupplyTables

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from serving.domain.reorder_levels import ReorderTerms
    from serving.errors import MissingInput
    from serving.flows.reorder_inputs import Resolved
    from serving.flows.reorder_tables import Drawn, Neighbour
    from serving.ports import FeatureSnapshot, StockInputs


@dataclass(frozen=True, slots=True)
class Draft:
    """A reorder question before its demand is known.

    Attributes:
        row: Its place among the questions asked together.
        query: What was asked.
        found: The terms of all questions resolved with it.
        at: Its place among those.
        table_inputs: Inputs taken from tables.
        cover_query: What it asks of the demand flow.
        asked: The days it has to be covered for.
        missing: The failure that names its first missing input; None where nothing is missing.
        weighing: What it draws on beside stock and one supplier; None where there is nothing.
        neighbours: Where a transfer may come from, each with a draft of its own order.
        warnings: What is not weighed, and why.
    """

    row: int
    query: ReorderQuery
    found: Resolved
    at: int
    table_inputs: tuple[str, ...]
    cover_query: CoverQuery
    asked: Interval
    missing: MissingInput | None = None
    weighing: Weighing | None = None
    neighbours: tuple[tuple[Neighbour, Draft], ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def days(self) -> tuple[int, ...]:
        """The days it was forecast for, in order."""
        return (self.cover_query.cover_days, *self.cover_query.others)

    @property
    def terms(self) -> ReorderTerms:
        """Its own terms."""
        return self.found.terms.take(np.array([self.at]))


_ONE_DAY = Interval((1,), (0,), (1.0,))
_NO_TABLES = SupplyTables(None)


@dataclass(frozen=True, slots=True)
class _Opened:
    """A question and what it and the tables say, its terms not settled yet."""

    row: int
    stock: StockInputs
    drawn: Drawn
    sent: Mapping[str, float]


def drafts_of(
    queries: Iterable[tuple[int, ReorderQuery]],
    snapshot: FeatureSnapshot,
    longest: int,
    tables: SupplyTables = _NO_TABLES,
) -> tuple[list[Draft], dict[int, ParlevelError]]:
    """Find the terms of questions and the days they ask a forecast for.

    Args:
        queries: What is asked, each with its place among the questions asked together.
        snapshot: What the tables say of stock and terms.
        longest: Days the model was trained for.
        tables: What the tables let an order draw on.

    Returns:
        The drafts, and why the others failed: the series is in no table, the cover or the service
        level is beyond the model's, or a stored service level cannot be promised.
    """
    drafts: list[Draft] = []
    failures: dict[int, ParlevelError] = {}
    groups: dict[ReorderMethod, list[_Opened]] = {}
    for row, query in queries:
        try:
            one = _opened(row, query, snapshot, tables)
        except ParlevelError as error:
            failures[row] = error.with_traceback(None)  # it would hold this frame
            continue
        groups.setdefault(query.method, []).append(one)
    for method, group in groups.items():
        found = resolve(
            columns_sent([one.sent for one in group]), [one.stock for one in group], method
        )
        known = _terms_of(found)
        for at, one in enumerate(group):
            try:
                drafts.append(_draft(one, found, at, known[at], (snapshot, longest)))
            except ParlevelError as error:
                failures[one.row] = error.with_traceback(None)
    return drafts, failures


class _Terms(NamedTuple):
    """What the days of one series are found from, and what is promised of it."""

    lead_time_days: float
    lead_time_std_days: float
    review_days: float
    days: float
    service_level: float
    target_kind: float
    cover_days: int


def _terms_of(found: Resolved) -> list[_Terms]:
    """Return the terms one by one; those that miss something, or are beyond any cover, have 1."""
    terms = found.terms
    some = np.flatnonzero(found.complete & (terms.days <= MAX_HORIZON))
    covers = np.ones(terms.days.shape, dtype=np.int64)
    covers[some] = terms.take(some).cover_days
    columns = [getattr(terms, name).tolist() for name in _Terms._fields[:-1]] + [covers.tolist()]
    return [_Terms(*row) for row in zip(*columns, strict=True)]


def _opened(
    row: int, query: ReorderQuery, snapshot: FeatureSnapshot, tables: SupplyTables
) -> _Opened:
    stock = snapshot.stock(query.sku, query.location)
    drawn = tables.of(query, stock)
    sent = inputs_sent(drawn.query)
    if drawn.query.supply is not None:
        sent |= supply_inputs(drawn.query.supply)
    return _Opened(row, stock, drawn, sent)


def _draft(
    one: _Opened, found: Resolved, at: int, terms: _Terms, stored: tuple[FeatureSnapshot, int]
) -> Draft:
    """Lay out a question whose terms are found.

    Raises:
        UnknownSeries: If its stock stands in lots and it is in no table.
        BeyondTrained: If the cover or the service level is beyond the model's.
        InvalidField: If a stored service level cannot be promised.
    """
    query, (snapshot, longest) = one.drawn.query, stored
    read = table_inputs(one.sent, one.stock, query.method)
    from_tables = tuple(sorted({*read, *one.drawn.names})) if one.drawn.names else read
    missing = found.first_missing(at)
    if missing is not None:
        # A series that nobody knows, or that is stale, is the truer failure: it comes first.
        cover_query = CoverQuery(query.sku, query.location, 1)
        return Draft(one.row, query, found, at, from_tables, cover_query, _ONE_DAY, missing)
    _check_promise(terms)
    check_cover("lead_time_days", terms.days)
    if query.supply is not None:
        drafted = Draft(
            one.row,
            query,
            found,
            at,
            from_tables,
            _cover_query(query, terms.cover_days, set()),
            _ONE_DAY,
            warnings=one.drawn.warnings,
        )
        return _with_supply(drafted, one.drawn.neighbours, snapshot, longest)
    if query.lead_time is None:
        lead_time = few(terms.lead_time_days, terms.lead_time_std_days)
    else:
        lead_time = query.lead_time.lead_time()
    asked = interval(lead_time, terms.review_days, longest)
    return Draft(
        one.row,
        query,
        found,
        at,
        from_tables,
        _cover_query(query, terms.cover_days, asked.days),
        asked,
        warnings=one.drawn.warnings,
    )


def _with_supply(
    draft: Draft, neighbours: tuple[Neighbour, ...], snapshot: FeatureSnapshot, longest: int
) -> Draft:
    """Lay out what a question draws on, and the days that asks a forecast for."""
    query = draft.query
    weighing = prepare(query, (draft.terms, draft.found.assumed_of(draft.at)), snapshot, longest)
    arriving = {math.ceil(one.days - ROUNDING) for one in neighbours}
    others = weighing.days | {min(day, longest) for day in arriving if day > 0}
    theirs, failures = drafts_of(
        [(place, ReorderQuery(query.sku, one.location)) for place, one in enumerate(neighbours)],
        snapshot,
        longest,
    )
    for failure in failures.values():
        raise failure
    return dataclasses.replace(
        draft,
        cover_query=_cover_query(query, draft.cover_query.cover_days, others),
        weighing=dataclasses.replace(weighing, more_days=frozenset(arriving)),
        neighbours=tuple((neighbours[one.row], one) for one in theirs),
    )


def _cover_query(query: ReorderQuery, days: int, others: set[int]) -> CoverQuery:
    return CoverQuery(query.sku, query.location, days, query.plan, tuple(sorted(others - {days})))


def _check_promise(terms: _Terms) -> None:
    """Refuse what cannot be promised, whoever said it.

    Raises:
        BeyondTrained: If the promise is beyond the trained levels.
        InvalidField: If it is none.
    """
    kind, level = TargetKind(int(terms.target_kind)), terms.service_level
    if kind is TargetKind.CYCLE_SERVICE:
        check_service_level("service_level", level)
    elif kind is TargetKind.FILL_RATE:
        if not 0 < level < 1:
            raise InvalidField("fill_rate", "must be above 0 and below 1")
    else:
        check_ratio(level)
