"""Wire form of the experiment questions: the contract's messages as they are."""

from __future__ import annotations

from parlevel.client.options import CallOptions, check_options
from parlevel.client.wire.question import Question, as_it_is, question
from parlevel.v1 import experiment_pb2 as pb

SERVICE = "/parlevel.v1.ExperimentService/"


def plan_sample(
    request: pb.PlanSampleRequest, options: CallOptions
) -> Question[pb.PlanSampleResponse]:
    """Ask what `PlanSample` answers.

    Args:
        request: The metric, what is given, and the design.
        options: Timeout and request id.

    Returns:
        The question.
    """
    check_options(options, CallOptions)
    return question(f"{SERVICE}PlanSample", request, pb.PlanSampleResponse, as_it_is, options)


def assign_bucket(
    request: pb.AssignBucketRequest, options: CallOptions
) -> Question[pb.AssignBucketResponse]:
    """Ask what `AssignBucket` answers.

    Args:
        request: Units, at most 10,000, arms and the range of a layer.
        options: Timeout and request id.

    Returns:
        The question.
    """
    check_options(options, CallOptions)
    return question(f"{SERVICE}AssignBucket", request, pb.AssignBucketResponse, as_it_is, options)


def check_sample_ratio(
    request: pb.CheckSampleRatioRequest, options: CallOptions
) -> Question[pb.CheckSampleRatioResponse]:
    """Ask what `CheckSampleRatio` answers.

    Args:
        request: Counts and meant shares.
        options: Timeout and request id.

    Returns:
        The question.
    """
    check_options(options, CallOptions)
    return question(
        f"{SERVICE}CheckSampleRatio", request, pb.CheckSampleRatioResponse, as_it_is, options
    )


def analyze_cuped(
    request: pb.AnalyzeCupedRequest, options: CallOptions
) -> Question[pb.AnalyzeCupedResponse]:
    """Ask what `AnalyzeCuped` answers.

    Args:
        request: Rows, at most 100,000, with covariates, clusters and guardrails.
        options: Timeout and request id.

    Returns:
        The question.
    """
    check_options(options, CallOptions)
    return question(f"{SERVICE}AnalyzeCuped", request, pb.AnalyzeCupedResponse, as_it_is, options)


def test_sequentially(
    request: pb.TestSequentiallyRequest, options: CallOptions
) -> Question[pb.TestSequentiallyResponse]:
    """Ask what `TestSequentially` answers.

    Args:
        request: Counts, means and variances at each look.
        options: Timeout and request id.

    Returns:
        The question.
    """
    check_options(options, CallOptions)
    return question(
        f"{SERVICE}TestSequentially", request, pb.TestSequentiallyResponse, as_it_is, options
    )


def interleave_rankings(
    request: pb.InterleaveRankingsRequest, options: CallOptions
) -> Question[pb.InterleaveRankingsResponse]:
    """Ask what `InterleaveRankings` answers.

    Args:
        request: The rankings and who sees them, or credits, or both.
        options: Timeout and request id.

    Returns:
        The question.
    """
    check_options(options, CallOptions)
    return question(
        f"{SERVICE}InterleaveRankings", request, pb.InterleaveRankingsResponse, as_it_is, options
    )
