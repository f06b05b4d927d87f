"""The average effect of an action in four steps: model the graph, identify, estimate, refute.

Estimates are cross-fitted: what is expected of a unit comes from models that did not see it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr
from sklearn.base import clone

from serving.errors import InvalidField
from training.uplift.evaluation import HALF_WIDTH, LEAST_PROPENSITY, robust_scores
from training.uplift.learners import folds_of
from training.uplift.stages import Additive

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from numpy.typing import NDArray

    from training.uplift.learners import Assignment
    from training.uplift.units import Units

    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]

NO_OVERLAP_SHARE = 0.1  # of units without a counterpart beyond which no effect is estimated
WEAK_F = 10.0
NAMED_UNITS = 5


@dataclass(frozen=True, slots=True)
class Estimate:
    """An estimate of the average effect.

    Attributes:
        name: How it was estimated.
        value: The estimate, in units of the outcome.
        error: Its standard error.
        note: What to know before relying on it; empty where nothing.
    """

    name: str
    value: float
    error: float
    note: str = ""

    @property
    def lower(self) -> float:
        """Lower end of the 95 % interval."""
        return self.value - HALF_WIDTH * self.error

    @property
    def upper(self) -> float:
        """Upper end of the 95 % interval."""
        return self.value + HALF_WIDTH * self.error

    @property
    def p_value(self) -> float:
        """Two-sided p-value of no effect."""
        return float(2.0 * ndtr(-abs(self.value) / self.error)) if self.error else 0.0

    def covers(self, truth: float) -> bool:
        """Say whether the interval holds a value."""
        return self.lower <= truth <= self.upper


@dataclass(frozen=True, slots=True)
class CausalModel:
    """The graph that is assumed, and which of its paths an estimate closes.

    Attributes:
        covariates: What may move both treatment and outcome: the back-door set.
        random: Assignment was random: there is no back door.
        instrument: Whether a variable moves the treatment and nothing else.
    """

    covariates: tuple[str, ...]
    random: bool
    instrument: bool

    def sentences(self) -> list[str]:
        """Return what is assumed and what identifies the effect."""
        names = ", ".join(self.covariates)
        if self.random:
            found = [
                (
                    "Graph: treatment -> outcome; covariates -> outcome. Treatment was assigned "
                    "at random, so nothing moves both."
                ),
                f"Identified by the difference of the arms; {names} only take noise out.",
            ]
        else:
            found = [
                f"Graph: treatment -> outcome; {names} -> treatment and outcome.",
                (
                    f"Identified by the back door: within equal {names} treatment is as good as "
                    "random. What is not in the table and moves both would break it: see the bias "
                    "curve."
                ),
            ]
        if self.instrument:
            found.append(
                "Graph: instrument -> treatment, and no other way to the outcome. Identified by "
                "the instrument too, for units whose treatment it moves."
            )
        return found


def naive_effect(units: Units) -> Estimate:
    """Estimate the effect by the difference of the arms' means, as if assignment were random."""
    on, off = units.outcomes[units.treated], units.outcomes[~units.treated]
    error = np.sqrt(on.var(ddof=1) / len(on) + off.var(ddof=1) / len(off))
    return Estimate("difference of means", float(on.mean() - off.mean()), float(error))


def robust_effect(
    units: Units,
    assignment: Assignment,
    seed: int,
    stage: Any = None,  # noqa: ANN401 - any stage
) -> Estimate:
    """Estimate the effect by doubly robust scores with cross-fitted models.

    Args:
        units: The units.
        assignment: How they came to be treated.
        seed: Seed of the folds.
        stage: Outcome model; an additive one where None.

    Raises:
        InvalidField: If too many units have no counterpart in the other arm.

    Source: Chernozhukov et al., "Double/debiased machine learning", Econometrics Journal 21 (2018).
    """
    model = Additive() if stage is None else stage
    folds = folds_of(units.treated, seed)
    without, with_ = _expected(units, folds, model)
    on = propensities(units, assignment, folds)
    check_overlap(units, on)
    scores = robust_scores(units.treated, units.outcomes, on, (without, with_))
    error = float(scores.std(ddof=1)) / np.sqrt(len(scores))
    return Estimate("doubly robust", float(scores.mean()), float(error))


