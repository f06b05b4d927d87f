"""The service as a process: started with its sockets and its lock, found and stopped by them."""

from __future__ import annotations

import fcntl
import http.client
import json
import os
import signal
import socket
import subprocess
import time
from dataclasses import asdict, dataclass
from typing import IO, TYPE_CHECKING

from serving import worker
from serving.errors import ParlevelError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from serving.settings import Settings

POLL_SECONDS = 0.05
LAST_LINES = 5  # of the log, shown where the service did not start
START_SECONDS = 60.0  # a start takes seconds; beyond this it will not come
MARGIN_SECONDS = 10.0  # beyond the time to drain, before stopping is called failed


class ServiceFailed(ParlevelError):
    """The service did not start or did not stop."""


@dataclass(frozen=True, slots=True)
class Running:
    """A service that runs.

    Attributes:
        pid: Its process.
        host: Address of both doors.
        http_port: Port of the HTTP door.
        grpc_port: Port of the gRPC door.
    """

    pid: int
    host: str
    http_port: int
    grpc_port: int

    @property
    def ready(self) -> bool:
        """Whether both doors answer."""
        connection = http.client.HTTPConnection(self.host, self.http_port, timeout=1)
        try:
            connection.request("GET", "/readyz")
            answer = connection.getresponse().status
            with socket.create_connection((self.host, self.grpc_port), timeout=1):
                return answer == http.client.OK
        except OSError:
            return False
        finally:
            connection.close()


def log_file(settings: Settings) -> Path:
    """Return the file a service in the background logs to."""
    return settings.home / "logs" / "serve.log"


def find(settings: Settings) -> Running | None:
    """Return the service of this home, or None where none runs."""
    try:
        file = _state_file(settings).open("r+", encoding="utf-8")
    except FileNotFoundError:
        return None
    with file:
        if _lock(file):  # nobody holds it: what the file says is over
            return None
        return Running(**json.load(file))


def run(settings: Settings) -> None:
    """Become the service; returns only by failing.

    Raises:
        InvalidField: If a port is in use.
        ServiceFailed: If a service of this home runs already.
    """
    door = worker.listen(settings)
    state = _take_state(settings)
    _write_state(state, settings, os.getpid())
    for kept in (door, state):
        os.set_inheritable(kept.fileno(), True)  # noqa: FBT003 - it takes no keyword
    command = worker.command(settings, door)
    os.execve(command[0], command, _environment())  # noqa: S606 - no shell is wanted


def start(settings: Settings) -> tuple[Running, Iterator[bool]]:
    """Start the service in the background.

    Returns:
        The service, and an iterator that says again and again whether it is ready; it ends when
        it is.

    Raises:
        InvalidField: If a port is in use.
        ServiceFailed: If a service of this home runs already; while iterating, if it dies.
    """
    door = worker.listen(settings)
    state = _take_state(settings)
    log = log_file(settings)
    log.parent.mkdir(parents=True, exist_ok=True)
    with door, state, log.open("ab") as output:
        child = subprocess.Popen(  # noqa: S603 - our own command, no shell
            worker.command(settings, door),
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=(door.fileno(), state.fileno()),
            start_new_session=True,
        )
        running = _write_state(state, settings, child.pid)
    return running, _watch(settings, child, running)


def stop(settings: Settings, running: Running) -> None:
    """Let the service finish what is in flight, and wait for its end.

    Raises:
        ServiceFailed: If it still runs long after its time to drain.
    """
    os.kill(running.pid, signal.SIGTERM)
    until = time.monotonic() + 2 * settings.drain_seconds + MARGIN_SECONDS  # door after door
    while find(settings) is not None:
        if time.monotonic() > until:
            raise ServiceFailed(f"process {running.pid} still runs: see {log_file(settings)}")
        time.sleep(POLL_SECONDS)


def _watch(settings: Settings, child: subprocess.Popen[bytes], running: Running) -> Iterator[bool]:
    until = time.monotonic() + START_SECONDS
    while not running.ready:
        if time.monotonic() > until:
            raise ServiceFailed(f"not ready after {START_SECONDS:g} s: see {log_file(settings)}")
        if child.poll() is not None:
            log = log_file(settings)
            last = log.read_text(encoding="utf-8", errors="replace").splitlines()[-LAST_LINES:]
            raise ServiceFailed(
                f"the service ended with code {child.returncode}: see {log}\n" + "\n".join(last)
            )
        yield False
        time.sleep(POLL_SECONDS)
    yield True


def _environment() -> dict[str, str]:
    return {**os.environ, **dict.fromkeys(worker.NO_TELEMETRY, "true")}


def _state_file(settings: Settings) -> Path:
    return settings.home / "run" / "serve.json"


def _take_state(settings: Settings) -> IO[str]:
    """Open and lock the state file; the lock lives as long as the process that inherits it."""
    path = _state_file(settings)
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("a+", encoding="utf-8")
    if not _lock(file):
        file.close()
        raise ServiceFailed(f"a service of {settings.home} runs already: `parlevel serve status`")
    return file


def _lock(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _write_state(file: IO[str], settings: Settings, pid: int) -> Running:
    running = Running(pid, settings.host, settings.http_port, settings.grpc_port)
    file.truncate(0)
    json.dump(asdict(running), file)
    file.flush()
    return running
