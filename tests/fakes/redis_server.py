"""A real Redis server on a port of its own: stopped, started again with its data, and held up."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest
import redis

from tests.fakes.ports import free_port

if TYPE_CHECKING:
    from pathlib import Path

SECONDS = 20.0  # a start may take; it takes hundredths
PASSWORD = "open/sesame"  # noqa: S105 - of a server that lives for one test


class RedisProcess:
    """The server; every write is on disk when it is stopped."""

    def __init__(self, folder: Path) -> None:
        program = shutil.which("redis-server")
        if program is None:
            pytest.skip("redis-server is not on the PATH")
        self._program = program
        self._folder = folder
        self.port = free_port()
        self.url = f"redis://:{PASSWORD.replace('/', '%2F')}@127.0.0.1:{self.port}/0"
        self.address = f"redis://127.0.0.1:{self.port}/0"
        self.client: Any = redis.Redis(port=self.port, password=PASSWORD)
        self.start()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = {"bind": "127.0.0.1", "port": str(self.port), "dir": str(self._folder)}
        options |= {"save": "", "appendonly": "yes", "requirepass": PASSWORD}
        arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
        self._process = subprocess.Popen(
            [self._program, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until = time.monotonic() + SECONDS
        while not self._answers():
            assert time.monotonic() < until, "redis-server does not start"
            time.sleep(0.01)

    def stop(self) -> None:
        """Stop it; what it holds is there again after the next start."""
        self._process.send_signal(signal.SIGCONT)
        self._process.terminate()
        self._process.wait(SECONDS)

    def hang(self) -> None:
        """Let it take connections and answer nothing."""
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it answer again."""
        self._process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        """Stop it for good."""
        self.client.close()
        self.stop()

    def _answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except redis.RedisError:
            return False
