"""A home with a promoted model, its service, and the environment that leads to both."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

MAIN = "from training.cli import main; main()"
START_SECONDS = 120


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Yield the environment of a service that answers from a small trained model."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PARLEVEL_")}
    environment = {
        **kept,
        "PARLEVEL_HOME": str(tmp_path_factory.mktemp("loaded") / "home"),
        "PARLEVEL_HTTP_PORT": str(free_port()),
        "PARLEVEL_GRPC_PORT": str(free_port()),
    }

    def run(*arguments: str) -> None:
        subprocess.run(
            [sys.executable, "-c", MAIN, *arguments],
            env=environment,
            check=True,
            timeout=START_SECONDS,
            stdout=subprocess.DEVNULL,
        )

    try:
        run("up", "--profile", "quick", "--rows", "20000")
        yield environment
    finally:
        run("serve", "stop")
