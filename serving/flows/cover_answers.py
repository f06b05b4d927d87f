"""Answers about covers, computed or made ahead, with what should be known of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from serving.domain.demand import Cover, DemandTarget, distribution_std
from serving.flows.cover_hands import hands_of, laid_over_covers
from serving.flows.demand_answers import (
    hand_of,
    plan_sources,
    provenance_of,
    unplanned_days,
    unpriced_series,
    warnings_of,
)
from serving.flows.evidence import civil, stack
from serving.flows.prediction import predict_covers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from serving.domain.demand import CoverQuery
    from serving.domain.ready import ReadyForecast
    from serving.flows.evidence import Evidence
    from serving.ports import DemandModel

    Floats = NDArray[np.float64]


def covers_of(
    model: DemandModel, asked: Sequence[CoverQuery], found: list[Evidence], now: int
) -> list[Cover]:
    """Answer questions about covers of one origin."""
    days = _days(asked)
    records = stack(found, model.description.frequency)
    answer = laid_over_covers(
        model,
        records,
        hands_of(found),
        days,
        predict_covers(model, records, days, DemandTarget.DEMAND),
    )
    unplanned, unpriced = unplanned_days(records, int(days[:, 0].max())), unpriced_series(records)
    known = [
        _Known(
            one,
            unplanned[row, : query.cover_days].tobytes(),
            unpriced[row],
            hand_of(records, query.cover_days, one),
        )
        for row, (query, one) in enumerate(zip(asked, found, strict=True))
    ]
    return _covers(model, (asked, days), answer, known, now)


def covers_at_hand(
    model: DemandModel, asked: Sequence[CoverQuery], found: Sequence[ReadyForecast], now: int
) -> list[Cover]:
    """Answer questions about covers from sums made ahead, as `covers_of` does, to the bit."""
    days = _days(asked)
    sums = [(one.mean[at], one.quantiles[at]) for one, at in zip(found, days - 1, strict=True)]
    means, quantiles = (np.array(part) for part in zip(*sums, strict=True))
    known = [
        _Known(one, one.unplanned[: query.cover_days], one.unpriced)
        for query, one in zip(asked, found, strict=True)
    ]
    return _covers(model, (asked, days), (means, quantiles), known, now)


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of one series beside its sums: the days that are not planned, and the rest."""

    found: Evidence | ReadyForecast
    unplanned: bytes
    unpriced: bool
    hand: str = ""


def _days(asked: Sequence[CoverQuery]) -> NDArray[np.int64]:
    """Return the days of each question, its cover first, filled up with that."""
    most = max(len(query.others) for query in asked)
    return np.array(
        [
            (query.cover_days, *query.others, *(query.cover_days,) * (most - len(query.others)))
            for query in asked
        ]
    )


def _covers(
    model: DemandModel,
    wanted: tuple[Sequence[CoverQuery], NDArray[np.int64]],
    answer: tuple[Floats, Floats],
    known: Sequence[_Known],
    now: int,
) -> list[Cover]:
    """Lay out sums over the days of each question, as `_days` lays those out."""
    (asked, days), (all_means, sums) = wanted, answer
    levels, covers = model.description.cover_quantile_levels, days[:, 0]
    mean, quantiles = all_means[:, 0], sums[:, 0]
    means, daily_means = mean.tolist(), (mean / covers).tolist()
    daily_stds = (distribution_std(levels, quantiles, mean) / np.sqrt(covers)).tolist()
    answers = []
    for row, (query, one) in enumerate(zip(asked, known, strict=True)):
        found = one.found
        sources = plan_sources(one.unplanned, found.origin, query.plan)
        warnings = warnings_of(
            found.route, sources, model.description.frequency, unpriced=one.unpriced
        )
        if one.hand:
            warnings = (*warnings, one.hand)
        answers.append(
            Cover(
                origin=civil(found.origin),
                route=found.route,
                levels=levels,
                quantiles=quantiles[row],
                mean=means[row],
                daily_mean=daily_means[row],
                daily_std=daily_stds[row],
                provenance=provenance_of(model, max(0, now - found.oldest), warnings),
                others=sums[row, 1 : 1 + len(query.others)],
                other_means=all_means[row, 1 : 1 + len(query.others)],
            )
        )
    return answers
