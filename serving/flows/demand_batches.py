"""Forecasts and covers of many series, computed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from serving.domain.demand import (
    CoverBatch,
    DemandTarget,
    ForecastBatch,
    distribution_std,
    interpolate_levels,
)
from serving.domain.series import RowStatus
from serving.flows.cover_hands import hands_of, laid_over_covers, told_of_covers
from serving.flows.demand_answers import overridden, provenance_of
from serving.flows.evidence import chunks, civil
from serving.flows.prediction import answered_by, predict_covers, predict_daily

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from serving.domain.demand import BatchForecastQuery
    from serving.domain.routes import Answered
    from serving.flows.evidence import Evidence
    from serving.ports import DemandModel


@dataclass(frozen=True, slots=True)
class BatchEvidence:
    """What the answers about many series rest on.

    Attributes:
        statuses: Outcome of each asked row.
        found: The evidence of the rows whose status is OK, in order.
        age: Age of the oldest of it in seconds; None where there is none.
    """

    statuses: tuple[RowStatus, ...]
    found: list[Evidence]
    age: int | None


def forecast_batch_of(
    model: DemandModel, query: BatchForecastQuery, evidence: BatchEvidence
) -> ForecastBatch:
    """Forecast the days of many series."""
    found, trained = evidence.found, model.description.quantile_levels
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
        statuses=evidence.statuses,
        origins=tuple(civil(one.origin) for one in found),
        routes=tuple(one.route for one in found),
        mean=mean,
        quantiles=quantiles,
        provenance=provenance_of(model, evidence.age, ()),
        answered=tuple(answered[row] for row in range(len(found))),
        model_mean=own if any(one.overrides for one in found) else None,
        frequency=model.description.frequency,
    )


def cover_batch_of(
    model: DemandModel, asked: NDArray[np.int64], evidence: BatchEvidence, beside: int = 0
) -> CoverBatch:
    """Forecast the sums over the covers of many series.

    Args:
        model: The model that answers.
        asked: Days of each asked row, its cover first, shape (rows, covers).
        evidence: What the answers rest on.
        beside: Series of the same question that are answered elsewhere, without overrides.
    """
    found, levels = evidence.found, model.description.cover_quantile_levels
    asked = asked[np.array([status is RowStatus.OK for status in evidence.statuses])]
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
    hand = told_of_covers(found, covers, model.description.frequency, beside)
    return CoverBatch(
        statuses=evidence.statuses,
        origins=tuple(civil(one.origin) for one in found),
        routes=tuple(one.route for one in found),
        levels=levels,
        quantiles=quantiles,
        mean=mean,
        daily_mean=mean / covers,
        daily_std=distribution_std(levels, quantiles, mean) / np.sqrt(covers),
        provenance=provenance_of(model, evidence.age, hand),
        others=sums[:, 1:],
        other_means=means[:, 1:],
    )
