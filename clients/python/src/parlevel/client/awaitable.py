"""The client for asyncio: each question is awaited."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING

import grpc

from parlevel.client import streams
from parlevel.client.asks.anomaly import AsyncAnomalyQuestions
from parlevel.client.asks.cost import AsyncCostQuestions
from parlevel.client.asks.drift import AsyncDriftQuestions
from parlevel.client.asks.experiment import AsyncExperimentQuestions
from parlevel.client.asks.replenishment import AsyncReplenishmentQuestions
from parlevel.client.asks.supplier import AsyncSupplierQuestions
from parlevel.client.asks.uplift import AsyncUpliftQuestions
from parlevel.client.connection import CallRules, channel_options
from parlevel.client.errors import ClientClosed
from parlevel.client.limits import Limits
from parlevel.client.retry import RetryPolicy
from parlevel.client.wire import (
    demand,
    demand_stream,
    explanation,
    model,
    policy,
    replenishment,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable, Iterable
    from types import TracebackType
    from typing import Self, Unpack

    from parlevel.client.errors import ParlevelError
    from parlevel.client.frames import Series
    from parlevel.client.options import (
        CallOptions,
        EconomicOrderQuantityOptions,
        ExplainOptions,
        ForecastBatchOptions,
        ForecastOptions,
        NewsvendorOptions,
        ReorderBatchOptions,
        ReorderOptions,
        ReorderPointOptions,
        SafetyStockOptions,
    )
    from parlevel.client.values.demand import Forecast
    from parlevel.client.values.demand_batch import ForecastBatch
    from parlevel.client.values.demand_question import ForecastQuestion
    from parlevel.client.values.explanation import Explanation
    from parlevel.client.values.model import Health, Model
    from parlevel.client.values.replenishment import (
        EconomicOrderQuantity,
        Newsvendor,
        ReorderBatch,
        ReorderPoint,
        ReorderRecommendation,
        SafetyStock,
    )
    from parlevel.client.wire.question import Question, SplitQuestion, ValueT


class AsyncClient:
    """Ask a Parlevel server questions from one event loop: that of its first question.

    The same questions and rules as ``Client``. Close it, or use ``async with``.
    """

    def __init__(
        self,
        address: str,
        *,
        timeout_seconds: float = 2.0,
        retry: RetryPolicy | None = None,
        credentials: grpc.ChannelCredentials | None = None,
        limits: Limits | None = None,
    ) -> None:
        """Keep the settings; nothing is sent before the first question.

        Args:
            address: ``host:port`` of the server.
            timeout_seconds: Deadline of a call that names none, above 0; a call of a batch has
                ``limits.batch_timeout_seconds``.
            retry: When a call is tried again; default: ``RetryPolicy()``.
            credentials: Of the TLS channel, as ``grpc.ssl_channel_credentials()`` gives; default:
                plain text.
            limits: What the server takes in one call; default: ``Limits()``.

        Raises:
            ValueError: The timeout is not positive.
        """
        self._rules = CallRules.of(timeout_seconds, retry or RetryPolicy(), limits or Limits())
        self._address = address
        self._credentials = credentials
        self._channel: grpc.aio.Channel | None = None
        self._closed = False
        self.anomaly = AsyncAnomalyQuestions(self._ask)
        self.cost = AsyncCostQuestions(self._ask)
        self.drift = AsyncDriftQuestions(self._ask)
        self.replenishment = AsyncReplenishmentQuestions(self._ask)
        self.supplier = AsyncSupplierQuestions(self._ask)
        self.experiment = AsyncExperimentQuestions(self._ask)
        self.uplift = AsyncUpliftQuestions(self._ask)

    async def __aenter__(self) -> Self:
        """Return the client itself."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the channel."""
        await self.close()

    async def close(self) -> None:
        """Close the channel; questions in flight are cancelled."""
        self._closed = True
        if self._channel is not None:
            await self._channel.close()

    async def forecast(
        self, sku: str, location: str, horizon_days: int, **options: Unpack[ForecastOptions]
    ) -> Forecast:
        """Forecast one series day by day.

        Args:
            sku: Stock-keeping unit, 1 to 200 characters.
            location: Location that sells it, 1 to 200 characters.
            horizon_days: Days ahead, 1 to the trained horizon (at most 90).
            **options: See ``ForecastOptions``.

        Returns:
            The distribution of each day's demand.

        Raises:
            ParlevelError: See ``parlevel.client.errors``.
        """
        return await self._ask(demand.forecast(sku, location, horizon_days, options))

    async def explain_forecast(
        self, sku: str, location: str, horizon_days: int, **options: Unpack[ExplainOptions]
    ) -> Explanation:
        """Say what the forecast of one series is made of.

        Args:
            sku: Stock-keeping unit, 1 to 200 characters.
            location: Location that sells it, 1 to 200 characters.
            horizon_days: Days ahead, 1 to the trained horizon (at most 90).
            **options: See ``ExplainOptions``.

        Returns:
            What each driver adds to the mean of each day.

        Raises:
            ParlevelError: See ``parlevel.client.errors``.
        """
        return await self._ask(explanation.explain_forecast(sku, location, horizon_days, options))

    async def forecast_batch(
        self, series: Series, horizon_days: int, **options: Unpack[ForecastBatchOptions]
    ) -> ForecastBatch:
        """Forecast many series, in as many calls as the server's limits need.

        Args:
            series: Pairs (sku, location), or a pandas or polars frame with those columns.
            horizon_days: Days ahead for every row, 1 to the trained horizon (at most 90).
            **options: See ``ForecastBatchOptions``.

        Returns:
            The forecasts in the order asked; a series that is not known fails its row alone.

        Raises:
            ParlevelError: See ``parlevel.client.errors``; one failed call fails the batch.
        """
        limits = self._rules.limits
        return await self._ask_parts(demand.forecast_batch(series, horizon_days, limits, options))

    async def stream_forecasts(
        self,
        questions: Iterable[ForecastQuestion] | AsyncIterable[ForecastQuestion],
        **options: Unpack[CallOptions],
    ) -> AsyncGenerator[tuple[ForecastQuestion, Forecast | ParlevelError], None]:
        """Forecast series after series on one stream, which answers while it is asked.

        Nothing is sent before the first outcome is asked for. A question that fails has its
        failure as outcome, and the stream goes on. A stream that breaks gives its failure to every
        question that was sent and not answered, and then raises it; it is not tried again.

        Args:
            questions: Taken one by one, as fast as the server reads them.
            **options: See ``CallOptions``; ``timeout_seconds`` is the time the whole stream may
                take, default ``limits.batch_timeout_seconds``.

        Yields:
            Each question with its forecast, or with a ``ParlevelError`` as value; in order.

        Raises:
            ParlevelError: See ``parlevel.client.errors``; the stream ended early.
        """
        timeout = demand_stream.stream_timeout(options, self._rules.limits.batch_timeout_seconds)
        if self._closed:
            raise ClientClosed
        method: grpc.aio.StreamStreamMultiCallable[bytes, bytes] = self._open().stream_stream(
            demand_stream.STREAM_FORECAST_DEMAND,
            request_serializer=None,
            response_deserializer=None,
        )
        carried = streams.carry_awaited(method, questions, timeout, options.get("request_id"))
        async with aclosing(carried):
            async for outcome in carried:
                yield outcome

    async def recommend_reorder(
        self, sku: str, location: str, **options: Unpack[ReorderOptions]
    ) -> ReorderRecommendation:
        """Recommend what to order now for one series.

        Args:
            sku: Stock-keeping unit, 1 to 200 characters.
            location: Location that stocks it, 1 to 200 characters.
            **options: See ``ReorderOptions``.

        Returns:
            The order quantity and what it rests on.

        Raises:
            ParlevelError: See ``parlevel.client.errors``.
        """
        return await self._ask(replenishment.recommend_reorder(sku, location, options))

    async def recommend_reorder_batch(
        self, series: Series, **options: Unpack[ReorderBatchOptions]
    ) -> ReorderBatch:
        """Recommend what to order now for many series, in as many calls as the limits need.

        Args:
            series: Pairs (sku, location), or a pandas or polars frame with those columns and any
                of the inputs by row.
            **options: See ``ReorderBatchOptions``.

        Returns:
            The recommendations in the order asked; a series that is not known, or lacks an input,
            fails its row alone.

        Raises:
            ParlevelError: See ``parlevel.client.errors``; one failed call fails the batch.
        """
        limits = self._rules.limits
        parts = replenishment.recommend_reorder_batch(series, limits, options)
        return await self._ask_parts(parts)

    async def economic_order_quantity(
        self, **options: Unpack[EconomicOrderQuantityOptions]
    ) -> EconomicOrderQuantity:
        """Compute the order quantity of least ordering plus holding cost.

        Args:
            **options: See ``EconomicOrderQuantityOptions``.

        Returns:
            Units per order and what they cost a year.

        Raises:
            ParlevelError: See ``parlevel.client.errors``.
        """
        return await self._ask(policy.economic_order_quantity(options))

    async def safety_stock(self, **options: Unpack[SafetyStockOptions]) -> SafetyStock:
        """Compute the stock held against uncertain demand and lead time.

        Args:
            **options: See ``SafetyStockOptions``.

        Returns:
            Units, and the safety factor behind them.

        Raises:
            ParlevelError: See ``parlevel.client.errors``.
        """
        return await self._ask(policy.safety_stock(options))

    async def reorder_point(self, **options: Unpack[ReorderPointOptions]) -> ReorderPoint:
        """Compute the inventory position at which to order.

        Args:
            **options: See ``ReorderPointOptions``.

        Returns:
            Units, and with an order quantity what follows from them.

        Raises:
            ParlevelError: See ``parlevel.client.errors``.
        """
        return await self._ask(policy.reorder_point(options))

    async def newsvendor(self, **options: Unpack[NewsvendorOptions]) -> Newsvendor:
        """Compute the order quantity for one selling season under normal demand.

        Args:
            **options: See ``NewsvendorOptions``.

        Returns:
            Units to order and the expected money lost.

        Raises:
            ParlevelError: See ``parlevel.client.errors``.
        """
        return await self._ask(policy.newsvendor(options))

    async def list_models(self, **options: Unpack[CallOptions]) -> tuple[Model, ...]:
        """List every model that has a release.

        Args:
            **options: See ``CallOptions``.

        Returns:
            Served models, ordered by name.

        Raises:
            ParlevelError: See ``parlevel.client.errors``.
        """
        return await self._ask(model.list_models(options))

    async def get_model(self, name: str, **options: Unpack[CallOptions]) -> Model:
        """Describe one served model.

        Args:
            name: Registered name.
            **options: See ``CallOptions``.

        Returns:
            The model that answers now.

        Raises:
            ParlevelError: See ``parlevel.client.errors``.
        """
        return await self._ask(model.get_model(name, options))

    async def health(self, service: str = "", **options: Unpack[CallOptions]) -> Health:
        """Ask whether the server, or one of its services, takes calls.

        Args:
            service: Full name of a service, such as ``parlevel.v1.ForecastService``; empty is the
                whole server.
            **options: See ``CallOptions``.

        Returns:
            Its health.

        Raises:
            ParlevelError: See ``parlevel.client.errors``; NotFound where there is no such service.
        """
        return await self._ask(model.health(service, options))

    async def _ask(
        self, question: Question[ValueT], timeout_seconds: float | None = None
    ) -> ValueT:
        """Send one question until it is answered, refused, or out of time."""
        attempts = self._rules.begin(question, timeout_seconds or self._rules.timeout_seconds)
        while True:
            # Looked at before every attempt: another task may close during a pause.
            if self._closed:
                raise ClientClosed
            call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = self._open().unary_unary(
                question.path, request_serializer=None, response_deserializer=None
            )
            try:
                answer = await call(
                    question.payload,
                    timeout=attempts.remaining_seconds(),
                    metadata=attempts.metadata,
                )
            except grpc.RpcError as error:
                pause = attempts.pause_seconds(error)
            else:
                return question.parse(answer)
            await asyncio.sleep(pause)

    def _open(self) -> grpc.aio.Channel:
        """Return the channel, which belongs to the event loop it is opened in."""
        if self._channel is None:
            options = channel_options(self._rules.limits)
            if self._credentials is None:
                self._channel = grpc.aio.insecure_channel(self._address, options)
            else:
                self._channel = grpc.aio.secure_channel(self._address, self._credentials, options)
        return self._channel

    async def _ask_parts(self, question: SplitQuestion[ValueT]) -> ValueT:
        """Send the parts of a batch one after the other: a server's cores are shared."""
        timeout = self._rules.limits.batch_timeout_seconds
        return question.join([await self._ask(part, timeout) for part in question.parts])
