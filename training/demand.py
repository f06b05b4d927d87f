"""Train the demand model: boosters of both heads, conformal calibration, hold-out metrics."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from serving.domain.demand import QUANTILE_LEVELS
from serving.domain.history import WEEK, demand_states
from serving.errors import MissingInput
from training.boosters import CoverBoosters, DayBoosters, fit_covers, fit_days
from training.conformal import calibrate
from training.demand_rows import Rows, Sampling, fit_rows, sample_rows
from training.graph import Calibration, Head, build_graph
from training.tails import rising_tail

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from training.content import Recipe
    from training.panel import Panel

    Progress = Callable[[str], None]

COVER_LEVELS = (0.02, 0.05, 0.1, 0.25, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98, 0.99)
MIN_DAYS = 28
MAX_ORIGINS = 60
MIN_WEEKS = 3  # weekly steps below which calibration origins stand closer
CALIBRATION_WEEKS = 8  # weekly origins where the history is long enough


@dataclass(frozen=True, slots=True)
class DemandFit:
    """A trained demand model, not yet exported.

    Attributes:
        daily: The daily head.
        cover: The cover head.
        horizon: Longest trained horizon and cover, in days.
    """

    daily: Head
    cover: Head
    horizon: int

    def graph(self) -> bytes:
        """Return the one ONNX graph of both heads."""
        return build_graph(self.daily, self.cover)


@dataclass(frozen=True, slots=True)
class Training:
    """What training yields.

    Attributes:
        final: The model fitted on all days.
        holdout: The model fitted without the calibration days and calibrated without the last
            origin: what the hold-out metrics are measured on.
        holdout_origin: Index of the day the hold-out model forecasts from.
    """

    final: DemandFit
    holdout: DemandFit
    holdout_origin: int


def train(panel: Panel, recipe: Recipe, progress: Progress) -> Training:
    """Train on a panel.

    Calibration is out of time: boosters fitted on the days before the calibration days are scored
    on several origins within them, and the conformal factors found there are kept for the boosters
    refitted on all days. Coverage so calibrated is marginal and holds as far as the coming weeks
    are exchangeable with the calibration weeks.

    Args:
        panel: All series up to the last known day.
        recipe: What to train.
        progress: Told the name of each step as it begins.

    Raises:
        MissingInput: If the history is too short or has no sales.
    """
    days = panel.history.days
    if days < MIN_DAYS or not np.nansum(panel.history.quantity) > 0:
        raise MissingInput(f"sales of {MIN_DAYS} days or more, some above 0,", "sales")
    horizon = recipe.horizon_for(days)
    completed = _completed(panel)
    origins, first = calibration_origins(days, horizon)
    progress("rows before calibration")
    early = sample_rows(
        panel,
        completed,
        training_origins(first + 1),
        Sampling(horizon, last=first, count=recipe.rows * 3 // 5, seed=recipe.seed),
    )
    early_boosters = _fit_heads(early, recipe, days, progress, "calibration")
    progress("rows for calibration")
    held = sample_rows(
        panel,
        completed,
        origins,
        # Demand that was completed is an estimate: a promise is held to demand that was seen.
        Sampling(horizon, last=days - 1, count=recipe.rows // 2, seed=recipe.seed + 1, seen=True),
    )
    found = _calibrate(early_boosters, held)
    before = _before(held[0], origins[-1]), _before(held[1], origins[-1])
    earlier = _calibrate(early_boosters, before)
    progress("rows of all days")
    rows = sample_rows(
        panel,
        completed,
        training_origins(days),
        Sampling(horizon, last=days - 1, count=recipe.rows, seed=recipe.seed + 2),
    )
    boosters = _fit_heads(rows, recipe, days, progress, "final")
    return Training(
        final=_assemble(boosters, found, horizon),
        holdout=_assemble(early_boosters, earlier, horizon),
        holdout_origin=origins[-1],
    )


def training_origins(days: int) -> list[int]:
    """Return the origins rows are sampled at: every day, or an even spread over two years."""
    first = max(days // 5, 13) if days < 4 * MIN_DAYS else MIN_DAYS
    first = max(first, days - 2 * 365)
    every = range(first, days - 1)
    if len(every) <= MAX_ORIGINS:
        return list(every)
    spread = np.linspace(first, days - 2, MAX_ORIGINS).astype(int)
    return sorted({int(origin) for origin in spread})


def calibration_origins(days: int, horizon: int) -> tuple[list[int], int]:
    """Return the origins calibration is scored at and the last day its boosters may see.

    The days held out are the horizon and eight weeks, at most a third of the history; origins are
    a week apart, or closer where that gives fewer than four, and leave at least a week to score.
    """
    span = min(days // 3, horizon + WEEK * CALIBRATION_WEEKS)
    first = days - 1 - span
    last = days - 1 - min(WEEK, span // 2)
    step = WEEK if (last - first) // WEEK >= MIN_WEEKS else max(1, (last - first) // 3)
    return list(range(first, last + 1, step)), first


def _completed(panel: Panel) -> NDArray[np.float64]:
    (_, _, completed), *_ = demand_states(panel.history, [panel.history.days - 1])
    return panel.with_closed(completed)


def _before(rows: Rows, origin: int) -> Rows:
    keep = rows.origin < origin
    return Rows(
        *(getattr(rows, name)[keep] for name in ("features", "target", "scale", "series", "origin"))
    )


def _fit_heads(
    heads: tuple[Rows, Rows], recipe: Recipe, days: int, progress: Progress, stage: str
) -> tuple[DayBoosters, CoverBoosters]:
    asked = parameters(recipe)
    progress(f"{stage}: daily head")
    of_days = fit_days(fit_rows(heads[0], days, near_holidays_only=True), asked, recipe.trees)
    progress(f"{stage}: cover head")
    return of_days, fit_covers(fit_rows(heads[1], days), asked, recipe.trees)


def parameters(recipe: Recipe) -> dict[str, object]:
    """Return LightGBM's parameters but the objective."""
    return {
        "learning_rate": recipe.learning_rate,
        "num_leaves": recipe.leaves,
        "min_data_in_leaf": 100,
        "feature_fraction": 0.3,
        "bagging_fraction": 0.7,
        "bagging_freq": 1,
        "max_bin": 127,
        "seed": recipe.seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
        "verbose": -1,
    }


def _calibrate(
    heads: tuple[DayBoosters, CoverBoosters], held: tuple[Rows, Rows]
) -> tuple[Calibration, Calibration]:
    """Return the conformal factors of each head on rows of held-out weeks."""
    daily = calibrate(heads[0], held[0], QUANTILE_LEVELS)
    cover = calibrate(heads[1], held[1], COVER_LEVELS)
    return daily, replace(cover, factors=rising_tail(cover.factors, cover.levels))


def _assemble(
    boosters: tuple[DayBoosters, CoverBoosters],
    found: tuple[Calibration, Calibration],
    horizon: int,
) -> DemandFit:
    daily, cover = Head(boosters[0], found[0]), Head(boosters[1], found[1])
    return DemandFit(daily=daily, cover=cover, horizon=horizon)
