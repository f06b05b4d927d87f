"""The path of a reorder request: query -> stock and terms -> demand over the cover -> order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from serving.domain.echelons import EchelonPlan, EchelonQuery, allocate
from serving.domain.history import MAX_HORIZON
from serving.domain.lanes import LaneAssessment, LaneQuery, assess
from serving.domain.policies import PolicyAnswer, PolicyInputs, compute
from serving.domain.reorder_batch import BatchReorderQuery, ReorderBatch
from serving.domain.reorder_levels import decide, outlook
from serving.domain.replenishment import (
    FORMULA_VERSION,
    Reorder,
    ReorderMethod,
    ReorderQuery,
)
from serving.domain.series import Provenance
from serving.errors import NotReady, ParlevelError
from serving.flows.answers import only
from serving.flows.reorder_answers import decided, merged, provenance_of, warnings_of
from serving.flows.reorder_covers import (
    columns,
    intervals,
    together,
)
from serving.flows.reorder_drafts import Draft, drafts_of
from serving.flows.reorder_inputs import inputs_sent_batch, resolve
from serving.flows.reorder_neighbours import weighed
from serving.flows.reorder_tables import SupplyTables
from serving.flows.stockout_risk import score_risk

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from serving.domain.demand import Cover, CoverBatch, CoverQuery
    from serving.domain.stockout_risk import RiskBatch, RiskQuery
    from serving.ports import FeatureReader, ReferenceReader

    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]


class CoverForecaster(Protocol):
    """What this flow asks of the demand flow."""

    def max_cover(self) -> int:
        """Return the longest cover the current model was trained for, in days."""

    def cover_many(self, queries: Sequence[CoverQuery]) -> list[Cover | ParlevelError]:
        """Return each distribution of one series' demand over its cover, or why there is none."""

    def cover_batch(
        self,
        skus: Sequence[str],
        locations: Sequence[str],
        cover_days: NDArray[np.int64],
        others: NDArray[np.int64] | None = None,
    ) -> CoverBatch:
        """Return the distributions of many series' demand over their covers."""


