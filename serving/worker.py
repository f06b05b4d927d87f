"""The service alone: opens its HTTP port and becomes BentoML's worker, as a container runs it.

`bentoml serve` puts a supervisor before the worker, which restarts a worker that died; so does
whatever runs a container.
"""

from __future__ import annotations

import os
import socket
import sys

from serving import settings as configuration
from serving.errors import InvalidField, ParlevelError

SERVICE = "serving.service:Parlevel"
WORKER = "_bentoml_impl.worker.service"
BACKLOG = 2048
USAGE_ERROR = 2
# Read by third parties when they are imported; onnxruntime's own switch comes too late.
NO_TELEMETRY = ("BENTOML_DO_NOT_TRACK", "ORT_DISABLE_TELEMETRY")


def listen(settings: configuration.Settings) -> socket.socket:
    """Open the HTTP port, and see that the gRPC port is free: a sentence now, not a trace later.

    Returns:
        The listening socket of the HTTP door.

    Raises:
        InvalidField: If a port is in use.
    """
    _bind("PARLEVEL_GRPC_PORT", settings.host, settings.grpc_port).close()
    return _bind("PARLEVEL_HTTP_PORT", settings.host, settings.http_port)


def command(settings: configuration.Settings, door: socket.socket) -> list[str]:
    """Return the command of a worker that inherits the listening socket of the HTTP door."""
    drain = str(max(1, round(settings.drain_seconds)))
    worker = [sys.executable, "-m", WORKER, SERVICE, "--fd", str(door.fileno())]
    return [*worker, "--timeout-graceful-shutdown", drain]


def main() -> None:
    """Become the worker; returns only by failing."""
    try:
        settings = configuration.load()
        door = listen(settings)
    except ParlevelError as error:
        sys.stderr.write(f"error: {error}\n")
        raise SystemExit(USAGE_ERROR) from error
    for variable in NO_TELEMETRY:
        os.putenv(variable, "true")
    os.set_inheritable(door.fileno(), True)  # noqa: FBT003 - it takes no keyword
    arguments = command(settings, door)
    os.execv(arguments[0], arguments)  # noqa: S606 - no shell is wanted


def _bind(variable: str, host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise InvalidField(variable, f"must name a free port: {host}:{port} is in use") from error


if __name__ == "__main__":
    main()
