"""Batches of forecasts, some made ahead of their question and the others computed."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np

from serving.domain.demand import ForecastBatch, ForecastRoute, interpolate_levels
from serving.domain.series import RowStatus
from serving.flows.demand_answers import provenance_of
from serving.flows.evidence import civil
from serving.flows.prediction import answered_in

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from serving.domain.demand import BatchForecastQuery
    from serving.domain.routes import Answered
    from serving.ports import DemandModel

    Floats = NDArray[np.float64]

T = TypeVar("T")
_ROUTES = {int(route): route for route in ForecastRoute}


def batch_at_hand(
    model: DemandModel,
    query: BatchForecastQuery,
    ready: tuple[NDArray[np.intp], NDArray[np.void]],
    rest: ForecastBatch | None,
    now: int,
) -> ForecastBatch:
    """Bring forecasts made ahead and computed ones together, to the bits of computing them all.

    Args:
        model: The model both come from.
        query: What was asked.
        ready: Rows that were answered ahead, one or more, and their forecasts, laid out.
        rest: The batch of the other rows, in their order; None where there are none.
        now: Seconds since 1970-01-01 UTC.
    """
    rows, found = ready
    horizon, trained = query.horizon, model.description.quantile_levels
    values = found["values"][:, :horizon]
    parts = _Parts(
        tuple(map(_days_of(found["origin"]).__getitem__, found["origin"].tolist())),
        tuple(map(_ROUTES.__getitem__, found["route"].tolist())),
        values[:, :, 0],
        interpolate_levels(trained, values[:, :, 1:], query.levels),
        _answered(model, found["cell"]),
    )
    age = now - int(found["oldest"].min())
    if rest is None:
        statuses: tuple[RowStatus, ...] = (RowStatus.OK,) * len(query.skus)
        own = None
    else:
        statuses, parts, own = _merged(rows, len(query.skus), parts, rest)
        age = max(age, rest.provenance.features_age_seconds or 0)
    return ForecastBatch(
        query=query,
        statuses=statuses,
        origins=parts.origins,
        routes=parts.routes,
        mean=np.ascontiguousarray(parts.mean),
        quantiles=np.ascontiguousarray(parts.quantiles),
        provenance=provenance_of(model, max(0, age), ()),
        answered=parts.answered,
        frequency=model.description.frequency,
        model_mean=own,
    )


class _Parts(NamedTuple):
    """Columns of a batch, one entry a valued row."""

    origins: tuple[dt.date, ...]
    routes: tuple[ForecastRoute, ...]
    mean: Floats
    quantiles: Floats
    answered: tuple[Answered, ...]


def _merged(
    rows: NDArray[np.intp], asked: int, ahead: _Parts, rest: ForecastBatch
) -> tuple[tuple[RowStatus, ...], _Parts, Floats | None]:
    """Put computed rows between those made ahead; statuses and the model's own means with them."""
    at_hand = np.zeros(asked, dtype=np.bool_)
    at_hand[rows] = True
    others = iter(rest.statuses)
    statuses = [RowStatus.OK if ready else next(others) for ready in at_hand.tolist()]
    at_hand = at_hand[[status is RowStatus.OK for status in statuses]]
    mean = np.empty((at_hand.size, *ahead.mean.shape[1:]))
    quantiles = np.empty((at_hand.size, *ahead.quantiles.shape[1:]))
    mean[at_hand], mean[~at_hand] = ahead.mean, rest.mean
    quantiles[at_hand], quantiles[~at_hand] = ahead.quantiles, rest.quantiles
    own: Floats | None = None
    if rest.model_mean is not None:
        own = mean.copy()
        own[~at_hand] = rest.model_mean
    pairs = ((ahead.origins, rest.origins), (ahead.routes, rest.routes))
    origins, routes = (_between(at_hand, *pair) for pair in pairs)
    answered = _between(at_hand, ahead.answered, rest.answered)
    return tuple(statuses), _Parts(origins, routes, mean, quantiles, answered), own


def _between(at_hand: NDArray[np.bool_], ahead: Iterable[T], rest: Iterable[T]) -> tuple[T, ...]:
    ready, computed = iter(ahead), iter(rest)
    return tuple(next(ready) if one else next(computed) for one in at_hand.tolist())


def _days_of(origins: NDArray[np.int32]) -> dict[int, dt.date]:
    return {day: civil(day) for day in set(origins.tolist())}


def _answered(model: DemandModel, cells: NDArray[np.uint8]) -> tuple[Answered, ...]:
    known = {cell: answered_in(model, cell) for cell in set(cells.tolist())}
    return tuple(map(known.__getitem__, cells.tolist()))
