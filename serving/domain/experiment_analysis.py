"""After an experiment: its effect, covariates taken out, and its guardrails."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import stdtr, stdtrit

from serving.domain.experiment import (
    CovariateBalance,
    EffectEstimate,
    GuardrailColumn,
    GuardrailResult,
    GuardrailVerdict,
    check_arms,
    check_finite,
)
from serving.errors import InvalidField

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from serving.domain.experiment import CupedQuery

    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]
    Groups = NDArray[np.int64]

WEAK_F = 10.0


@dataclass(frozen=True, slots=True)
class Sample:
    """The rows of an analysis.

    Attributes:
        treated: Whether each row was assigned to the action, shape (n,).
        covariates: Covariates measured before the action, shape (n, k).
        clusters: Number of each row's cluster, shape (n,); empty: each row is its own.
        significance: Two-sided probability of a false positive.
    """

    treated: Flags
    covariates: Floats
    clusters: Groups
    significance: float

    def take(self, rows: Flags) -> Sample:
        """Return some of the rows."""
        clusters = self.clusters[rows] if self.clusters.size else self.clusters
        return Sample(self.treated[rows], self.covariates[rows], clusters, self.significance)


@dataclass(frozen=True, slots=True)
class Adjusted:
    """A metric's effect with covariates taken out.

    Attributes:
        effect: Effect with its interval.
        control_mean: Metric of the control arm, covariates not taken out.
        treated_mean: Metric of the treated arm, likewise.
        residual_variance_share: Share of the variance within arms the covariates leave.
        influence: What each row adds to the effect's error, shape (n,).
    """

    effect: EffectEstimate
    control_mean: float
    treated_mean: float
    residual_variance_share: float
    influence: Floats


def adjusted_effect(outcomes: Floats, denominators: Floats, sample: Sample) -> Adjusted:
    """Estimate treated less control metric, covariates taken out, errors robust to clusters.

    Within each arm the metric is sum(y) / sum(d) (d = 1 for a mean), and a row's linearised value
    is (y - R d) / mean(d). theta regresses these on the covariates within arms, and the effect is
    R_1 - R_0 - theta'(x_1 - x_0). Its variance sums, arm by arm, the squares of what each cluster
    leaves over; degrees of freedom are Welch's.

    Args:
        outcomes: Outcome y of each row, shape (n,).
        denominators: Denominator d of each row, 0 or more, shape (n,); empty for a mean.
        sample: Arms, covariates and clusters.

    Returns:
        The effect and what it rests on.

    Raises:
        InvalidField: If an arm's denominators sum to 0, or has fewer than two clusters.

    Source: Deng et al. (2013), CUPED; Deng, Knoblich and Lu, "Applying the delta method in metric
    analytics", KDD (2018); Cameron and Miller, "A practitioner's guide to cluster-robust
    inference" (2015).

    Example:
        >>> rng = np.random.default_rng(4)
        >>> x, treated = rng.standard_normal(40_000), np.arange(40_000) % 5 == 0
        >>> y = 0.74 * x + np.sqrt(1 - 0.74**2) * rng.standard_normal(40_000) + 0.1 * treated
        >>> sample = Sample(treated, x[:, None], np.empty(0, dtype=np.int64), 0.05)
        >>> done = adjusted_effect(y, np.empty(0), sample)
        >>> round(done.residual_variance_share, 2), round(done.effect.estimate, 2)
        (0.45, 0.1)
    """
    treated = sample.treated
    weights = denominators if denominators.size else np.ones(len(outcomes))
    metric, linear = np.empty(2), np.empty(len(outcomes))
    for arm, rows in enumerate((~treated, treated)):
        total = weights[rows].sum()
        if not total > 0:
            raise InvalidField("denominators", "must not be 0 for every row of an arm")
        metric[arm] = outcomes[rows].sum() / total
        linear[rows] = (outcomes[rows] - metric[arm] * weights[rows]) / (total / rows.sum())
    inside, gaps = _within_arms(sample.covariates, treated)
    theta = np.linalg.lstsq(inside, linear, rcond=None)[0] if inside.size else np.empty(0)
    left = linear - inside @ theta
    estimate = float(metric[1] - metric[0] - gaps @ theta)
    spread = float(linear @ linear)
    influence = left * np.where(treated, 1.0 / treated.sum(), -1.0 / (~treated).sum())
    return Adjusted(
        effect=_interval(estimate, influence, sample),
        control_mean=float(metric[0]),
        treated_mean=float(metric[1]),
        residual_variance_share=float(left @ left) / spread if spread else 1.0,
        influence=influence,
    )


def _within_arms(columns: Floats, treated: Flags) -> tuple[Floats, Floats]:
    """Return columns less their arm's mean, scaled, and treated less control means, as scaled."""
    inside = columns.astype(np.float64, copy=True)
    means = np.stack([columns[~treated].mean(axis=0), columns[treated].mean(axis=0)])
    inside[~treated] -= means[0]
    inside[treated] -= means[1]
    scale = np.abs(inside).max(axis=0, initial=0.0)
    scale[scale == 0] = 1.0
    return inside / scale, (means[1] - means[0]) / scale


