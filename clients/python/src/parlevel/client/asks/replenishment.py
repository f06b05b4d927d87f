"""Questions of planning that take and give the contract's own messages.

A formula, a network or a lane has many parts; the messages of ``parlevel.v1`` are typed, and what
they mean stands in the contract::

    from parlevel.v1 import policy_pb2, replenishment_pb2, supply_pb2

    asked = replenishment_pb2.ComputePolicyRequest(
        season=policy_pb2.SeasonInputs(
            underage_cost=35, overage_cost=15,
            demand=policy_pb2.DemandLaw(normal=policy_pb2.MeanStd(mean=1000, std=200)),
        )
    )
    client.replenishment.compute_policy(asked).season.order_quantity
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlevel.client.wire import replenishment as wire

if TYPE_CHECKING:
    from typing import Unpack

    from parlevel.client.asks.asking import Ask, AsyncAsk
    from parlevel.client.options import CallOptions
    from parlevel.v1 import replenishment_pb2 as pb


class ReplenishmentQuestions:
    """Asks, and blocks until the answer is there."""

    def __init__(self, ask: Ask) -> None:
        """Take what sends a question of the client."""
        self._ask = ask

    def compute_policy(
        self, request: pb.ComputePolicyRequest, **options: Unpack[CallOptions]
    ) -> pb.ComputePolicyResponse:
        """Compute a formula of the trade.

        Args:
            request: The formula and its inputs.
            **options: See ``CallOptions``.

        Returns:
            The result of that formula.

        Raises:
            ParlevelError: See ``parlevel.client.errors``.
        """
        return self._ask(wire.compute_policy(request, options))

    def score_stockout_risk(
        self, request: pb.ScoreStockoutRiskRequest, **options: Unpack[CallOptions]
    ) -> pb.ScoreStockoutRiskResponse:
        """Score the risk of running out for many series.

        Args:
            request: The series, at most 10,000.
            **options: See ``CallOptions``.

        Returns:
            Probabilities, watchtower flags and the ranking by money at risk.

        Raises:
            ParlevelError: See ``parlevel.client.errors``.
        """
        return self._ask(wire.score_stockout_risk(request, options))

    def allocate_echelons(
        self, request: pb.AllocateEchelonsRequest, **options: Unpack[CallOptions]
    ) -> pb.AllocateEchelonsResponse:
        """Place safety stock over a supply network.

        Args:
            request: Stages, links and the service level.
            **options: See ``CallOptions``.

        Returns:
            What each stage promises and holds.

        Raises:
            ParlevelError: See ``parlevel.client.errors``.
        """
        return self._ask(wire.allocate_echelons(request, options))

    def assess_lane(
        self, request: pb.AssessLaneRequest, **options: Unpack[CallOptions]
    ) -> pb.AssessLaneResponse:
        """Assess a transport lane.

        Args:
            request: Load, capacity, costs and demand.
            **options: See ``CallOptions``.

        Returns:
            Overflow, dependency, resilience and the heat map.

        Raises:
            ParlevelError: See ``parlevel.client.errors``.
        """
        return self._ask(wire.assess_lane(request, options))


class AsyncReplenishmentQuestions:
    """Asks the same, to be awaited."""

    def __init__(self, ask: AsyncAsk) -> None:
        """Take what sends a question of the client."""
        self._ask = ask

    async def compute_policy(
        self, request: pb.ComputePolicyRequest, **options: Unpack[CallOptions]
    ) -> pb.ComputePolicyResponse:
        """Compute a formula of the trade.

        Args:
            request: The formula and its inputs.
            **options: See ``CallOptions``.

        Returns:
            The result of that formula.

        Raises:
            ParlevelError: See ``parlevel.client.errors``.
        """
        return await self._ask(wire.compute_policy(request, options))

    async def score_stockout_risk(
        self, request: pb.ScoreStockoutRiskRequest, **options: Unpack[CallOptions]
    ) -> pb.ScoreStockoutRiskResponse:
        """Score the risk of running out for many series.

        Args:
            request: The series, at most 10,000.
            **options: See ``CallOptions``.

        Returns:
            Probabilities, watchtower flags and the ranking by money at risk.

        Raises:
            ParlevelError: See ``parlevel.client.errors``.
        """
        return await self._ask(wire.score_stockout_risk(request, options))

    async def allocate_echelons(
        self, request: pb.AllocateEchelonsRequest, **options: Unpack[CallOptions]
    ) -> pb.AllocateEchelonsResponse:
        """Place safety stock over a supply network.

        Args:
            request: Stages, links and the service level.
            **options: See ``CallOptions``.

        Returns:
            What each stage promises and holds.

        Raises:
            ParlevelError: See ``parlevel.client.errors``.
        """
        return await self._ask(wire.allocate_echelons(request, options))

    async def assess_lane(
        self, request: pb.AssessLaneRequest, **options: Unpack[CallOptions]
    ) -> pb.AssessLaneResponse:
        """Assess a transport lane.

        Args:
            request: Load, capacity, costs and demand.
            **options: See ``CallOptions``.

        Returns:
            Overflow, dependency, resilience and the heat map.

        Raises:
            ParlevelError: See ``parlevel.client.errors``.
        """
        return await self._ask(wire.assess_lane(request, options))
