"""Experiments at the gRPC door: message to query, answer to message."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlevel.v1 import experiment_pb2
from serving.domain.buckets import BucketQuery
from serving.domain.experiment import (
    CupedQuery,
    ExperimentColumn,
    ExperimentDesign,
    GuardrailColumn,
)
from serving.domain.experiment_design import SampleQuery
from serving.domain.interleaving import InterleavingQuery
from serving.domain.sample_ratio import SampleRatioQuery
from serving.domain.sequential import SequentialQuery
from serving.grpc.fields import filled, sent_fields
from serving.reading import member_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from serving.flows.experiment import ExperimentFlow
    from serving.grpc.desk import Gathered


class ExperimentServicer:
    """Methods of parlevel.v1.ExperimentService, free of the kind of server."""

    contract = experiment_pb2.DESCRIPTOR.services_by_name["ExperimentService"]

    def __init__(self, flow: ExperimentFlow) -> None:
        """Take the flow that answers."""
        self._flow = flow
        self.gathered: Mapping[str, Gathered] = {}

    def PlanSample(
        self, request: experiment_pb2.PlanSampleRequest
    ) -> experiment_pb2.PlanSampleResponse:
        """Compute the units an experiment needs."""
        answer = self._flow.plan_sample(SampleQuery(**sent_fields(request)))
        return filled(experiment_pb2.PlanSampleResponse(), answer)

    def AssignBucket(
        self, request: experiment_pb2.AssignBucketRequest
    ) -> experiment_pb2.AssignBucketResponse:
        """Assign units to arms."""
        answer = self._flow.assign_bucket(BucketQuery(**sent_fields(request)))
        return filled(experiment_pb2.AssignBucketResponse(), answer)

    def CheckSampleRatio(
        self, request: experiment_pb2.CheckSampleRatioRequest
    ) -> experiment_pb2.CheckSampleRatioResponse:
        """Test whether arms hold their shares."""
        answer = self._flow.check_sample_ratio(SampleRatioQuery(**sent_fields(request)))
        return filled(experiment_pb2.CheckSampleRatioResponse(), answer)

    def AnalyzeCuped(
        self, request: experiment_pb2.AnalyzeCupedRequest
    ) -> experiment_pb2.AnalyzeCupedResponse:
        """Estimate the effect of an experiment."""
        answer = self._flow.analyze_cuped(cuped_query(request))
        return filled(experiment_pb2.AnalyzeCupedResponse(), answer)

    def TestSequentially(
        self, request: experiment_pb2.TestSequentiallyRequest
    ) -> experiment_pb2.TestSequentiallyResponse:
        """Test an effect at every look."""
        answer = self._flow.test_sequentially(SequentialQuery(**sent_fields(request)))
        return filled(experiment_pb2.TestSequentiallyResponse(), answer)

    def InterleaveRankings(
        self, request: experiment_pb2.InterleaveRankingsRequest
    ) -> experiment_pb2.InterleaveRankingsResponse:
        """Interleave two rankings, and test which earned more credit."""
        answer = self._flow.interleave(InterleavingQuery(**sent_fields(request)))
        return filled(experiment_pb2.InterleaveRankingsResponse(), answer)


def cuped_query(request: experiment_pb2.AnalyzeCupedRequest) -> CupedQuery:
    """Read the question for the effect of an experiment.

    Raises:
        InvalidField: If a field breaks its rule.
        TooLarge: If there are more rows than one call takes.
    """
    sent = sent_fields(request)
    sent["design"] = member_of("design", ExperimentDesign, request.design)
    return CupedQuery(
        **sent,
        covariates=tuple(
            ExperimentColumn(**sent_fields(column, f"covariates[{index}]."))
            for index, column in enumerate(request.covariates)
        ),
        guardrails=tuple(
            GuardrailColumn(**sent_fields(column, f"guardrails[{index}]."))
            for index, column in enumerate(request.guardrails)
        ),
    )
