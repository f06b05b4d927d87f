"""What is deployed: the image's recipe, the cluster's example, and the lean lock behind both."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from serving import settings
from tests.fakes.image import DOCKERFILE, environment, given

ROOT = Path(__file__).resolve().parents[2]
# What trains or reads tables; pyarrow is there for the log of served forecasts, which is parquet.
HEAVY = {"duckdb", "feast", "lightgbm", "mlflow", "onnx", "pandas", "pandera", "polars"}
PIN = re.compile(r"^([a-z0-9][a-z0-9._-]*)(?:\[[a-z,]+\])?==([^\s;\\]+)", re.MULTILINE)


def locked(name: str) -> dict[str, str]:
    return dict(PIN.findall((ROOT / name).read_text(encoding="utf-8")))


def documents() -> dict[str, Any]:
    text = (ROOT / "deploy/kubernetes.yaml").read_text(encoding="utf-8")
    return {document["kind"]: document for document in yaml.safe_load_all(text)}


def pod() -> dict[str, Any]:
    found: dict[str, Any] = documents()["Deployment"]["spec"]["template"]["spec"]
    return found


def test_the_linter_finds_nothing() -> None:
    linter = Path(sys.executable).with_name("hadolint")
    found = subprocess.run([linter, DOCKERFILE], capture_output=True, text=True, check=False)
    assert found.stdout == ""


def test_each_base_image_is_a_slim_python_of_one_version() -> None:
    bases = [base.split()[0] for base in given("FROM")]
    assert set(bases) == {"python:3.11-slim-bookworm"}


def test_packages_are_installed_by_hash_and_leave_no_cache() -> None:
    installs = [one for run in given("RUN") for one in run.split("&&") if " install " in one]
    assert all("--no-cache-dir" in one for one in installs)
    assert all("--require-hashes" in one or "--no-deps --no-index" in one for one in installs)
    assert len(installs) == 2


def test_the_worker_runs_as_a_fixed_user_without_rights() -> None:
    (user,) = given("USER")
    assert user == "10001:10001"
    assert (pod()["securityContext"]["runAsUser"], "--uid 10001" in given("RUN")[1]) == (
        10001,
        True,
    )


def test_the_entry_takes_signals_itself() -> None:
    (entry,) = given("ENTRYPOINT")
    assert json.loads(entry) == ["python", "-m", "serving.worker"]
    assert given("STOPSIGNAL") == ["SIGTERM"]


def test_the_image_opens_the_ports_of_the_settings_to_its_network() -> None:
    read = settings.load(environment())
    assert given("EXPOSE") == [f"{read.http_port} {read.grpc_port}"]
    assert read.host == "0.0.0.0"  # noqa: S104 - a container's own network
    assert given("VOLUME") == [json.dumps([str(read.home)])]


def test_nothing_in_the_image_calls_home() -> None:
    assert environment()["BENTOML_DO_NOT_TRACK"] == "True"
    assert environment()["ORT_DISABLE_TELEMETRY"] == "true"


def test_the_image_is_made_of_the_bento() -> None:
    sources = {copied.split()[0] for copied in given("COPY") if not copied.startswith("--from")}
    assert sources == {"src/requirements-serve.lock", "env/python/wheels", "src/serving"}


def test_the_lean_lock_is_part_of_the_whole_one() -> None:
    lean, whole = locked("requirements-serve.lock"), locked("requirements.lock")
    assert lean.items() <= whole.items()
    assert HEAVY & set(lean) == set()


def test_the_lean_lock_holds_what_serving_declares() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = [*project["dependencies"], *project["optional-dependencies"]["serve"]]
    pins = dict(PIN.findall("\n".join(declared)))
    assert pins.items() <= locked("requirements-serve.lock").items()


def test_every_locked_package_has_a_hash_and_no_index_is_named() -> None:
    text = (ROOT / "requirements-serve.lock").read_text(encoding="utf-8")
    blocks = re.split(r"\n(?=[a-z0-9])", text)
    assert [block.split()[0] for block in blocks if "--hash=sha256:" not in block] == []
    assert "index-url" not in text


def test_the_bento_carries_the_wheel_of_the_client_as_it_is() -> None:
    client = tomllib.loads((ROOT / "clients/python/pyproject.toml").read_text(encoding="utf-8"))
    bento = yaml.safe_load((ROOT / "bentofile.yaml").read_text(encoding="utf-8"))
    version = client["project"]["version"]
    assert bento["python"]["wheels"] == [f"dist/parlevel_client-{version}-py3-none-any.whl"]
    assert bento["name"] != "parlevel"


def test_a_pod_has_time_to_drain_both_doors() -> None:
    (container,) = pod()["containers"]
    names = {one["name"]: one["value"] for one in container["env"]}
    drain = settings.load(names).drain_seconds
    pause = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pod()["terminationGracePeriodSeconds"] > pause + 2 * drain


def test_a_pod_is_probed_on_both_doors_and_sees_no_service_variables() -> None:
    (container,) = pod()["containers"]
    assert container["livenessProbe"]["httpGet"]["path"] == "/livez"
    assert container["startupProbe"]["httpGet"]["path"] == "/readyz"
    assert container["readinessProbe"]["grpc"]["port"] == settings.Settings().grpc_port
    assert pod()["enableServiceLinks"] is False


def test_a_pod_writes_what_it_watched_and_in_its_own_temporary_folder_alone() -> None:
    (container,) = pod()["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    mounts = {one["mountPath"]: one.get("readOnly", False) for one in container["volumeMounts"]}
    home = environment()["PARLEVEL_HOME"]
    watched = {f"{home}/logs": False, f"{home}/monitoring": False}
    assert mounts == {home: True, **watched, "/tmp": False}  # noqa: S108 - a mount
