"""The path of a demand request: query -> features -> model -> distribution."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from serving.domain.demand import (
    Cover,
    CoverBatch,
    CoverQuery,
    DemandTarget,
    Forecast,
    ForecastBatch,
    ForecastRoute,
    PlanSource,
    check_rows,
    distribution_std,
    interpolate_levels,
)
from serving.domain.features import (
    KNOWN_DAYS,
    SeriesRecords,
    cover_rows,
    daily_rows,
    date_columns,
)
from serving.domain.history import STATE
from serving.domain.series import Provenance, RowStatus
from serving.errors import (
    BeyondTrained,
    FeatureSetMismatch,
    ParlevelError,
    StaleFeatures,
    UnknownSeries,
)
from serving.flows.answers import only
from serving.flows.evidence import (
    EPOCH,
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

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from numpy.typing import NDArray

    from serving.domain.demand import BatchForecastQuery, ForecastQuery
    from serving.domain.series import PlanDay
    from serving.ports import (
        Clock,
        DemandModel,
        FeatureReader,
        FeatureSnapshot,
        ModelSource,
    )

    Floats = NDArray[np.float64]

Q = TypeVar("Q")
A = TypeVar("A")


@functools.lru_cache(maxsize=256)
def _dates(origin: np.datetime64, horizon: int) -> NDArray[np.float32]:
    """Return `date_columns`, kept: every series of a day asks for the same ones."""
    return date_columns(origin, horizon)


def predict_daily(
    model: DemandModel, records: SeriesRecords, horizon: int, target: DemandTarget
) -> tuple[Floats, Floats]:
    """Run the daily head for n series of one origin; every answer of every kind comes from here.

    Returns:
        Mean, shape (n, horizon), and trained quantiles, shape (n, horizon, levels), units a day.
    """
    sales, dates = target is DemandTarget.SALES, _dates(records.origin, horizon)
    rows = daily_rows(records, horizon, sales_target=sales, dates=dates)
    mean, quantiles = model.daily(rows.reshape(-1, rows.shape[2]))
    series = records.state.shape[0]
    return (
        mean.astype(np.float64).reshape(series, horizon),
        quantiles.astype(np.float64).reshape(series, horizon, -1),
    )


def predict_cover(
    model: DemandModel, records: SeriesRecords, covers: NDArray[np.int64], target: DemandTarget
) -> tuple[Floats, Floats]:
    """Run the cover head for n series of one origin.

    Returns:
        Mean, shape (n,), and trained quantiles, shape (n, levels), units over each cover.
    """
    longest, sales = int(covers.max()), target is DemandTarget.SALES
    dates = _dates(records.origin, longest)
    daily = daily_rows(records, longest, sales_target=sales, dates=dates)
    mean, quantiles = model.cover(cover_rows(daily, covers))
    return mean.astype(np.float64), quantiles.astype(np.float64)


class DemandFlow:
    """Answers demand questions from the current model and the current features."""

    def __init__(
        self,
        models: ModelSource[DemandModel],
        features: FeatureReader,
        clock: Clock,
        *,
        feature_ttl_seconds: float,
    ) -> None:
        """Take the sources of models, features and time, and the age features may have."""
        self._models = models
        self._features = features
        self._clock = clock
        self._ttl = feature_ttl_seconds

    def forecast(self, query: ForecastQuery) -> Forecast:
        """Forecast one series.

        Raises:
            UnknownSeries: If the sku or location is in no table and no attributes were sent.
            BeyondTrained: If the horizon or a level is beyond the model's.
            StaleFeatures: If the stored features are too old.
            InvalidField: If a plan day is outside the horizon.
            NotReady: If there is no model or no features yet.
        """
        return only(self.forecast_many((query,)))

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

        def find(query: ForecastQuery) -> Evidence:
            _check_trained(model, snapshot, query.horizon, query.levels)
            found = stored(snapshot, query.sku, query.location, stand_ins(snapshot, query))
            if query.history is not None:
                found = from_history(found, query.history)
            self._check_age(now - found.oldest)
            return with_plan(found, query.plan, query.horizon)

        return _grouped(
            queries,
            find,
            lambda query, found: (found.origin, query.horizon, query.target),
            lambda asked, found: _forecasts(model, asked, found, now),
        )

    def forecast_batch(self, query: BatchForecastQuery) -> ForecastBatch:
        """Forecast many series; an unknown or stale one fails its row alone.

        Raises:
            BeyondTrained: If the horizon or a level is beyond the model's.
            NotReady: If there is no model or no features yet.
        """
        model, snapshot = self._models.current(), self._features.snapshot()
        _check_trained(model, snapshot, query.horizon, query.levels)
        statuses, found, age = self._evidence_batch(snapshot, query.skus, query.locations)
        trained = model.description.quantile_levels
        mean = np.empty((len(found), query.horizon))
        quantiles = np.empty((len(found), query.horizon, len(query.levels)))
        for rows, records in chunks(found):
            mean[rows], values = predict_daily(model, records, query.horizon, query.target)
            quantiles[rows] = interpolate_levels(trained, values, query.levels)
        return ForecastBatch(
            query=query,
            statuses=statuses,
            origins=tuple(civil(one.origin) for one in found),
            routes=tuple(one.route for one in found),
            mean=mean,
            quantiles=quantiles,
            provenance=_provenance(model, age, ()),
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
            _check_cover(model, snapshot, query.cover_days)
            found = stored(snapshot, query.sku, query.location)
            self._check_age(now - found.oldest)
            return with_plan(found, query.plan, query.cover_days)

        return _grouped(
            queries,
            find,
            lambda _, found: found.origin,
            lambda asked, found: _covers(model, asked, found, now),
        )

    def max_cover(self) -> int:
        """Return the longest cover the current model was trained for, in days.

        Raises:
            NoModel: If nothing has been promoted yet.
        """
        return self._models.current().description.max_cover

    def cover_batch(
        self, skus: Sequence[str], locations: Sequence[str], cover_days: NDArray[np.int64]
    ) -> CoverBatch:
        """Return the distributions of the sums over many series' covers.

        Args:
            skus: Stock-keeping units, one a row.
            locations: Locations, one a row.
            cover_days: Days of each row's cover, shape (rows,).

        Raises:
            BeyondTrained: If a cover is beyond the model's.
            NotReady: If there is no model or no features yet.
        """
        check_rows(skus, locations)
        model, snapshot = self._models.current(), self._features.snapshot()
        for days in (int(cover_days.min()), int(cover_days.max())):
            _check_cover(model, snapshot, days)
        statuses, found, age = self._evidence_batch(snapshot, skus, locations)
        levels = model.description.cover_quantile_levels
        covers = cover_days[np.array([status is RowStatus.OK for status in statuses])]
        mean, quantiles = np.empty(len(found)), np.empty((len(found), len(levels)))
        for rows, records in chunks(found):
            mean[rows], quantiles[rows] = predict_cover(
                model, records, covers[rows], DemandTarget.DEMAND
            )
        return CoverBatch(
            statuses=statuses,
            origins=tuple(civil(one.origin) for one in found),
            routes=tuple(one.route for one in found),
            levels=levels,
            quantiles=quantiles,
            mean=mean,
            daily_mean=mean / covers,
            daily_std=distribution_std(levels, quantiles, mean) / np.sqrt(covers),
            provenance=_provenance(model, age, ()),
        )

    def _now(self) -> int:
        return int(self._clock.now().timestamp())

    def _check_age(self, age: int) -> None:
        if age > self._ttl:
            raise StaleFeatures("demand_state", age_seconds=age, limit_seconds=int(self._ttl))

    def _evidence_batch(
        self, snapshot: FeatureSnapshot, skus: Sequence[str], locations: Sequence[str]
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
            if now - one.oldest > self._ttl:
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


def _forecasts(
    model: DemandModel, asked: list[ForecastQuery], found: list[Evidence], now: int
) -> list[Forecast]:
    """Answer questions of one origin, horizon and target."""
    horizon, target = asked[0].horizon, asked[0].target
    records, trained = stack(found), model.description.quantile_levels
    mean, quantiles = predict_daily(model, records, horizon, target)
    unplanned, unpriced = _unplanned(records, horizon), _unpriced(records)
    origin = civil(found[0].origin)
    answers = []
    for row, (query, one) in enumerate(zip(asked, found, strict=True)):
        sources = _plan_sources(unplanned[row].tobytes(), one.origin, query.plan)
        warnings = _warnings(one.route, sources, unpriced=unpriced[row])
        answers.append(
            Forecast(
                query=query,
                origin=origin,
                route=one.route,
                mean=mean[row],
                quantiles=interpolate_levels(trained, quantiles[row], query.levels),
                plan_sources=sources,
                provenance=_provenance(model, max(0, now - one.oldest), warnings),
            )
        )
    return answers


def _covers(
    model: DemandModel, asked: list[CoverQuery], found: list[Evidence], now: int
) -> list[Cover]:
    """Answer questions about covers of one origin."""
    covers = np.array([query.cover_days for query in asked])
    records, levels = stack(found), model.description.cover_quantile_levels
    mean, quantiles = predict_cover(model, records, covers, DemandTarget.DEMAND)
    means, daily_means = mean.tolist(), (mean / covers).tolist()
    daily_stds = (distribution_std(levels, quantiles, mean) / np.sqrt(covers)).tolist()
    unplanned, unpriced = _unplanned(records, int(covers.max())), _unpriced(records)
    origin = civil(found[0].origin)
    answers = []
    for row, (query, one) in enumerate(zip(asked, found, strict=True)):
        blank = unplanned[row, : query.cover_days].tobytes()
        sources = _plan_sources(blank, one.origin, query.plan)
        warnings = _warnings(one.route, sources, unpriced=unpriced[row])
        answers.append(
            Cover(
                origin=origin,
                route=one.route,
                levels=levels,
                quantiles=quantiles[row],
                mean=means[row],
                daily_mean=daily_means[row],
                daily_std=daily_stds[row],
                provenance=_provenance(model, max(0, now - one.oldest), warnings),
            )
        )
    return answers


def _unplanned(records: SeriesRecords, horizon: int) -> NDArray[np.bool_]:
    """Return on which days nothing is planned, shape (n, horizon)."""
    planned = records.future.reshape(len(records.future), -1, KNOWN_DAYS)[:, :, :horizon]
    unplanned: NDArray[np.bool_] = np.logical_and.reduce(np.isnan(planned), axis=1)
    return unplanned


def _unpriced(records: SeriesRecords) -> list[bool]:
    """Return which of n series have no price known."""
    unpriced: list[bool] = np.isnan(records.state[:, STATE["price_level"].start]).tolist()
    return unpriced


def _plan_sources(unplanned: bytes, origin: int, plan: Sequence[PlanDay]) -> tuple[PlanSource, ...]:
    """Return where each day's plan came from; a day of the request's plan comes from there."""
    sources = _stored_sources(unplanned)
    if not plan:
        return sources
    laid = list(sources)
    for day in plan:
        laid[(day.date - EPOCH).days - origin - 1] = PlanSource.REQUEST
    return tuple(laid)


@functools.lru_cache(maxsize=256)
def _stored_sources(unplanned: bytes) -> tuple[PlanSource, ...]:
    return tuple(PlanSource.LAST_REGIME if day else PlanSource.STORED for day in unplanned)


def _check_features(model: DemandModel, snapshot: FeatureSnapshot) -> None:
    asked = model.description.feature_set_hash
    if snapshot.feature_set_hash != asked:
        raise FeatureSetMismatch(asked=asked, stored=snapshot.feature_set_hash)


def _check_trained(
    model: DemandModel, snapshot: FeatureSnapshot, horizon: int, levels: Sequence[float]
) -> None:
    _check_features(model, snapshot)
    trained = model.description
    if horizon > trained.max_horizon:
        raise BeyondTrained("horizon_days", limit=f"from 1 to {trained.max_horizon}")
    low, high = trained.quantile_levels[0], trained.quantile_levels[-1]
    for index, level in enumerate(levels):
        if not low <= level <= high:
            raise BeyondTrained(f"quantile_levels[{index}]", limit=f"from {low} to {high}")


def _check_cover(model: DemandModel, snapshot: FeatureSnapshot, days: int) -> None:
    _check_features(model, snapshot)
    longest = model.description.max_cover
    if not 1 <= days <= longest:
        raise BeyondTrained("lead_time_days + review_days", limit=f"from 1 to {longest} days")


def _warnings(
    route: ForecastRoute, sources: tuple[PlanSource, ...], *, unpriced: bool
) -> tuple[str, ...]:
    warnings = []
    unplanned = sources.count(PlanSource.LAST_REGIME)
    if unplanned:
        warnings.append(
            f"nothing is planned for {unplanned} of {len(sources)} days: "
            "the last known price, discount and promotion go on"
        )
    if route is ForecastRoute.COLD_START:
        warnings.append("the series has no history: the mean series of its category stands in")
    if unpriced:
        warnings.append("no price is known: the forecast does not depend on it")
    return tuple(warnings)


def _provenance(model: DemandModel, age: int | None, warnings: tuple[str, ...]) -> Provenance:
    answered = model.description
    return Provenance(
        model_name=answered.name,
        model_version=answered.version,
        model_digest=answered.digest,
        feature_set_hash=answered.feature_set_hash,
        features_age_seconds=age,
        warnings=warnings,
    )
