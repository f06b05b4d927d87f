"""The study of one experiment's average effect: model, identify, estimate, refute."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from serving.errors import InvalidField
from training.tables import reading
from training.uplift.causal import CausalModel, instrument_effect, naive_effect, robust_effect
from training.uplift.refutations import refute, sensitivity
from training.uplift.report import Effect
from training.uplift.units import TABLE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from training.uplift.learners import Assignment
    from training.uplift.units import Units

INSTRUMENT = "instrument"
STEPS = 6  # steps a study tells of, for the progress bar


def study_effect(
    data: Path, units: Units, assignment: Assignment, seed: int, tell: Callable[[str], None]
) -> Effect:
    """Estimate the average effect and try to refute it.

    Args:
        data: The data folder; a column ``instrument`` of its experiment is used where it is there.
        units: The units of the experiment.
        assignment: How they came to be treated.
        seed: Seed of folds and draws.
        tell: Told the name of each step as it begins.

    Raises:
        InvalidField: If too many units have no counterpart, or the instrument is no number.
    """
    instrument = read_instrument(data)
    model = CausalModel(tuple(units.covariates.columns), assignment.random, instrument is not None)
    tell("doubly robust estimate")
    estimates = [robust_effect(units, assignment, seed)]
    if instrument is not None:
        tell("instrument")
        estimates.append(instrument_effect(units, instrument, seed))
    estimates.append(naive_effect(units))
    refutations = refute(units, assignment, estimates[0], seed, tell)
    tell("unobserved cause")
    return Effect(model, estimates, refutations, sensitivity(units, estimates[0]))


def read_instrument(data: Path) -> NDArray[np.float64] | None:
    """Return the instrument of a folder's experiment, shape (n,), or None where there is none.

    Raises:
        InvalidField: If it is empty for some units, or no number.
    """
    frame = reading.read(data, TABLE)
    if INSTRUMENT not in frame.columns:
        return None
    column = frame[INSTRUMENT]
    if column.null_count() or not (column.dtype.is_numeric() or column.dtype == pl.Boolean):
        raise InvalidField(INSTRUMENT, "must be a number for every unit")
    return column.to_numpy().astype(np.float64)
