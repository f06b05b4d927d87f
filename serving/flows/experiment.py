"""The path of an experiment question: query -> formula -> answer; no model and no features."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from serving.domain.buckets import assign_buckets
from serving.domain.experiment import FORMULA_VERSION, ArmUnits, CupedAnswer
from serving.domain.experiment_analysis import (
    WEAK_F,
    adjusted_effect,
    complier_effect,
    covariate_balance,
    judge_guardrail,
    sample_of,
)
from serving.domain.experiment_design import plan_sample
from serving.domain.interleaving import Interleaved, compare_credits, team_draft
from serving.domain.sample_ratio import SampleRatioQuery, check_sample_ratio
from serving.domain.sequential import examine_looks, has_moved
from serving.domain.series import Provenance
from serving.errors import SampleRatioMismatch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from serving.domain.buckets import BucketQuery, Buckets
    from serving.domain.experiment import CovariateBalance, CupedQuery, EffectEstimate
    from serving.domain.experiment_design import SamplePlan, SampleQuery
    from serving.domain.interleaving import InterleavingQuery
    from serving.domain.sample_ratio import SampleRatio
    from serving.domain.sequential import SequentialAnswer, SequentialQuery

IMBALANCE_P = 0.001
FEW_CLUSTERS = 30
FORMULA = Provenance(formula_version=FORMULA_VERSION)


class ExperimentFlow:
    """Answers the questions about experiments from the numbers sent."""

    def plan_sample(self, query: SampleQuery) -> SamplePlan:
        """Compute the units an experiment needs, or the effect that given units can show.

        Raises:
            InvalidField: If the figures, each in its range, give no finite plan together.
        """
        return plan_sample(query, FORMULA)

    def assign_bucket(self, query: BucketQuery) -> Buckets:
        """Assign units to arms."""
        return assign_buckets(query, FORMULA)

    def check_sample_ratio(self, query: SampleRatioQuery) -> SampleRatio:
        """Test whether the arms hold the shares of units they were meant to."""
        return check_sample_ratio(query, FORMULA)

    def analyze_cuped(self, query: CupedQuery) -> CupedAnswer:
        """Estimate the effect of an experiment, covariates taken out.

        Raises:
            SampleRatioMismatch: If the arms hold other shares than meant, unacknowledged.
            InvalidField: If the rows left after the washout are too few, or have no ratio.
        """
        ratio = _ratio_of(query)
        sample, counted = sample_of(query)
        outcomes = query.outcomes[counted]
        weights = query.denominators[counted] if query.denominators.size else query.denominators
        adjusted = adjusted_effect(outcomes, weights, sample)
        bare = dataclasses.replace(sample, covariates=np.empty((len(outcomes), 0)))
        plain = adjusted_effect(outcomes, weights, bare)
        balance = tuple(
            covariate_balance(column.name, column.values[counted], sample)
            for column in query.covariates
        )
        compliance = complier = None
        if query.received.size:
            taken = adjusted_effect(query.received[counted].astype(float), np.empty(0), sample)
            complier = complier_effect(adjusted, taken, sample)
            compliance = taken.effect
        guardrails = tuple(
            judge_guardrail(dataclasses.replace(one, values=one.values[counted]), sample)
            for one in query.guardrails
        )
        warnings = _warnings(ratio, balance, compliance, _clusters(sample.clusters, sample.treated))
        treated = int(sample.treated.sum())
        return CupedAnswer(
            provenance=dataclasses.replace(FORMULA, warnings=warnings),
            effect=adjusted.effect,
            unadjusted_effect=plain.effect,
            control_mean=adjusted.control_mean,
            treated_mean=adjusted.treated_mean,
            residual_variance_share=adjusted.residual_variance_share,
            units=ArmUnits(len(outcomes) - treated, treated),
            balance=balance,
            guardrails=guardrails,
            complier_effect=complier,
            compliance=compliance,
            sample_ratio_p_value=None if ratio is None else ratio.p_value,
        )

    def test_sequentially(self, query: SequentialQuery) -> SequentialAnswer:
        """Test an effect at every look without inflating false positives."""
        answer = examine_looks(query, FORMULA)
        if not has_moved(query):
            return answer
        warning = (
            "the intervals of different looks exclude each other: the effect moved over time, and "
            "the confidence sequence stays where it was before"
        )
        return dataclasses.replace(
            answer, provenance=dataclasses.replace(FORMULA, warnings=(warning,))
        )

    def interleave(self, query: InterleavingQuery) -> Interleaved:
        """Interleave two rankings, and test which earned more credit."""
        items, teams = team_draft(query) if query.ranking_a else ((), ())
        credited = len(query.credits_a) > 0
        test = compare_credits(query.credits_a, query.credits_b) if credited else None
        return Interleaved(FORMULA, items, teams, test)


def _ratio_of(query: CupedQuery) -> SampleRatio | None:
    """Check the sample ratio where a share is expected.

    Raises:
        SampleRatioMismatch: If it is not as meant, unacknowledged.
    """
    share = query.expected_treated_share
    if share is None:
        return None
    observed = np.array([int((~query.treated).sum()), int(query.treated.sum())])
    asked = SampleRatioQuery(observed, np.array([1.0 - share, share]))
    ratio = check_sample_ratio(asked, FORMULA)
    if ratio.mismatch and not query.acknowledge_sample_ratio:
        raise SampleRatioMismatch(
            treated=int(observed[1]), rows=int(observed.sum()), p_value=ratio.p_value
        )
    return ratio


def _clusters(clusters: NDArray[np.int64], treated: NDArray[np.bool_]) -> int | None:
    """Return the clusters of the smaller arm; None where each row is its own."""
    if not clusters.size:
        return None
    return min(len(np.unique(clusters[treated])), len(np.unique(clusters[~treated])))


def _warnings(
    ratio: SampleRatio | None,
    balance: tuple[CovariateBalance, ...],
    compliance: EffectEstimate | None,
    clusters: int | None,
) -> tuple[str, ...]:
    warnings = []
    if ratio is not None and ratio.mismatch:
        warnings.append(
            f"the sample ratio is not as meant (p = {ratio.p_value:.1e}): whatever broke it may "
            "have moved the outcome too"
        )
    warnings += [
        f"covariate {one.name!r} differs between the arms before the action "
        f"(p = {one.p_value:.1e}): assignment may not have been at random"
        for one in balance
        if one.p_value < IMBALANCE_P
    ]
    weak = compliance is not None and (
        compliance.estimate**2 < WEAK_F * compliance.standard_error**2
    )
    if weak:
        warnings.append(
            "assignment hardly moves receiving the action (F below 10): the interval of the "
            "complier effect is not to be relied on"
        )
    if clusters is not None and clusters < FEW_CLUSTERS:
        warnings.append(
            f"an arm has {clusters} clusters: below {FEW_CLUSTERS} the interval is too narrow"
        )
    return tuple(warnings)
