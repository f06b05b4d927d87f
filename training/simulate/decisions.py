"""Levels of every policy at every review, each on what was known the day before."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from serving.errors import BeyondTrained, InvalidField, MissingInput
from serving.flows.reorder_covers import predicted
from training.features.records import records_at
from training.simulate.inputs import Levels
from training.simulate.policies import MODELLED, POLICIES, Review
from training.simulate.terms import CURRENT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from serving.domain.cover_demand import CoverDemand
    from serving.domain.features import SeriesRecords
    from serving.domain.reorder_levels import ReorderTerms
    from serving.ports import DemandModel
    from training.simulate.study import Ground, Study

    Floats = NDArray[np.float64]
    Progress = Callable[[str], None]

PROMISES = (0.80, 0.90, 0.95, 0.98, 0.99)
CONTINUOUS_DECISION_DAYS = 7  # days between decisions of levels under continuous review


@dataclass(frozen=True, slots=True)
class Decided:
    """Levels of the policies: at the service asked, and at each promise for all series alike.

    Attributes:
        asked: Levels by policy.
        promised: Levels by policy and promise; without the policy in force, which has its own.
    """

    asked: Mapping[str, Levels]
    promised: Mapping[tuple[str, float], Levels]


def decide_levels(
    study: Study,
    ground: Ground,
    model: DemandModel | None,
    progress: Progress,
    *,
    promises: Sequence[float] = PROMISES,
) -> Decided:
    """Decide the levels of every policy at every review, on what was known the day before.

    Args:
        study: What is asked.
        ground: What the policies meet.
        model: A demand model that has not seen the simulated days; needed by ``forecast``.
        progress: Told which day is decided.
        promises: Service levels to decide for beside the one asked.

    Raises:
        BeyondTrained: If lead time and review together are beyond the model's cover.
        InvalidField: If ``forecast`` is asked without a model.
        MissingInput: If the policy in force is asked and the tables tell none.
    """
    wanted = [(name, None) for name in study.policies] + [
        (name, promise) for name in study.policies if name != CURRENT for promise in promises
    ]
    days = decision_days(ground.terms.reorder.review_days, ground.days)
    out = {key: np.zeros((len(days), ground.series.size)) for key in wanted}
    for row, (day, rows, review) in enumerate(_reviews(study, ground, model, days)):
        progress(f"deciding for {ground.panel.day(ground.origin + 1 + day)}")
        for key, levels in out.items():
            levels[row] = levels[max(row - 1, 0)]
            levels[row, rows] = POLICIES[key[0]](_asking(review, ground, rows, key))
    laid = {key: Levels(np.array(days), levels, levels) for key, levels in out.items()}
    return Decided(
        asked={name: laid[name, None] for name in study.policies},
        promised={(name, at): levels for (name, at), levels in laid.items() if at is not None},
    )


def decision_days(review_days: Floats, days: int) -> list[int]:
    """Return the days before which some series is reviewed.

    Under continuous review levels are decided once a week.
    """
    periods = np.where(review_days < 1, CONTINUOUS_DECISION_DAYS, np.rint(review_days))
    every = np.unique(periods.astype(np.int64)).tolist()
    return [day for day in range(days) if any(day % period == 0 for period in every)]


def _reviews(
    study: Study, ground: Ground, model: DemandModel | None, days: Sequence[int]
) -> Iterator[tuple[int, NDArray[np.intp], Review]]:
    """Yield each decision day, the series reviewed before it and what is known of them."""
    modelled = MODELLED.intersection(study.policies)
    if modelled and model is None:
        raise InvalidField("policies", f"must have a model to follow {', '.join(modelled)}")
    origins = [ground.origin + day for day in days]
    found: Iterator[tuple[int, SeriesRecords | None]]
    if modelled:
        found = iter(records_at(ground.panel, origins))
    else:
        found = ((origin, None) for origin in origins)
    review_days = ground.terms.reorder.review_days
    period = np.where(review_days < 1, CONTINUOUS_DECISION_DAYS, np.rint(review_days))
    for day, (origin, records) in zip(days, found, strict=True):
        rows = np.flatnonzero(day % period.astype(np.int64) == 0)
        terms = ground.terms.reorder.take(rows)
        demand = None
        if records is not None and model is not None:
            demand = _demand(model, records.take(ground.series[rows]), terms)
        yield day, rows, Review(terms, ground.past[: origin + 1, rows], demand)


def _demand(model: DemandModel, records: SeriesRecords, terms: ReorderTerms) -> CoverDemand:
    """Ask the model as serving does."""
    longest = model.description.max_cover
    if terms.cover_days.max() > longest:
        raise BeyondTrained("lead_time_days + review_days", limit=f"from 1 to {longest} days")
    return predicted(model, records, terms)


def _asking(
    review: Review, ground: Ground, rows: NDArray[np.intp], key: tuple[str, float | None]
) -> Review:
    """Return the review with the service level that is asked of a policy."""
    name, promise = key
    level = ground.terms.service_of(name)[rows] if promise is None else np.full(rows.size, promise)
    if np.isnan(level).any():
        raise MissingInput("service_target", "policy")
    terms = dataclasses.replace(review.terms, service_level=level)
    return dataclasses.replace(review, terms=terms)
