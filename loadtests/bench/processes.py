"""The servers under load: each a process of its own, all on one core, the load on another."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from serving.errors import NotReady

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from loadtests.bench.series import BenchHome

HOST = "127.0.0.1"
START_SECONDS, STOP_SECONDS = 60.0, 20.0
POLL_SECONDS = 0.02
BIN = Path(sys.executable).parent
NEEDED_CORES = 2
READY = "ready"


@dataclass(frozen=True, slots=True)
class Server:
    """A server that runs.

    Attributes:
        name: What it is called in the results.
        process: Its process.
        grpc_port: Port of its gRPC door; 0 where it has none.
        http_port: Port of its HTTP door; 0 where it has none.
        ready_seconds: Time from its start until its port answered.
    """

    name: str
    process: subprocess.Popen[bytes]
    grpc_port: int
    http_port: int
    ready_seconds: float

    def cpu_seconds(self) -> float:
        """Return the processor time it and its children have used, in seconds."""
        return sum(one.ticks for one in self._family()) / os.sysconf("SC_CLK_TCK")

    def memory_mib(self) -> float:
        """Return the resident memory of the largest process of its family, in MiB.

        Pages of the features' file that it has mapped are counted in.
        """
        pages = max(one.pages for one in self._family())
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    def stop(self) -> None:
        """End it; one that does not end by itself is killed."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _family(self) -> list[_Usage]:
        usages = _usages()
        family = {self.process.pid}
        grown = True
        while grown:
            children = {pid for pid, one in usages.items() if one.parent in family}
            grown = not children <= family
            family |= children
        return [usages[pid] for pid in family if pid in usages]


class _Usage(NamedTuple):
    """What the system says of a process: its parent, ticks used, pages resident."""

    parent: int
    ticks: int
    pages: int


def _usages() -> dict[int, _Usage]:
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            text = (entry / "stat").read_text(encoding="utf-8")
        except OSError:  # it ended meanwhile
            continue
        fields = text.rpartition(") ")[2].split()
        ticks = int(fields[11]) + int(fields[12])
        found[int(entry.name)] = _Usage(int(fields[1]), ticks, int(fields[21]))
    return found


@dataclass(frozen=True, slots=True)
class Cores:
    """Which core does what.

    Attributes:
        server: The core all servers run on.
        load: The core the load comes from.
    """

    server: int
    load: int

    @classmethod
    def of_this_machine(cls) -> Cores:
        """Return the first and the last core this process may use.

        Raises:
            NotReady: If there is only one: load and server would take turns.
        """
        found = sorted(os.sched_getaffinity(0))
        if len(found) < NEEDED_CORES:
            raise NotReady("a benchmark needs two cores: one for the server, one for the load")
        return cls(found[0], found[-1])

    @contextmanager
    def as_server(self) -> Iterator[None]:
        """Run the block, and the processes it starts, on the core of the servers."""
        os.sched_setaffinity(0, {self.server})
        try:
            yield
        finally:
            os.sched_setaffinity(0, {self.load})


def free_port() -> int:
    """Return a port nobody listens on."""
    with socket.create_server((HOST, 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


class Fleet:
    """Starts servers on their core and ends them all."""

    def __init__(self, cores: Cores, home: BenchHome, logs: Path) -> None:
        """Take the cores, the home that is served and the folder of the logs."""
        self._cores = cores
        self._home = home
        self._logs = logs
        self.servers: dict[str, Server] = {}

    def start_floor(self, kind: str) -> Server:
        """Start a gRPC server that does nothing, ``aio`` or ``threads``."""
        port = free_port()
        command = [sys.executable, "-m", "loadtests.bench.floors", kind, str(port)]
        return self._start(f"no-op {kind}", command, {}, (port, 0))

    def start_ours(self, name: str) -> Server:
        """Start our service by its name in the results."""
        word = name.rpartition(" ")[2]
        home = self._logs / f"serves-{word}"  # one service a home
        parts = ["releases", "features/online", "features/reference"]
        if word == READY:
            parts.append("features/ready")
        (home / "features").mkdir(parents=True, exist_ok=True)
        for part in parts:
            (home / part).unlink(missing_ok=True)
            if (self._home.folder / part).exists():
                (home / part).symlink_to((self._home.folder / part).resolve())
        kind = "threads" if word == READY else word
        settings = {"PARLEVEL_GRPC_SERVER": kind, "PARLEVEL_HOME": str(home)}
        command = [str(BIN / "parlevel"), "serve", "run"]
        return self._start(name, command, settings, (free_port(), free_port()))

    def start_stock(self) -> Server:
        """Start the stock BentoML endpoint."""
        port = free_port()
        service = "loadtests.bench.stock:StockForecast"
        command = [str(BIN / "bentoml"), "serve", service, "--host", HOST, "--port", str(port)]
        return self._start("stock bentoml", command, {}, (0, port))

    def stop(self) -> None:
        """End every server."""
        for server in self.servers.values():
            server.stop()

    def _start(
        self, name: str, command: Sequence[str], more: Mapping[str, str], ports: tuple[int, int]
    ) -> Server:
        kept = {key: value for key, value in os.environ.items() if not key.startswith("PARLEVEL_")}
        ours = {
            "BENTOML_DO_NOT_TRACK": "True",
            "PARLEVEL_HOME": str(self._home.folder),
            "PARLEVEL_AS_OF": self._home.as_of.isoformat(),
            "PARLEVEL_GRPC_PORT": str(ports[0]),
            "PARLEVEL_HTTP_PORT": str(ports[1]),
        }
        self._logs.mkdir(parents=True, exist_ok=True)
        log = self._logs / f"{name.replace(' ', '-')}.log"
        begun = time.monotonic()
        with self._cores.as_server(), log.open("wb") as output:
            process = subprocess.Popen(  # noqa: S603 - our own command, no shell
                command,
                env={**kept, **ours, **more},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        _wait(process, ports, log)
        server = Server(name, process, *ports, ready_seconds=time.monotonic() - begun)
        self.servers[name] = server
        return server


def _wait(process: subprocess.Popen[bytes], ports: tuple[int, int], log: Path) -> None:
    """Wait until a server answers.

    Raises:
        NotReady: If the process ends before, or takes too long.
    """
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        if _answers(*ports):
            return
        time.sleep(POLL_SECONDS)
    process.kill()
    raise NotReady(f"a server did not start: see {log}")


def _answers(grpc_port: int, http_port: int) -> bool:
    try:
        if not http_port:
            socket.create_connection((HOST, grpc_port), timeout=1).close()
            return True
        connection = http.client.HTTPConnection(HOST, http_port, timeout=1)
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
