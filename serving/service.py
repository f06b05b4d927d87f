"""The BentoML service: one process, one event loop, both doors."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
from typing import TYPE_CHECKING, Any

import bentoml
from _bentoml_sdk import Service  # type: ignore[import-untyped]  # bentoml types its face only

from serving import compose, settings
from serving.errors import ParlevelError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping
    from types import FrameType

    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]
    Application = Callable[[Message, Receive, Send], Awaitable[None]]

_log = logging.getLogger(__name__)


class TwoDoorService(Service[Any]):  # type: ignore[misc]  # as above
    """A BentoML service whose worker runs our two doors and nothing else.

    BentoML packs the service, runs its process and stops it. Its own application is passed by: a
    request through its middlewares and endpoint costs ten times what the door takes, building it
    doubles the time to start, and its `/` page embeds a tag manager.
    """

    def to_asgi(self, is_main: bool = True) -> Application:  # noqa: FBT001, FBT002 - as it is called
        """Return the application the worker serves."""
        del is_main
        service = self()

        async def application(scope: Message, receive: Receive, send: Send) -> None:
            if scope["type"] == "lifespan":
                await _live(service, receive, send)
            else:
                await service.doors.http(scope, receive, send)

        return application


async def _live(service: Parlevel, receive: Receive, send: Send) -> None:
    """Open the doors when the server says so, and close them."""
    await receive()
    try:
        await service.open()
    except ParlevelError as error:
        await send({"type": "lifespan.startup.failed", "message": str(error)})
        return
    except Exception as error:
        # The server takes an exception here for an application without a start-up, and would go
        # on with half of the doors: a defect must end it.
        _log.exception("the doors cannot be opened")
        await send({"type": "lifespan.startup.failed", "message": repr(error)})
        raise
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await service.close()
    await send({"type": "lifespan.shutdown.complete"})


@bentoml.service(
    name="parlevel_service",  # no importable package has this name
    service_class=TwoDoorService,
    workers=1,
)
class Parlevel:
    """Opens both doors when the worker starts and closes them when it stops."""

    def __init__(self) -> None:
        """Build the graph; nothing is read and no port is open yet."""
        self.doors = compose.build(settings.load())
        self._retiring: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Open both doors."""
        port = await self.doors.open()
        self._retire_when_told_to_stop()
        _log.info("both doors are open, gRPC on port %d", port)
        # What is built by now lives as long as the process: full collections need not walk it.
        gc.collect()
        gc.freeze()

    def _retire_when_told_to_stop(self) -> None:
        """Let both doors say so as soon as the process is told to stop.

        The HTTP server shuts its port first and waits for what is in flight there before it lets
        us close: by then, who watches the health at the gRPC door must have gone elsewhere.
        """
        loop, stop = asyncio.get_running_loop(), signal.getsignal(signal.SIGTERM)

        def begin() -> None:
            self._retiring = loop.create_task(self.doors.retire())

        def told(number: int, frame: FrameType | None) -> None:
            loop.call_soon_threadsafe(begin)
            if callable(stop):
                stop(number, frame)

        signal.signal(signal.SIGTERM, told)

    async def close(self) -> None:
        """Let requests in flight finish and close both doors."""
        await self.doors.close()
