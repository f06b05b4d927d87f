"""A service over a home with a promoted model, and the environment that leads to it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.fakes.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from serving.settings import Settings

MAIN = "from training.cli import main; main()"
START_SECONDS = 120


@pytest.fixture(scope="session")
def served(home: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Yield the environment of a service that answers from a small trained model."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PARLEVEL_")}
    copy = tmp_path_factory.mktemp("loaded") / "home"
    shutil.copytree(home.home, copy, symlinks=True)
    environment = {
        **kept,
        "PARLEVEL_HOME": str(copy),
        "PARLEVEL_AS_OF": str(home.as_of),
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
        run("serve", "start")
        yield environment
    finally:
        run("serve", "stop")
