"""How well effects tell units apart: curves, areas and calibration, on units the model never saw.

Units are ranked best first. The gain of acting on the first k is k (ybar_1 - ybar_0)_k, the means
weighted by 1 / e and 1 / (1 - e) where the probability e of being treated is not the same for all;
AUUC is its mean over k divided by N ATE, so that a ranking by chance has 0.5.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]

CHANCE = 0.5
LEAST_PROPENSITY = 0.02  # weights beyond its inverse would rest the figure on a few units
SHARES = (0.1, 0.2, 0.3)
GROUPS = 10
RESAMPLES = 200
# Areas have 90 % intervals: whether a ranking beats chance is asked of one side, so the lower end
# is the one-sided 95 % bound.
INTERVAL = (0.05, 0.95)
HALF_WIDTH = 1.959963984540054  # standard errors either side of a normal 95 % interval


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What happened to the units effects are judged on.

    Attributes:
        treated: Whether each was treated, shape (n,).
        outcomes: Outcome of each, shape (n,).
        propensities: Probability of being treated, shape (n,).
        scores: Doubly robust score of each unit's effect, mean the average effect, shape (n,).
    """

    treated: Flags
    outcomes: Floats
    propensities: Floats
    scores: Floats

    @property
    def weights(self) -> Floats:
        """Inverse probability of the arm each unit was in, shape (n,)."""
        on = np.clip(self.propensities, LEAST_PROPENSITY, 1.0 - LEAST_PROPENSITY)
        return np.where(self.treated, 1.0 / on, 1.0 / (1.0 - on))

    @property
    def average_effect(self) -> tuple[float, float, float]:
        """Average effect and the ends of its 95 % interval."""
        mean = float(self.scores.mean())
        half = HALF_WIDTH * float(self.scores.std(ddof=1)) / np.sqrt(len(self.scores))
        return mean, mean - half, mean + half


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure with its interval."""

    value: float
    lower: float
    upper: float

    def __str__(self) -> str:
        """Write it as figure, lower to upper."""
        return f"{self.value:.3f} ({self.lower:.3f} to {self.upper:.3f})"


def robust_scores(
    treated: Flags, outcomes: Floats, propensities: Floats, expected: tuple[Floats, Floats]
) -> Floats:
    """Return the doubly robust score of each unit's effect, shape (n,).

    mu_1 - mu_0 + t (y - mu_1) / e - (1 - t) (y - mu_0) / (1 - e): its mean is the average effect
    where either the outcomes expected without and with treatment or the propensities are right.

    Source: Robins, Rotnitzky and Zhao, JASA 89 (1994).
    """
    without, with_ = expected
    on = np.clip(propensities, LEAST_PROPENSITY, 1.0 - LEAST_PROPENSITY)
    left = np.where(treated, (outcomes - with_) / on, -(outcomes - without) / (1.0 - on))
    return with_ - without + left


def gain_curve(
    effects: Floats, outcomes: Outcomes, counts: NDArray[np.int64] | None = None
) -> Floats:
    """Return the gain of acting on the first k units for k = 0 to n, units of equal effect mixed.

    Args:
        effects: Predicted effect of each unit, shape (n,).
        outcomes: What happened to them.
        counts: How often each unit counts (of a resample), shape (n,); once where None.

    Returns:
        Gains, shape (n + 1,); 0 while an arm is empty.
    """
    order = np.argsort(-effects, kind="stable")
    times = np.ones(len(effects)) if counts is None else counts[order]
    treated, weights = outcomes.treated[order], outcomes.weights[order] * times
    values = weights * outcomes.outcomes[order]
    on, off = np.cumsum(np.where(treated, weights, 0)), np.cumsum(np.where(treated, 0, weights))
    with np.errstate(divide="ignore", invalid="ignore"):
        gap = np.cumsum(np.where(treated, values, 0)) / on
        gap -= np.cumsum(np.where(treated, 0, values)) / off
    people = np.cumsum(times)
    gains = np.where((on > 0) & (off > 0), people * gap, 0.0)
    # Within units of one effect any order is as good: the curve is straight there.
    ends = np.flatnonzero(np.r_[np.diff(effects[order]) != 0, True])
    at = np.r_[0.0, people[ends]]
    return np.interp(np.linspace(0.0, people[-1], len(effects) + 1), at, np.r_[0.0, gains[ends]])


def auuc(effects: Floats, outcomes: Outcomes) -> float:
    """Return the area under the gain curve relative to N ATE; chance has 0.5.

    Example:
        >>> treated = np.array([True, False] * 4)
        >>> happened = np.array([2.0, 0, 1, 0, 0, 0, 0, 0])
        >>> known = Outcomes(treated, happened, np.full(8, 0.5), np.zeros(8))
        >>> best = np.array([4.0, 4, 3, 3, 2, 2, 1, 1])
        >>> round(auuc(best, known), 4), round(auuc(np.zeros(8), known), 4)
        (0.8542, 0.5625)
    """
    curve = gain_curve(effects, outcomes)
    return float(curve[1:].mean() / curve[-1]) if curve[-1] else CHANCE


@dataclass(frozen=True, slots=True)
class Ranking:
    """Units sorted best first, once for all resamples of them.

    Attributes:
        order: Units in order, shape (n,).
        ends: Places after which the effect falls, shape (k,): within units of one effect any order
            is as good, so the curve is straight there.
        treated: Weight of each unit in the treated arm, shape (n,); control likewise.
        control: See treated.
        outcomes: Outcome of each unit, shape (n,).
        scores: Doubly robust score of each unit, shape (n,).
    """

    order: NDArray[np.intp]
    ends: NDArray[np.intp]
    treated: Floats
    control: Floats
    outcomes: Floats
    scores: Floats

    @classmethod
    def of(cls, effects: Floats, outcomes: Outcomes) -> Ranking:
        """Sort units by their effects."""
        order = np.argsort(-effects, kind="stable")
        treated, weights = outcomes.treated[order], outcomes.weights[order]
        return cls(
            order=order,
            ends=np.flatnonzero(np.r_[np.diff(effects[order]) != 0, True]),
            treated=np.where(treated, weights, 0.0),
            control=np.where(treated, 0.0, weights),
            outcomes=outcomes.outcomes[order],
            scores=outcomes.scores[order],
        )

    def area(self, counts: NDArray[np.int64]) -> float:
        """Return AUUC of a resample in which units count so often, shape (n,)."""
        times = counts[self.order].astype(np.float64)
        sums = []
        for weights in (self.treated * times, self.control * times):
            sums += [np.cumsum(weights)[self.ends], np.cumsum(weights * self.outcomes)[self.ends]]
        on, on_sum, off, off_sum = sums
        with np.errstate(divide="ignore", invalid="ignore"):
            gap = on_sum / on - off_sum / off
        people = np.cumsum(times)[self.ends]
        return _area(people, np.where((on > 0) & (off > 0), people * gap, 0.0))

    def robust_area(self, counts: NDArray[np.int64]) -> float:
        """Return the same area with doubly robust scores in place of means."""
        times = counts[self.order].astype(np.float64)
        return _area(np.cumsum(times)[self.ends], np.cumsum(times * self.scores)[self.ends])


def _area(people: Floats, gains: Floats) -> float:
    """Return the mean of a curve through 0 and these points, relative to its end."""
    if not gains[-1]:
        return CHANCE
    steps = np.diff(people, prepend=0.0)
    middle = (gains + np.r_[0.0, gains[:-1]]) / 2
    return float(steps @ middle / people[-1] / gains[-1])


def qini(effects: Floats, outcomes: Outcomes) -> float:
    """Return the area between the gain curve and the straight line to its end, a unit."""
    curve = gain_curve(effects, outcomes)
    return float((curve[1:].mean() - CHANCE * curve[-1]) / len(effects))


def uplift_at(effects: Floats, outcomes: Outcomes, share: float) -> float:
    """Return the effect among the best share of units."""
    curve = gain_curve(effects, outcomes)
    first = max(1, round(share * len(effects)))
    return float(curve[first] / first)


def root_error(effects: Floats, truth: Floats) -> float:
    """Return the square root of the precision in estimating heterogeneous effects (PEHE)."""
    return float(np.sqrt(np.mean((effects - truth) ** 2)))


def resamples(size: int, seed: int, times: int = RESAMPLES) -> list[NDArray[np.int64]]:
    """Return how often each unit counts in each of some resamples, each of shape (n,)."""
    draw = np.random.default_rng(seed)
    return [np.bincount(draw.integers(0, size, size), minlength=size) for _ in range(times)]


@dataclass(frozen=True, slots=True)
class Group:
    """Units of like predicted effect.

    Attributes:
        predicted: Mean predicted effect.
        observed: Average effect among them, doubly robust, with its interval.
        units: How many they are.
    """

    predicted: float
    observed: Figure
    units: int


def calibration(effects: Floats, outcomes: Outcomes) -> list[Group]:
    """Cut units into ten groups by predicted effect and compare with what happened."""
    groups = []
    for members in np.array_split(np.argsort(effects, kind="stable"), GROUPS):
        scores = outcomes.scores[members]
        half = HALF_WIDTH * float(scores.std(ddof=1)) / np.sqrt(len(members))
        mean = float(scores.mean())
        seen = Figure(mean, mean - half, mean + half)
        groups.append(Group(float(effects[members].mean()), seen, len(members)))
    return groups


@dataclass(frozen=True, slots=True)
class Line:
    """The average effect among units of one predicted effect, as a straight line with its band.

    Attributes:
        center: Mean predicted effect.
        level: Average effect there.
        slope: Rise of the effect with the predicted one; 1 is calibrated.
        level_variance, slope_variance: Variances of both; they are uncorrelated at the center.
    """

    center: float
    level: float
    slope: float
    level_variance: float
    slope_variance: float

    def ends(self, effects: Floats) -> tuple[Floats, Floats]:
        """Return the ends of the 95 % band at some predicted effects."""
        away = effects - self.center
        half = HALF_WIDTH * np.sqrt(self.level_variance + self.slope_variance * away**2)
        middle = self.level + self.slope * away
        return middle - half, middle + half

    def interval(self, effects: Floats) -> tuple[Floats, Floats]:
        """Return the same ends, reaching to a predicted effect that the band does not hold."""
        low, high = self.ends(effects)
        return np.minimum(low, effects), np.maximum(high, effects)


def calibration_line(effects: Floats, scores: Floats) -> Line:
    """Fit the effect's best linear predictor given the predicted one, with robust errors.

    Source: Chernozhukov, Demirer, Duflo and Fernandez-Val, "Generic machine learning inference on
    heterogeneous treatment effects" (2018), section 3.
    """
    away = effects - effects.mean()
    spread = float(away @ away)
    level = float(scores.mean())
    slope = float(away @ scores) / spread if spread else 0.0
    left = scores - level - slope * away
    return Line(
        center=float(effects.mean()),
        level=level,
        slope=slope,
        level_variance=float(left @ left) / len(left) ** 2,
        slope_variance=float((away * left) @ (away * left)) / spread**2 if spread else 0.0,
    )