class ReplenishmentFlow:
    """Answers reorder questions from the demand flow and the stored stock and terms."""

    def __init__(
        self,
        demand: CoverForecaster,
        features: FeatureReader,
        reference: ReferenceReader | None = None,
    ) -> None:
        """Take the demand flow, the source of stock and terms, and what orders may draw on."""
        self._demand = demand
        self._features = features
        self._tables = SupplyTables(reference)

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
        keys = [(query.sku, query.location) for query in queries]
        snapshot, longest = self._features.snapshot().fetched(keys, "stock"), self._longest()
        drafts, failures = drafts_of(enumerate(queries), snapshot, longest, self._tables)
        answers: dict[int, Reorder | ParlevelError] = {**failures}
        groups: dict[ReorderMethod, tuple[list[Draft], list[Cover]]] = {}
        for draft, cover, theirs in self._covered(drafts):
            if isinstance(cover, ParlevelError):
                answers[draft.row] = cover
            elif draft.missing is not None:
                answers[draft.row] = draft.missing
            elif draft.weighing is not None:
                answers[draft.row] = weighed(draft, cover, theirs)
            else:
                alike, demand = groups.setdefault(draft.query.method, ([], []))
                alike.append(draft)
                demand.append(cover)
        for alike, demand in groups.values():
            for draft, reorder in zip(alike, decided(alike, demand), strict=True):
                answers[draft.row] = reorder
        return [answers[row] for row in range(len(queries))]

    def _covered(
        self, drafts: Sequence[Draft]
    ) -> Iterator[tuple[Draft, Cover | ParlevelError, list[Cover | ParlevelError]]]:
        """Yield each draft with its forecast, and those of its neighbours, asked all together."""
        beside = [draft for one in drafts for _, draft in one.neighbours]
        wanted = [draft.cover_query for draft in (*drafts, *beside)]
        try:
            covers = self._demand.cover_many(wanted)
        except NotReady as error:  # what failed before it keeps its own failure
            covers = [error.with_traceback(None)] * len(wanted)
        neighbours = iter(covers[len(drafts) :])
        for draft, cover in zip(drafts, covers, strict=False):
            yield draft, cover, [next(neighbours) for _ in draft.neighbours]

    def recommend_batch(self, query: BatchReorderQuery) -> ReorderBatch:
        """Recommend what to order for many series.

        An unknown or stale series, or a missing input, fails its row alone; so does a stored
        service level or cover beyond the trained ones, as MISSING_INPUT and with a warning.

        Raises:
            BeyondTrained: If a cover is beyond the model's.
            NotReady: If there is no model or no features yet.
        """
        keys = list(zip(query.skus, query.locations, strict=True))
        snapshot, longest = self._features.snapshot().fetched(keys, "stock"), self._longest()
        stocks = [snapshot.stock(sku, location) for sku, location in keys]
        found = resolve(inputs_sent_batch(query), stocks, query.method)
        complete, terms = found.complete, found.terms
        trained = terms.promisable & (terms.days <= MAX_HORIZON)
        usable = complete & trained
        chosen = np.flatnonzero(usable)
        known = terms.take(chosen)
        # A row without a cover of its own asks for one day: its series may be unknown or stale.
        covers = np.ones(len(stocks), dtype=np.int64)
        covers[chosen] = known.cover_days
        days, weights, some = columns(intervals(known, longest))
        others = np.ones((len(stocks), days.shape[1]), dtype=np.int64)
        others[chosen] = days
        cover = self._demand.cover_batch(query.skus, query.locations, covers, others)
        statuses, rows, valued = merged(cover.statuses, usable)
        terms, at = terms.take(rows), np.searchsorted(chosen, rows)
        demand = together(cover, valued, weights[at], some[at])
        levels = decide(terms, demand, query.method)
        after = outlook(demand, terms.position + levels.order_quantity)
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
            provenance=provenance_of(
                cover.provenance,
                _beyond_warning(complete & ~trained) + warnings_of(assumed, levels.bounded),
            ),
            expected_fill_rates=levels.fill_rate,
            expected_shortages=after.shortage,
            expected_holdings=after.holding,
        )

    def compute_policy(self, inputs: PolicyInputs) -> PolicyAnswer:
        """Compute one formula from the numbers sent; no model and no features are needed.

        Raises:
            InvalidField: If the numbers, each in its range, give no finite result together.
        """
        return PolicyAnswer(compute(inputs), Provenance(formula_version=FORMULA_VERSION))

    def score_risk(self, query: RiskQuery) -> RiskBatch:
        """Score the risk of running out for many series.

        Raises:
            BeyondTrained: If the days are beyond the model's.
            NotReady: If there is no model or no features yet.
        """
        return score_risk(self._demand, self._features.snapshot(), query, self._longest())

    def allocate_echelons(self, query: EchelonQuery) -> EchelonPlan:
        """Place safety stock over a network; no model and no features are needed.

        Raises:
            InvalidField: If the network is cyclic or too large.
        """
        return allocate(query, Provenance(formula_version=FORMULA_VERSION))

    def assess_lane(self, query: LaneQuery) -> LaneAssessment:
        """Assess a lane; no model and no features are needed.

        Raises:
            InvalidField: If the figures are too large for a float together.
        """
        return assess(query, Provenance(formula_version=FORMULA_VERSION))

    def _longest(self) -> int:
        """Return the longest cover to ask for: the model's, where there is one."""
        try:
            return self._demand.max_cover()
        except NotReady:  # what asks for a forecast will say so
            return MAX_HORIZON


def _beyond_warning(beyond: Flags) -> tuple[str, ...]:
    rows = np.flatnonzero(beyond)
    if not rows.size:
        return ()
    warning = (
        f"the tables' service level or cover of {rows.size} series, the first in row {rows[0]}, "
        "is beyond the trained ones: send them in the request"
    )
    return (warning,)
