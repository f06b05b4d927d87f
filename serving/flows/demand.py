"""The path of a demand request: query -> features -> model -> distribution."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from serving.domain.demand import Cover, CoverQuery, check_rows
from serving.domain.explanation import Explanation
from serving.domain.periods import Frequency
from serving.domain.ready import ReadyKind
from serving.domain.series import RowStatus
from serving.errors import (
    ParlevelError,
    StaleFeatures,
    UnknownSeries,
)
from serving.flows.ahead import AnsweredAhead
from serving.flows.answers import only
from serving.flows.cover_answers import covers_at_hand, covers_of
from serving.flows.demand_answers import at_hand, forecasts_of
from serving.flows.demand_batches import BatchEvidence, cover_batch_of, forecast_batch_of
from serving.flows.demand_checks import check_cover, check_daily, check_trained
from serving.flows.evidence import (
    SERIES_VIEWS,
    Evidence,
    assemble,
    from_history,
    stack,
    stand_ins,
    stored,
    with_plan,
)
from serving.flows.explanation import explain_daily
from serving.flows.ready_batches import batch_at_hand, cover_batch_at_hand

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from numpy.typing import NDArray

    from serving.domain.demand import (
        BatchForecastQuery,
        CoverBatch,
        Forecast,
        ForecastBatch,
        ForecastQuery,
    )
    from serving.domain.ready import ReadyForecast
    from serving.domain.series import PlanDay
    from serving.flows.ready_batches import Ready
    from serving.ports import (
        Clock,
        DemandModel,
        FeatureReader,
        FeatureSnapshot,
        ModelSource,
        ReadySource,
    )

_LONGEST_DAYS = {Frequency.DAY: 1, Frequency.WEEK: 7, Frequency.MONTH: 31}
Q = TypeVar("Q")
A = TypeVar("A")


class DemandFlow:
    """Answers demand questions from the current model and the current features."""

    def __init__(
        self,
        models: ModelSource[DemandModel],
        features: FeatureReader,
        clock: Clock,
        *,
        feature_ttl_seconds: float,
        ready: ReadySource | None = None,
    ) -> None:
        """Take the sources of models, features and time, and the age features may have.

        Args:
            models: The models.
            features: The stored features.
            clock: The business clock.
            feature_ttl_seconds: The age features may have, for each day of a period.
            ready: Forecasts made ahead, where there are any.
        """
        self._models = models
        self._features = features
        self._clock = clock
        self._ttl = feature_ttl_seconds
        self._ahead = AnsweredAhead(ready)

    @property
    def looked_up(self) -> int:
        """Forecasts that were ready when they were asked for."""
        return self._ahead.looked_up

    def forecast(self, query: ForecastQuery) -> Forecast:
        """Forecast one series.

        Raises:
            UnknownSeries: If the sku or location is in no table and no attributes were sent.
            BeyondTrained: If the horizon or a level is beyond the model's.
            StaleFeatures: If the stored features are too old.
            InvalidField: If a plan day is outside the horizon.
            NotReady: If there is no model or no features yet.
        """
        return self.ready(query) or only(self.forecast_many((query,)))

    def ready(self, query: ForecastQuery) -> Forecast | None:
        """Return the forecast of a question that was answered ahead, to the bits of the model.

        Returns:
            The forecast; None where the question brings something of its own, the release or the
            features have changed since, or anything else calls for `forecast_many`.
        """
        own = query.plan or query.history is not None or query.product or query.location_attributes
        if own or not self._ahead.anything:
            return None
        try:
            model, snapshot = self._models.current(), self._features.snapshot()
            check_trained(model, snapshot, query.horizon, query.levels)
        except ParlevelError:
            return None
        run = self._ahead.run(ReadyKind.of(query.target), model, snapshot, query.horizon)
        if run is None:
            return None
        now, key = self._now(), (query.sku, query.location)
        found = self._ahead.one(run, snapshot, key, now - self._limit(model))
        return None if found is None else at_hand(model, query, found, now)

    def forecast_many(self, queries: Sequence[ForecastQuery]) -> list[Forecast | ParlevelError]:
        """Answer questions that arrived together, each to the bits it would have alone.

        Args:
            queries: The questions, of any kinds; one model and one generation answer them all.

        Returns:
            Each question's forecast, or its failure as `forecast` raises it, in order.

        Raises:
            NotReady: If there is no model or no features yet.
        """
        model, now = self._models.current(), self._now()
        keys = [(query.sku, query.location) for query in queries]
        snapshot = self._features.snapshot().fetched(keys, *SERIES_VIEWS)
        return _grouped(
            queries,
            lambda query: self._find(model, snapshot, query, now),
            lambda query, found: (found.origin, query.horizon, query.target),
            lambda asked, found: forecasts_of(model, asked, found, now),
        )

    def explain(self, query: ForecastQuery) -> Explanation:
        """Forecast one series and say what its mean is made of.

        Raises:
            NothingMeasured: If the release carries no trees to explain with.
            ParlevelError: As `forecast`.
        """
        model, now = self._models.current(), self._now()
        found = self._find(model, self._features.snapshot(), query, now)
        # What a planner says needs no explanation: the model's own value is explained.
        found = replace(found, overrides=())
        (forecast,) = forecasts_of(model, [query], [found], now)
        records = stack([found], model.description.frequency)
        return Explanation(forecast, *explain_daily(model, records, forecast.mean, query.target))

    def forecast_batch(self, query: BatchForecastQuery) -> ForecastBatch:
        """Forecast many series; an unknown or stale one fails its row alone.

        Raises:
            BeyondTrained: If the horizon or a level is beyond the model's.
            NotReady: If there is no model or no features yet.
        """
        model, snapshot = self._models.current(), self._features.snapshot()
        check_trained(model, snapshot, query.horizon, query.levels)
        keys = list(zip(query.skus, query.locations, strict=True))
        kind = ReadyKind.of(query.target)
        ready, others = self._made(kind, (model, snapshot), keys, query.horizon)
        if ready is None:
            return forecast_batch_of(model, query, self._evidence(model, snapshot, keys))
        rest = None
        if others:
            left = [keys[row] for row in others]
            skus, locations = zip(*left, strict=True)
            asked = replace(query, skus=skus, locations=locations)
            rest = forecast_batch_of(model, asked, self._evidence(model, snapshot, left))
        return batch_at_hand(model, query, ready, rest, self._now())

    def cover(
        self, sku: str, location: str, cover_days: int, plan: Sequence[PlanDay] = ()
    ) -> Cover:
        """Return the distribution of the sum of demand in stock over the days after the origin.

        Raises:
            UnknownSeries: If the sku or location is in no table.
            BeyondTrained: If the cover is beyond the model's.
            StaleFeatures: If the stored features are too old.
            InvalidField: If a plan day is outside the cover.
            NotReady: If there is no model or no features yet.
        """
        return only(self.cover_many((CoverQuery(sku, location, cover_days, tuple(plan)),)))

    def cover_many(self, queries: Sequence[CoverQuery]) -> list[Cover | ParlevelError]:
        """Answer questions about covers together, each to the bits it would have alone.

        Args:
            queries: The questions; one model and one generation answer them all.

        Returns:
            Each question's distribution, or its failure as `cover` raises it, in order.

        Raises:
            NotReady: If there is no model or no features yet.
        """
        model, snapshot = self._models.current(), self._features.snapshot()
        now = self._now()

        def find(query: CoverQuery) -> Evidence:
            for days in (query.cover_days, *query.others):
                check_cover(model, snapshot, days)
            found = stored(near, query.sku, query.location)
            self._check_age(model, now - found.oldest)
            return with_plan(found, query.plan, max((query.cover_days, *query.others)))

        answers: dict[int, Cover | ParlevelError] = {}
        since = now - self._limit(model)
        made = {
            row: self._cover_made((model, snapshot), one, since) for row, one in enumerate(queries)
        }
        ready = {row: found for row, found in made.items() if found is not None}
        if ready:
            asked = [queries[row] for row in ready]
            covers = covers_at_hand(model, asked, list(ready.values()), now)
            answers.update(zip(ready, covers, strict=True))
        others = [row for row in range(len(queries)) if row not in answers]
        keys = [(queries[row].sku, queries[row].location) for row in others]
        near = snapshot.fetched(keys, *SERIES_VIEWS)
        computed = _grouped(
            [queries[row] for row in others],
            find,
            lambda _, found: found.origin,
            lambda asked, found: covers_of(model, asked, found, now),
        )
        answers.update(zip(others, computed, strict=True))
        return [answers[row] for row in range(len(queries))]

    def _cover_made(
        self, current: tuple[DemandModel, FeatureSnapshot], query: CoverQuery, since: float
    ) -> ReadyForecast | None:
        """Return the sums of a series that were made ahead; None where they are to be computed."""
        days = (query.cover_days, *query.others)
        if query.plan or min(days) < 1:
            return None
        model, snapshot = current
        run = self._ahead.run(ReadyKind.COVERS, model, snapshot, max(days))
        if run is None:
            return None
        return self._ahead.one(run, snapshot, (query.sku, query.location), since)

    def max_cover(self) -> int:
        """Return the longest cover the current model was trained for, in days.

        Raises:
            NoModel: If nothing has been promoted yet.
        """
        return self._models.current().description.max_cover

    def cover_batch(
        self,
        skus: Sequence[str],
        locations: Sequence[str],
        cover_days: NDArray[np.int64],
        others: NDArray[np.int64] | None = None,
    ) -> CoverBatch:
        """Return the distributions of the sums over many series' covers.

        Args:
            skus: Stock-keeping units, one a row.
            locations: Locations, one a row.
            cover_days: Days of each row's cover, shape (rows,).
            others: Further days of each row whose sums are wanted beside, shape (rows, others).

        Raises:
            BeyondTrained: If a cover is beyond the model's.
            NotReady: If there is no model or no features yet.
        """
        check_rows(skus, locations)
        model, snapshot = self._models.current(), self._features.snapshot()
        asked = cover_days[:, None] if others is None else np.column_stack((cover_days, others))
        for days in (int(asked.min()), int(asked.max())):
            check_cover(model, snapshot, days)
        keys = list(zip(skus, locations, strict=True))
        ready, rows = self._made(ReadyKind.COVERS, (model, snapshot), keys, int(asked.max()))
        if ready is None:
            return cover_batch_of(model, asked, self._evidence(model, snapshot, keys))
        rest = None
        if rows:
            evidence = self._evidence(model, snapshot, [keys[row] for row in rows])
            rest = cover_batch_of(model, asked[rows], evidence, beside=ready[0].size)
        return cover_batch_at_hand(model, asked, ready, rest, self._now())

    def _made(
        self,
        kind: ReadyKind,
        current: tuple[DemandModel, FeatureSnapshot],
        keys: list[tuple[str, str]],
        days: int,
    ) -> tuple[Ready | None, list[int]]:
        """Return what was made ahead of a batch, None where nothing was, and the other rows."""
        model, snapshot = current
        run = self._ahead.run(kind, model, snapshot, days)
        if run is None:
            return None, []
        ready = self._ahead.many(run, snapshot, keys, self._now() - self._limit(model))
        there = set(ready[0].tolist())
        others = [row for row in range(len(keys)) if row not in there]
        return (ready if there else None), others

    def _now(self) -> int:
        return int(self._clock.now().timestamp())

    def _find(
        self, model: DemandModel, snapshot: FeatureSnapshot, query: ForecastQuery, now: int
    ) -> Evidence:
        """Return what the answer about one series rests on."""
        check_trained(model, snapshot, query.horizon, query.levels)
        check_daily(model, query)
        found = stored(snapshot, query.sku, query.location, stand_ins(snapshot, query))
        if query.history is not None:
            found = from_history(found, query.history)
        self._check_age(model, now - found.oldest)
        return with_plan(found, query.plan, query.horizon)

    def _limit(self, model: DemandModel) -> float:
        """Return the age features may have: that of the settings for each day of a period."""
        return self._ttl * _LONGEST_DAYS[model.description.frequency]

    def _check_age(self, model: DemandModel, age: int) -> None:
        limit = self._limit(model)
        if age > limit:
            raise StaleFeatures("demand_state", age_seconds=age, limit_seconds=int(limit))

    def _evidence(
        self, model: DemandModel, snapshot: FeatureSnapshot, keys: list[tuple[str, str]]
    ) -> BatchEvidence:
        """Return what the answers about many series rest on."""
        states, futures = (snapshot.records(view, keys) for view in SERIES_VIEWS)
        now = self._now()
        statuses, found, oldest = [], [], None
        for key, state, future in zip(keys, states, futures, strict=True):
            try:
                one = assemble(snapshot, key, (state, future))
            except UnknownSeries:
                statuses.append(RowStatus.UNKNOWN_SERIES)
                continue
            if now - one.oldest > self._limit(model):
                statuses.append(RowStatus.STALE_FEATURES)
                continue
            statuses.append(RowStatus.OK)
            found.append(one)
            oldest = one.oldest if oldest is None else min(oldest, one.oldest)
        age = None if oldest is None else max(0, now - oldest)
        return BatchEvidence(tuple(statuses), found, age)


def _grouped(
    queries: Sequence[Q],
    find: Callable[[Q], Evidence],
    kind: Callable[[Q, Evidence], Hashable],
    answer: Callable[[list[Q], list[Evidence]], list[A]],
) -> list[A | ParlevelError]:
    """Find each question's evidence, and answer those of one kind together.

    Args:
        queries: The questions.
        find: Returns the evidence of one, or raises why that one fails.
        kind: Says which ones are answered together.
        answer: Answers questions of one kind from their evidence.

    Returns:
        Each question's answer or failure, in order.
    """
    answers: dict[int, A | ParlevelError] = {}
    groups: dict[Hashable, tuple[list[int], list[Evidence]]] = {}
    for row, query in enumerate(queries):
        try:
            found = find(query)
        except ParlevelError as error:
            answers[row] = error.with_traceback(None)  # it would hold this frame, which holds it
            continue
        rows, evidence = groups.setdefault(kind(query, found), ([], []))
        rows.append(row)
        evidence.append(found)
    for rows, evidence in groups.values():
        asked = [queries[row] for row in rows]
        answers.update(zip(rows, answer(asked, evidence), strict=True))
    return [answers[row] for row in range(len(queries))]
