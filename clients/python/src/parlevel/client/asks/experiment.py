"""Questions about experiments; they take and give the contract's own messages.

An analysis has many parts; the messages of ``parlevel.v1`` are typed, and what they mean stands in
the contract::

    from parlevel.v1 import experiment_pb2

    asked = experiment_pb2.PlanSampleRequest(
        baseline_mean=100, baseline_std=20, relative_effect=0.03, covariate_correlation=0.74
    )
    client.experiment.plan_sample(asked).units.control_units
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlevel.client.wire import experiment as wire

if TYPE_CHECKING:
    from typing import Unpack

    from parlevel.client.asks.asking import Ask, AsyncAsk
    from parlevel.client.options import CallOptions
    from parlevel.v1 import experiment_pb2 as pb


class ExperimentQuestions:
    """Asks, and blocks until the answer is there."""

    def __init__(self, ask: Ask) -> None:
        """Take what sends a question of the client."""
        self._ask = ask

    def plan_sample(
        self, request: pb.PlanSampleRequest, **options: Unpack[CallOptions]
    ) -> pb.PlanSampleResponse:
        """Compute the units an experiment needs, or the effect that given units can show.

        Args:
            request: The metric, what is given, and the design.
            **options: See ``CallOptions``.

        Returns:
            Units of each arm, with and without the covariate, and under sequential testing.

        Raises:
            ParlevelError: See ``parlevel.client.errors``.
        """
        return self._ask(wire.plan_sample(request, options))

    def assign_bucket(
        self, request: pb.AssignBucketRequest, **options: Unpack[CallOptions]
    ) -> pb.AssignBucketResponse:
        """Assign units to arms, the same unit always to the same arm.

        Args:
            request: Units, at most 10,000, arms and the range of a layer.
            **options: See ``CallOptions``.

        Returns:
            Arm and bucket of each unit.

        Raises:
            ParlevelError: See ``parlevel.client.errors``.
        """
        return self._ask(wire.assign_bucket(request, options))

    def check_sample_ratio(
        self, request: pb.CheckSampleRatioRequest, **options: Unpack[CallOptions]
    ) -> pb.CheckSampleRatioResponse:
        """Test whether the arms hold the shares of units they were meant to.

        Args:
            request: Counts and meant shares.
            **options: See ``CallOptions``.

        Returns:
            The test, and whether it is a mismatch.

        Raises:
            ParlevelError: See ``parlevel.client.errors``.
        """
        return self._ask(wire.check_sample_ratio(request, options))

    def analyze_cuped(
        self, request: pb.AnalyzeCupedRequest, **options: Unpack[CallOptions]
    ) -> pb.AnalyzeCupedResponse:
        """Estimate the effect of an experiment that has ended, covariates taken out.

        Args:
            request: Rows, at most 100,000, with covariates, clusters and guardrails.
            **options: See ``CallOptions``.

        Returns:
            The effect with its interval, guardrails and balance.

        Raises:
            ParlevelError: See ``parlevel.client.errors``.
        """
        return self._ask(wire.analyze_cuped(request, options))

    def test_sequentially(
        self, request: pb.TestSequentiallyRequest, **options: Unpack[CallOptions]
    ) -> pb.TestSequentiallyResponse:
        """Test an effect at every look of a running experiment.

        Args:
            request: Counts, means and variances at each look.
            **options: See ``CallOptions``.

        Returns:
            Always-valid p-values and the confidence sequence.

        Raises:
            ParlevelError: See ``parlevel.client.errors``.
        """
        return self._ask(wire.test_sequentially(request, options))

    def interleave_rankings(
        self, request: pb.InterleaveRankingsRequest, **options: Unpack[CallOptions]
    ) -> pb.InterleaveRankingsResponse:
        """Interleave two rankings, and test which earned more credit.

        Args:
            request: The rankings and who sees them, or credits, or both.
            **options: See ``CallOptions``.

        Returns:
            Items with their teams, and the test.

        Raises:
            ParlevelError: See ``parlevel.client.errors``.
        """
        return self._ask(wire.interleave_rankings(request, options))


class AsyncExperimentQuestions:
    """Asks; the answer is awaited."""

    def __init__(self, ask: AsyncAsk) -> None:
        """Take what sends a question of the client."""
        self._ask = ask

    async def plan_sample(
        self, request: pb.PlanSampleRequest, **options: Unpack[CallOptions]
    ) -> pb.PlanSampleResponse:
        """Compute the units an experiment needs, or the effect that given units can show.

        Args:
            request: The metric, what is given, and the design.
            **options: See ``CallOptions``.

        Returns:
            Units of each arm, with and without the covariate, and under sequential testing.

        Raises:
            ParlevelError: See ``parlevel.client.errors``.
        """
        return await self._ask(wire.plan_sample(request, options))

    async def assign_bucket(
        self, request: pb.AssignBucketRequest, **options: Unpack[CallOptions]
    ) -> pb.AssignBucketResponse:
        """Assign units to arms, the same unit always to the same arm.

        Args:
            request: Units, at most 10,000, arms and the range of a layer.
            **options: See ``CallOptions``.

        Returns:
            Arm and bucket of each unit.

        Raises:
            ParlevelError: See ``parlevel.client.errors``.
        """
        return await self._ask(wire.assign_bucket(request, options))

    async def check_sample_ratio(
        self, request: pb.CheckSampleRatioRequest, **options: Unpack[CallOptions]
    ) -> pb.CheckSampleRatioResponse:
        """Test whether the arms hold the shares of units they were meant to.

        Args:
            request: Counts and meant shares.
            **options: See ``CallOptions``.

        Returns:
            The test, and whether it is a mismatch.

        Raises:
            ParlevelError: See ``parlevel.client.errors``.
        """
        return await self._ask(wire.check_sample_ratio(request, options))

    async def analyze_cuped(
        self, request: pb.AnalyzeCupedRequest, **options: Unpack[CallOptions]
    ) -> pb.AnalyzeCupedResponse:
        """Estimate the effect of an experiment that has ended, covariates taken out.

        Args:
            request: Rows, at most 100,000, with covariates, clusters and guardrails.
            **options: See ``CallOptions``.

        Returns:
            The effect with its interval, guardrails and balance.

        Raises:
            ParlevelError: See ``parlevel.client.errors``.
        """
        return await self._ask(wire.analyze_cuped(request, options))

    async def test_sequentially(
        self, request: pb.TestSequentiallyRequest, **options: Unpack[CallOptions]
    ) -> pb.TestSequentiallyResponse:
        """Test an effect at every look of a running experiment.

        Args:
            request: Counts, means and variances at each look.
            **options: See ``CallOptions``.

        Returns:
            Always-valid p-values and the confidence sequence.

        Raises:
            ParlevelError: See ``parlevel.client.errors``.
        """
        return await self._ask(wire.test_sequentially(request, options))

    async def interleave_rankings(
        self, request: pb.InterleaveRankingsRequest, **options: Unpack[CallOptions]
    ) -> pb.InterleaveRankingsResponse:
        """Interleave two rankings, and test which earned more credit.

        Args:
            request: The rankings and who sees them, or credits, or both.
            **options: See ``CallOptions``.

        Returns:
            Items with their teams, and the test.

        Raises:
            ParlevelError: See ``parlevel.client.errors``.
        """
        return await self._ask(wire.interleave_rankings(request, options))
