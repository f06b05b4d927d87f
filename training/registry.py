"""The registry: MLflow runs and versions, and the releases that serving obeys.

A promotion moves two things, the MLflow alias ``champion`` and the link
``releases/<model>/current``. The link is what serves, and moves last and in one step: until then
the old version serves. Whatever was interrupted, promoting again finishes it, and `repair` brings
the alias back to where the link points.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import json
import logging
import os
import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import mlflow
import mlflow.onnx
import onnx
import sqlalchemy
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, OperationalError

from serving.adapters.onnx import open_session, signature
from serving.adapters.openers import open_any
from serving.adapters.releases import CERTIFICATE, FORMAT, GRAPH, MANIFEST
from serving.errors import Busy, InvalidField, ReleaseRefused, UnknownModel
from training.operations import open_home
from training.shelf import Shelf

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from mlflow import MlflowClient

    from serving.settings import Settings

CHAMPION = "champion"
HEADLINE = "headline"  # tag that names the metric a list of versions shows
WITHHELD = "withheld"  # manifest entry: why a version must not serve
# What MLflow says where a model or an alias is not there.
ABSENT = {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}
SQLITE = "sqlite:///"
POSTGRES = "postgres"
URI = "PARLEVEL_REGISTRY_URI"
_MOST_METRICS = 1_000  # MLflow takes in one call
LOCK_SECONDS = 5.0  # another process is given to let go of the registry


@dataclass(frozen=True, slots=True)
class Candidate:
    """What training hands over for registration.

    Attributes:
        name: Registered name.
        graph: The serialised ONNX graph.
        certificate: Its parity certificate.
        features: Names of the columns it reads, in order.
        feature_set_hash: Hash of the feature set they belong to.
        facts: Manifest entries beside those the registry knows itself: data_end, the metrics to
            show, and what serving needs to know of this kind of model. ``withheld`` says why it
            must not serve.
        headline: The metric a list of versions shows.
        parameters: What it was trained with.
        metrics: Hold-out metrics by name.
        tags: Content hashes that identify it: data, recipe, code.
        artifacts: Further files by name: plots, model card.
    """

    name: str
    graph: bytes
    certificate: Mapping[str, Any]
    features: tuple[str, ...]
    feature_set_hash: str
    facts: Mapping[str, Any]
    headline: str
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
        run_id: MLflow run that made it; empty where the registry was lost and only its release
            is left.
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
        """Open the tracking store of the settings, making it where it is new.

        Raises:
            NewerHome: If a newer version wrote the home.
            InvalidField: If the store is of a kind that cannot be opened here.
            Busy: If its server cannot be reached.
        """
        open_home(settings.home)
        _check_reachable(settings.tracking_uri)
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
            ReleaseRefused: If onnxruntime cannot open the graph, or its release cannot be written.
            Busy: If another process holds the registry.
        """
        session = open_session(candidate.graph)
        self._check_free()
        self._take_up(candidate.name)
        manifest_file = self._settings.home / "mlflow" / f".{candidate.name}.manifest.json"
        with mlflow.start_run(experiment_id=self._experiment(candidate.name)) as run:
            mlflow.log_params(dict(candidate.parameters))
            mlflow.log_metrics(dict(candidate.metrics))
            mlflow.set_tags({**candidate.tags, HEADLINE: candidate.headline})
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
                "feature_set_hash": candidate.feature_set_hash,
                "features": list(candidate.features),
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
        files = {
            GRAPH: candidate.graph,
            CERTIFICATE: certificate,
            MANIFEST: json.dumps(manifest, indent=1).encode(),
        }
        self._shelf(candidate.name).write(version, files)
        return version

    def record(
        self,
        experiment: str,
        parameters: Mapping[str, Any],
        steps: Sequence[Mapping[str, float]],
    ) -> None:
        """Log a run that has figures and no model.

        Args:
            experiment: Name of the experiment; made where it is new.
            parameters: What was asked.
            steps: Figures by name, one set a step.
        """
        with mlflow.start_run(experiment_id=self._experiment(experiment)):
            mlflow.log_params(dict(parameters))
            for step, figures in enumerate(steps):
                named = list(figures.items())
                for start in range(0, len(named), _MOST_METRICS):
                    part = named[start : start + _MOST_METRICS]
                    mlflow.log_metrics(dict(part), step=step)

    def versions(self, name: str) -> list[Version]:
        """Return the versions of a model, newest first; none where the name is new."""
        serving = self.serving(name)
        champion = self._champion(name)
        found = []
        for entry in self._client.search_model_versions(f"name='{name}'"):
            run = self._client.get_run(entry.run_id) if entry.run_id else None
            found.append(
                Version(
                    name=name,
                    version=str(entry.version),
                    run_id=str(entry.run_id or ""),
                    created=dt.datetime.fromtimestamp(entry.creation_timestamp / 1000, dt.UTC),
                    tags=dict(run.data.tags) if run else {},
                    metrics=dict(run.data.metrics) if run else {},
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
                    open_any(self._shelf(name).release(one.version))
                    return one.version
        return None

    def serving(self, name: str) -> str | None:
        """Return the version the releases link points to, or None before the first promotion."""
        return self._shelf(name).serving()

    def promote(self, name: str, version: str) -> bool:
        """Let a version serve; idempotent, and mends a promotion that was interrupted.

        Returns:
            Whether anything moved.

        Raises:
            UnknownModel: If there is no such version.
            ReleaseRefused: If its release fails a check, the certificate's among them.
            Busy: If another process holds the registry; nothing moved.
        """
        shelf = self._shelf(name)
        with shelf.locked():
            serving = shelf.serving()
            self._check(shelf, version)
            if serving not in (None, version):
                shelf.remember([*shelf.past(), str(serving)])
            return self._move(name, version)

    def rollback(self, name: str) -> str:
        """Let the version serve that served before.

        Returns:
            The version that serves now.

        Raises:
            ReleaseRefused: If nothing served before, or its release fails a check.
            Busy: If another process holds the registry; nothing moved.
        """
        shelf = self._shelf(name)
        with shelf.locked():
            past, serving = shelf.past(), shelf.serving()
            while past and past[-1] == serving:  # of a move that was interrupted
                past.pop()
            if not past:
                raise ReleaseRefused(f"{name}/{serving}", "nothing served before it")
            self._check(shelf, past[-1])
            self._move(name, past[-1])
            shelf.remember(past[:-1])
            return past[-1]

    def repair(self, name: str) -> bool:
        """Bring the alias to where the releases link points; say whether it had to move.

        Raises:
            Busy: If another process holds the registry.
        """
        with self._shelf(name).locked():
            serving = self.serving(name)
            if serving is None or self._champion(name) == serving:
                return False
            self._take_up(name)
            self._client.set_registered_model_alias(name, CHAMPION, serving)
            return True

    def _check(self, shelf: Shelf, version: str) -> None:
        """Refuse to serve what is not there, is not sound, or cannot be registered now."""
        folder = shelf.release(version)
        if not folder.is_dir():
            raise UnknownModel(f"{folder.parent.name}/{version}")
        open_any(folder)
        reason = json.loads((folder / MANIFEST).read_bytes()).get(WITHHELD)
        if reason:
            raise ReleaseRefused(f"{folder.parent.name}/{version}", str(reason))
        self._check_free()

    def _move(self, name: str, version: str) -> bool:
        shelf = self._shelf(name)
        serving, champion = shelf.serving(), self._champion(name)
        if champion != version:
            self._take_up(name)
            self._client.set_registered_model_alias(name, CHAMPION, version)
        if serving != version:
            try:
                shelf.point(version)
            except ReleaseRefused:
                if champion is not None:
                    self._client.set_registered_model_alias(name, CHAMPION, champion)
                raise
        return serving != version or champion != version

    def _take_up(self, name: str) -> None:
        """Enter releases the registry does not know: it was lost, or restored from before them.

        A version that is registered later is thereby numbered after them, and replaces none.
        """
        on_shelf = self._shelf(name).versions()
        known = self._client.search_model_versions(f"name='{name}'")
        last = max((int(entry.version) for entry in known), default=0)
        if on_shelf and on_shelf[-1] > last and not last:
            with contextlib.suppress(MlflowException):  # the name may stand without a version
                self._client.create_registered_model(name)
        for version in range(last + 1, on_shelf[-1] + 1 if on_shelf else 0):
            source = self._shelf(name).release(str(version)).resolve().as_uri()
            self._client.create_model_version(name, source)

    def _check_free(self) -> None:
        """Refuse to begin while another process writes to the registry.

        Raises:
            Busy: If it still does after LOCK_SECONDS.
        """
        uri = self._settings.tracking_uri
        if not uri.startswith(SQLITE):
            return
        with contextlib.closing(sqlite3.connect(uri[len(SQLITE) :], LOCK_SECONDS)) as database:
            try:
                database.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                message = f"the registry cannot be written ({error}): try again later"
                raise Busy(message, retry_after_seconds=10.0) from error

    def _champion(self, name: str) -> str | None:
        try:
            return str(self._client.get_model_version_by_alias(name, CHAMPION).version)
        except MlflowException as error:
            if error.error_code in ABSENT:
                return None
            raise

    def _experiment(self, name: str) -> str:
        found = self._client.get_experiment_by_name(name)
        if found is not None:
            return str(found.experiment_id)
        artifacts = (self._settings.home / "mlflow" / "artifacts").resolve().as_uri()
        return str(self._client.create_experiment(name, artifact_location=artifacts))

    def _shelf(self, name: str) -> Shelf:
        return Shelf(self._settings.releases / name)


def _check_reachable(uri: str) -> None:
    """Ask a PostgreSQL server for one connection: MLflow would go on asking for minutes.

    Raises:
        InvalidField: If the address cannot be read, or the driver is not installed.
        Busy: If the server does not answer within LOCK_SECONDS.
    """
    if not uri.startswith(POSTGRES):
        return
    try:
        shown = sqlalchemy.make_url(uri).render_as_string(hide_password=True)
        wait = {"connect_timeout": round(LOCK_SECONDS)}
        engine = sqlalchemy.create_engine(uri, connect_args=wait, poolclass=sqlalchemy.NullPool)
    except (ArgumentError, NoSuchModuleError, ValueError) as error:
        raise InvalidField(URI, "must read as postgresql://USER@HOST:PORT/DATABASE") from error
    except ModuleNotFoundError as error:
        needed = f"needs {error.name}: install parlevel-platform[postgres]"
        raise InvalidField(URI, needed) from error
    try:
        engine.connect().close()
    except OperationalError as error:
        reason = str(error.orig).strip().splitlines()[0]
        message = f"the registry {shown} cannot be reached ({reason}): start it, or change {URI}"
        raise Busy(message, retry_after_seconds=10.0) from error
