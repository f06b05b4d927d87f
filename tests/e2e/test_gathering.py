"""Both doors answer what they are asked together in one go, and each caller gets its own answer."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from parlevel.v1 import demand_pb2, replenishment_pb2
from serving.errors import ParlevelError, UnknownSeries
from serving.gather import Gather
from serving.grpc import desk
from serving.grpc.demand import ForecastServicer
from serving.grpc.replenishment import ReplenishmentServicer
from serving.http.door import HttpDoor
from tests.fakes.doors import Rig

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from google.protobuf.message import Message

SKUS = ("c", "a", "nobody", "b")


class CountingRig(Rig):
    """Doors over gathers that keep how many questions they answered at once."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []
        self.flows = dataclasses.replace(
            self.flows,
            forecasts=Gather(self._counted(self.flows.demand.forecast)),
            reorders=Gather(self._counted(self.flows.replenishment.recommend)),
        )
        self.http = HttpDoor(self.flows, self.http_gate, self.executor, {}, max_message_mib=1)

    def _counted(self, answer: Callable[[Any], Any]) -> Callable[[Sequence[Any]], list[Any]]:
        def tried(query: object) -> object:
            try:
                return answer(query)
            except ParlevelError as error:
                return error

        def counted(queries: Sequence[Any]) -> list[Any]:
            self.sizes.append(len(queries))
            return [tried(query) for query in queries]

        return counted


@pytest.mark.parametrize(
    ("path", "asked", "statuses"),
    [
        ("/v1/demand:forecast", {"horizon_days": 2}, [200, 200, 404, 200]),
        ("/v1/reorder:recommend", {"on_hand": 1.0}, [200, 200, 200, 200]),
    ],
)
def test_the_http_door_gathers(path: str, asked: dict[str, Any], statuses: list[int]) -> None:
    rig = CountingRig()

    async def ask() -> list[Any]:
        bodies = (orjson.dumps({"sku": sku, "location": "x", **asked}) for sku in SKUS)
        return await asyncio.gather(*(rig.send(path, body) for body in bodies))

    answers = asyncio.run(ask())
    assert rig.sizes == [len(SKUS)]
    assert [answer.status for answer in answers] == statuses
    for sku, answer in zip(SKUS, answers, strict=True):
        assert answer.status != 200 or answer.json["sku"] == sku
    assert [call.rows for call in rig.noted.calls] == [int(status == 200) for status in statuses]


@pytest.mark.parametrize("name", ["ForecastDemand", "RecommendReorder"])
def test_the_grpc_door_gathers(name: str) -> None:
    rig = CountingRig()
    servicers = (
        ForecastServicer(rig.flows.demand, rig.flows.forecasts),
        ReplenishmentServicer(rig.flows.replenishment, rig.flows.reorders),
    )
    method = {**desk.methods(servicers[0]), **desk.methods(servicers[1])}[name]
    gathered = method.gathered
    assert gathered is not None

    def request(sku: str) -> Message:
        if name == "ForecastDemand":
            return demand_pb2.ForecastDemandRequest(sku=sku, location="x", horizon_days=2)
        return replenishment_pb2.RecommendReorderRequest(sku=sku, location="x", on_hand=1.0)

    async def ask(sku: str) -> bytes:
        call = rig.grpc_gate.call(name, "", None)
        return await desk.answer_gathered(method, gathered, call, request(sku).SerializeToString())

    async def ask_all() -> list[bytes | BaseException]:
        return await asyncio.gather(*(ask(sku) for sku in SKUS), return_exceptions=True)

    answers = asyncio.run(ask_all())
    assert rig.sizes == [len(SKUS)]
    for sku, answer in zip(SKUS, answers, strict=True):
        if isinstance(answer, BaseException):
            assert isinstance(answer, UnknownSeries)
            assert sku == "nobody"
        elif name == "ForecastDemand":
            assert demand_pb2.ForecastDemandResponse.FromString(answer).sku == sku
        else:
            assert replenishment_pb2.RecommendReorderResponse.FromString(answer).sku == sku
