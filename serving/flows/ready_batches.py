"""Batches of forecasts and covers, some made ahead of their question and the others computed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from serving.domain.demand import (
    CoverBatch,
    ForecastBatch,
    ForecastRoute,
    distribution_std,
    interpolate_levels,
)
from serving.domain.series import RowStatus
from serving.flows.demand_answers import provenance_of
from serving.flows.evidence import civil
from serving.flows.prediction import answered_in

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from serving.domain.demand import BatchForecastQuery
    from serving.ports import DemandModel

    Floats = NDArray[np.float64]
    # Rows that were made ahead, one or more, and their answers as `domain.ready.layout` says.
    Ready = tuple[NDArray[np.intp], NDArray[np.void]]

T = TypeVar("T")
_ROUTES = {int(route): route for route in ForecastRoute}


def batch_at_hand(
    model: DemandModel,
    query: BatchForecastQuery,
    ready: Ready,
    rest: ForecastBatch | None,
    now: int,
) -> ForecastBatch:
    """Bring forecasts made ahead and computed ones together, to the bits of computing them all.

    Args:
        model: The model both come from.
        query: What was asked.
        ready: What was made ahead.
        rest: The batch of the other rows, in their order; None where there are none.
        now: Seconds since 1970-01-01 UTC.
    """
    found, horizon = ready[1], query.horizon
    merge = _merge(ready, len(query.skus), rest, now)
    values, cells = found["values"][:, :horizon], found["cell"].tolist()
    known = {cell: answered_in(model, cell) for cell in set(cells)}
    mean, own = values[:, :, 0], None
    quantiles = interpolate_levels(
        model.description.quantile_levels, values[:, :, 1:], query.levels
    )
    answered = [known[cell] for cell in cells]
    if rest is not None:
        mean, quantiles = merge.laid(mean, rest.mean), merge.laid(quantiles, rest.quantiles)
        answered = merge.listed(answered, rest.answered)
        if rest.model_mean is not None:
            own = merge.laid(values[:, :, 0], rest.model_mean)
    return ForecastBatch(
        query=query,
        statuses=merge.statuses,
        origins=merge.origins,
        routes=merge.routes,
        mean=np.ascontiguousarray(mean),
        quantiles=np.ascontiguousarray(quantiles),
        provenance=provenance_of(model, merge.age, ()),
        answered=tuple(answered),
        frequency=model.description.frequency,
        model_mean=own,
    )


def cover_batch_at_hand(
    model: DemandModel, asked: NDArray[np.int64], ready: Ready, rest: CoverBatch | None, now: int
) -> CoverBatch:
    """Bring sums made ahead and computed ones together, as `batch_at_hand` does forecasts.

    Args:
        model: The model both come from.
        asked: Days of each asked row, its cover first, shape (rows, covers).
        ready: What was made ahead.
        rest: The batch of the other rows, in their order; None where there are none.
        now: Seconds since 1970-01-01 UTC.
    """
    rows, found = ready
    merge, levels = _merge(ready, len(asked), rest, now), model.description.cover_quantile_levels
    covers = asked[rows]
    sums = found["values"][np.arange(rows.size)[:, None], covers - 1]
    means, quantiles, days = sums[:, :, 0], sums[:, :, 1:], covers[:, 0]
    stds = distribution_std(levels, quantiles[:, 0], means[:, 0]) / np.sqrt(days)
    columns: tuple[Floats, ...] = (
        quantiles[:, 0],
        means[:, 0],
        means[:, 0] / days,
        stds,
        quantiles[:, 1:],
        means[:, 1:],
    )
    names = ("quantiles", "mean", "daily_mean", "daily_std", "others", "other_means")
    if rest is not None:
        columns = tuple(
            merge.laid(mine, getattr(rest, name)) for name, mine in zip(names, columns, strict=True)
        )
    warnings = () if rest is None else rest.provenance.warnings
    return CoverBatch(
        statuses=merge.statuses,
        origins=merge.origins,
        routes=merge.routes,
        levels=levels,
        provenance=provenance_of(model, merge.age, warnings),
        **dict(zip(names, columns, strict=True)),
    )


@dataclass(frozen=True, slots=True)
class _Merge:
    """How rows made ahead and computed ones lie between each other.

    Attributes:
        statuses: Outcome of each asked row.
        origins: Last known day of each valued row.
        routes: Which evidence each valued row rests on.
        age: Age of the oldest evidence in seconds.
        at_hand: Whether each valued row was made ahead, shape (valued,).
    """

    statuses: tuple[RowStatus, ...]
    origins: tuple[dt.date, ...]
    routes: tuple[ForecastRoute, ...]
    age: int
    at_hand: NDArray[np.bool_]

    def laid(self, ahead: Floats, computed: Floats) -> Floats:
        """Return a column of all valued rows, the first axis of each."""
        both = np.empty((self.at_hand.size, *ahead.shape[1:]))
        both[self.at_hand], both[~self.at_hand] = ahead, computed
        return both

    def listed(self, ahead: Iterable[T], computed: Iterable[T]) -> list[T]:
        """Return the entries of all valued rows."""
        ready, others = iter(ahead), iter(computed)
        return [next(ready) if one else next(others) for one in self.at_hand.tolist()]


def _merge(ready: Ready, asked: int, rest: ForecastBatch | CoverBatch | None, now: int) -> _Merge:
    rows, found = ready
    days = {day: civil(day) for day in set(found["origin"].tolist())}
    origins = [days[day] for day in found["origin"].tolist()]
    routes = [_ROUTES[route] for route in found["route"].tolist()]
    age = max(0, now - int(found["oldest"].min()))
    if rest is None:
        whole = np.ones(asked, dtype=np.bool_)
        return _Merge((RowStatus.OK,) * asked, tuple(origins), tuple(routes), age, whole)
    there = np.zeros(asked, dtype=np.bool_)
    there[rows] = True
    others = iter(rest.statuses)
    statuses = tuple(RowStatus.OK if one else next(others) for one in there.tolist())
    at_hand = there[[status is RowStatus.OK for status in statuses]]
    merge = _Merge(statuses, (), (), max(age, rest.provenance.features_age_seconds or 0), at_hand)
    return replace(
        merge,
        origins=tuple(merge.listed(origins, rest.origins)),
        routes=tuple(merge.listed(routes, rest.routes)),
    )
