"""Which days a reorder asks a forecast for, and demand over them brought together."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from serving.domain import lead_times
from serving.domain.cover_demand import CoverDemand, CoverForecast
from serving.domain.demand import DemandTarget, distribution_std
from serving.domain.reorder_levels import ROUNDING
from serving.errors import InvalidField
from serving.flows.cover_hands import laid_over_covers
from serving.flows.prediction import predict_covers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from serving.domain.demand import Cover, CoverBatch
    from serving.domain.features import SeriesRecords
    from serving.domain.lead_times import LeadTime
    from serving.domain.reorder_levels import ReorderTerms
    from serving.flows.cover_hands import Hands
    from serving.ports import DemandModel

    Floats = NDArray[np.float64]
    Days = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Interval:
    """The days a series has to be covered for, by the lead times it may have.

    Attributes:
        over_cover: Whole days of lead time plus review period, 1 or more.
        over_lead: Whole days of the lead time alone, 0 or more.
        weights: Probability of each lead time.
        clipped: Whether a lead time is longer than the model was trained for and was shortened.
    """

    over_cover: tuple[int, ...]
    over_lead: tuple[int, ...]
    weights: tuple[float, ...]
    clipped: bool = False

    @property
    def days(self) -> set[int]:
        """Every number of days a forecast is needed for."""
        return {day for day in (*self.over_cover, *self.over_lead) if day}


@functools.lru_cache(maxsize=65_536)
def interval(lead_time: LeadTime, review_days: float, longest: int) -> Interval:
    """Return the days to cover: each lead time with the review period, in whole days.

    Args:
        lead_time: Distribution of the lead time.
        review_days: Days between reviews.
        longest: Days the model was trained for; longer ones are read as that many.

    Returns:
        The days.
    """
    whole = [max(1, math.ceil(day + review_days - ROUNDING)) for day in lead_time.days]
    lead = [math.ceil(day - ROUNDING) for day in lead_time.days]
    return Interval(
        over_cover=tuple(min(day, longest) for day in whole),
        over_lead=tuple(min(day, longest) for day in lead),
        weights=lead_time.weights,
        clipped=len(whole) > 1 and max(whole) > longest,
    )


@functools.lru_cache(maxsize=65_536)
def few(mean_days: float, std_days: float) -> LeadTime:
    """Return a gamma lead time of a few whole days: each costs a forecast."""
    try:
        return lead_times.gamma(mean_days, std_days, lead_times.FEW)
    except InvalidField as error:
        raise InvalidField(f"lead_time_{error.field}", error.requirement) from None


def intervals(terms: ReorderTerms, longest: int) -> list[Interval]:
    """Return the days to cover for each of n series."""
    figures = zip(
        terms.lead_time_days.tolist(),
        terms.lead_time_std_days.tolist(),
        terms.review_days.tolist(),
        strict=True,
    )
    return [interval(few(mean, std), review, longest) for mean, std, review in figures]


def one_each(
    asked: Sequence[Interval], days: Sequence[tuple[int, ...]], covers: Sequence[Cover]
) -> CoverDemand:
    """Bring together what was forecast for each series alone.

    Args:
        asked: The interval of each series.
        days: The days each was forecast for, in the order of its cover and the others.
        covers: The forecasts.

    Returns:
        Demand of the series.
    """
    wide = max(len(one.weights) for one in asked)
    shape = (len(asked), wide, len(covers[0].levels))
    quantiles, over_lead = np.zeros(shape), np.zeros(shape)
    means, weights = np.zeros(shape[:2]), np.zeros(shape[:2])
    for row, (one, forecast_for, cover) in enumerate(zip(asked, days, covers, strict=True)):
        weights[row, : len(one.weights)] = one.weights
        for place, (day, lead) in enumerate(zip(one.over_cover, one.over_lead, strict=True)):
            at = forecast_for.index(day)
            quantiles[row, place] = cover.others[at - 1] if at else cover.quantiles
            means[row, place] = cover.other_means[at - 1] if at else cover.mean
            if lead:
                at = forecast_for.index(lead)
                over_lead[row, place] = cover.others[at - 1] if at else cover.quantiles
    return CoverDemand.of(
        CoverForecast(
            levels=covers[0].levels,
            quantiles=quantiles,
            means=means,
            lead_quantiles=over_lead,
            weights=weights,
            daily_mean=np.array([cover.daily_mean for cover in covers]),
            daily_std=np.array([cover.daily_std for cover in covers]),
        )
    )


def columns(asked: Sequence[Interval]) -> tuple[Days, Floats, NDArray[np.bool_]]:
    """Lay out the days of many series for one forecast.

    Args:
        asked: The interval of each series.

    Returns:
        Days, shape (n, 2 lead times): those of lead time plus review period, then those of the lead
        time alone, 1 where there is none; the probability of each lead time, 0 where it only pads,
        shape (n, lead times); and where there is a lead time, shape (n, lead times).
    """
    wide = max((len(one.weights) for one in asked), default=1)
    days = np.ones((len(asked), 2 * wide), dtype=np.int64)
    weights = np.zeros((len(asked), wide))
    some = np.zeros((len(asked), wide), dtype=np.bool_)
    for row, one in enumerate(asked):
        count = len(one.weights)
        days[row, :count] = one.over_cover
        days[row, wide : wide + count] = np.maximum(one.over_lead, 1)
        weights[row, :count] = one.weights
        some[row, :count] = np.asarray(one.over_lead) > 0
    return days, weights, some


def predicted(
    model: DemandModel, records: SeriesRecords, terms: ReorderTerms, hands: Hands | None = None
) -> CoverDemand:
    """Predict the demand of n series of one origin over their protection intervals.

    Args:
        model: The model that answers.
        records: Records of the series.
        terms: Their terms; no cover is beyond the model's.
        hands: Overrides in force, by the row of their series; None is none.

    Returns:
        Demand of the series, to the bits the doors answer with.
    """
    days, weights, some = columns(intervals(terms, model.description.max_cover))
    covers = terms.cover_days
    asked = np.column_stack((covers, days))
    means, sums = laid_over_covers(
        model,
        records,
        hands or {},
        asked,
        predict_covers(model, records, asked, DemandTarget.DEMAND),
    )
    levels = model.description.cover_quantile_levels
    return _mixed(
        _Sums(
            levels=levels,
            others=sums[:, 1:],
            other_means=means[:, 1:],
            daily_mean=means[:, 0] / covers,
            daily_std=distribution_std(levels, sums[:, 0], means[:, 0]) / np.sqrt(covers),
        ),
        weights,
        some,
    )


def together(
    cover: CoverBatch, rows: NDArray[np.intp], weights: Floats, some: NDArray[np.bool_]
) -> CoverDemand:
    """Bring together what was forecast for many series at once.

    Args:
        cover: The forecast, its other covers those of `columns`.
        rows: Rows of it that are wanted.
        weights: Probabilities of their lead times, shape (rows, lead times).
        some: Where there is a lead time, shape (rows, lead times).

    Returns:
        Demand of the series.
    """
    sums = _Sums(
        levels=cover.levels,
        others=cover.others[rows],
        other_means=cover.other_means[rows],
        daily_mean=cover.daily_mean[rows],
        daily_std=cover.daily_std[rows],
    )
    return _mixed(sums, weights, some)


@dataclass(frozen=True, slots=True)
class _Sums:
    """Sums over the covers of `columns`, and what a day is expected to bring."""

    levels: tuple[float, ...]
    others: Floats
    other_means: Floats
    daily_mean: Floats
    daily_std: Floats


def _mixed(sums: _Sums, weights: Floats, some: NDArray[np.bool_]) -> CoverDemand:
    used, wide = weights > 0, weights.shape[1]
    return CoverDemand.of(
        CoverForecast(
            levels=sums.levels,
            quantiles=np.where(used[..., None], sums.others[:, :wide], 0.0),
            means=np.where(used, sums.other_means[:, :wide], 0.0),
            lead_quantiles=np.where(some[..., None], sums.others[:, wide:], 0.0),
            weights=weights,
            daily_mean=sums.daily_mean,
            daily_std=sums.daily_std,
        )
    )
