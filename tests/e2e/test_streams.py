"""A stream of forecasts from a trained model: the answers of single calls, whatever the server."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import TYPE_CHECKING

import pytest

from parlevel.client import AsyncClient, Forecast, ForecastQuestion, errors
from serving import compose
from serving.adapters.features import PackedFeatures

if TYPE_CHECKING:
    from serving.settings import Settings

pytestmark = pytest.mark.e2e


def questions_of(settings: Settings) -> list[ForecastQuestion]:
    """Return questions about every series, alone and in short, one of them about nobody."""
    keys = PackedFeatures(settings.features / "online").snapshot().series()
    known = [
        ForecastQuestion(sku, place, horizon, quantile_levels=levels)
        for sku, place in keys
        for horizon, levels in ((1, ()), (7, (0.1, 0.5, 0.9)), (14, ()))
    ]
    middle = len(known) // 2
    return [*known[:middle], ForecastQuestion("nobody", "nowhere", 7), *known[middle:]]


@pytest.mark.parametrize("kind", ["asyncio", "threads"])
def test_a_stream_answers_what_single_calls_answer(own_home: Settings, kind: str) -> None:
    settings = dataclasses.replace(own_home, grpc_port=0, grpc_server=kind)
    questions = questions_of(settings)

    async def ask() -> None:
        doors = compose.build(settings)
        port = await doors.open()
        async with AsyncClient(f"127.0.0.1:{port}", timeout_seconds=20.0) as client:
            streamed = [outcome async for outcome in client.stream_forecasts(questions)]
            assert [question for question, _ in streamed] == questions
            for question, outcome in streamed:
                if question.sku == "nobody":
                    assert isinstance(outcome, errors.NotFound)
                    continue
                levels = question.quantile_levels
                place, days = question.location, question.horizon_days
                single = await client.forecast(question.sku, place, days, quantile_levels=levels)
                assert isinstance(outcome, Forecast)
                assert outcome == single
        await doors.close()

    asyncio.run(ask())
