"""The path of a reorder request: query -> stock and terms -> demand over the cover -> order."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from serving.domain.demand import CoverQuery
from serving.domain.history import MAX_HORIZON
from serving.domain.inventory_formulas import (
    economic_order_quantity,
    newsvendor,
    reorder_point,
    safety_stock,
)
from serving.domain.inventory_policy import (
    EconomicOrderQuantityInputs,
    PolicyInputs,
    PolicyResult,
    ReorderPointInputs,
    SafetyStockInputs,
)
from serving.domain.reorder_levels import CoverDemand, ReorderTerms, decide, explain
from serving.domain.replenishment import (
    FORMULA_VERSION,
    BatchReorderQuery,
    PolicyAnswer,
    Reorder,
    ReorderBatch,
    ReorderQuery,
    check_cover,
    check_service_level,
    served,
)
from serving.domain.series import Provenance, RowStatus
from serving.errors import NotReady, ParlevelError
from serving.flows.answers import only
from serving.flows.reorder_inputs import inputs_sent, inputs_sent_batch, resolve, table_inputs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from serving.domain.demand import Cover, CoverBatch
    from serving.domain.replenishment import ReorderMethod
    from serving.flows.reorder_inputs import Resolved
    from serving.ports import FeatureReader, StockInputs

    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]


class CoverForecaster(Protocol):
    """What this flow asks of the demand flow."""

    def cover_many(self, queries: Sequence[CoverQuery]) -> list[Cover | ParlevelError]:
        """Return each distribution of one series' demand over its cover, or why there is none."""

    def cover_batch(
        self, skus: Sequence[str], locations: Sequence[str], cover_days: NDArray[np.int64]
    ) -> CoverBatch:
        """Return the distributions of many series' demand over their covers."""


class ReplenishmentFlow:
    """Answers reorder questions from the demand flow and the stored stock and terms."""

    def __init__(self, demand: CoverForecaster, features: FeatureReader) -> None:
        """Take the demand flow and the source of stock and terms."""
        self._demand = demand
        self._features = features

    def recommend(self, query: ReorderQuery) -> Reorder:
        """Recommend what to order for one series.

        Raises:
            UnknownSeries: If the sku or location is in no table.
            MissingInput: If an input is neither sent nor in its table.
            BeyondTrained: If the cover or the service level is beyond the model's.
            StaleFeatures: If the stored features are too old.
            InvalidField: If a stored service level cannot be promised.
            NotReady: If there is no model or no features yet.
        """
        return only(self.recommend_many((query,)))

    def recommend_many(self, queries: Sequence[ReorderQuery]) -> list[Reorder | ParlevelError]:
        """Answer questions that arrived together, each to the bits it would have alone.

        Args:
            queries: The questions, of any kinds.

        Returns:
            Each question's recommendation, or its failure as `recommend` raises it, in order.

        Raises:
            NotReady: If there is no model or no features yet.
        """
        snapshot = self._features.snapshot()
        answers: dict[int, Reorder | ParlevelError] = {}
        drafts: list[_Draft] = []
        for row, query in enumerate(queries):
            try:
                drafts.append(_draft(row, query, snapshot.stock(query.sku, query.location)))
            except ParlevelError as error:
                answers[row] = error.with_traceback(None)  # it would hold this frame
        covers: list[Cover | ParlevelError] = []
        try:
            covers += self._demand.cover_many([draft.cover_query for draft in drafts])
        except NotReady as error:  # what failed before it keeps its own failure
            covers += [error.with_traceback(None)] * len(drafts)
        groups: dict[ReorderMethod, tuple[list[_Draft], list[Cover]]] = {}
        for draft, cover in zip(drafts, covers, strict=True):
            if isinstance(cover, ParlevelError):
                answers[draft.row] = cover
            elif draft.found.missing:
                answers[draft.row] = draft.found.first_missing()
            else:
                alike, demand = groups.setdefault(draft.query.method, ([], []))
                alike.append(draft)
                demand.append(cover)
        for alike, demand in groups.values():
            for draft, reorder in zip(alike, _decided(alike, demand), strict=True):
                answers[draft.row] = reorder
        return [answers[row] for row in range(len(queries))]

    def recommend_batch(self, query: BatchReorderQuery) -> ReorderBatch:
        """Recommend what to order for many series.

        An unknown or stale series, or a missing input, fails its row alone; so does a stored
        service level or cover beyond the trained ones, as MISSING_INPUT and with a warning.

        Raises:
            BeyondTrained: If a cover is beyond the model's.
            NotReady: If there is no model or no features yet.
        """
        snapshot = self._features.snapshot()
        keys = zip(query.skus, query.locations, strict=True)
        stocks = [snapshot.stock(sku, location) for sku, location in keys]
        found = resolve(inputs_sent_batch(query), stocks, query.method)
        complete, terms = found.complete, found.terms
        trained = served(terms.service_level) & (terms.days <= MAX_HORIZON)
        usable = complete & trained
        # A row without a cover of its own asks for one day: its series may be unknown or stale.
        covers = np.ones(len(stocks), dtype=np.int64)
        covers[usable] = terms.take(np.flatnonzero(usable)).cover_days
        cover = self._demand.cover_batch(query.skus, query.locations, covers)
        statuses, rows, valued = _merge(cover.statuses, usable)
        terms = terms.take(rows)
        levels = decide(terms, _rows_of(cover, valued), query.method)
        assumed = {name: flags[rows] for name, flags in found.assumed.items()}
        return ReorderBatch(
            query=query,
            statuses=statuses,
            order_quantities=levels.order_quantity,
            order_up_to=levels.order_up_to,
            reorder_points=levels.order_up_to,
            safety_stocks=levels.safety_stock,
            expected_demand=levels.expected_demand,
            stockout_probabilities=levels.stockout_probability,
            cover_days=terms.cover_days,
            provenance=_provenance(
                cover.provenance,
                _beyond_warning(complete & ~trained) + _warnings(assumed, levels.bounded),
            ),
        )

    def compute_policy(self, inputs: PolicyInputs) -> PolicyAnswer:
        """Compute one formula from the numbers sent; no model and no features are needed.

        Raises:
            InvalidField: If the numbers, each in its range, give no finite result together.
        """
        return PolicyAnswer(_compute(inputs), Provenance(formula_version=FORMULA_VERSION))


