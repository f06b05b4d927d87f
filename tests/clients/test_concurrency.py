"""A client shared between threads, and one whose caller loses patience."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2

from parlevel.client import AsyncClient, Client, RetryPolicy, errors
from tests.clients.fake_server import status

if TYPE_CHECKING:
    from tests.clients.fake_server import Script

PAUSE = error_details_pb2.RetryInfo(retry_delay=Duration(nanos=190_000_000))


def test_threads_share_a_client(address: str) -> None:
    with Client(address, timeout_seconds=10.0) as client, ThreadPoolExecutor(8) as pool:
        forecasts = pool.map(lambda day: client.forecast(f"S{day}", "L1", 1), range(40))
        assert [forecast.mean for forecast in forecasts] == [(float(day),) for day in range(40)]


def test_tasks_share_a_client(address: str) -> None:
    async def ask_at_once() -> list[tuple[float, ...]]:
        async with AsyncClient(address, timeout_seconds=10.0) as client:
            asked = (client.forecast(f"S{day}", "L1", 1) for day in range(40))
            return [forecast.mean for forecast in await asyncio.gather(*asked)]

    assert asyncio.run(ask_at_once()) == [(float(day),) for day in range(40)]


def test_a_cancelled_task_stays_cancelled(address: str, script: Script) -> None:
    script.delay_seconds = 0.15

    async def lose_patience() -> None:
        async with AsyncClient(address) as client:
            await asyncio.wait_for(client.list_models(), timeout=0.03)

    with pytest.raises(TimeoutError):
        asyncio.run(lose_patience())


def test_closing_during_a_pause_ends_the_question(address: str, script: Script) -> None:
    script.failures.extend([status(grpc.StatusCode.UNAVAILABLE, "closing", PAUSE)] * 3)
    client = Client(address)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(client.list_models)
        while not script.seen:
            time.sleep(0.005)
        time.sleep(0.08)
        client.close()
        with pytest.raises(errors.ClientClosed):
            asked.result()


def test_credentials_are_used(address: str) -> None:
    # The server speaks plain text, so a handshake that is made cannot succeed.
    tls, once = grpc.ssl_channel_credentials(), RetryPolicy(max_attempts=1)
    with (
        Client(address, credentials=tls, retry=once) as client,
        pytest.raises(errors.Unavailable),
    ):
        client.list_models()


def test_a_client_may_be_made_before_the_event_loop_runs(address: str) -> None:
    client = AsyncClient(address)

    async def ask() -> int:
        async with client:
            return len(await client.list_models())

    assert asyncio.run(ask()) == 2


def test_a_client_that_was_never_asked_closes(address: str) -> None:
    asyncio.run(AsyncClient(address).close())
