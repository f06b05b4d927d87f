"""The bento alone: built without a network, installed from its own lock, asked on both doors."""

from __future__ import annotations

import contextlib
import datetime as dt
import http.client
import json
import os
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.fakes.home import LOCATION, SKU, build_home
from tests.fakes.image import Image, replay
from tests.fakes.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).resolve().parents[2]
LAST_DAY = dt.date(2026, 6, 30)
QUESTION = {"sku": SKU, "location": LOCATION, "horizon_days": 7}
ASK = """
import json, sys
from parlevel.client import Client
address, sku, location, horizon = sys.argv[1:]
with Client(address) as client:
    answer = client.forecast(sku, location, int(horizon))
print(json.dumps([list(answer.mean), [value for day in answer.quantiles for value in day]]))
"""
READY_SECONDS = 30


@dataclass(frozen=True)
class Alone:
    """A home and two ports, for a service that has the packages of the image and no checkout."""

    image: Image
    home: Path
    http: int
    grpc: int

    @property
    def environment(self) -> dict[str, str]:
        return {
            **self.image.environment,
            "PARLEVEL_HOME": str(self.home),
            "PARLEVEL_HOST": "127.0.0.1",
            "PARLEVEL_HTTP_PORT": str(self.http),
            "PARLEVEL_GRPC_PORT": str(self.grpc),
            "PARLEVEL_AS_OF": LAST_DAY.isoformat(),
        }

    @contextlib.contextmanager
    def running(self, command: list[str], folder: Path, **settings: str) -> Iterator[None]:
        environment = {**self.environment, **settings}
        log = self.home.with_suffix(".log")
        with log.open("w", encoding="utf-8") as output:
            service = subprocess.Popen(
                command, cwd=folder, env=environment, stdout=output, stderr=output
            )
        try:
            until = time.monotonic() + READY_SECONDS
            while not self.ready():
                assert service.poll() is None, log.read_text(encoding="utf-8")
                assert time.monotonic() < until, log.read_text(encoding="utf-8")
                time.sleep(0.05)
            yield
        finally:
            service.send_signal(signal.SIGTERM)
            service.wait(READY_SECONDS)

    def ready(self) -> bool:
        try:
            return self.ask("GET", "/readyz")[0] == 200
        except OSError:
            return False

    def ask(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.http, timeout=10)
        connection.request(method, path, body, {"content-type": "application/json"})
        answer = connection.getresponse()
        found = answer.status, answer.read()
        connection.close()
        return found

    def forecasts(self) -> tuple[Any, Any]:
        """Return mean and quantiles as HTTP gives them, and as the wheel's client does."""
        status, body = self.ask("POST", "/v1/demand:forecast", json.dumps(QUESTION).encode())
        assert status == 200, body
        answer = json.loads(body)
        address, words = f"127.0.0.1:{self.grpc}", [str(value) for value in QUESTION.values()]
        asked = subprocess.run(
            [self.image.python, "-c", ASK, address, *words],
            cwd=self.home,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
        return [answer["mean"], answer["quantiles"]], json.loads(asked.stdout)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the bento as `make bento` does, with no way to any index."""
    home = tmp_path_factory.mktemp("store")
    nowhere = {"HTTPS_PROXY": "http://127.0.0.1:1", "PIP_NO_INDEX": "1", "UV_OFFLINE": "1"}
    kept = {name: v for name, v in os.environ.items() if not name.startswith("MAKE")}
    made = ["make", "--old-file=.venv/stamp", "--old-file=.venv/packages.stamp", "bento"]
    built = subprocess.run(
        made,
        cwd=ROOT,
        env={**kept, **nowhere, "BENTOML_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    assert "__tag__:parlevel-service:" in built.stdout
    return home


@pytest.fixture(scope="module")
def bento(store: Path) -> Path:
    folder = store / "bentos/parlevel-service"
    return folder / (folder / "latest").read_text(encoding="utf-8").strip()


@pytest.fixture(scope="module")
def image(bento: Path, tmp_path_factory: pytest.TempPathFactory) -> Image:
    return replay(bento, tmp_path_factory.mktemp("image"))


@pytest.fixture
def alone(image: Image, tmp_path: Path) -> Alone:
    return Alone(image, build_home(tmp_path / "home", LAST_DAY), free_port(), free_port())


def test_the_bento_holds_what_serves_and_nothing_else(bento: Path) -> None:
    found = {path.relative_to(bento / "src") for path in (bento / "src").rglob("*.*")}
    serving = {
        path.relative_to(ROOT)
        for suffix in ("py", "json")
        for path in (ROOT / "serving").rglob(f"*.{suffix}")
    }
    assert found == serving | {Path("bentofile.yaml"), Path("requirements-serve.lock")}
    (wheel,) = (bento / "env/python/wheels").iterdir()
    assert wheel.name.startswith("parlevel_client-")


def test_the_image_holds_the_locked_packages_and_the_client(image: Image) -> None:
    program = "import importlib.metadata as m; print(*sorted(d.name for d in m.distributions()))"
    listed = subprocess.run(
        [image.python, "-c", program], capture_output=True, text=True, check=True, cwd=image.folder
    ).stdout.split()
    lock = (ROOT / "requirements-serve.lock").read_text(encoding="utf-8").splitlines()
    locked = [line.partition("==")[0] for line in lock if line[0].isalnum()]
    assert {name.lower().replace("_", "-") for name in listed} == {*locked, "parlevel-client"}


def test_the_image_answers_the_same_on_both_doors_and_writes_only_what_it_watched(
    alone: Alone,
) -> None:
    before = set(alone.home.rglob("*"))
    with alone.running(alone.image.entry, alone.image.folder):
        over_http, over_grpc = alone.forecasts()
        health = [word.replace("3000", str(alone.http)) for word in alone.image.health]
        healthy = subprocess.run(health, env=alone.environment, check=False, timeout=30)
    assert over_http == over_grpc
    assert len(over_http[0]) == 7
    assert healthy.returncode == 0
    written = {path.relative_to(alone.home).parts[0] for path in {*alone.home.rglob("*")} - before}
    assert written <= {"logs", "monitoring"}


def test_the_store_serves_the_bento_by_its_tag(alone: Alone, store: Path, tmp_path: Path) -> None:
    command = ["bentoml", "serve", "parlevel-service:latest", "--host", "127.0.0.1"]
    (tmp_path / "empty").mkdir()
    with alone.running(
        [*command, "--port", str(alone.http)], tmp_path / "empty", BENTOML_HOME=str(store)
    ):
        over_http, over_grpc = alone.forecasts()
    assert over_http == over_grpc


@pytest.mark.parametrize("door", ["HTTP", "GRPC"])
def test_a_port_in_use_ends_the_image_with_a_sentence(alone: Alone, door: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        variable = f"PARLEVEL_{door}_PORT"
        refused = subprocess.run(
            alone.image.entry,
            cwd=alone.image.folder,
            env={**alone.environment, variable: str(taken.getsockname()[1])},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    assert refused.returncode == 2
    assert refused.stderr.startswith(f"error: {variable} must name a free port")
    assert len(refused.stderr.splitlines()) == 1