def _interval(estimate: float, influence: Floats, sample: Sample) -> EffectEstimate:
    """Return an estimate with the interval that the errors of its clusters give."""
    variances, degrees = np.empty(2), np.empty(2)
    for arm, rows in enumerate((~sample.treated, sample.treated)):
        parts = influence[rows]
        if sample.clusters.size:
            parts = np.bincount(sample.clusters[rows], weights=parts)
            parts = parts[np.unique(sample.clusters[rows])]
        if len(parts) < 2:  # noqa: PLR2004 - one cluster has no variance
            raise InvalidField("clusters", "must be 2 or more in each arm")
        degrees[arm] = len(parts) - 1
        variances[arm] = float(parts @ parts) * len(parts) / degrees[arm]
    variance = check_finite("outcomes", float(variances.sum()))
    error = math.sqrt(variance)
    if error == 0:
        return EffectEstimate(estimate, 0.0, estimate, estimate, 0.0 if estimate else 1.0)
    freedom = float(variance**2 / (variances**2 / degrees).sum())
    half = float(stdtrit(freedom, 1.0 - sample.significance / 2.0)) * error
    p_value = 2.0 * float(stdtr(freedom, -abs(estimate) / error))
    return EffectEstimate(estimate, error, estimate - half, estimate + half, p_value)


def complier_effect(outcome: Adjusted, compliance: Adjusted, sample: Sample) -> EffectEstimate:
    """Estimate the effect on those who receive the action because they were assigned to it.

    The effect of assignment on the outcome over its effect on receiving, by the delta method.

    Args:
        outcome: Effect of assignment on the outcome.
        compliance: Effect of assignment on receiving the action, not 0.
        sample: Arms and clusters.

    Returns:
        The effect; it is worth little where assignment hardly moves receiving.

    Raises:
        InvalidField: If assignment does not move receiving at all.

    Source: Angrist, Imbens and Rubin, "Identification of causal effects using instrumental
    variables", JASA 91 (1996).
    """
    moved = compliance.effect.estimate
    if moved == 0:
        raise InvalidField("received", "must differ between the arms")
    estimate = outcome.effect.estimate / moved
    influence = (outcome.influence - estimate * compliance.influence) / moved
    return _interval(estimate, influence, sample)


def covariate_balance(name: str, values: Floats, sample: Sample) -> CovariateBalance:
    """Compare a covariate between the arms: what no action can have moved should not differ.

    Args:
        name: Name of the covariate.
        values: Its values, shape (n,).
        sample: Arms and clusters; covariates are not taken out.

    Returns:
        The difference in pooled standard deviations and its p-value.
    """
    bare = Sample(sample.treated, np.empty((len(values), 0)), sample.clusters, sample.significance)
    effect = adjusted_effect(values, np.empty(0), bare).effect
    pooled = math.sqrt(
        (values[sample.treated].var(ddof=1) + values[~sample.treated].var(ddof=1)) / 2
    )
    return CovariateBalance(name, effect.estimate / pooled if pooled else 0.0, effect.p_value)


