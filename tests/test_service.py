"""What the worker's server is told while the doors open."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from serving.errors import InvalidField
from serving.service import _live

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    import pytest

    from serving.service import Parlevel


class Doors:
    """Opens, or fails as told."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.failure = failure
        self.closed = False

    async def open(self) -> None:
        if self.failure is not None:
            raise self.failure

    async def close(self) -> None:
        self.closed = True


async def _receive() -> MutableMapping[str, Any]:
    return {}


def told(service: Doors) -> list[dict[str, Any]]:
    said: list[Any] = []

    async def send(message: MutableMapping[str, Any]) -> None:
        said.append(message)

    parlevel: Parlevel = service  # type: ignore[assignment]  # a fake of its face
    try:
        asyncio.run(_live(parlevel, _receive, send))
    except ZeroDivisionError:
        said.append("raised")
    return said


def test_doors_that_open_are_closed_when_the_server_stops() -> None:
    service = Doors()
    assert [one["type"] for one in told(service)] == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]
    assert service.closed


def test_a_port_in_use_ends_the_worker_with_its_sentence() -> None:
    (said,) = told(Doors(InvalidField("PARLEVEL_GRPC_PORT", "must be a free port")))
    assert said["type"] == "lifespan.startup.failed"
    assert said["message"] == "PARLEVEL_GRPC_PORT must be a free port"


def test_a_defect_ends_the_worker_instead_of_leaving_one_door_open(
    caplog: pytest.LogCaptureFixture,
) -> None:
    said = told(Doors(ZeroDivisionError("defect")))
    assert said[0] == {
        "type": "lifespan.startup.failed",
        "message": "ZeroDivisionError('defect')",
    }
    assert "ZeroDivisionError" in caplog.text
