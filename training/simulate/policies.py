"""Policies to compare: each turns what is known at a review into an order-up-to level.

``forecast`` is what serving answers. The others are what a planner could do without it, from the
same history, stock-out days completed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri
from scipy.stats import poisson

from serving.domain.inventory_formulas import cover_demand_std
from serving.domain.reorder_levels import decide
from serving.errors import InvalidField
from training.simulate.terms import CURRENT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from serving.domain.cover_demand import CoverDemand
    from serving.domain.reorder_levels import ReorderTerms

    Floats = NDArray[np.float64]
    Decide = Callable[["Review"], Floats]

RECENT_DAYS = 56  # what mean, deviation and the pooled ratios are taken from
HISTORY_DAYS = 364  # what a series' own sums are taken from
HALF_LIFE_DAYS = 12.0  # of the exponentially weighted level
POOLED_ORIGINS = 4


@dataclass(frozen=True, slots=True)
class Review:
    """What is known of n series at a review.

    Attributes:
        terms: Their terms; `service_level` is what is asked.
        past: Units demanded a day up to the day before, NaN where not recorded, (days, n).
        demand: The served model's demand over `terms.cover_days`; None where it is not asked.
    """

    terms: ReorderTerms
    past: Floats
    demand: CoverDemand | None


def forecast(review: Review) -> Floats:
    """Return the level serving recommends.

    Raises:
        InvalidField: If the review was made without a model.
    """
    if review.demand is None:
        raise InvalidField("policies", "must be reviewed with a model to follow the forecast")
    return decide(review.terms, review.demand).order_up_to


def textbook(review: Review) -> Floats:
    """Return d (L + R) + z sqrt((L + R) sigma^2 + d^2 sigma_L^2) of the last eight weeks."""
    return _normal(review, review.terms.lead_time_std_days)


def demand_only(review: Review) -> Floats:
    """Return the textbook level with a lead time that is taken as certain."""
    return _normal(review, np.zeros_like(review.terms.lead_time_std_days))


def empirical(review: Review) -> Floats:
    """Return the quantile of each series' own sums over as many days, of the last year."""
    past, level = review.past[-HISTORY_DAYS:], np.zeros(review.terms.days.size)
    for cover, rows in _each_cover(review):
        sums = _sums(past[:, rows], cover)
        level[rows] = _own_quantile(sums, review.terms.service_level[rows])
    return level


def pooled(review: Review) -> Floats:
    """Return the exponentially weighted level times the pooled quantile of demand over it."""
    levels = weighted_levels(review.past)
    level = np.zeros(review.terms.days.size)
    for cover, rows in _each_cover(review):
        ratios = _ratios(review.past[:, rows], levels[:, rows], cover)
        factor = np.quantile(ratios, review.terms.service_level[rows]) if ratios.size else 1.0
        level[rows] = levels[-1, rows] * cover * factor
    return level


def base_stock(review: Review) -> Floats:
    """Return the Poisson quantile over the lead time and the day of the daily review."""
    mean, _ = _moments(review.past)
    days = review.terms.lead_time_days + 1.0
    level: Floats = poisson.ppf(review.terms.service_level, mean * days)
    return level


def weighted_levels(past: Floats) -> Floats:
    """Return the exponentially weighted mean after each day, shape (days, n)."""
    keep = 0.5 ** (1.0 / HALF_LIFE_DAYS)
    sold, offered = np.zeros(past.shape[1]), np.zeros(past.shape[1])
    out = np.zeros(past.shape)
    for day, units in enumerate(past):
        seen = ~np.isnan(units)
        sold = sold * keep + np.where(seen, units, 0.0)
        offered = offered * keep + seen
        np.divide(sold, offered, out=out[day], where=offered > 0)
    return out


POLICIES: dict[str, Decide] = {
    "forecast": forecast,
    "textbook": textbook,
    "demand-only": demand_only,
    "empirical": empirical,
    "pooled": pooled,
    "base-stock": base_stock,
    # The rule of the policy table, at its own service target whatever is asked.
    CURRENT: textbook,
}
MODELLED, DAILY = frozenset({"forecast"}), frozenset({"base-stock"})


def check_policies(names: tuple[str, ...]) -> None:
    """Refuse policies nobody knows, or that stand twice.

    Raises:
        InvalidField: If one is, or there is none.
    """
    unknown = [name for name in names if name not in POLICIES]
    if unknown or not names or len(set(names)) < len(names):
        raise InvalidField("policies", f"must be some of {', '.join(POLICIES)}, each once")


def _normal(review: Review, lead_time_std: Floats) -> Floats:
    mean, deviation = _moments(review.past)
    safety = ndtri(review.terms.service_level) * cover_demand_std(
        review.terms.days,
        demand_std=deviation,
        mean_demand=mean,
        lead_time_std_days=lead_time_std,
    )
    level: Floats = np.maximum(mean * review.terms.days + safety, 0.0)
    return level


def _moments(past: Floats) -> tuple[Floats, Floats]:
    """Return mean and deviation (ddof 1) of the recent days; 0 where too few are recorded."""
    recent = past[-RECENT_DAYS:]
    seen = ~np.isnan(recent)
    count = seen.sum(axis=0)
    mean = np.where(seen, recent, 0.0).sum(axis=0) / np.maximum(count, 1)
    squares = np.where(seen, (recent - mean) ** 2, 0.0).sum(axis=0)
    return mean, np.sqrt(squares / np.maximum(count - 1, 1))


def _each_cover(review: Review) -> Iterator[tuple[int, NDArray[np.intp]]]:
    covers = review.terms.cover_days
    for cover in np.unique(covers).tolist():
        yield cover, np.flatnonzero(covers == cover)


def _sums(past: Floats, cover: int) -> Floats:
    """Return the sums over every run of recorded days of a length, NaN in others, (runs, n)."""
    if len(past) < cover:
        return np.full((1, past.shape[1]), np.nan)
    running = np.zeros((len(past) + 1, past.shape[1]))
    gaps = np.zeros(running.shape, dtype=np.int64)
    np.cumsum(np.isnan(past), axis=0, out=gaps[1:])
    np.cumsum(np.where(np.isnan(past), 0.0, past), axis=0, out=running[1:])
    whole = gaps[cover:] == gaps[:-cover]
    return np.where(whole, running[cover:] - running[:-cover], np.nan)


def _own_quantile(sums: Floats, wanted: Floats) -> Floats:
    """Return each column's quantile at its own level, linearly between values; 0 without any."""
    ordered = np.sort(sums, axis=0)  # NaN last
    count = (~np.isnan(sums)).sum(axis=0)
    place = wanted * np.maximum(count - 1, 0)
    low = place.astype(np.int64)
    high = np.minimum(low + 1, np.maximum(count - 1, 0))
    columns = np.arange(wanted.size)
    below, above = ordered[low, columns], ordered[high, columns]
    level: Floats = np.where(count > 0, below + (place - low) * (above - below), 0.0)
    return level


def _ratios(past: Floats, levels: Floats, cover: int) -> Floats:
    """Return demand over covers that have passed over what their levels said, of all series."""
    found = []
    for back in range(1, POOLED_ORIGINS + 1):
        origin = len(past) - back * cover - 1
        if origin < 0:
            break
        said = levels[origin] * cover
        came = past[origin + 1 : origin + 1 + cover].sum(axis=0)
        usable = (said > 0) & ~np.isnan(came)
        found.append(came[usable] / said[usable])
    return np.concatenate(found) if found else np.empty(0)
