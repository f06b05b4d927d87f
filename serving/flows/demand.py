"""The path of a demand request: query -> features -> model -> distribution."""

from __future__ import annotations

import datetime as dt
import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from serving.domain.demand import (
    Cover,
    CoverBatch,
    DemandTarget,
    Forecast,
    ForecastBatch,
    ForecastRoute,
    PlanSource,
    check_plan,
    check_rows,
    distribution_std,
    interpolate_levels,
)
from serving.domain.features import (
    FUTURE,
    KNOWN_DAYS,
    LOCATION,
    WIDTHS,
    SeriesRecords,
    cover_rows,
    daily_rows,
    date_columns,
)
from serving.domain.history import STATE, demand_states
from serving.domain.series import Provenance, RowStatus, check_key
from serving.errors import (
    BeyondTrained,
    FeatureSetMismatch,
    InvalidField,
    StaleFeatures,
    UnknownSeries,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from serving.domain.demand import BatchForecastQuery, ForecastQuery
    from serving.domain.history import History
    from serving.domain.series import PlanDay
    from serving.ports import (
        Clock,
        DemandModel,
        FeatureReader,
        FeatureSnapshot,
        ModelSource,
        StoredRecord,
    )

    Floats = NDArray[np.float64]

    StandIns = tuple[StoredRecord | None, StoredRecord | None]  # of product and location

DAY_SECONDS = 86_400
EPOCH = dt.date(1970, 1, 1)
CHUNK = 256  # series whose feature rows are held at once
_NO_PLAN = np.full(WIDTHS["known_future"], np.nan, dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one series' answer rests on.

    Attributes:
        origin: Last known day, days since 1970-01-01.
        state, product, location, future: The series' packed records, each of shape (width,).
        oldest: Event time of the oldest record, seconds since 1970-01-01 UTC.
        route: Which evidence it is.
    """

    origin: int
    state: NDArray[np.float32]
    product: NDArray[np.float32]
    location: NDArray[np.float32]
    future: NDArray[np.float32]
    oldest: int
    route: ForecastRoute


def civil(day: int) -> dt.date:
    """Return the date of a day counted from 1970-01-01."""
    return EPOCH + dt.timedelta(days=day)


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
        model, snapshot = self._models.current(), self._features.snapshot()
        _check_trained(model, snapshot, query.horizon, query.levels)
        found = self._evidence(snapshot, query)
        age = self._age(found.oldest)
        future, sources = _with_plan(found, query.plan, query.horizon)
        mean, quantiles = predict_daily(model, _alone(found, future), query.horizon, query.target)
        trained = model.description.quantile_levels
        return Forecast(
            query=query,
            origin=civil(found.origin),
            route=found.route,
            mean=mean[0],
            quantiles=interpolate_levels(trained, quantiles[0], query.levels),
            plan_sources=sources,
            provenance=_provenance(model, age, _warnings(found, sources)),
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
        for rows, records in _chunks(found):
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
        check_key("sku", sku)
        check_key("location", location)
        check_plan(plan)
        model, snapshot = self._models.current(), self._features.snapshot()
        _check_cover(model, snapshot, cover_days)
        found = _stored(snapshot, sku, location)
        age = self._age(found.oldest)
        future, sources = _with_plan(found, plan, cover_days)
        covers = np.array([cover_days])
        mean, quantiles = predict_cover(model, _alone(found, future), covers, DemandTarget.DEMAND)
        levels = model.description.cover_quantile_levels
        return Cover(
            origin=civil(found.origin),
            route=found.route,
            levels=levels,
            quantiles=quantiles[0],
            mean=float(mean[0]),
            daily_mean=float((mean / covers)[0]),
            daily_std=float((distribution_std(levels, quantiles, mean) / np.sqrt(covers))[0]),
            provenance=_provenance(model, age, _warnings(found, sources)),
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
        for rows, records in _chunks(found):
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

    def _age(self, oldest: int) -> int:
        age = max(0, int(self._clock.now().timestamp()) - oldest)
        if age > self._ttl:
            raise StaleFeatures("demand_state", age_seconds=age, limit_seconds=int(self._ttl))
        return age

    def _evidence(self, snapshot: FeatureSnapshot, query: ForecastQuery) -> Evidence:
        found = _stored(snapshot, query.sku, query.location, _stand_ins(snapshot, query))
        return found if query.history is None else _from_history(found, query.history)

    def _evidence_batch(
        self, snapshot: FeatureSnapshot, skus: Sequence[str], locations: Sequence[str]
    ) -> tuple[tuple[RowStatus, ...], list[Evidence], int | None]:
        keys = list(zip(skus, locations, strict=True))
        states = snapshot.records("demand_state", keys)
        futures = snapshot.records("known_future", keys)
        now = int(self._clock.now().timestamp())
        statuses, found, oldest = [], [], None
        for key, state, future in zip(keys, states, futures, strict=True):
            try:
                one = _assemble(snapshot, key, (state, future))
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


def _stand_ins(snapshot: FeatureSnapshot, query: ForecastQuery) -> StandIns:
    """Return the records of the category and region sent for what is in no table."""
    product = location = None
    if query.product is not None:
        product = snapshot.record("product", (f"category:{query.product.category}",))
    if query.location_attributes is not None:
        region = query.location_attributes.region or ""
        location = snapshot.record("location", (f"region:{region}",))
    return product, location


def _stored(
    snapshot: FeatureSnapshot, sku: str, location: str, stand_ins: StandIns = (None, None)
) -> Evidence:
    key = (sku, location)
    series = (snapshot.record("demand_state", key), snapshot.record("known_future", key))
    return _assemble(snapshot, key, series, stand_ins)


def _assemble(
    snapshot: FeatureSnapshot,
    key: tuple[str, str],
    series: tuple[StoredRecord | None, StoredRecord | None],
    stand_ins: StandIns = (None, None),
) -> Evidence:
    """Bring a series' records together; attributes sent in the request stand in for tables."""
    (sku, place), (state, future) = key, series
    product = snapshot.record("product", (sku,)) or stand_ins[0]
    if product is None:
        raise UnknownSeries("sku", sku)
    location = snapshot.record("location", (place,)) or stand_ins[1]
    if location is None:
        raise UnknownSeries("location", place)
    route = ForecastRoute.GLOBAL_MODEL
    values = product.values[-WIDTHS["demand_state"] :]  # category_state is the last field
    event_time = product.event_time
    if state is None:
        route = ForecastRoute.COLD_START
    else:
        values, event_time = state.values, state.event_time
    return Evidence(
        origin=event_time // DAY_SECONDS - 1,
        state=values,
        product=product.values,
        location=location.values,
        future=_NO_PLAN if future is None else future.values,
        oldest=min(event_time, product.event_time, location.event_time),
        route=route,
    )


def _from_history(found: Evidence, history: History) -> Evidence:
    """Replace the stored state by that of the history sent; known days move to its origin."""
    (_, state, _), *_ = demand_states(history, [history.days - 1])
    origin = int(history.last_day.astype(np.int64))
    moved = origin - found.origin
    location = found.location.copy()
    first = LOCATION["holiday"].start
    location[first:] = _move(found.location[first:], moved)
    return Evidence(
        origin=origin,
        state=state[0],
        product=found.product,
        location=location,
        future=_move(found.future, moved),
        oldest=found.oldest,
        route=ForecastRoute.REQUEST_HISTORY,
    )


def _move(known: NDArray[np.float32], days: int) -> NDArray[np.float32]:
    """Shift fields of KNOWN_DAYS each so that they begin `days` later; NaN where unknown."""
    if days == 0:
        return known
    out = np.full_like(known, np.nan).reshape(-1, KNOWN_DAYS)
    fields = known.reshape(-1, KNOWN_DAYS)
    if 0 < days < KNOWN_DAYS:
        out[:, : KNOWN_DAYS - days] = fields[:, days:]
    elif -KNOWN_DAYS < days < 0:
        out[:, -days:] = fields[:, : KNOWN_DAYS + days]
    return out.reshape(-1)


def _with_plan(
    found: Evidence, plan: Sequence[PlanDay], horizon: int
) -> tuple[NDArray[np.float32], tuple[PlanSource, ...]]:
    """Lay the request's plan over the stored one, day by day and field by field."""
    unknown = np.isnan(found.future.reshape(-1, KNOWN_DAYS)[:, :horizon])
    blank = np.logical_and.reduce(unknown, axis=0).tolist()
    sources = [PlanSource.LAST_REGIME if day else PlanSource.STORED for day in blank]
    if not plan:
        return found.future, tuple(sources)
    future = found.future.copy()
    for index, day in enumerate(plan):
        ahead = (day.date - EPOCH).days - found.origin
        if not 1 <= ahead <= horizon:
            first, last = civil(found.origin + 1), civil(found.origin + horizon)
            raise InvalidField(f"plan[{index}].date", f"must be from {first} to {last}")
        for name in ("price", "discount", "promoted"):
            value = getattr(day, name)
            if value is not None:
                future[FUTURE[name].start + ahead - 1] = value
        sources[ahead - 1] = PlanSource.REQUEST
    return future, tuple(sources)


def _alone(found: Evidence, future: NDArray[np.float32]) -> SeriesRecords:
    """Return the records of one series, without copying them."""
    return SeriesRecords(
        origin=np.datetime64(found.origin, "D"),
        state=found.state[None],
        product=found.product[None],
        location=found.location[None],
        future=future[None],
    )


def _stack(found: Sequence[Evidence]) -> SeriesRecords:
    return SeriesRecords(
        origin=np.datetime64(found[0].origin, "D"),
        state=np.stack([one.state for one in found]),
        product=np.stack([one.product for one in found]),
        location=np.stack([one.location for one in found]),
        future=np.stack([one.future for one in found]),
    )


def _chunks(found: Sequence[Evidence]) -> list[tuple[NDArray[np.intp], SeriesRecords]]:
    """Group series by origin, at most CHUNK at a time: their indices and their records."""
    by_origin: dict[int, list[int]] = {}
    for index, one in enumerate(found):
        by_origin.setdefault(one.origin, []).append(index)
    chunks = []
    for rows in by_origin.values():
        for start in range(0, len(rows), CHUNK):
            part = rows[start : start + CHUNK]
            chunks.append((np.array(part), _stack([found[index] for index in part])))
    return chunks


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


def _warnings(found: Evidence, sources: Sequence[PlanSource]) -> tuple[str, ...]:
    warnings = []
    unplanned = sum(source is PlanSource.LAST_REGIME for source in sources)
    if unplanned:
        warnings.append(
            f"nothing is planned for {unplanned} of {len(sources)} days: "
            "the last known price, discount and promotion go on"
        )
    if found.route is ForecastRoute.COLD_START:
        warnings.append("the series has no history: the mean series of its category stands in")
    if np.isnan(found.state[STATE["price_level"].start]):
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
