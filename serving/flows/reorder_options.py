"""Reorders that draw on more than stock and one supplier: lots, receipts, options and limits."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from serving.domain.reorder_levels import ROUNDING, decide, outlook
from serving.domain.reorder_words import cheapest_change, decisions, explain, units
from serving.domain.replenishment import AfterOrder, Reorder, ReorderMethod
from serving.domain.supply import SupplyChoice, SupplyKind
from serving.domain.supply_choice import Rescue, Wait, best_rescue, cost_per_unit, whole_packs
from serving.domain.waste import Batch, expected_waste
from serving.flows.reorder_answers import order_date, provenance_of, warnings_of
from serving.flows.reorder_covers import one_each

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from serving.domain.cover_demand import CoverDemand
    from serving.domain.demand import Cover
    from serving.domain.reorder_levels import ReorderLevels, ReorderTerms
    from serving.domain.series import Provenance
    from serving.flows.reorder_sources import Source, Weighing

    Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Draft:
    """What one source would mean.

    Attributes:
        source: The source.
        terms: Stock that can be counted on, and terms.
        demand: Demand over its protection interval.
        levels: What the series needs.
        order: Units to order within the limits.
        waste: Expected units of stock that expire.
        cut: Why fewer are ordered than needed; empty where they are not.
        money: Expected money per unit demanded.
    """

    source: Source
    terms: ReorderTerms
    demand: CoverDemand
    levels: ReorderLevels
    order: float
    waste: float
    cut: str
    money: float


def weigh(
    weighing: Weighing,
    cover: Cover,
    from_tables: tuple[str, ...],
    warnings: tuple[str, ...] = (),
) -> Reorder:
    """Weigh a question's options and recommend what to order.

    Args:
        weighing: The question.
        cover: What is forecast for it.
        from_tables: Inputs taken from tables, by field name.
        warnings: What could not be weighed, and why.
    """
    drafts = [_drafted(weighing, source, cover) for source in weighing.sources]
    chosen = min(
        drafts, key=lambda one: (one.order < float(one.levels.order_quantity[0]), one.money)
    )
    rescue = _rescue(weighing, chosen, cover)
    if rescue.taken is not None and rescue.taken.kind is SupplyKind.TRANSFER:
        chosen = _drafted(weighing, chosen.source, cover, transferred=rescue.taken.quantity)
    reorder = _answer(weighing, cover, chosen, (_choices(drafts, chosen), rescue), from_tables)
    if not warnings:
        return reorder
    return dataclasses.replace(reorder, provenance=_more(reorder.provenance, warnings))


def _more(provenance: Provenance, warnings: tuple[str, ...]) -> Provenance:
    return dataclasses.replace(provenance, warnings=provenance.warnings + warnings)


def _forecast_days(weighing: Weighing, cover_days: int) -> tuple[int, ...]:
    return (cover_days, *sorted(weighing.days - {cover_days}))


def _drafted(weighing: Weighing, source: Source, cover: Cover, transferred: float = 0.0) -> _Draft:
    """Decide as if the order came from one source."""
    query, supply = weighing.query, weighing.supply
    days = _forecast_days(weighing, int(weighing.terms.cover_days[0]))
    demand = one_each([source.asked], [days], [cover])
    ends = int(source.terms.cover_days[0])
    waste = weighing.expired() + expected_waste(
        _batches(weighing, cover, days, ends), float(source.terms.backorders[0])
    )
    terms = dataclasses.replace(
        source.terms,
        on_hand=source.terms.on_hand - waste,
        on_order=source.terms.on_order + transferred - weighing.late(ends),
    )
    levels = decide(terms, demand, query.method)
    held = float(source.terms.on_hand[0] - weighing.expired() + source.terms.on_order[0])
    price = supply.unit_price if source.supplier is None else source.supplier.unit_price
    order, cut = whole_packs(
        float(levels.order_quantity[0]),
        pack_size=float(terms.pack_size[0]),
        minimum=float(terms.minimum_order_quantity[0]),
        room=None if supply.capacity_units is None else supply.capacity_units - held - transferred,
        affordable=supply.budget / price if supply.budget is not None and price else None,
    )
    after = outlook(demand, terms.position + order)
    money = cost_per_unit(
        source.supplier,
        demanded=float(demand.mean[0]),
        shortage=(query.underage_cost or 0.0) * float(after.shortage[0]),
        leftover=(query.overage_cost or 0.0)
        * float(terms.position[0] + order - demand.mean[0] + after.shortage[0]),
    )
    return _Draft(source, terms, demand, levels, order, waste, cut, money)


def _batches(weighing: Weighing, cover: Cover, days: tuple[int, ...], ends: int) -> list[Batch]:
    """Return everything that may expire before the cover ends, with demand up to that day."""
    batches = []
    for day, quantity in sorted(weighing.expiries()):
        if 0 < day < ends:
            batches.append(Batch(quantity, cover.levels, _quantiles(cover, days, day)))
    return batches


def _quantiles(cover: Cover, days: tuple[int, ...], day: int) -> Floats:
    """Return the quantiles of demand over so many days, zeros over none."""
    if day == 0:
        return np.zeros(len(cover.levels))
    at = days.index(day)
    return cover.others[at - 1] if at else cover.quantiles


def _choices(drafts: list[_Draft], chosen: _Draft) -> list[SupplyChoice]:
    """Return the suppliers as they were weighed, the chosen one first."""
    ranked = sorted(drafts, key=lambda one: (one.source is not chosen.source, one.money))
    return [
        SupplyChoice(
            kind=SupplyKind.SUPPLIER,
            source=one.source.supplier.supplier_id,
            quantity=one.order,
            days=float(one.terms.lead_time_days[0]),
            shortage_avoided=0.0,
            money=one.money,
            chosen=one.source is chosen.source,
        )
        for one in ranked
        if one.source.supplier is not None
    ]


def _rescue(weighing: Weighing, chosen: _Draft, cover: Cover) -> Rescue:
    """Weigh transfers and an expedite against running out before the order is there."""
    supply = weighing.supply
    days = _forecast_days(weighing, int(weighing.terms.cover_days[0]))
    lead = weighing.lead_days(chosen.source)
    held = float(chosen.terms.on_hand[0] - chosen.terms.backorders[0])
    due = math.fsum(one.quantity for one in supply.receipts if weighing.ahead(one.due_date) <= lead)
    stock = held + (due if supply.receipts else float(chosen.terms.on_order[0]))

    def over(day: float) -> Floats:
        return _quantiles(cover, days, min(weighing.longest, math.ceil(day - ROUNDING)))

    wait = Wait(lead, stock, cover.levels, over, weighing.query.underage_cost or 0.0)
    return best_rescue(supply, chosen.order, wait)


def _answer(
    weighing: Weighing,
    cover: Cover,
    chosen: _Draft,
    options: tuple[list[SupplyChoice], Rescue],
    from_tables: tuple[str, ...],
) -> Reorder:
    query, (suppliers, rescue) = weighing.query, options
    levels, terms = chosen.levels, chosen.terms
    (decision,) = decisions(terms, levels)
    position, up_to = float(terms.position[0]), float(levels.order_up_to[0])
    after = outlook(chosen.demand, terms.position + chosen.order)
    shelf = weighing.supply.shelf_life_days
    spoils = shelf is not None and shelf <= float(weighing.terms.review_days[0])
    left = position + chosen.order - float(chosen.demand.mean[0]) + float(after.shortage[0])
    supplier = chosen.source.supplier
    reason = explain(decision, placed=chosen.order) + chosen.cut
    if rescue.taken is not None:
        reason += f" {rescue.sentence}"
    if chosen.waste > 0:
        reason += f" {units(chosen.waste)} of the stock are expected to expire."
    return Reorder(
        query=query,
        origin=cover.origin,
        order_quantity=chosen.order,
        order_up_to=up_to,
        reorder_point=up_to,
        safety_stock=float(levels.safety_stock[0]),
        expected_demand=float(levels.expected_demand[0]),
        inventory_position=position,
        stockout_probability=float(levels.stockout_probability[0]),
        cover_days=int(terms.cover_days[0]),
        service_level=float(terms.service_level[0]),
        target=terms.kind(0),
        table_inputs=from_tables,
        reason=reason,
        provenance=provenance_of(
            cover.provenance,
            warnings_of(weighing.assumed, levels.bounded, clipped=chosen.source.asked.clipped),
        ),
        expected_fill_rate=float(levels.fill_rate[0]),
        after_order=AfterOrder(
            stockout_probability=float(after.stockout_probability[0]),
            shortage=float(after.shortage[0]),
            holding=float(after.holding[0]),
            waste=chosen.waste + (max(0.0, left) if spoils else 0.0),
        ),
        order_date=order_date(cover, position - up_to, float(levels.order_quantity[0])),
        supplier_id="" if supplier is None else supplier.supplier_id,
        choices=(*suppliers, *rescue.choices),
        cheapest_change=cheapest_change(
            decision, by_quantile=query.method is ReorderMethod.DISTRIBUTION
        ),
    )
