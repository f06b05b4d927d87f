"""How both clients carry a stream: questions go out while answers come in."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterable
from typing import TYPE_CHECKING

import grpc

from parlevel.client.status import failure_of
from parlevel.client.wire.demand_stream import Exchange

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator

    from parlevel.client.values.demand_question import ForecastQuestion
    from parlevel.client.wire.demand_stream import Outcome


def carry(
    method: grpc.StreamStreamMultiCallable[bytes, bytes],
    questions: Iterable[ForecastQuestion],
    timeout_seconds: float,
    request_id: str | None,
) -> Iterator[Outcome]:
    """Ask questions on one stream from a thread.

    Args:
        method: The stream, from bytes to bytes.
        questions: Taken by another thread, as fast as the server reads them.
        timeout_seconds: Time the stream may take, above 0.
        request_id: Sent as ``x-request-id``; made up where None.

    Yields:
        Each question with its answer or failure, in order.

    Raises:
        CallFailed: The stream ended early.
        MalformedAnswer: An answer breaks the contract.
    """
    request_id = request_id or uuid.uuid4().hex
    exchange = Exchange(request_id)
    metadata = (("x-request-id", request_id),)
    answers = method(_sent(questions, exchange), timeout=timeout_seconds, metadata=metadata)
    try:
        for payload in answers:
            yield from exchange.read(payload)
    except grpc.RpcError as error:
        failure = failure_of(error, request_id)
        yield from exchange.lost(failure)
        raise failure from error
    finally:
        answers.cancel()  # the caller may have had enough
    yield from exchange.ended()


async def carry_awaited(
    method: grpc.aio.StreamStreamMultiCallable[bytes, bytes],
    questions: Iterable[ForecastQuestion] | AsyncIterable[ForecastQuestion],
    timeout_seconds: float,
    request_id: str | None,
) -> AsyncGenerator[Outcome, None]:
    """Ask questions on one stream from an event loop; see ``carry``.

    Args:
        method: The stream, from bytes to bytes.
        questions: Taken by a task, as fast as the server reads them.
        timeout_seconds: Time the stream may take, above 0.
        request_id: Sent as ``x-request-id``; made up where None.

    Yields:
        Each question with its answer or failure, in order.

    Raises:
        CallFailed: The stream ended early.
        MalformedAnswer: An answer breaks the contract.
    """
    request_id = request_id or uuid.uuid4().hex
    exchange = Exchange(request_id)
    metadata = (("x-request-id", request_id),)
    answers = method(_sent_awaited(questions, exchange), timeout=timeout_seconds, metadata=metadata)
    try:
        async for payload in answers:
            for outcome in exchange.read(payload):
                yield outcome
    except grpc.RpcError as error:
        failure = failure_of(error, request_id)
        for outcome in exchange.lost(failure):
            yield outcome
        raise failure from error
    finally:
        answers.cancel()  # the caller may have had enough
    for outcome in exchange.ended():
        yield outcome


def _sent(questions: Iterable[ForecastQuestion], exchange: Exchange) -> Iterator[bytes]:
    """Yield the messages of questions; what breaks off the questions is kept for the caller."""
    try:
        for question in questions:
            message = exchange.write(question)
            if message is not None:
                yield message
    except Exception as error:  # noqa: BLE001 - raised once what was asked is answered
        exchange.broken = error


async def _sent_awaited(
    questions: Iterable[ForecastQuestion] | AsyncIterable[ForecastQuestion], exchange: Exchange
) -> AsyncIterator[bytes]:
    """Yield the messages of questions as ``_sent`` does."""
    try:
        async for question in _awaited(questions):
            message = exchange.write(question)
            if message is not None:
                yield message
    except Exception as error:  # noqa: BLE001 - raised once what was asked is answered
        exchange.broken = error


async def _awaited(
    questions: Iterable[ForecastQuestion] | AsyncIterable[ForecastQuestion],
) -> AsyncIterator[ForecastQuestion]:
    """Yield questions of either kind."""
    if isinstance(questions, AsyncIterable):
        async for question in questions:
            yield question
    else:
        for question in questions:
            yield question
