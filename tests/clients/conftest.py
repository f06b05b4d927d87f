"""The fake server of a test, and one way to ask it through either client."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from parlevel.client import AsyncClient, Client, ParlevelError
from tests.clients import fake_server

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Call:
    """One question to a client: its method and arguments."""

    method: str
    arguments: tuple[Any, ...]
    options: dict[str, Any]


def call(method: str, /, *arguments: Any, **options: Any) -> Call:  # noqa: ANN401 - any question
    """Write down a question."""
    return Call(method, arguments, options)


@dataclass(frozen=True, slots=True)
class Asker:
    """Asks through the client for threads or the one for asyncio, alike."""

    kind: str
    address: str

    def all(self, calls: list[Call], **settings: Any) -> list[Any]:  # noqa: ANN401 - any settings
        """Ask several questions of one client; a failure stands where its answer would."""
        if self.kind == "async":
            return asyncio.run(self._all_awaited(calls, settings))
        outcomes: list[Any] = []
        with Client(self.address, **settings) as client:
            for one in calls:
                try:
                    outcomes.append(getattr(client, one.method)(*one.arguments, **one.options))
                except ParlevelError as error:
                    outcomes.append(error)
        return outcomes

    def one(self, asked: Call, **settings: Any) -> Any:  # noqa: ANN401 - any answer
        """Ask one question; raises its failure."""
        (outcome,) = self.all([asked], **settings)
        if isinstance(outcome, ParlevelError):
            raise outcome
        return outcome

    async def _all_awaited(self, calls: list[Call], settings: dict[str, Any]) -> list[Any]:
        outcomes: list[Any] = []
        async with AsyncClient(self.address, **settings) as client:
            for one in calls:
                try:
                    outcomes.append(
                        await getattr(client, one.method)(*one.arguments, **one.options)
                    )
                except ParlevelError as error:
                    outcomes.append(error)
        return outcomes


@pytest.fixture
def script() -> fake_server.Script:
    return fake_server.Script()


@pytest.fixture
def address(script: fake_server.Script) -> Iterator[str]:
    server, address = fake_server.start(script)
    yield address
    server.stop(grace=None).wait()


@pytest.fixture(params=["sync", "async"])
def ask(request: pytest.FixtureRequest, address: str) -> Asker:
    return Asker(request.param, address)
