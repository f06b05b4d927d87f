"""How often the interval of an effect holds the truth, over many generated experiments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from training.uplift.causal import naive_effect, robust_effect
from training.uplift.learners import Assignment
from training.uplift.units import Units, covariates_of, encode, encoding_of
from training.world.actions import average_effect, draw_experiment

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl

UNITS = 1_000


@dataclass(frozen=True, slots=True)
class Covered:
    """Whether the intervals of one generated experiment hold the truth.

    Attributes:
        random: Assignment was random.
        adjusted: The doubly robust interval does.
        naive: That of the difference of means does.
    """

    random: bool
    adjusted: bool
    naive: bool


def covered(seeds: range, units: int = UNITS) -> Iterator[Covered]:
    """Yield for each seed and arm whether the intervals hold the mean effect of all lines.

    Args:
        seeds: Seeds of the experiments.
        units: Units of each.
    """
    truth = average_effect()
    for seed in seeds:
        draw = np.random.default_rng([seed, 20_26])
        for random in (True, False):
            seen, _ = draw_experiment(draw, units, random=random)
            found = units_of(seen)
            assignment = Assignment(random=random, known=random)
            adjusted = robust_effect(found, assignment, seed)
            yield Covered(random, adjusted.covers(truth), naive_effect(found).covers(truth))


def units_of(frame: pl.DataFrame) -> Units:
    """Return the units of a generated experiment."""
    covariates, warnings = covariates_of(frame)
    encoding = encoding_of(covariates)
    known = frame["propensity"].to_numpy() if "propensity" in frame.columns else None
    return Units(
        unit_ids=frame["unit_id"].to_numpy().astype(np.str_),
        rows=encode(encoding, covariates)[0],
        treated=frame["treated"].to_numpy(),
        outcomes=frame["outcome"].to_numpy(),
        propensity=known,
        encoding=encoding,
        covariates=covariates,
        warnings=warnings,
    )
