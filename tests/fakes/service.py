"""The real service in a process of its own, started and stopped by its command line."""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

MAIN = "from training.cli import main; main()"
JSON = {"content-type": "application/json"}
SECONDS = 120  # a command may take


@dataclass(frozen=True)
class Service:
    """A home and the ports its service listens on."""

    home: Path
    http: int
    grpc: int

    def parlevel(self, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """Run the command line over the home."""
        kept = {name: v for name, v in os.environ.items() if not name.startswith("PARLEVEL_")}
        ours = {
            "PARLEVEL_HOME": str(self.home),
            "PARLEVEL_HTTP_PORT": str(self.http),
            "PARLEVEL_GRPC_PORT": str(self.grpc),
        }
        return subprocess.run(
            [sys.executable, "-c", MAIN, *arguments],
            env={**kept, **ours, **settings},
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )

    def run(self, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """Run a `parlevel serve` command."""
        return self.parlevel("serve", *arguments, **settings)

    def ask(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> tuple[int, bytes]:
        """Ask the HTTP door; return status and body."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.http, timeout=10)) as connection:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read()
