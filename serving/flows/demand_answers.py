"""Answers about demand from the evidence they rest on, with what should be known of each."""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING

import numpy as np

from serving.domain.demand import (
    Forecast,
    ForecastRoute,
    PlanSource,
    interpolate_levels,
)
from serving.domain.features import KNOWN_DAYS
from serving.domain.history import STATE, TAIL
from serving.domain.overrides import lay_over, told
from serving.domain.periods import Frequency, day_numbers_ahead
from serving.domain.series import Provenance
from serving.flows.evidence import EPOCH, Evidence, civil, stack
from serving.flows.prediction import answered_by, answered_in, predict_daily

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from serving.domain.demand import ForecastQuery
    from serving.domain.features import SeriesRecords
    from serving.domain.ready import ReadyForecast
    from serving.domain.series import PlanDay
    from serving.ports import DemandModel

    Floats = NDArray[np.float64]

_TELLING = [STATE[name].start for name in ("observed_days", "interval", f"max_{TAIL}")]
_FEW_DAYS = 14  # days below which a series' own history says little


def forecasts_of(
    model: DemandModel, asked: list[ForecastQuery], found: list[Evidence], now: int
) -> list[Forecast]:
    """Answer questions of one origin, horizon and target."""
    horizon, target, said = asked[0].horizon, asked[0].target, model.description
    records = stack(found, said.frequency)
    own, values = predict_daily(model, records, horizon, target)
    mean, quantiles = overridden(found, records, own, values)
    unplanned, unpriced = unplanned_days(records, horizon), unpriced_series(records)
    origin, answered = civil(found[0].origin), answered_by(model, records)
    telling, peak = tellings(records), mean.max(axis=1).tolist()
    provenances: dict[tuple[int, tuple[str, ...]], Provenance] = {}
    answers = []
    for row, (query, one) in enumerate(zip(asked, found, strict=True)):
        sources = plan_sources(unplanned[row].tobytes(), one.origin, query.plan)
        warnings = (
            *warnings_of(one.route, sources, said.frequency, unpriced=unpriced[row]),
            *_thin(telling[row], peak[row], said.frequency, lone=one.lone),
        )
        hand = hand_of(records, horizon, one)
        if hand:
            warnings = (*warnings, hand)
        known = (max(0, now - one.oldest), warnings)
        if known not in provenances:
            provenances[known] = provenance_of(model, *known)
        answers.append(
            Forecast(
                query=query,
                origin=origin,
                route=one.route,
                mean=mean[row],
                quantiles=interpolate_levels(said.quantile_levels, quantiles[row], query.levels),
                plan_sources=sources,
                provenance=provenances[known],
                answered=answered[row],
                frequency=said.frequency,
                model_mean=own[row] if hand else None,
            )
        )
    return answers


def hand_of(records: SeriesRecords, periods: int, one: Evidence) -> str:
    """Say what planners say of the periods ahead; empty where nobody says anything."""
    if not one.overrides:
        return ""
    return told(day_numbers_ahead(records.origin, periods), one.overrides)


def overridden(
    found: Sequence[Evidence], records: SeriesRecords, mean: Floats, quantiles: Floats
) -> tuple[Floats, Floats]:
    """Lay the overrides of each series over its forecast; without any, the very same arrays."""
    hands = [(row, one.overrides) for row, one in enumerate(found) if one.overrides]
    if not hands:
        return mean, quantiles
    days = day_numbers_ahead(records.origin, mean.shape[1])
    mean, quantiles = mean.copy(), quantiles.copy()
    for row, overrides in hands:
        mean[row], quantiles[row] = lay_over(mean[row], quantiles[row], days, overrides)
    return mean, quantiles


def unplanned_days(records: SeriesRecords, horizon: int) -> NDArray[np.bool_]:
    """Return on which days nothing is planned, shape (n, horizon)."""
    planned = records.future.reshape(len(records.future), -1, KNOWN_DAYS)[:, :, :horizon]
    unplanned: NDArray[np.bool_] = np.logical_and.reduce(np.isnan(planned), axis=1)
    return unplanned


def unpriced_series(records: SeriesRecords) -> list[bool]:
    """Return which of n series have no price known."""
    unpriced: list[bool] = np.isnan(records.state[:, STATE["price_level"].start]).tolist()
    return unpriced


def plan_sources(unplanned: bytes, origin: int, plan: Sequence[PlanDay]) -> tuple[PlanSource, ...]:
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


def warnings_of(
    route: ForecastRoute,
    sources: tuple[PlanSource, ...],
    frequency: Frequency,
    *,
    unpriced: bool,
) -> tuple[str, ...]:
    """Say what should be known of the evidence a forecast rests on."""
    warnings = []
    unplanned = sources.count(PlanSource.LAST_REGIME)
    if unplanned:
        warnings.append(
            f"nothing is planned for {unplanned} of {len(sources)} {frequency.name.lower()}s: "
            "the last known price, discount and promotion go on"
        )
    if route is ForecastRoute.COLD_START:
        warnings.append(
            "the series has no history: the mean series of its category stands in, at the level "
            "its product has elsewhere"
        )
    if unpriced:
        warnings.append("no price is known: the forecast does not depend on it")
    return tuple(warnings)


def tellings(records: SeriesRecords) -> list[list[float]]:
    """Return what tells evidence that carries little, of each of n series.

    Returns:
        Days of own history, days from one sale to the next (NaN where there was none), and the
        most units of a recent day.
    """
    told: list[list[float]] = records.state[:, _TELLING].tolist()
    return told


def _thin(
    telling: Sequence[float], peak: float, frequency: Frequency, *, lone: bool
) -> Iterator[str]:
    """Yield what should be known of evidence that carries little, or of a forecast beyond it."""
    observed, sold, most = telling
    unit = frequency.name.lower()
    if lone:
        yield "its category has never sold: the mean of all products stands in"
    if 0 < observed < _FEW_DAYS:
        days = f"1 {unit}" if observed == 1 else f"{observed:.0f} {unit}s"
        yield f"its history is short: {days}"
    if observed > 0 and math.isnan(sold):
        yield f"no demand has been seen in {observed:.0f} {unit}s"
    if observed > 0 and most > 0 and peak > most:
        yield f"more is expected than the most of the last {TAIL} {unit}s, which is {most:g}"


def at_hand(model: DemandModel, query: ForecastQuery, found: ReadyForecast, now: int) -> Forecast:
    """Answer a question from a forecast made ahead of it, as `forecasts_of` does, to the bit."""
    said, horizon = model.description, query.horizon
    mean = found.mean[:horizon]
    sources = _stored_sources(found.unplanned[:horizon])
    warnings = (
        *warnings_of(found.route, sources, said.frequency, unpriced=found.unpriced),
        *_thin(found.telling, max(mean.tolist()), said.frequency, lone=found.lone),
    )
    return Forecast(
        query=query,
        origin=civil(found.origin),
        route=found.route,
        mean=mean,
        quantiles=interpolate_levels(said.quantile_levels, found.quantiles[:horizon], query.levels),
        plan_sources=sources,
        provenance=provenance_of(model, max(0, now - found.oldest), warnings),
        answered=answered_in(model, found.cell),
        frequency=said.frequency,
    )


def provenance_of(model: DemandModel, age: int | None, warnings: tuple[str, ...]) -> Provenance:
    """Return where an answer of a model came from."""
    answered = model.description
    return Provenance(
        model_name=answered.name,
        model_version=answered.version,
        model_digest=answered.digest,
        feature_set_hash=answered.feature_set_hash,
        features_age_seconds=age,
        warnings=warnings,
    )
