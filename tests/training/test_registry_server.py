"""The registry on a real PostgreSQL server: a run, a version, a promotion and the way back."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from serving.errors import Busy, InvalidField
from serving.settings import Settings
from tests.fakes.ports import free_port
from tests.fakes.releases import Sound, sound
from tests.training.test_registry import NAME, candidate, state
from training.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Iterator

START_SECONDS = 30.0


def binaries() -> Path | None:
    """Return the folder of the server's programs: Debian keeps `initdb` off the path."""
    found = shutil.which("postgres")
    folder = Path(found).resolve().parent if found else None
    return folder if folder and (folder / "initdb").exists() else None


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Start a PostgreSQL server of its own; it refuses to run as root."""
    programs = binaries()
    if programs is None:
        pytest.skip("PostgreSQL is not installed: no `postgres` with `initdb` beside it on PATH")
    account = "postgres" if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="parlevel-postgres-") as folder:
        if account is not None:
            shutil.chown(folder, account, account)
        data, port = f"{folder}/data", free_port()
        subprocess.run(
            [programs / "initdb", "-D", data, "-U", "parlevel", "-A", "trust", "--no-sync"],
            check=True, capture_output=True, user=account, group=account, cwd=folder,
        )  # fmt: skip
        asked = ["-D", data, "-p", str(port), "-h", "127.0.0.1", "-k", folder, "-F"]
        process = subprocess.Popen(
            [programs / "postgres", *asked],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            user=account, group=account, cwd=folder,
        )  # fmt: skip
        address = f"postgresql://parlevel:secret@127.0.0.1:{port}/postgres"
        try:
            wait_for(address, process)
            yield address
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=START_SECONDS)


def wait_for(address: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + START_SECONDS
    while True:
        try:
            psycopg.connect(address).close()
        except psycopg.OperationalError:
            assert process.poll() is None, "the server ended"
            assert time.monotonic() < until, "the server does not answer"
            time.sleep(0.05)
        else:
            return


@pytest.fixture(scope="module")
def model() -> Sound:
    return sound(0)


@pytest.fixture(scope="module")
def settings(server: str, model: Sound, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Return the settings of a home whose two registered versions are kept by the server."""
    home = tmp_path_factory.mktemp("served") / "home"
    settings = Settings(home=home, registry_uri=server)
    registry = Registry(settings)
    assert registry.register(candidate(model, data="a")) == "1"
    assert registry.register(candidate(model, data="b")) == "2"
    return settings


def test_versions_promotion_and_rollback_are_the_servers(settings: Settings) -> None:
    registry = Registry(settings)
    assert registry.find(NAME, {"data": "a"}) == "1"
    assert registry.promote(NAME, "1")
    assert registry.promote(NAME, "2")
    assert state(registry) == ("2", "2")
    assert registry.rollback(NAME) == "1"
    assert state(Registry(settings)) == ("1", "1")
    assert not (settings.home / "mlflow" / "mlflow.db").exists()


def test_another_machine_reads_the_same_versions(settings: Settings, tmp_path: Path) -> None:
    other = Registry(Settings(home=tmp_path / "home", registry_uri=settings.registry_uri))
    assert [one.version for one in other.versions(NAME)] == ["2", "1"]
    assert other.serving(NAME) is None, "releases are files of each home"


def test_runs_without_a_model_are_kept_by_the_server(settings: Settings) -> None:
    Registry(settings).record("backtest", {"horizon": "7"}, [{"wmape/all": 0.25}])
    with closing(psycopg.connect(settings.tracking_uri)) as database, database.cursor() as cursor:
        cursor.execute("SELECT value FROM metrics WHERE key = 'wmape/all'")
        assert cursor.fetchall() == [(0.25,)]


def test_a_server_that_is_not_there_is_named_without_its_password(tmp_path: Path) -> None:
    uri = f"postgresql://parlevel:secret@127.0.0.1:{free_port()}/postgres"
    with pytest.raises(Busy, match="PARLEVEL_REGISTRY_URI") as caught:
        Registry(Settings(home=tmp_path / "home", registry_uri=uri))
    assert "cannot be reached" in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("postgresql://parlevel@127.0.0.1:port/postgres", "must read as postgresql://"),
        ("postgresql+nothing://127.0.0.1/postgres", "must read as postgresql://"),
        ("postgres://127.0.0.1/postgres", "must read as postgresql://"),
        ("postgresql+psycopg2://127.0.0.1/postgres", r"parlevel-platform\[postgres\]"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused(uri: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidField, match=said):
        Registry(Settings(home=tmp_path / "home", registry_uri=uri))