def instrument_effect(units: Units, instrument: Floats, seed: int) -> Estimate:
    """Estimate the effect on units whose treatment the instrument moves.

    Covariates are taken out of outcome, treatment and instrument; the effect is the covariance of
    instrument and outcome over that of instrument and treatment.

    Source: Angrist and Imbens, Econometrica 62 (1994); partialling out as in Chernozhukov et al.
    (2018).
    """
    folds = folds_of(units.treated, seed)
    rows = units.rows.astype(np.float64)
    outcome, treatment, push = (
        _left_over(rows, values, folds)
        for values in (units.outcomes, units.treated.astype(np.float64), instrument)
    )
    moved = float(push @ treatment)
    if not moved:
        raise InvalidField("instrument", "must move the treatment")
    value = float(push @ outcome) / moved
    error = float(np.linalg.norm(push * (outcome - value * treatment))) / abs(moved)
    slope = moved / float(push @ push)
    spread = np.linalg.norm(push * (treatment - slope * push)) / float(push @ push)
    strength = (slope / float(spread)) ** 2
    note = f"the instrument moves the treatment, F = {strength:.0f}"
    if strength < WEAK_F:
        note = f"the instrument is weak, F = {strength:.1f}: do not rely on the interval"
    return Estimate("instrument", value, error, note)


def propensities(units: Units, assignment: Assignment, folds: Sequence[NDArray[np.intp]]) -> Floats:
    """Return each unit's known probability of treatment, else a cross-fitted one, shape (n,)."""
    if units.propensity is not None:
        return units.propensity
    rows = units.rows.astype(np.float64)
    found = np.empty(len(rows))
    for held in folds:
        seen = _others(len(rows), held)
        model = assignment.propensity().fit(rows[seen], units.treated[seen])
        found[held] = model.predict_proba(rows[held])[:, 1]
    return found


def check_overlap(units: Units, on: Floats) -> None:
    """Refuse units of which too many were sure to be treated, or sure not to be.

    Raises:
        InvalidField: If more than a tenth of the units have a probability beyond 0.02 and 0.98;
            the first of them are named.
    """
    alone = np.minimum(on, 1.0 - on) < LEAST_PROPENSITY
    if alone.mean() > NO_OVERLAP_SHARE:
        named = ", ".join(units.unit_ids[alone][:NAMED_UNITS].tolist())
        raise InvalidField(
            "treated",
            f"must not follow from the covariates: {alone.sum()} of {len(on)} units have no "
            f"counterpart in the other arm, {named} among them",
        )


def _expected(
    units: Units,
    folds: Sequence[NDArray[np.intp]],
    stage: Any,  # noqa: ANN401 - any stage
) -> tuple[Floats, Floats]:
    rows = units.rows.astype(np.float64)
    without, with_ = np.empty(len(rows)), np.empty(len(rows))
    for held in folds:
        seen = _others(len(rows), held)
        for arm, found in ((~units.treated, without), (units.treated, with_)):
            fitted = clone(stage).fit(rows[seen & arm], units.outcomes[seen & arm])
            found[held] = fitted.predict(rows[held])
    return without, with_


def _left_over(rows: Floats, values: Floats, folds: Sequence[NDArray[np.intp]]) -> Floats:
    left = np.empty(len(values))
    for held in folds:
        seen = _others(len(values), held)
        left[held] = values[held] - Additive().fit(rows[seen], values[seen]).predict(rows[held])
    return left


def _others(size: int, held: NDArray[np.intp]) -> Flags:
    seen = np.ones(size, dtype=np.bool_)
    seen[held] = False
    return seen
