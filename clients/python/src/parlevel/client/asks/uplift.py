"""Questions about uplift: whom an action pays for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlevel.client.wire import uplift as wire

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Unpack

    from parlevel.client.asks.asking import Ask, AsyncAsk
    from parlevel.client.options import CallOptions, TargetingOptions
    from parlevel.v1 import uplift_pb2 as pb


class UpliftQuestions:
    """Asks, and blocks until the answer is there."""

    def __init__(self, ask: Ask) -> None:
        """Take what sends a question of the client."""
        self._ask = ask

    def predict(
        self,
        unit_ids: Sequence[str],
        covariates: Mapping[str, Sequence[float | str | None]] | None = None,
        **options: Unpack[CallOptions],
    ) -> pb.PredictUpliftResponse:
        """Predict the effect of the action on each unit.

        Args:
            unit_ids: Units, 1 to 200 characters each, each once; at most 10,000.
            covariates: Values of each covariate the model reads, one a unit: texts for a category,
                else numbers; None where not known. What is not sent is looked up in the tables.
            **options: See ``CallOptions``.

        Returns:
            Effects with their intervals, propensities and overlap flags of the units whose entry
            in ``row_statuses`` is OK, in the order asked.

        Raises:
            ParlevelError: See ``parlevel.client.errors``; FailedPrecondition where the last
                training found no signal.
        """
        return self._ask(wire.predict(unit_ids, covariates or {}, options))

    def plan_targeting(
        self,
        unit_ids: Sequence[str],
        covariates: Mapping[str, Sequence[float | str | None]] | None = None,
        **options: Unpack[TargetingOptions],
    ) -> pb.PlanTargetingResponse:
        """Choose the units to act on under a budget.

        Args:
            unit_ids: Units, as in `predict`.
            covariates: As in `predict`.
            **options: See ``TargetingOptions``.

        Returns:
            The chosen units, what they cost and gain, and the curve beyond the budget.

        Raises:
            ParlevelError: See ``parlevel.client.errors``; NotFound where the tables do not know a
                unit.
        """
        return self._ask(wire.plan_targeting(unit_ids, covariates or {}, options))


class AsyncUpliftQuestions:
    """Asks; the answer is awaited."""

    def __init__(self, ask: AsyncAsk) -> None:
        """Take what sends a question of the client."""
        self._ask = ask

    async def predict(
        self,
        unit_ids: Sequence[str],
        covariates: Mapping[str, Sequence[float | str | None]] | None = None,
        **options: Unpack[CallOptions],
    ) -> pb.PredictUpliftResponse:
        """Predict the effect of the action on each unit.

        Args:
            unit_ids: Units, 1 to 200 characters each, each once; at most 10,000.
            covariates: Values of each covariate the model reads, one a unit: texts for a category,
                else numbers; None where not known. What is not sent is looked up in the tables.
            **options: See ``CallOptions``.

        Returns:
            Effects with their intervals, propensities and overlap flags of the units whose entry
            in ``row_statuses`` is OK, in the order asked.

        Raises:
            ParlevelError: See ``parlevel.client.errors``; FailedPrecondition where the last
                training found no signal.
        """
        return await self._ask(wire.predict(unit_ids, covariates or {}, options))

    async def plan_targeting(
        self,
        unit_ids: Sequence[str],
        covariates: Mapping[str, Sequence[float | str | None]] | None = None,
        **options: Unpack[TargetingOptions],
    ) -> pb.PlanTargetingResponse:
        """Choose the units to act on under a budget.

        Args:
            unit_ids: Units, as in `predict`.
            covariates: As in `predict`.
            **options: See ``TargetingOptions``.

        Returns:
            The chosen units, what they cost and gain, and the curve beyond the budget.

        Raises:
            ParlevelError: See ``parlevel.client.errors``; NotFound where the tables do not know a
                unit.
        """
        return await self._ask(wire.plan_targeting(unit_ids, covariates or {}, options))
