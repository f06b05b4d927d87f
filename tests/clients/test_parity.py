"""Both clients offer the same questions, and all of the contract's."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

import pytest

from parlevel.client import AsyncClient, Client, Limits
from parlevel.client.wire import (
    demand,
    demand_stream,
    explanation,
    model,
    policy,
    replenishment,
)
from parlevel.v1 import demand_pb2, model_pb2, replenishment_pb2

if TYPE_CHECKING:
    from google.protobuf.descriptor import FileDescriptor

CONTRACT: list[FileDescriptor] = [
    demand_pb2.DESCRIPTOR,
    model_pb2.DESCRIPTOR,
    replenishment_pb2.DESCRIPTOR,
]
QUESTIONS = [
    name
    for name, member in inspect.getmembers(Client, inspect.isfunction)
    if not name.startswith("_") and not name.startswith("stream_")
]
STREAMS = [name for name in vars(Client) if name.startswith("stream_")]


def test_both_clients_have_the_same_questions() -> None:
    other = inspect.getmembers(AsyncClient, inspect.isfunction)
    public = {name for name, _ in other if not name.startswith("_")}
    assert public == {*QUESTIONS, *STREAMS}


@pytest.mark.parametrize("name", ["__init__", *QUESTIONS])
def test_a_question_is_asked_alike_of_both(name: str) -> None:
    blocking, awaitable = getattr(Client, name), getattr(AsyncClient, name)
    assert inspect.signature(blocking) == inspect.signature(awaitable)
    assert blocking.__doc__ == awaitable.__doc__
    assert inspect.iscoroutinefunction(awaitable) is (name != "__init__")


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_is_asked_alike_of_both(name: str) -> None:
    blocking, awaitable = getattr(Client, name), getattr(AsyncClient, name)
    taken = [list(inspect.signature(one).parameters) for one in (blocking, awaitable)]
    assert taken[0] == taken[1]
    assert blocking.__doc__ == awaitable.__doc__
    assert inspect.isgeneratorfunction(blocking)
    assert inspect.isasyncgenfunction(awaitable)


def test_every_method_of_the_contract_can_be_asked() -> None:
    offered = {
        f"/{service.full_name}/{method.name}"
        for file in CONTRACT
        for service in file.services_by_name.values()
        for method in service.methods
    }
    asked = {
        demand.FORECAST_DEMAND,
        demand.BATCH_FORECAST_DEMAND,
        demand_stream.STREAM_FORECAST_DEMAND,
        explanation.EXPLAIN_FORECAST,
        replenishment.RECOMMEND_REORDER,
        replenishment.BATCH_RECOMMEND_REORDER,
        policy.COMPUTE_POLICY,
        replenishment.SCORE_STOCKOUT_RISK,
        replenishment.ALLOCATE_ECHELONS,
        replenishment.ASSESS_LANE,
        model.LIST_MODELS,
        model.GET_MODEL,
    }
    assert asked == offered


@pytest.mark.parametrize("setting", ["batch_rows", "batch_values", "message_bytes"])
def test_a_limit_that_nothing_passes_is_refused(setting: str) -> None:
    with pytest.raises(ValueError, match=setting):
        Limits(**{setting: 0})


def test_a_client_without_time_is_refused() -> None:
    with pytest.raises(ValueError, match="timeout_seconds"):
        Client("127.0.0.1:1", timeout_seconds=0.0)
