"""Forecasts published while the service runs: the same answers on both doors, looked up."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from parlevel.client import Client
from serving.adapters.features import PackedFeatures
from serving.flows.ahead import ASKED_ANYWAY
from tests.fakes.ports import free_port
from tests.fakes.service import JSON, Service
from training.operations import upgrade

if TYPE_CHECKING:
    from serving.settings import Settings

pytestmark = pytest.mark.e2e
HORIZON, LEVELS = 5, [0.1, 0.5, 0.9]
ASKED = {"horizon_days": HORIZON, "quantile_levels": LEVELS}
ORDER: dict[str, Any] = {
    "on_hand": 3.0,
    "on_order": 1.0,
    "backorders": 0.0,
    "lead_time_days": 2.0,
    "lead_time_std_days": 0.0,
    "review_days": 3.0,
    "service_level": 0.95,
}


class Home:
    """A home, its series and its service."""

    def __init__(self, settings: Settings) -> None:
        self.service = Service(settings.home, free_port(), free_port())
        self.settings = {"PARLEVEL_AS_OF": str(settings.as_of), "PARLEVEL_POLL_SECONDS": "0.1"}
        self.keys = PackedFeatures(settings.features / "online").snapshot().series()

    def run(self, *arguments: str) -> str:
        done = self.service.parlevel(*arguments, **self.settings)
        assert done.returncode == 0, done.stderr
        return " ".join(done.stdout.split())

    def over_http(self) -> list[Any]:
        return [
            orjson.loads(self.service.ask("POST", path, orjson.dumps(body), JSON)[1])
            for sku, place in self.keys
            for path, body in (
                ("/v1/demand:forecast", {**ASKED, "sku": sku, "location": place}),
                ("/v1/reorder:recommend", {**ORDER, "sku": sku, "location": place}),
            )
        ]

    def over_grpc(self) -> list[Any]:
        with Client(f"127.0.0.1:{self.service.grpc}", timeout_seconds=10.0) as client:
            return [
                answer
                for sku, place in self.keys
                for answer in (
                    client.forecast(sku, place, HORIZON, quantile_levels=LEVELS),
                    client.recommend_reorder(sku, place, **ORDER),
                )
            ]

    def looked_up(self) -> int:
        _, page = self.service.ask("GET", "/metrics")
        (line,) = [
            one
            for one in page.decode().splitlines()
            if one.startswith("parlevel_forecasts_looked_up ")
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
        asked = 4 * len(home.keys)
        assert asked - asked // ASKED_ANYWAY - 1 <= home.looked_up() - before <= asked
    finally:
        home.run("serve", "stop")
