"""The path of a risk question: rows -> stock -> demand over the days -> risk and flags."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from serving.domain.features import PRODUCT
from serving.domain.history import MAX_HORIZON, STATE
from serving.domain.replenishment import ReorderMethod
from serving.domain.stockout_risk import RiskBatch, RiskQuery, score
from serving.flows.reorder_answers import merged, provenance_of
from serving.flows.reorder_covers import columns, intervals, together
from serving.flows.reorder_inputs import resolve

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from serving.flows.replenishment import CoverForecaster
    from serving.ports import FeatureSnapshot, StoredRecord

    Floats = NDArray[np.float64]

_TRAILING = STATE["mean_28"].start
_PRICE = PRODUCT["price"].start


def score_risk(
    demand: CoverForecaster, snapshot: FeatureSnapshot, query: RiskQuery, longest: int
) -> RiskBatch:
    """Score the risk of running out for many series.

    Raises:
        BeyondTrained: If the days are beyond the model's.
        NotReady: If there is no model yet.
    """
    keys = list(zip(query.skus, query.locations, strict=True))
    near = snapshot.fetched(keys, "stock")
    stocks = [near.stock(sku, location) for sku, location in keys]
    found = resolve(_sent(query), stocks, ReorderMethod.TEXTBOOK_DEMAND_ONLY)
    usable = found.complete & (found.terms.days <= MAX_HORIZON)
    chosen = np.flatnonzero(usable)
    known = found.terms.take(chosen)
    covers = np.ones(len(keys), dtype=np.int64)
    covers[chosen] = known.cover_days
    days, weights, some = columns(intervals(known, longest))
    others = np.ones((len(keys), days.shape[1]), dtype=np.int64)
    others[chosen] = days
    cover = demand.cover_batch(query.skus, query.locations, covers, others)
    statuses, rows, valued = merged(cover.statuses, usable)
    at = np.searchsorted(chosen, rows)
    states = snapshot.records("demand_state", [keys[row] for row in rows])
    values = query.unit_values[rows] if query.unit_values.size else _prices(snapshot, query, rows)
    figures = score(
        together(cover, valued, weights[at], some[at]),
        found.terms.take(rows).position,
        trailing=_column(states, _TRAILING),
        unit_values=values,
    )
    warnings: tuple[str, ...] = ()
    if unknown := int(np.isnan(values).sum()):
        warnings = (f"no unit value is known for {unknown} of {rows.size} series: 0 is at risk",)
    return RiskBatch(
        query=query,
        statuses=statuses,
        horizon_days=covers[rows],
        figures=figures,
        provenance=provenance_of(cover.provenance, warnings),
    )


def _sent(query: RiskQuery) -> dict[str, Floats]:
    rows = len(query.skus)
    sent = {"service_level": np.full(rows, 0.5), "minimum_order_quantity": np.zeros(rows)}
    sent["pack_size"] = np.zeros(rows)
    if query.horizon_days is not None:
        sent["lead_time_days"] = np.zeros(rows)
        sent["review_days"] = np.full(rows, float(query.horizon_days))
    for name in ("on_hand", "on_order", "backorders"):
        values = getattr(query, name)
        if values.size:
            sent[name] = values
    return sent


def _prices(snapshot: FeatureSnapshot, query: RiskQuery, rows: NDArray[np.intp]) -> Floats:
    return _column([snapshot.record("product", (query.skus[row],)) for row in rows], _PRICE)


def _column(records: Sequence[StoredRecord | None], at: int) -> Floats:
    """Return one value of each record, NaN where there is none."""
    return np.array(
        [np.nan if record is None else float(record.values[at]) for record in records],
        dtype=np.float64,
    )
