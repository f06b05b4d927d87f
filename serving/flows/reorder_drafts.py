"""Reorder questions between their terms and their decision."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from serving.domain.demand import CoverQuery
from serving.domain.reorder_levels import ROUNDING, ReorderTerms, decide, outlook
from serving.domain.reorder_words import cheapest_change, decisions, explain
from serving.domain.replenishment import (
    AfterOrder,
    Reorder,
    ReorderMethod,
    ReorderQuery,
    check_cover,
    check_ratio,
    check_service_level,
)
from serving.domain.supply import TargetKind
from serving.errors import InvalidField
from serving.flows.reorder_answers import order_date, provenance_of, warnings_of
from serving.flows.reorder_covers import Interval, few, interval, one_each
from serving.flows.reorder_inputs import inputs_sent, resolve, table_inputs
from serving.flows.reorder_sources import Weighing, prepare, supply_inputs
from serving.flows.reorder_tables import SupplyTables

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serving.domain.demand import Cover
    from serving.flows.reorder_inputs import Resolved
    from serving.flows.reorder_tables import Neighbour
    from serving.ports import FeatureSnapshot


@dataclass(frozen=True, slots=True)
class Draft:
    """A reorder question before its demand is known.

    Attributes:
        row: Its place among the questions asked together.
        query: What was asked.
        found: Its terms.
        table_inputs: Inputs taken from tables.
        cover_query: What it asks of the demand flow.
        asked: The days it has to be covered for.
        weighing: What it draws on beside stock and one supplier; None where there is nothing.
        neighbours: Where a transfer may come from, each with a draft of its own order.
        warnings: What is not weighed, and why.
    """

    row: int
    query: ReorderQuery
    found: Resolved
    table_inputs: tuple[str, ...]
    cover_query: CoverQuery
    asked: Interval
    weighing: Weighing | None = None
    neighbours: tuple[tuple[Neighbour, Draft], ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def days(self) -> tuple[int, ...]:
        """The days it was forecast for, in order."""
        return (self.cover_query.cover_days, *self.cover_query.others)


_ONE_DAY = Interval((1,), (0,), (1.0,))
_NO_TABLES = SupplyTables(None)


def draft_of(
    row: int,
    query: ReorderQuery,
    snapshot: FeatureSnapshot,
    longest: int,
    tables: SupplyTables = _NO_TABLES,
) -> Draft:
    """Find a question's terms and the days it asks a forecast for.

    Args:
        row: Its place among the questions asked together.
        query: What is asked.
        snapshot: What the tables say of stock and terms.
        longest: Days the model was trained for.
        tables: What the tables let an order draw on.

    Raises:
        UnknownSeries: If its stock stands in lots and it is in no table.
        BeyondTrained: If the cover or the service level is beyond the model's.
        InvalidField: If a stored service level cannot be promised.
    """
    stock = snapshot.stock(query.sku, query.location)
    drawn = tables.of(query, stock)
    query = drawn.query
    sent = inputs_sent(query)
    if query.supply is not None:
        sent |= supply_inputs(query.supply)
    found = resolve(sent, [stock], query.method)
    from_tables = tuple(sorted({*table_inputs(sent, stock, query.method), *drawn.names}))
    if found.missing:
        # A series that nobody knows, or that is stale, is the truer failure: it comes first.
        cover_query = CoverQuery(query.sku, query.location, 1)
        return Draft(row, query, found, from_tables, cover_query, _ONE_DAY)
    terms = found.terms
    _check_promise(terms)
    check_cover("lead_time_days", float(terms.days[0]))
    days = int(terms.cover_days[0])
    if query.supply is not None:
        weighing = prepare(query, found, snapshot, longest)
        arriving = {math.ceil(one.days - ROUNDING) for one in drawn.neighbours}
        others = weighing.days | {min(day, longest) for day in arriving if day > 0}
        neighbours = tuple(
            (one, draft_of(row, ReorderQuery(query.sku, one.location), snapshot, longest))
            for one in drawn.neighbours
        )
        return Draft(
            row,
            query,
            found,
            from_tables,
            _cover_query(query, days, others),
            _ONE_DAY,
            dataclasses.replace(weighing, more_days=frozenset(arriving)),
            neighbours,
            drawn.warnings,
        )
    if query.lead_time is None:
        mean, std = float(terms.lead_time_days[0]), float(terms.lead_time_std_days[0])
        lead_time = few(mean, std)
    else:
        lead_time = query.lead_time.lead_time()
    asked = interval(lead_time, float(terms.review_days[0]), longest)
    cover_query = _cover_query(query, days, asked.days)
    return Draft(row, query, found, from_tables, cover_query, asked, warnings=drawn.warnings)


def _cover_query(query: ReorderQuery, days: int, others: set[int]) -> CoverQuery:
    return CoverQuery(query.sku, query.location, days, query.plan, tuple(sorted(others - {days})))


def _check_promise(terms: ReorderTerms) -> None:
    """Refuse what cannot be promised, whoever said it.

    Raises:
        BeyondTrained: If the promise is beyond the trained levels.
        InvalidField: If it is none.
    """
    kind, level = terms.kind(0), float(terms.service_level[0])
    if kind is TargetKind.CYCLE_SERVICE:
        check_service_level("service_level", level)
    elif not terms.promisable[0]:
        if kind is TargetKind.FILL_RATE:
            raise InvalidField("fill_rate", "must be above 0 and below 1")
        check_ratio(level)


def decided(drafts: Sequence[Draft], covers: Sequence[Cover]) -> list[Reorder]:
    """Decide on questions of one method from their demand."""
    method = drafts[0].query.method
    terms = ReorderTerms.joined([draft.found.terms for draft in drafts])
    demand = one_each([draft.asked for draft in drafts], [draft.days for draft in drafts], covers)
    levels = decide(terms, demand, method)
    after = outlook(demand, terms.position + levels.order_quantity)
    risks, shortages, holdings = (
        after.stockout_probability.tolist(),
        after.shortage.tolist(),
        after.holding.tolist(),
    )
    by_quantile = method is ReorderMethod.DISTRIBUTION
    return [
        Reorder(
            query=draft.query,
            origin=cover.origin,
            order_quantity=one.order_quantity,
            order_up_to=one.order_up_to,
            reorder_point=one.order_up_to,
            safety_stock=one.safety_stock,
            expected_demand=one.expected_demand,
            inventory_position=one.position,
            stockout_probability=one.stockout_probability,
            cover_days=one.cover_days,
            service_level=one.service_level,
            target=one.target,
            table_inputs=draft.table_inputs,
            reason=explain(one),
            provenance=provenance_of(
                cover.provenance,
                warnings_of(
                    draft.found.assumed,
                    levels.bounded[row : row + 1],
                    clipped=draft.asked.clipped,
                )
                + draft.warnings,
            ),
            expected_fill_rate=one.fill_rate,
            after_order=AfterOrder(risks[row], shortages[row], holdings[row]),
            order_date=order_date(cover, -one.gap, one.order_quantity),
            cheapest_change=cheapest_change(one, by_quantile=by_quantile),
        )
        for row, (draft, cover, one) in enumerate(
            zip(drafts, covers, decisions(terms, levels), strict=True)
        )
    ]
