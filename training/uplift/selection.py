"""Which learner is chosen, and whether its ranking is better than chance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from sklearn.base import clone

from training.uplift.causal import check_overlap
from training.uplift.evaluation import (
    CHANCE,
    INTERVAL,
    Figure,
    Outcomes,
    Ranking,
    auuc,
    resamples,
    robust_scores,
)
from training.uplift.learners import LEARNERS, MEANS, folds_of, held_out
from training.uplift.stages import Chosen

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from training.uplift.learners import Assignment
    from training.uplift.units import Units

    Floats = NDArray[np.float64]

SIGNAL, NO_SIGNAL = "signal", "no signal"
OPTIMISM_DRAWS = 100
IMMATERIAL = 0.005  # share of the least risk that no choice should hang on


@dataclass(frozen=True, slots=True)
class Assessment:
    """What held-out units say of each learner.

    Attributes:
        outcomes: What happened to the units.
        effects: Effect on each unit by a learner that did not see it, by name.
        auuc: Area under the gain curve, by name.
        robust_auuc: The same by doubly robust scores, by name.
        risk: Mean squared distance of the effects from the doubly robust scores, by name.
        chosen: The learner that is chosen.
        optimism: What choosing the best of several adds to the chosen one's area by chance.
    """

    outcomes: Outcomes
    effects: Mapping[str, Floats]
    auuc: Mapping[str, Figure]
    robust_auuc: Mapping[str, Figure]
    risk: Mapping[str, float]
    chosen: str
    optimism: float

    @property
    def headline(self) -> Figure:
        """The chosen learner's area and interval, what the choice added taken off."""
        found = self.auuc[self.chosen]
        off = self.optimism
        return Figure(found.value - off, found.lower - off, found.upper - off)

    @property
    def verdict(self) -> str:
        """Whether the interval leaves out chance, and the average effect has a sign at all."""
        _, lower, upper = self.outcomes.average_effect
        if lower <= 0 <= upper:
            return NO_SIGNAL
        return SIGNAL if self.headline.lower > CHANCE else NO_SIGNAL


def assess(
    units: Units, assignment: Assignment, seed: int, tell: Callable[[str], None]
) -> Assessment:
    """Fit every learner on folds and judge it on the units it did not see.

    Args:
        units: The units.
        assignment: How they came to be treated.
        seed: Seed of folds, learners and resamples.
        tell: Told the name of each step as it begins.

    Raises:
        InvalidField: If too many units have no counterpart in the other arm.
    """
    folds = folds_of(units.treated, seed)
    tell("expected outcomes")
    outcomes = held_out_outcomes(units, assignment, folds, seed)
    check_overlap(units, outcomes.propensities)
    effects: dict[str, Floats] = {}
    for name in LEARNERS:
        tell(f"learner {name.replace('_', ' ')}")
        if name in MEANS:  # its parts stand before it
            effects[name] = np.mean([effects[part] for part in MEANS[name]], axis=0)
        else:
            effects[name] = held_out(name, units, assignment, folds, seed)
    tell("choice")
    return judge(effects, outcomes, seed)


def held_out_outcomes(
    units: Units, assignment: Assignment, folds: Sequence[NDArray[np.intp]], seed: int
) -> Outcomes:
    """Return what happened to the units, with scores from models that did not see them."""
    rows = units.rows.astype(np.float64)
    size = len(units.treated)
    without, with_, on = np.empty(size), np.empty(size), np.empty(size)
    for held in folds:
        seen = np.ones(size, dtype=bool)
        seen[held] = False
        for arm, found in ((~units.treated, without), (units.treated, with_)):
            stage = clone(Chosen(seed)).fit(rows[seen & arm], units.outcomes[seen & arm])
            found[held] = stage.predict(rows[held])
        model = assignment.propensity().fit(rows[seen], units.treated[seen])
        on[held] = model.predict_proba(rows[held])[:, 1]
    if units.propensity is not None:
        on = units.propensity
    scores = robust_scores(units.treated, units.outcomes, on, (without, with_))
    return Outcomes(units.treated, units.outcomes, on, scores)


def judge(effects: Mapping[str, Floats], outcomes: Outcomes, seed: int) -> Assessment:
    """Choose a learner from the effects on units that no learner saw.

    Only learners whose doubly robust risk is within one standard error, or half a percent, of the
    least are in play.
    If a mean of learners is among them it is taken, the steady one first, as it leaves least to the
    chance of choosing; otherwise the one of the greatest robust area.
    """
    risks = {name: (found - outcomes.scores) ** 2 for name, found in effects.items()}
    ranks = {name: Ranking.of(found, outcomes) for name, found in effects.items()}
    once = np.ones(len(outcomes.treated), dtype=np.int64)
    drawn = resamples(len(once), seed)
    areas = {name: np.array([rank.area(one) for one in drawn]) for name, rank in ranks.items()}
    robust = {
        name: np.array([rank.robust_area(one) for one in drawn]) for name, rank in ranks.items()
    }
    return Assessment(
        outcomes=outcomes,
        effects=effects,
        auuc={name: _figure(auuc(effects[name], outcomes), areas[name]) for name in effects},
        robust_auuc={
            name: _figure(ranks[name].robust_area(once), robust[name]) for name in effects
        },
        risk={name: float(found.mean()) for name, found in risks.items()},
        chosen=_choice(risks, once, {name: rank.robust_area(once) for name, rank in ranks.items()}),
        optimism=_optimism(risks, ranks, drawn[:OPTIMISM_DRAWS]),
    )


def _choice(
    risks: Mapping[str, Floats], counts: NDArray[np.int64], areas: Mapping[str, float]
) -> str:
    """Return the learner of the greatest area among those whose risk is near the least."""
    means = {name: np.average(found, weights=counts) for name, found in risks.items()}
    least = min(means, key=lambda name: means[name])
    near = []
    for name, found in risks.items():
        gap = found - risks[least]
        mean = np.average(gap, weights=counts)
        spread = np.sqrt(np.average((gap - mean) ** 2, weights=counts) / counts.sum())
        if mean <= max(spread, IMMATERIAL * means[least]):
            near.append(name)
    means_near = [name for name in MEANS if name in near]
    return means_near[0] if means_near else max(near, key=lambda name: areas[name])


def _optimism(
    risks: Mapping[str, Floats],
    ranks: Mapping[str, Ranking],
    drawn: Sequence[NDArray[np.int64]],
) -> float:
    """Return what choosing the best of several learners adds to its area by chance.

    Over resamples: what the area of the one chosen on the drawn units loses on those not drawn,
    less what all learners lose on average, which is chance of the draw alone.

    Source: Tsamardinos, Greasidou and Borboudakis, "Bootstrapping the out-of-sample predictions",
    Machine Learning 107 (2018).
    """
    lost = []
    for one in drawn:
        rest = (one == 0).astype(np.int64)
        inside = {name: rank.robust_area(one) for name, rank in ranks.items()}
        gaps = {name: inside[name] - rank.robust_area(rest) for name, rank in ranks.items()}
        lost.append(gaps[_choice(risks, one, inside)] - np.mean(list(gaps.values())))
    return max(0.0, float(np.mean(lost)))


def _figure(value: float, drawn: Floats) -> Figure:
    lower, upper = np.quantile(drawn, INTERVAL)
    return Figure(value, float(lower), float(upper))
