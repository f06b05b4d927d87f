"""Demand models fitted on made-up rows: the real trees and graph, in a fraction of a second."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from serving.domain.features import COLUMN, FEATURES
from training.boosters import FitRows, fit_covers, fit_days
from training.demand import DemandFit
from training.graph import Calibration, Head

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEVELS = (0.02, 0.1, 0.5, 0.9, 0.98)
SCALE_CUTS = (2.0, 5.3, 9.1)
HORIZON_CUTS = (4.0, 8.0, 15.0)
CUTS = (("sales_target", (0.5,)), ("scale", SCALE_CUTS), ("horizon", HORIZON_CUTS))
HORIZON = 28


@dataclass(frozen=True)
class MadeUp:
    """A fit, and rows drawn as those it was fitted on."""

    fit: DemandFit
    rows: NDArray[np.float32]


def made_up(seed: int = 0, *, trees: int = 8) -> MadeUp:
    """Fit both heads on made-up rows."""
    rng = np.random.default_rng(seed)
    rows = made_up_rows(rng, 4_000)
    signal = np.nan_to_num(rows[:, COLUMN["lag_7"]]) + np.abs(np.nan_to_num(rows[:, 12]))
    target = np.abs(signal) + rng.gamma(1.0, 1.0, len(rows))
    fit_rows = FitRows(rows, target, np.ones(len(rows)))
    asked = {"num_leaves": 12, "learning_rate": 0.1, "max_bin": 63, "verbose": -1, "seed": seed}
    daily = Head(fit_days(fit_rows, asked, trees), made_up_calibration(rng))
    cover = Head(fit_covers(fit_rows, asked, trees), made_up_calibration(rng))
    return MadeUp(DemandFit(daily, cover, HORIZON), rows[:600])


def made_up_rows(rng: np.random.Generator, count: int) -> NDArray[np.float32]:
    """Draw rows; every twentieth value of what may be unknown is NaN."""
    rows = rng.normal(size=(count, len(FEATURES))).astype(np.float32)
    rows[rng.random(rows.shape) < 0.05] = np.nan
    rows[:, COLUMN["scale"]] = rng.gamma(1.0, 5.0, count) + 0.01
    rows[:, COLUMN["horizon"]] = rng.integers(1, HORIZON + 1, count)
    rows[:, COLUMN["sales_target"]] = rng.random(count) < 0.5
    return rows


def made_up_calibration(rng: np.random.Generator) -> Calibration:
    """Draw factors that ascend with the level and are 0 at the median."""
    shape = (*(len(values) + 1 for _, values in CUTS), len(LEVELS))
    factors = np.sort(rng.uniform(0.5, 8.0, shape), axis=-1)
    half = LEVELS.index(0.5)
    factors[..., :half] = -factors[..., :half][..., ::-1]
    factors[..., half] = 0.0
    return Calibration(LEVELS, CUTS, factors)
