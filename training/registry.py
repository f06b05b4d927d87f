"""The registry: MLflow runs and versions, and the releases that serving obeys.

A promotion moves two things, the MLflow alias ``champion`` and the link
``releases/<model>/current``. The link is what serves. It moves first and in one step; whatever
was interrupted, promoting again or `repair` brings the alias to where the link points.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import fcntl
import hashlib
import json
import logging
import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import mlflow
import mlflow.onnx
import onnx
from mlflow.exceptions import MlflowException

from serving.adapters.onnx import open_session, signature
from serving.adapters.releases import (
    CERTIFICATE,
    CURRENT,
    FORMAT,
    GRAPH,
    MANIFEST,
    open_release,
)
from serving.domain.features import FEATURES, feature_set_hash
from serving.errors import ReleaseRefused, UnknownModel

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from mlflow import MlflowClient

    from serving.settings import Settings

CHAMPION = "champion"
HEADLINE = "wmape/sku_location/all"  # the metric a list of versions shows
HISTORY = "history.json"


@dataclass(frozen=True, slots=True)
class Candidate:
    """What training hands over for registration.

    Attributes:
        name: Registered name.
        graph: The serialised ONNX graph.
        certificate: Its parity certificate.
        facts: Manifest entries beside those the registry knows itself: quantile_levels,
            cover_quantile_levels, max_horizon, max_cover, data_end and the metrics to show.
        parameters: What it was trained with.
        metrics: Hold-out metrics by name.
        tags: Content hashes that identify it: data, recipe, code.
        artifacts: Further files by name: plots, model card.
    """

    name: str
    graph: bytes
    certificate: Mapping[str, Any]
    facts: Mapping[str, Any]
    parameters: Mapping[str, Any]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    artifacts: Mapping[str, Path]


@dataclass(frozen=True, slots=True)
class Version:
    """One registered version.

    Attributes:
        name: Registered name.
        version: Number, as text.
        run_id: MLflow run that made it.
        created: When it was registered, UTC.
        tags: Tags of its run.
        metrics: Metrics of its run.
        champion: The alias points here.
        serving: The releases link points here.
    """

    name: str
    version: str
    run_id: str
    created: dt.datetime
    tags: Mapping[str, str]
    metrics: Mapping[str, float]
    champion: bool
    serving: bool


class Registry:
    """MLflow tracking and model registry below the home folder, and the releases beside it."""

    def __init__(self, settings: Settings) -> None:
        """Open the tracking store of the settings, making it where it is new."""
        self._settings = settings
        os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
        for noisy in ("mlflow", "alembic"):  # they tell of every table they make
            logging.getLogger(noisy).setLevel(logging.WARNING)
        (settings.home / "mlflow").mkdir(parents=True, exist_ok=True)
        mlflow.set_tracking_uri(settings.tracking_uri)
        mlflow.set_registry_uri(settings.tracking_uri)
        self._client: MlflowClient = mlflow.MlflowClient()

    def register(self, candidate: Candidate) -> str:
        """Log a run, register its graph as a new version and write its release folder.

        Returns:
            The version.

        Raises:
            ReleaseRefused: If onnxruntime cannot open the graph.
        """
        session = open_session(candidate.graph)
        manifest_file = self._settings.home / "mlflow" / f".{candidate.name}.manifest.json"
        with mlflow.start_run(experiment_id=self._experiment(candidate.name)) as run:
            mlflow.log_params(dict(candidate.parameters))
            mlflow.log_metrics(dict(candidate.metrics))
            mlflow.set_tags(dict(candidate.tags))
            mlflow.log_dict(dict(candidate.certificate), CERTIFICATE)
            for path in candidate.artifacts.values():
                mlflow.log_artifact(str(path))
            logged = mlflow.onnx.log_model(
                onnx.load_model_from_string(candidate.graph),
                name="model",
                registered_model_name=candidate.name,
                pip_requirements=["onnxruntime==1.31.1"],
                onnx_execution_providers=["CPUExecutionProvider"],
            )
            version = str(logged.registered_model_version)
            certificate = json.dumps(candidate.certificate, indent=1).encode()
            manifest = {
                "format": FORMAT,
                "name": candidate.name,
                "version": version,
                "graph_sha256": hashlib.sha256(candidate.graph).hexdigest(),
                "certificate_sha256": hashlib.sha256(certificate).hexdigest(),
                "signature": signature(session),
                "feature_set_hash": feature_set_hash(),
                "features": list(FEATURES),
                "trained_time": dt.datetime.now(dt.UTC).isoformat(),
                **candidate.facts,
            }
            manifest_file.write_text(json.dumps(manifest, indent=1), encoding="utf-8")
            mlflow.log_artifact(str(manifest_file))
            self._client.set_model_version_tag(
                candidate.name, version, "graph_sha256", manifest["graph_sha256"]
            )
            del run
        manifest_file.unlink()
        self._write_release(manifest, {GRAPH: candidate.graph, CERTIFICATE: certificate})
        return version

    def versions(self, name: str) -> list[Version]:
        """Return the versions of a model, newest first; none where the name is new."""
        serving = self.serving(name)
        champion = self._champion(name)
        found = []
        for entry in self._client.search_model_versions(f"name='{name}'"):
            run_id = str(entry.run_id)
            run = self._client.get_run(run_id)
            found.append(
                Version(
                    name=name,
                    version=str(entry.version),
                    run_id=run_id,
                    created=dt.datetime.fromtimestamp(entry.creation_timestamp / 1000, dt.UTC),
                    tags=dict(run.data.tags),
                    metrics=dict(run.data.metrics),
                    champion=champion == str(entry.version),
                    serving=serving == str(entry.version),
                )
            )
        return sorted(found, key=lambda one: int(one.version), reverse=True)

    def names(self) -> list[str]:
        """Return the names of all registered models, ascending."""
        return sorted(model.name for model in self._client.search_registered_models())

    def find(self, name: str, tags: Mapping[str, str]) -> str | None:
        """Return the newest version whose run carries all the tags and whose release is whole."""
        for one in self.versions(name):
            if all(one.tags.get(key) == value for key, value in tags.items()):
                with contextlib.suppress(ReleaseRefused):
                    open_release(self._release(name, one.version))
                    return one.version
        return None

    def serving(self, name: str) -> str | None:
        """Return the version the releases link points to, or None before the first promotion."""
        try:
            return (self._settings.releases / name / CURRENT).readlink().name
        except OSError:
            return None

    def promote(self, name: str, version: str) -> bool:
        """Let a version serve; idempotent, and mends a promotion that was interrupted.

        Returns:
            Whether anything moved.

        Raises:
            UnknownModel: If there is no such version.
            ReleaseRefused: If its release fails a check, the certificate's among them.
        """
        with self._lock(name):
            return self._move(name, version, remember=True)

    def rollback(self, name: str) -> str:
        """Let the version serve that served before.

        Returns:
            The version that serves now.

        Raises:
            ReleaseRefused: If nothing served before.
        """
        with self._lock(name):
            past = self._past(name)
            serving = self.serving(name)
            while past and past[-1] == serving:
                past.pop()
            if not past:
                raise ReleaseRefused(f"{name}/{serving}", "nothing served before it")
            before = past.pop()
            self._write_past(name, past)
            self._move(name, before, remember=False)
            return before

    def repair(self, name: str) -> bool:
        """Bring the alias to where the releases link points; say whether it had to move."""
        with self._lock(name):
            serving = self.serving(name)
            if serving is None or self._champion(name) == serving:
                return False
            self._client.set_registered_model_alias(name, CHAMPION, serving)
            return True

    def _move(self, name: str, version: str, *, remember: bool) -> bool:
        folder = self._release(name, version)
        if not folder.is_dir():
            raise UnknownModel(f"{name}/{version}")
        open_release(folder)
        serving, champion = self.serving(name), self._champion(name)
        if serving != version:
            if remember and serving is not None:
                self._write_past(name, [*self._past(name), serving])
            link = folder.parent / f".{CURRENT}.new"
            link.unlink(missing_ok=True)
            link.symlink_to(version)
            link.replace(folder.parent / CURRENT)
        if champion != version:
            self._client.set_registered_model_alias(name, CHAMPION, version)
        return serving != version or champion != version

    def _champion(self, name: str) -> str | None:
        try:
            return str(self._client.get_model_version_by_alias(name, CHAMPION).version)
        except MlflowException:
            return None

    def _experiment(self, name: str) -> str:
        found = self._client.get_experiment_by_name(name)
        if found is not None:
            return str(found.experiment_id)
        artifacts = (self._settings.home / "mlflow" / "artifacts").resolve().as_uri()
        return str(self._client.create_experiment(name, artifact_location=artifacts))

    def _release(self, name: str, version: str) -> Path:
        return self._settings.releases / name / version

    def _write_release(self, manifest: Mapping[str, Any], files: Mapping[str, bytes]) -> None:
        """Write a release folder whole: in a folder beside it, flushed, then renamed."""
        folder = self._release(manifest["name"], manifest["version"])
        new = folder.with_name(f".{folder.name}.new")
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(parents=True)
        content = {**files, MANIFEST: json.dumps(manifest, indent=1).encode()}
        for file, data in content.items():
            with (new / file).open("wb") as out:
                out.write(data)
                out.flush()
                os.fsync(out.fileno())
        shutil.rmtree(folder, ignore_errors=True)
        new.rename(folder)

    def _past(self, name: str) -> list[str]:
        try:
            past = json.loads((self._settings.releases / name / HISTORY).read_bytes())
        except (FileNotFoundError, ValueError):
            return []
        return [str(version) for version in past]

    def _write_past(self, name: str, past: list[str]) -> None:
        file = self._settings.releases / name / HISTORY
        new = file.with_suffix(".new")
        new.write_text(json.dumps(past), encoding="utf-8")
        new.replace(file)

    @contextlib.contextmanager
    def _lock(self, name: str) -> Iterator[None]:
        """Hold the model's lock: of two promotions at once the second waits for the first."""
        folder = self._settings.releases / name
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
