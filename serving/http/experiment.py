"""Experiments at the HTTP door: JSON to query, answer to JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from serving.domain.buckets import BucketQuery
from serving.domain.experiment import CupedQuery, ExperimentDesign
from serving.domain.experiment import ExperimentColumn as Column
from serving.domain.experiment import GuardrailColumn as Guardrail
from serving.domain.experiment_design import SampleQuery
from serving.domain.interleaving import InterleavingQuery
from serving.domain.sample_ratio import SampleRatioQuery
from serving.domain.sequential import SequentialQuery
from serving.http.fields import Int32, Int64, body_of, sent_fields
from serving.http.shape import ExperimentDesignNumber, Shape
from serving.reading import member_of

if TYPE_CHECKING:
    from serving.gate import Flows


class PlanSampleRequest(Shape):
    """Asks for a sample size or for a detectable effect."""

    baseline_mean: float = 0.0
    baseline_std: float | None = None
    relative_effect: float | None = None
    absolute_effect: float | None = None
    total_units: Int64 | None = None
    significance: float | None = None
    power: float | None = None
    treated_share: float | None = None
    covariate_correlation: float | None = None
    cluster_size: float | None = None
    intraclass_correlation: float | None = None


class AssignBucketRequest(Shape):
    """Asks which arm units belong to."""

    unit_ids: tuple[str, ...] = ()
    salt: str = ""
    arms: tuple[str, ...] = ()
    shares: tuple[float, ...] = ()
    layer: str | None = None
    layer_start: float | None = None
    layer_end: float | None = None


class CheckSampleRatioRequest(Shape):
    """Asks whether arms hold their shares."""

    observed: tuple[Int64, ...] = ()
    expected_shares: tuple[float, ...] = ()


class ExperimentColumn(Shape):
    """A named column of numbers."""

    name: str = ""
    values: tuple[float, ...] = ()


class GuardrailColumn(Shape):
    """A metric that must not get worse."""

    name: str = ""
    values: tuple[float, ...] = ()
    higher_worse: bool = False
    margin: float = 0.0


class AnalyzeCupedRequest(Shape):
    """Asks for the effect of an experiment."""

    treated: tuple[bool, ...] = ()
    outcomes: tuple[float, ...] = ()
    covariates: tuple[ExperimentColumn, ...] = ()
    denominators: tuple[float, ...] = ()
    clusters: tuple[str, ...] = ()
    received: tuple[bool, ...] = ()
    guardrails: tuple[GuardrailColumn, ...] = ()
    design: ExperimentDesignNumber = 0
    washout_rows: Int32 = 0
    expected_treated_share: float | None = None
    acknowledge_sample_ratio: bool = False
    significance: float | None = None


class TestSequentiallyRequest(Shape):
    """Asks for the tests at the looks so far."""

    control_counts: tuple[Int64, ...] = ()
    control_means: tuple[float, ...] = ()
    control_variances: tuple[float, ...] = ()
    treated_counts: tuple[Int64, ...] = ()
    treated_means: tuple[float, ...] = ()
    treated_variances: tuple[float, ...] = ()
    effect_std: float = 0.0
    significance: float | None = None


class InterleaveRankingsRequest(Shape):
    """Asks for an interleaved ranking, for the credit test, or for both."""

    ranking_a: tuple[str, ...] = ()
    ranking_b: tuple[str, ...] = ()
    length: Int32 | None = None
    salt: str = ""
    unit_id: str = ""
    credits_a: tuple[Int32, ...] = ()
    credits_b: tuple[Int32, ...] = ()


def plan_sample(flows: Flows, request: PlanSampleRequest) -> dict[str, Any]:
    """Compute the units an experiment needs."""
    return body_of(flows.experiment.plan_sample(SampleQuery(**sent_fields(request))))


def assign_bucket(flows: Flows, request: AssignBucketRequest) -> dict[str, Any]:
    """Assign units to arms."""
    return body_of(flows.experiment.assign_bucket(BucketQuery(**sent_fields(request))))


def check_sample_ratio(flows: Flows, request: CheckSampleRatioRequest) -> dict[str, Any]:
    """Test whether arms hold their shares."""
    return body_of(flows.experiment.check_sample_ratio(SampleRatioQuery(**sent_fields(request))))


def analyze_cuped(flows: Flows, request: AnalyzeCupedRequest) -> dict[str, Any]:
    """Estimate the effect of an experiment."""
    return body_of(flows.experiment.analyze_cuped(cuped_query(request)))


def test_sequentially(flows: Flows, request: TestSequentiallyRequest) -> dict[str, Any]:
    """Test an effect at every look."""
    return body_of(flows.experiment.test_sequentially(SequentialQuery(**sent_fields(request))))


def interleave(flows: Flows, request: InterleaveRankingsRequest) -> dict[str, Any]:
    """Interleave two rankings, and test which earned more credit."""
    return body_of(flows.experiment.interleave(InterleavingQuery(**sent_fields(request))))


def cuped_query(request: AnalyzeCupedRequest) -> CupedQuery:
    """Read the question for the effect of an experiment.

    Raises:
        InvalidField: If a field breaks its rule.
        TooLarge: If there are more rows than one call takes.
    """
    sent = sent_fields(request)
    sent["design"] = member_of("design", ExperimentDesign, request.design)
    return CupedQuery(
        **sent,
        covariates=tuple(Column(**sent_fields(column)) for column in request.covariates),
        guardrails=tuple(Guardrail(**sent_fields(column)) for column in request.guardrails),
    )
