"""Cost-reduction actions on units: a randomised and a confounded experiment, effects known.

A unit is a line of a contract: one part bought from one supplier. Some lines were renegotiated, and
the outcome is the unit cost saved in the quarter after (cost before less cost after). In the
randomised arm a lottery chose one line in five; in the confounded one buyers chose where the gap to
should-cost and the spend were high, which also moves the saving without any action. The confounded
arm is a data folder of its own below the world.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from scipy.special import expit, ndtri

from training.world.profiles import LAST_DAY
from training.world.suppliers import SUPPLIERS
from training.world.tables import Tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.world.world import World

    Floats = NDArray[np.float64]

UNITS = 6_000  # of each arm
TREATED_SHARE = 0.2
TRAINED_SHARE = 0.5  # of lines whose buyer was trained, by lot: the instrument
INTERCEPT = -2.08  # log odds that treat about the same share where buyers choose
SINGLE_SHARE = 0.35  # of lines bought from one supplier only
SPEND_WITH_GAP = 0.4  # correlation of both, standardised
# USD saved a unit: SAVING exp(STEEPNESS min(lever, MOST_LEVER)) - LOSS.
SAVING, LOSS, STEEPNESS, MOST_LEVER = 1.1, 0.8, 1.1, 1.8
GAP_LEVER, SINGLE_LEVER, AGE_LEVER = 0.85, 0.55, 0.2
PRE_CORRELATION = 0.74
TREATED_DAYS_AGO = 90
BASE_DEVIATION = 2.4  # USD a unit saved or lost without any action
DRIFT_VARIANCE = 0.5525  # of that, what the covariates tell
DECIMALS = 4


@dataclass(frozen=True, slots=True)
class Lines:
    """Contract lines before anything was done; every array has shape (units,).

    Attributes:
        frame: What is seen of them.
        gap: Standardised gap between price and should-cost.
        spend: Standardised log of annual spend.
        base: Unit cost saved without the action.
        effect: Unit cost the action saves.
    """

    frame: pl.DataFrame
    gap: Floats
    spend: Floats
    base: Floats
    effect: Floats


def action_tables(world: World, rng: np.random.Generator) -> Tables:
    """Write the two experiments and the effects behind them.

    Args:
        world: the world.
        rng: draws the lines, what was done and what came of it.

    Returns:
        Observed ``experiment`` (the randomised arm) and ``confounded/experiment``; truth
        ``experiment_effects`` and ``confounded/experiment_effects``.
    """
    observed, truth = {}, {}
    for folder, random in (("", True), ("confounded/", False)):
        seen, known = draw_experiment(rng, UNITS, random=random)
        observed[f"{folder}experiment"] = seen
        truth[f"{folder}experiment_effects"] = known
    del world
    return Tables(observed=observed, truth=truth)


def draw_experiment(
    rng: np.random.Generator, units: int, *, random: bool
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Draw one arm.

    Args:
        rng: draws the lines, what was done and what came of it.
        units: contract lines, >= 1.
        random: a lottery chose; otherwise buyers did.

    Returns:
        What is seen, and the effect of each line with its probability of being chosen.
    """
    lines = _draw_lines(rng, units, "R" if random else "C")
    trained = rng.random(units) < TRAINED_SHARE
    if random:  # a lottery has as many prizes as it has
        propensity = np.full(units, TREATED_SHARE)
        treated = rng.permutation(units) < round(units * TREATED_SHARE)
    else:
        propensity = expit(_pull(lines.gap, lines.spend, trained) + INTERCEPT)
        treated = rng.random(units) < propensity
    outcome = lines.base + treated * lines.effect
    seen = lines.frame.with_columns(
        treated=treated,
        treated_date=pl.lit(LAST_DAY - dt.timedelta(days=TREATED_DAYS_AGO)),
        outcome=outcome.round(DECIMALS),
        pre_outcome=_before(lines.base, outcome, rng).round(DECIMALS),
    )
    if random:
        seen = seen.with_columns(propensity=pl.lit(TREATED_SHARE))
    else:
        seen = seen.with_columns(instrument=trained.astype(np.int64))
    known = pl.DataFrame(
        {
            "unit_id": lines.frame["unit_id"],
            "effect": lines.effect,
            "propensity": propensity,
            "without_action": lines.base,
        }
    )
    return seen, known


def average_effect() -> float:
    """Return the mean effect over all lines there could be, by a grid of normal quantiles."""
    gap = ndtri((np.arange(4_000) + 0.5) / 4_000)[:, None]
    age = ndtri((np.arange(200) + 0.5) / 200)
    by_source = [float(_effect(gap, age, single).mean()) for single in (0.0, 1.0)]
    return (1.0 - SINGLE_SHARE) * by_source[0] + SINGLE_SHARE * by_source[1]


def _effect(gap: Floats, age: Floats, single: Floats | float) -> Floats:
    """Return what the action saves.

    A wide gap saves most, more so where competition can be brought in, up to a point; old contracts
    give a little more, and lines priced below should-cost lose by being opened again.
    """
    lever = GAP_LEVER * gap + SINGLE_LEVER * single + AGE_LEVER * np.tanh(age)
    return np.asarray(SAVING * np.exp(STEEPNESS * np.minimum(lever, MOST_LEVER)) - LOSS)


def _draw_lines(rng: np.random.Generator, units: int, arm: str) -> Lines:
    gap, spend, age = rng.standard_normal((3, units))
    spend = SPEND_WITH_GAP * gap + np.sqrt(1 - SPEND_WITH_GAP**2) * spend
    single = rng.random(units) < SINGLE_SHARE
    supplier = rng.integers(0, len(SUPPLIERS), units)
    # Dear lines get cheaper by themselves, as markets do.
    drift = 0.5 * gap + 0.35 * spend - 0.2 * age
    base = drift + np.sqrt(BASE_DEVIATION**2 - DRIFT_VARIANCE) * rng.standard_normal(units)
    frame = pl.DataFrame(
        {
            "unit_id": [f"LINE-{arm}{number:05d}" for number in range(units)],
            "supplier_country": [SUPPLIERS[at].country for at in supplier],
            "gap_to_should_cost": (0.12 + 0.08 * gap).round(DECIMALS),
            "annual_spend": np.exp(10.5 + 1.1 * spend).round(2),
            "contract_age_months": np.maximum(1, np.rint(18 + 6 * age)),
            "single_source": single.astype(np.int64),
        }
    )
    effect = _effect(gap, age, single.astype(np.float64))
    return Lines(frame=frame, gap=gap, spend=spend, base=base, effect=effect)


def _pull(gap: Floats, spend: Floats, trained: NDArray[np.bool_]) -> Floats:
    """Return what draws buyers to a line, as log odds; trained buyers act more often."""
    return np.asarray(0.5 * gap + 0.35 * spend + 0.9 * trained)


def _before(base: Floats, outcome: Floats, rng: np.random.Generator) -> Floats:
    """Return the saving of the quarter before, correlated with the outcome as promised."""
    with_base = PRE_CORRELATION * outcome.std() * base.std() / np.cov(base, outcome, ddof=0)[0, 1]
    noise = rng.standard_normal(len(base))
    standard = (base - base.mean()) / base.std()
    before = with_base * standard + np.sqrt(1 - with_base**2) * noise
    return np.asarray(before * base.std())
