"""Batches of forecasts, some made ahead of their question and the others computed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from serving.domain.demand import ForecastBatch, interpolate_levels
from serving.domain.series import RowStatus
from serving.flows.demand_answers import provenance_of
from serving.flows.evidence import civil
from serving.flows.prediction import answered_in

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from serving.domain.demand import BatchForecastQuery, ForecastRoute
    from serving.domain.ready import ReadyForecast
    from serving.domain.routes import Answered
    from serving.ports import DemandModel

    Floats = NDArray[np.float64]


def batch_at_hand(
    model: DemandModel,
    query: BatchForecastQuery,
    ready: Mapping[int, ReadyForecast],
    rest: ForecastBatch | None,
    now: int,
) -> ForecastBatch:
    """Bring forecasts made ahead and computed ones together, to the bits of computing them all.

    Args:
        model: The model both come from.
        query: What was asked.
        ready: Forecasts made ahead, by row of the question.
        rest: The batch of the other rows, in their order; None where there are none.
        now: Seconds since 1970-01-01 UTC.
    """
    others = iter(() if rest is None else rest.statuses)
    statuses = [RowStatus.OK if row in ready else next(others) for row in range(len(query.skus))]
    valued = [row for row, status in enumerate(statuses) if status is RowStatus.OK]
    at_hand = np.array([row in ready for row in valued])
    found = [ready[row] for row in valued if row in ready]
    horizon = query.horizon
    mean = np.empty((len(valued), horizon))
    quantiles = np.empty((len(valued), horizon, len(query.levels)))
    mean[at_hand] = [one.mean[:horizon] for one in found]
    values = np.array([one.quantiles[:horizon] for one in found])
    trained = model.description.quantile_levels
    quantiles[at_hand] = interpolate_levels(trained, values, query.levels)
    own: Floats | None = None
    computed: Iterator[tuple[dt.date, ForecastRoute, Answered]] = iter(())
    ages = [now - one.oldest for one in found]
    if rest is not None:
        mean[~at_hand], quantiles[~at_hand] = rest.mean, rest.quantiles
        if rest.model_mean is not None:
            own = mean.copy()
            own[~at_hand] = rest.model_mean
        computed = zip(rest.origins, rest.routes, rest.answered, strict=True)
        ages.append(rest.provenance.features_age_seconds or 0)
    facts = [
        (civil(ready[row].origin), ready[row].route, answered_in(model, ready[row].cell))
        if row in ready
        else next(computed)
        for row in valued
    ]
    origins, routes, answered = zip(*facts, strict=True)
    return ForecastBatch(
        query=query,
        statuses=tuple(statuses),
        origins=origins,
        routes=routes,
        mean=mean,
        quantiles=quantiles,
        provenance=provenance_of(model, max(0, *ages), ()),
        answered=answered,
        frequency=model.description.frequency,
        model_mean=own,
    )