def judge_guardrail(guardrail: GuardrailColumn, sample: Sample) -> GuardrailResult:
    """Say whether a metric that must not get worse stayed within its margin.

    Held where the interval excludes a worsening beyond the margin, breached where it lies beyond
    it as a whole, undecided otherwise: no difference found is not the same as no harm.

    Args:
        guardrail: The metric, its bad direction and its margin.
        sample: Arms, covariates and clusters.

    Returns:
        The effect and the verdict.

    Source: Kohavi, Tang and Xu, Trustworthy Online Controlled Experiments (2020), chapter 7;
    non-inferiority as in ICH E9.
    """
    effect = adjusted_effect(guardrail.values, np.empty(0), sample).effect
    if guardrail.higher_worse:
        best, worst = effect.lower, effect.upper
    else:
        best, worst = -effect.upper, -effect.lower
    verdict = GuardrailVerdict.UNDECIDED
    if worst <= guardrail.margin:
        verdict = GuardrailVerdict.HELD
    elif best > guardrail.margin:
        verdict = GuardrailVerdict.BREACHED
    return GuardrailResult(guardrail.name, effect, verdict)


def turns(treated: Flags, places: Groups, washout_rows: int) -> tuple[Groups, Flags]:
    """Cut the rows of a switchback into turns, and say which rows count.

    A turn is a run of rows of one place without a change of the action; its first rows still feel
    the turn before and are left out, but for the first turn of each place.

    Args:
        treated: Whether the action ran, rows of a place in order of time, shape (n,).
        places: Number of each row's place, shape (n,).
        washout_rows: Rows left out after each change, 0 or more.

    Returns:
        Number of each row's turn, shape (n,), and whether the row counts, shape (n,).

    Source: Bojinov, Simchi-Levi and Zhao, "Design and analysis of switchback experiments",
    Management Science 69 (2023).

    Example:
        >>> on = np.array([False, False, True, True, False])
        >>> numbers, counted = turns(on, np.zeros(5, dtype=np.int64), washout_rows=1)
        >>> numbers.tolist(), counted.tolist()
        ([0, 0, 1, 1, 2], [True, True, False, True, False])
    """
    order = np.argsort(places, kind="stable")
    place, on = places[order], treated[order]
    first = np.r_[True, place[1:] != place[:-1]]
    begins = first | np.r_[True, on[1:] != on[:-1]]
    turn = np.cumsum(begins) - 1
    starts = np.flatnonzero(begins)
    since = np.arange(len(on)) - starts[turn]
    counted = (since >= washout_rows) | first[starts][turn]
    numbers, counts = np.empty(len(on), dtype=np.int64), np.empty(len(on), dtype=np.bool_)
    numbers[order], counts[order] = turn, counted
    return numbers, counts


def sample_of(query: CupedQuery) -> tuple[Sample, Flags]:
    """Return the rows an analysis uses, and which of the sent ones they are.

    Args:
        query: What was asked.

    Returns:
        The sample, and whether each sent row is in it, shape (n,).

    Raises:
        InvalidField: If the washout leaves too few rows of an arm.
    """
    rows = len(query.treated)
    covariates = np.empty((rows, 0))
    if query.covariates:
        covariates = np.column_stack([column.values for column in query.covariates])
    clusters = np.empty(0, dtype=np.int64)
    if query.clusters:
        clusters = np.unique(query.clusters, return_inverse=True)[1].astype(np.int64)
    whole = Sample(query.treated, covariates, clusters, query.significance)
    if query.design.name != "SWITCHBACK":
        return whole, np.ones(rows, dtype=np.bool_)
    places = clusters if clusters.size else np.zeros(rows, dtype=np.int64)
    numbers, counted = turns(query.treated, places, query.washout_rows)
    check_arms(query.treated[counted])
    return Sample(query.treated, covariates, numbers, query.significance).take(counted), counted