@dataclass(frozen=True, slots=True)
class _Draft:
    """A reorder question before its demand is known.

    Attributes:
        row: Its place among the questions asked together.
        query: What was asked.
        found: Its terms.
        table_inputs: Inputs taken from tables.
        cover_query: What it asks of the demand flow.
    """

    row: int
    query: ReorderQuery
    found: Resolved
    table_inputs: tuple[str, ...]
    cover_query: CoverQuery


def _draft(row: int, query: ReorderQuery, stock: StockInputs) -> _Draft:
    sent = inputs_sent(query)
    found = resolve(sent, [stock], query.method)
    if found.missing:
        # A series that nobody knows, or that is stale, is the truer failure: it comes first.
        cover_query = CoverQuery(query.sku, query.location, 1)
    else:
        terms = found.terms
        check_service_level("service_level", float(terms.service_level[0]))
        check_cover("lead_time_days", float(terms.days[0]))
        days = int(terms.cover_days[0])
        cover_query = CoverQuery(query.sku, query.location, days, query.plan)
    return _Draft(row, query, found, table_inputs(sent, stock, query.method), cover_query)


def _decided(drafts: Sequence[_Draft], covers: Sequence[Cover]) -> list[Reorder]:
    """Decide on questions of one method from their demand."""
    terms = ReorderTerms.joined([draft.found.terms for draft in drafts])
    levels = decide(terms, _rows_of_one_each(covers), drafts[0].query.method)
    orders, probabilities = levels.order_quantity.tolist(), levels.stockout_probability.tolist()
    up_to, safety = levels.order_up_to.tolist(), levels.safety_stock.tolist()
    expected, positions = levels.expected_demand.tolist(), terms.position.tolist()
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
            reason=explain(terms, levels, row),
            provenance=_provenance(
                cover.provenance, _warnings(draft.found.assumed, levels.bounded[row : row + 1])
            ),
        )
        for row, (draft, cover) in enumerate(zip(drafts, covers, strict=True))
    ]


def _compute(inputs: PolicyInputs) -> PolicyResult:
    if isinstance(inputs, EconomicOrderQuantityInputs):
        return economic_order_quantity(inputs)
    if isinstance(inputs, SafetyStockInputs):
        return safety_stock(inputs)
    if isinstance(inputs, ReorderPointInputs):
        return reorder_point(inputs)
    return newsvendor(inputs)


def _rows_of_one_each(covers: Sequence[Cover]) -> CoverDemand:
    return CoverDemand(
        levels=covers[0].levels,
        quantiles=np.stack([cover.quantiles for cover in covers]),
        mean=np.array([cover.mean for cover in covers]),
        daily_mean=np.array([cover.daily_mean for cover in covers]),
        daily_std=np.array([cover.daily_std for cover in covers]),
    )


def _rows_of(cover: CoverBatch, rows: NDArray[np.intp]) -> CoverDemand:
    return CoverDemand(
        levels=cover.levels,
        quantiles=cover.quantiles[rows],
        mean=cover.mean[rows],
        daily_mean=cover.daily_mean[rows],
        daily_std=cover.daily_std[rows],
    )


def _merge(
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


def _provenance(forecast: Provenance, warnings: tuple[str, ...]) -> Provenance:
    return dataclasses.replace(
        forecast, formula_version=FORMULA_VERSION, warnings=forecast.warnings + warnings
    )


def _warnings(assumed: Mapping[str, Flags], bounded: Flags) -> tuple[str, ...]:
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
    return tuple(warnings)


def _beyond_warning(beyond: Flags) -> tuple[str, ...]:
    rows = np.flatnonzero(beyond)
    if not rows.size:
        return ()
    warning = (
        f"the tables' service level or cover of {rows.size} series, the first in row {rows[0]}, "
        "is beyond the trained ones: send them in the request"
    )
    return (warning,)
