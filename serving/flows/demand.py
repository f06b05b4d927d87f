"""The path of a demand request: query -> features -> model -> distribution."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from serving.domain.demand import (
    Cover,
    CoverBatch,
    CoverQuery,
    DemandTarget,
    Forecast,
    ForecastBatch,
    check_rows,
    distribution_std,
    interpolate_levels,
)
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
from serving.flows.cover_hands import hands_of, laid_over_covers, told_of_covers
from serving.flows.demand_answers import at_hand, forecasts_of, overridden, provenance_of
from serving.flows.demand_checks import check_cover, check_daily, check_trained
from serving.flows.evidence import (
    Evidence,
    assemble,
    chunks,
    civil,
    from_history,
    stack,
    stand_ins,
    stored,
    with_plan,
)
from serving.flows.explanation import explain_daily
from serving.flows.prediction import answered_by, predict_covers, predict_daily
from serving.flows.ready_batches import batch_at_hand

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from numpy.typing import NDArray

    from serving.domain.demand import BatchForecastQuery, ForecastQuery
    from serving.domain.ready import ReadyForecast
    from serving.domain.routes import Answered
    from serving.domain.series import PlanDay
    from serving.ports import (
        Clock,
        DemandModel,
        FeatureReader,
        FeatureSnapshot,
        ModelSource,
        ReadySource,
    )

    Floats = NDArray[np.float64]

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
        model, snapshot = self._models.current(), self._features.snapshot()
        now = self._now()
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
        run = self._ahead.run(ReadyKind.of(query.target), model, snapshot, query.horizon)
        if run is None:
            return self._compute(model, snapshot, query)
        now, keys = self._now(), list(zip(query.skus, query.locations, strict=True))
        rows, found = self._ahead.many(run, snapshot, keys, now - self._limit(model))
        if not rows.size:
            return self._compute(model, snapshot, query)
        rest = None
        if rows.size < len(keys):
            ready = set(rows.tolist())
            others = [key for row, key in enumerate(keys) if row not in ready]
            skus, locations = zip(*others, strict=True)
            rest = self._compute(model, snapshot, replace(query, skus=skus, locations=locations))
        return batch_at_hand(model, query, (rows, found), rest, now)

    def _compute(
        self, model: DemandModel, snapshot: FeatureSnapshot, query: BatchForecastQuery
    ) -> ForecastBatch:
        statuses, found, age = self._evidence_batch(model, snapshot, query.skus, query.locations)
        trained = model.description.quantile_levels
        mean, own = np.empty((2, len(found), query.horizon))
        quantiles = np.empty((len(found), query.horizon, len(query.levels)))
        answered: dict[int, Answered] = {}
        for rows, records in chunks(found, model.description.frequency):
            answered.update(zip(rows.tolist(), answered_by(model, records), strict=True))
            own[rows], values = predict_daily(model, records, query.horizon, query.target)
            mean[rows], values = overridden(
                [found[row] for row in rows.tolist()], records, own[rows], values
            )
            quantiles[rows] = interpolate_levels(trained, values, query.levels)
        return ForecastBatch(
            query=query,
            statuses=statuses,
            origins=tuple(civil(one.origin) for one in found),
            routes=tuple(one.route for one in found),
            mean=mean,
            quantiles=quantiles,
            provenance=provenance_of(model, age, ()),
            answered=tuple(answered[row] for row in range(len(found))),
            model_mean=own if any(one.overrides for one in found) else None,
            frequency=model.description.frequency,
        )

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
            found = stored(snapshot, query.sku, query.location)
            self._check_age(model, now - found.oldest)
            return with_plan(found, query.plan, max((query.cover_days, *query.others)))

        answers: dict[int, Cover | ParlevelError] = {}
        made = {row: self._cover_made(model, snapshot, one) for row, one in enumerate(queries)}
        ready = {row: found for row, found in made.items() if found is not None}
        if ready:
            asked = [queries[row] for row in ready]
            covers = covers_at_hand(model, asked, list(ready.values()), now)
            answers.update(zip(ready, covers, strict=True))
        others = [row for row in range(len(queries)) if row not in answers]
        computed = _grouped(
            [queries[row] for row in others],
            find,
            lambda _, found: found.origin,
            lambda asked, found: covers_of(model, asked, found, now),
        )
        answers.update(zip(others, computed, strict=True))
        return [answers[row] for row in range(len(queries))]

    def _cover_made(
        self, model: DemandModel, snapshot: FeatureSnapshot, query: CoverQuery
    ) -> ReadyForecast | None:
        """Return the sums of a series that were made ahead; None where they are to be computed."""
        days = (query.cover_days, *query.others)
        if query.plan or min(days) < 1:
            return None
        run = self._ahead.run(ReadyKind.COVERS, model, snapshot, max(days))
        if run is None:
            return None
        since = self._now() - self._limit(model)
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
        statuses, found, age = self._evidence_batch(model, snapshot, skus, locations)
        levels = model.description.cover_quantile_levels
        asked = asked[np.array([status is RowStatus.OK for status in statuses])]
        means, sums = np.empty(asked.shape), np.empty((*asked.shape, len(levels)))
        for rows, records in chunks(found, model.description.frequency):
            means[rows], sums[rows] = laid_over_covers(
                model,
                records,
                hands_of([found[row] for row in rows.tolist()]),
                asked[rows],
                predict_covers(model, records, asked[rows], DemandTarget.DEMAND),
            )
        mean, quantiles, covers = means[:, 0], sums[:, 0], asked[:, 0]
        return CoverBatch(
            statuses=statuses,
            origins=tuple(civil(one.origin) for one in found),
            routes=tuple(one.route for one in found),
            levels=levels,
            quantiles=quantiles,
            mean=mean,
            daily_mean=mean / covers,
            daily_std=distribution_std(levels, quantiles, mean) / np.sqrt(covers),
            provenance=provenance_of(
                model, age, told_of_covers(found, covers, model.description.frequency)
            ),
            others=sums[:, 1:],
            other_means=means[:, 1:],
        )

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

    def _evidence_batch(
        self,
        model: DemandModel,
        snapshot: FeatureSnapshot,
        skus: Sequence[str],
        locations: Sequence[str],
    ) -> tuple[tuple[RowStatus, ...], list[Evidence], int | None]:
        keys = list(zip(skus, locations, strict=True))
        states = snapshot.records("demand_state", keys)
        futures = snapshot.records("known_future", keys)
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
        return tuple(statuses), found, None if oldest is None else max(0, now - oldest)


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
