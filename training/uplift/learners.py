"""The learners: EconML's S, T and X learner, means of them, and causal forest, each one graph."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from econml.dml import CausalForestDML
from econml.metalearners import SLearner, TLearner, XLearner
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from training.uplift.stages import Boosted, Chosen, Propensity

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from training.uplift.units import Units

    Floats = NDArray[np.float64]
    Rows = NDArray[np.float32]

S, T, X, FOREST = "s", "t", "x", "forest"
T_BOOSTED, X_BOOSTED, X_STUMPS = "t_boosted", "x_boosted", "x_stumps"
# Where an arm is scarce, learners differ by noise mostly, and a mean of unlike ones has less of it.
# The steady one is of two that follow it least: small trees of all units, and trees of one split
# each, which add up what single covariates do and stop before they follow pairs of them.
MEAN, STEADY = "mean", "steady"
MEANS = {STEADY: (S, X_STUMPS), MEAN: (S, T, X)}
FOREST_TREES = 64  # bags of four: more would make a row cost more than its error shrinks
FOLDS = 5


@dataclass(frozen=True, slots=True)
class Assignment:
    """How units came to be treated.

    Attributes:
        random: The probability is the same for all units.
        known: It was known before; otherwise it is estimated.
    """

    random: bool
    known: bool

    def propensity(self) -> Propensity:
        """Return a model of the probability, not yet fitted."""
        return Propensity(constant=self.random)


@dataclass(frozen=True, slots=True)
class MeanOf:
    """The mean effect of several learners.

    Attributes:
        learners: EconML's estimators.
    """

    learners: tuple[Any, ...]

    def fit(self, outcomes: Floats, treated: NDArray[np.int64], *, X: Floats) -> None:  # noqa: N803 - EconML's name
        """Fit each learner."""
        for learner in self.learners:
            learner.fit(outcomes, treated, X=X)

    def effect(self, rows: Floats) -> Floats:
        """Return the mean effect on each row, shape (n,)."""
        found = [np.asarray(learner.effect(rows)).ravel() for learner in self.learners]
        return np.asarray(np.mean(found, axis=0))


@dataclass(frozen=True, slots=True)
class Fitted:
    """A fitted learner.

    Attributes:
        name: One of LEARNERS.
        estimator: EconML's.
        propensity: Probability of being treated.
    """

    name: str
    estimator: Any
    propensity: Propensity

    def effects(self, rows: Rows) -> Floats:
        """Return EconML's effect on each row, shape (n,)."""
        found: Floats = np.asarray(self.estimator.effect(rows.astype(np.float64))).ravel()
        return found

    def propensities(self, rows: Rows) -> Floats:
        """Return the probability of being treated of each row, shape (n,)."""
        found: Floats = self.propensity.predict_proba(rows.astype(np.float64))[:, 1]
        return found


def assignment_of(units: Units, seed: int) -> Assignment:
    """Say how units came to be treated: by a known probability, at random, or by their covariates.

    Without a known probability, assignment counts as random where held-out covariates do not tell
    who was treated (AUC within two standard errors of one half).
    """
    if units.propensity is not None:
        return Assignment(random=bool(np.ptp(units.propensity) < 1e-9), known=True)  # noqa: PLR2004 - rounding
    found = cross_val_predict(
        Propensity(),
        units.rows.astype(np.float64),
        units.treated.astype(np.int64),
        cv=StratifiedKFold(FOLDS, shuffle=True, random_state=seed),
        method="predict_proba",
    )[:, 1]
    treated = int(units.treated.sum())
    spread = np.sqrt((len(units.treated) + 1) / (12 * treated * (len(units.treated) - treated)))
    auc = float(roc_auc_score(units.treated, found))
    return Assignment(random=auc < 0.5 + 2 * float(spread), known=False)


def fit_learner(name: str, units: Units, assignment: Assignment, seed: int) -> Fitted:
    """Fit one learner.

    Args:
        name: One of LEARNERS.
        units: What it learns from.
        assignment: How they came to be treated.
        seed: Seed of folds, trees and bags.
    """
    rows, treated = units.rows.astype(np.float64), units.treated.astype(np.int64)
    estimator = LEARNERS[name](units, assignment, seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # third parties' notes on shapes and feature names
        estimator.fit(units.outcomes, treated, X=rows)
    return Fitted(name, estimator, assignment.propensity().fit(rows, treated))


def held_out(
    name: str, units: Units, assignment: Assignment, folds: Sequence[NDArray[np.intp]], seed: int
) -> Floats:
    """Return the effect on each unit by a learner that did not see it, shape (n,)."""
    effects = np.empty(len(units.treated))
    for held in folds:
        others = np.setdiff1d(np.arange(len(effects)), held)
        fitted = fit_learner(name, units.take(others), assignment, seed)
        effects[held] = fitted.effects(units.rows[held])
    return effects


def folds_of(treated: NDArray[np.bool_], seed: int) -> list[NDArray[np.intp]]:
    """Cut units into folds of equal shares of treated ones."""
    cut = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    return [held for _, held in cut.split(treated, treated)]


def _s_learner(units: Units, assignment: Assignment, seed: int) -> SLearner:
    del units, assignment
    return SLearner(overall_model=Boosted(seed))


def _t_learner(units: Units, assignment: Assignment, seed: int) -> TLearner:
    del units, assignment
    return TLearner(models=Chosen(seed))


def _t_boosted(units: Units, assignment: Assignment, seed: int) -> TLearner:
    del units, assignment
    return TLearner(models=Boosted(seed))


def _x_learner(units: Units, assignment: Assignment, seed: int) -> XLearner:
    del units
    return XLearner(models=Chosen(seed), propensity_model=assignment.propensity())


def _x_boosted(units: Units, assignment: Assignment, seed: int) -> XLearner:
    del units
    return XLearner(models=Boosted(seed), propensity_model=assignment.propensity())


def _x_stumps(units: Units, assignment: Assignment, seed: int) -> XLearner:
    del units
    return XLearner(models=Boosted(seed, leaves=2), propensity_model=assignment.propensity())


def _mean(units: Units, assignment: Assignment, seed: int) -> MeanOf:
    return MeanOf(tuple(LEARNERS[name](units, assignment, seed) for name in MEANS[MEAN]))


def _steady(units: Units, assignment: Assignment, seed: int) -> MeanOf:
    return MeanOf(tuple(LEARNERS[name](units, assignment, seed) for name in MEANS[STEADY]))


def _forest(units: Units, assignment: Assignment, seed: int) -> CausalForestDML:
    scarce = int(min(units.treated.sum(), (~units.treated).sum()))
    # Leaves hold units of both arms only where they are large in the scarcer one's measure.
    leaf = int(np.clip(scarce // 40, 5, 50) * len(units.treated) / (2 * scarce))
    return CausalForestDML(
        model_y=Boosted(seed),
        model_t=DummyClassifier() if assignment.random else _logistic(),
        discrete_treatment=True,
        n_estimators=FOREST_TREES,
        min_samples_leaf=leaf,
        cv=2,
        random_state=seed,
        n_jobs=1,
    )


def _logistic() -> Any:  # noqa: ANN401 - a pipeline has no better type
    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=1_000))


LEARNERS: dict[str, Callable[[Units, Assignment, int], Any]] = {
    S: _s_learner,
    T: _t_learner,
    T_BOOSTED: _t_boosted,
    X: _x_learner,
    X_BOOSTED: _x_boosted,
    X_STUMPS: _x_stumps,
    MEAN: _mean,
    STEADY: _steady,
    FOREST: _forest,
}
