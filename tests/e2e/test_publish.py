"""Forecasts published while the service runs: the same answers on both doors, looked up."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import closing
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any

import pytest

from parlevel.client import Client
from serving.adapters.features import PackedFeatures
from serving.flows.demand import ASKED_ANYWAY
from tests.fakes.ports import free_port
from training.operations import upgrade

if TYPE_CHECKING:
    from serving.settings import Settings

pytestmark = pytest.mark.e2e
MAIN = "from training.cli import main; main()"
HORIZON, LEVELS = 5, [0.1, 0.5, 0.9]


class Home:
    """A home whose service runs on ports of its own."""

    def __init__(self, settings: Settings) -> None:
        self.http, self.grpc = free_port(), free_port()
        self.environment = {
            **{name: value for name, value in os.environ.items() if name[:9] != "PARLEVEL_"},
            "PARLEVEL_HOME": str(settings.home),
            "PARLEVEL_AS_OF": str(settings.as_of),
            "PARLEVEL_HTTP_PORT": str(self.http),
            "PARLEVEL_GRPC_PORT": str(self.grpc),
            "PARLEVEL_POLL_SECONDS": "0.1",
        }
        self.keys = PackedFeatures(settings.features / "online").snapshot().series()

    def run(self, *arguments: str) -> str:
        command = [sys.executable, "-c", MAIN, *arguments]
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr
        return " ".join(done.stdout.split())

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> bytes:
        with closing(HTTPConnection("127.0.0.1", self.http, timeout=10)) as connection:
            headers = {"content-type": "application/json"}
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            return connection.getresponse().read()

    def over_http(self) -> list[Any]:
        asked = {"horizon_days": HORIZON, "quantile_levels": LEVELS}
        return [
            json.loads(
                self.ask("POST", "/v1/demand:forecast", {"sku": sku, "location": place, **asked})
            )
            for sku, place in self.keys
        ]

    def over_grpc(self) -> list[Any]:
        with Client(f"127.0.0.1:{self.grpc}", timeout_seconds=10.0) as client:
            return [
                client.forecast(sku, place, HORIZON, quantile_levels=LEVELS)
                for sku, place in self.keys
            ]

    def looked_up(self) -> int:
        page = self.ask("GET", "/metrics").decode()
        (line,) = [
            one for one in page.splitlines() if one.startswith("parlevel_forecasts_looked_up ")
        ]
        return int(float(line.split()[-1]))


def test_published_forecasts_are_the_answers_of_both_doors_to_the_bit(own_home: Settings) -> None:
    upgrade(own_home.home)  # it is a copy
    home = Home(own_home)
    home.run("serve", "start")
    try:
        computed = home.over_http(), home.over_grpc()
        assert home.looked_up() == 0
        assert f"{len(home.keys):,} series" in home.run("publish", "--horizon", str(HORIZON))
        assert "nothing to do" in home.run("publish", "--horizon", str(HORIZON))
        until = time.monotonic() + 20
        while home.looked_up() == 0 and time.monotonic() < until:
            home.over_http()
        before = home.looked_up()
        assert (home.over_http(), home.over_grpc()) == computed
        asked = 2 * len(home.keys)
        assert asked - asked // ASKED_ANYWAY - 1 <= home.looked_up() - before <= asked
    finally:
        home.run("serve", "stop")
