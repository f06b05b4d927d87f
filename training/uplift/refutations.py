"""What an estimate must survive: placebos, made-up causes, subsets, causes nobody measured."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from training.uplift.causal import Estimate, robust_effect
from training.uplift.learners import Assignment

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from training.uplift.units import Units

    Floats = NDArray[np.float64]

RUNS = 10
SUBSET_SHARE = 0.8
SHIFT_ERRORS = 2.0  # standard errors an estimate may move without being refuted
CURVE_STRENGTHS = np.linspace(0.0, 0.5, 51)


@dataclass(frozen=True, slots=True)
class Refutation:
    """One attempt to refute an estimate.

    Attributes:
        name: What was done.
        value: Mean estimate over the runs.
        spread: Standard deviation of the estimates over the runs.
        passed: Whether the estimate survived.
        meaning: What surviving means, in a sentence.
    """

    name: str
    value: float
    spread: float
    passed: bool
    meaning: str


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """How strong a cause nobody measured would have to be.

    Attributes:
        e_value: Risk ratio it would need with both treatment and outcome to explain the estimate
            away; the outcome's difference is read as a risk ratio.
        e_value_interval: The same for the end of the interval nearest 0; 1 where it holds 0.
        robustness: Share of the variance left over, of both treatment and outcome, it would have
            to explain to bring the estimate to 0.
        strengths: Shares of the variance, shape (k,).
        estimates: Estimate with so strong a cause against it, shape (k,).
    """

    e_value: float
    e_value_interval: float
    robustness: float
    strengths: Floats
    estimates: Floats


def refute(
    units: Units,
    assignment: Assignment,
    estimate: Estimate,
    seed: int,
    tell: Callable[[str], None],
) -> list[Refutation]:
    """Try to refute an estimate.

    Args:
        units: The units.
        assignment: How they came to be treated.
        estimate: What is to be refuted.
        seed: Seed of what is drawn.
        tell: Told the name of each attempt as it begins.
    """
    draw = np.random.default_rng(seed)
    tell("placebo treatment")
    placebo = [robust_effect(_permuted(units, draw), _RANDOM, seed).value for _ in range(RUNS)]
    tell("random common cause")
    cause = [robust_effect(_with_cause(units, draw), assignment, seed).value for _ in range(RUNS)]
    tell("subset of the data")
    subset = [robust_effect(_subset(units, draw), assignment, seed).value for _ in range(RUNS)]
    error = estimate.error
    return [
        _result(
            "placebo treatment",
            placebo,
            abs(float(np.mean(placebo))) <= SHIFT_ERRORS * error,
            "a treatment dealt out anew has no effect",
        ),
        _result(
            "random common cause",
            cause,
            abs(float(np.mean(cause)) - estimate.value) <= error,
            "a cause of noise changes nothing",
        ),
        _result(
            "subset of the data",
            subset,
            abs(float(np.mean(subset)) - estimate.value) <= SHIFT_ERRORS * error,
            "four fifths of the units say the same",
        ),
    ]


_RANDOM = Assignment(random=True, known=False)


def sensitivity(units: Units, estimate: Estimate) -> Sensitivity:
    """Say how strong a cause nobody measured would have to be.

    Source: VanderWeele and Ding, Annals of Internal Medicine 167 (2017), for the E-value (a
    standardised difference d is read as the risk ratio exp(0.91 d)); Cinelli and Hazlett, "Making
    sense of sensitivity", JRSS B 82 (2020), for the curve: a cause that explains the share r of
    what is left of treatment and of outcome moves the estimate by
    se sqrt(df) sqrt(r^2 / (1 - r)).
    """
    deviation = float(units.outcomes.std(ddof=1))
    near = 0.0
    if estimate.lower > 0 or estimate.upper < 0:
        near = min(abs(estimate.lower), abs(estimate.upper))
    freedom = len(units.outcomes) - units.rows.shape[1] - 2
    bias = (
        estimate.error * math.sqrt(freedom) * np.sqrt(CURVE_STRENGTHS**2 / (1.0 - CURVE_STRENGTHS))
    )
    strength = abs(estimate.value / estimate.error) / math.sqrt(freedom)
    robustness = 0.5 * (math.sqrt(strength**4 + 4 * strength**2) - strength**2)
    return Sensitivity(
        e_value=e_value(estimate.value / deviation),
        e_value_interval=e_value(near / deviation),
        robustness=robustness,
        strengths=CURVE_STRENGTHS,
        estimates=estimate.value - np.sign(estimate.value) * bias,
    )


def e_value(difference: float) -> float:
    """Return the E-value of a standardised difference.

    Example:
        >>> round(e_value(0.5), 3), e_value(0.0)
        (2.529, 1.0)
    """
    ratio = math.exp(0.91 * min(abs(difference), 500.0))
    return ratio + math.sqrt(ratio * (ratio - 1.0))


def _permuted(units: Units, draw: np.random.Generator) -> Units:
    return dataclasses.replace(
        units, treated=units.treated[draw.permutation(len(units.treated))], propensity=None
    )


def _with_cause(units: Units, draw: np.random.Generator) -> Units:
    noise = draw.standard_normal((len(units.rows), 1)).astype(np.float32)
    return dataclasses.replace(units, rows=np.hstack([units.rows, noise]))


def _subset(units: Units, draw: np.random.Generator) -> Units:
    size = len(units.treated)
    return units.take(np.sort(draw.permutation(size)[: round(SUBSET_SHARE * size)]))


def _result(name: str, values: list[float], passed: bool, meaning: str) -> Refutation:  # noqa: FBT001 - its outcome
    return Refutation(name, float(np.mean(values)), float(np.std(values)), passed, meaning)
