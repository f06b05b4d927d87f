"""Answers to reorder questions from their demand, and what every answer says beside its figures."""

from __future__ import annotations

import dataclasses
import datetime as dt
import math
from typing import TYPE_CHECKING

import numpy as np

from serving.domain.reorder_levels import decide, outlook
from serving.domain.reorder_words import cheapest_change, decisions, explain
from serving.domain.replenishment import FORMULA_VERSION, AfterOrder, Reorder, ReorderMethod
from serving.domain.series import RowStatus
from serving.flows.reorder_covers import one_each

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from serving.domain.demand import Cover
    from serving.domain.series import Provenance
    from serving.flows.reorder_drafts import Draft

    Flags = NDArray[np.bool_]

FAR_DAYS = 365


def decided(drafts: Sequence[Draft], covers: Sequence[Cover]) -> list[Reorder]:
    """Decide on questions of one method, resolved together, from their demand."""
    method = drafts[0].query.method
    terms = drafts[0].found.terms.take(np.array([draft.at for draft in drafts]))
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
                    draft.found.assumed_of(draft.at),
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


def order_date(cover: Cover, spare: float, order: float) -> dt.date | None:
    """Return the day the position falls below the reorder point at the expected rate of demand.

    None where an order is due now, and where that day is more than a year away.
    """
    if order > 0 or cover.daily_mean <= 0:
        return None
    days = math.ceil(max(0.0, spare) / cover.daily_mean)
    return cover.origin + dt.timedelta(days=max(1, days)) if days <= FAR_DAYS else None


def provenance_of(forecast: Provenance, warnings: tuple[str, ...]) -> Provenance:
    """Return the provenance of a forecast, the formula and more warnings added."""
    return dataclasses.replace(
        forecast, formula_version=FORMULA_VERSION, warnings=forecast.warnings + warnings
    )


def warnings_of(
    assumed: Mapping[str, Flags], bounded: Flags, *, clipped: bool = False
) -> tuple[str, ...]:
    """Say which figures rest on an assumption or are bounds."""
    rows = bounded.size
    warnings = [
        f"{name} is neither sent nor in table 'inventory' for {count} of {rows} series: "
        "0 is assumed"
        for name, flags in assumed.items()
        if (count := int(flags.sum()))
    ]
    if count := int(bounded.sum()):
        warnings.append(
            f"stockout_probability is a bound for {count} of {rows} series: "
            "the inventory position lies beyond the trained quantiles"
        )
    if clipped:
        warnings.append(
            "lead times longer than the model was trained for are read as the longest it was"
        )
    return tuple(warnings)


def merged(
    statuses: Sequence[RowStatus], usable: Flags
) -> tuple[tuple[RowStatus, ...], NDArray[np.intp], NDArray[np.intp]]:
    """Lay missing inputs over the statuses of the forecast.

    Returns:
        The statuses, the asked rows that hold values, and their places among the forecast's.
    """
    forecast = np.array([status is RowStatus.OK for status in statuses])
    merged = tuple(
        RowStatus.MISSING_INPUT if known and not complete else status
        for status, known, complete in zip(statuses, forecast, usable, strict=True)
    )
    return merged, np.flatnonzero(forecast & usable), np.flatnonzero(usable[forecast])
