"""Reorder questions between their terms and their decision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from serving.domain.demand import CoverQuery
from serving.domain.reorder_levels import ReorderTerms, Rule, decide, outlook
from serving.domain.reorder_words import cheapest_change, explain
from serving.domain.replenishment import (
    AfterOrder,
    Reorder,
    ReorderQuery,
    check_cover,
    check_service_level,
)
from serving.domain.supply import TargetKind
from serving.flows.reorder_answers import order_date, provenance_of, warnings_of
from serving.flows.reorder_covers import Interval, few, interval, one_each
from serving.flows.reorder_inputs import inputs_sent, resolve, table_inputs
from serving.flows.reorder_sources import Weighing, prepare, supply_inputs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serving.domain.demand import Cover
    from serving.flows.reorder_inputs import Resolved
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
    """

    row: int
    query: ReorderQuery
    found: Resolved
    table_inputs: tuple[str, ...]
    cover_query: CoverQuery
    asked: Interval
    weighing: Weighing | None = None

    @property
    def rule(self) -> Rule:
        """How its level is computed."""
        return Rule(self.query.method, self.query.target)

    @property
    def days(self) -> tuple[int, ...]:
        """The days it was forecast for, in order."""
        return (self.cover_query.cover_days, *self.cover_query.others)


_ONE_DAY = Interval((1,), (0,), (1.0,))


def draft_of(row: int, query: ReorderQuery, snapshot: FeatureSnapshot, longest: int) -> Draft:
    """Find a question's terms and the days it asks a forecast for.

    Raises:
        UnknownSeries: If its stock stands in lots and it is in no table.
        BeyondTrained: If the cover or the service level is beyond the model's.
        InvalidField: If a stored service level cannot be promised.
    """
    stock = snapshot.stock(query.sku, query.location)
    sent = inputs_sent(query)
    if query.supply is not None:
        sent |= supply_inputs(query.supply)
    found = resolve(sent, [stock], query.method)
    from_tables = table_inputs(sent, stock, query.method)
    if found.missing:
        # A series that nobody knows, or that is stale, is the truer failure: it comes first.
        cover_query = CoverQuery(query.sku, query.location, 1)
        return Draft(row, query, found, from_tables, cover_query, _ONE_DAY)
    terms = found.terms
    if query.target is TargetKind.CYCLE_SERVICE:
        check_service_level("service_level", float(terms.service_level[0]))
    check_cover("lead_time_days", float(terms.days[0]))
    days = int(terms.cover_days[0])
    if query.supply is not None:
        weighing = prepare(query, found, snapshot, longest)
        others = weighing.days - {days}
        cover_query = CoverQuery(query.sku, query.location, days, query.plan, tuple(sorted(others)))
        return Draft(row, query, found, from_tables, cover_query, _ONE_DAY, weighing)
    if query.lead_time is None:
        mean, std = float(terms.lead_time_days[0]), float(terms.lead_time_std_days[0])
        lead_time = few(mean, std)
    else:
        lead_time = query.lead_time.lead_time()
    asked = interval(lead_time, float(terms.review_days[0]), longest)
    others = asked.days - {days}
    cover_query = CoverQuery(query.sku, query.location, days, query.plan, tuple(sorted(others)))
    return Draft(row, query, found, from_tables, cover_query, asked)


def decided(drafts: Sequence[Draft], covers: Sequence[Cover]) -> list[Reorder]:
    """Decide on questions of one rule from their demand."""
    rule = drafts[0].rule
    terms = ReorderTerms.joined([draft.found.terms for draft in drafts])
    demand = one_each([draft.asked for draft in drafts], [draft.days for draft in drafts], covers)
    levels = decide(terms, demand, rule)
    orders, probabilities = levels.order_quantity.tolist(), levels.stockout_probability.tolist()
    up_to, safety = levels.order_up_to.tolist(), levels.safety_stock.tolist()
    expected, positions = levels.expected_demand.tolist(), terms.position.tolist()
    fill = levels.fill_rate.tolist()
    after = outlook(demand, terms.position + levels.order_quantity)
    risks, shortages, holdings = (
        after.stockout_probability.tolist(),
        after.shortage.tolist(),
        after.holding.tolist(),
    )
    by_level = rule == Rule()
    return [
        Reorder(
            query=draft.query,
            origin=cover.origin,
            order_quantity=orders[row],
            order_up_to=up_to[row],
            reorder_point=up_to[row],
            safety_stock=safety[row],
            expected_demand=expected[row],
            inventory_position=positions[row],
            stockout_probability=probabilities[row],
            cover_days=draft.cover_query.cover_days,
            service_level=float(terms.service_level[row]),
            table_inputs=draft.table_inputs,
            reason=explain(terms, levels, row, rule.target),
            provenance=provenance_of(
                cover.provenance,
                warnings_of(
                    draft.found.assumed,
                    levels.bounded[row : row + 1],
                    clipped=draft.asked.clipped,
                ),
            ),
            expected_fill_rate=fill[row],
            after_order=AfterOrder(risks[row], shortages[row], holdings[row]),
            order_date=order_date(cover, positions[row] - up_to[row], orders[row]),
            cheapest_change=cheapest_change(terms, levels, row, by_service_level=by_level),
        )
        for row, (draft, cover) in enumerate(zip(drafts, covers, strict=True))
    ]
