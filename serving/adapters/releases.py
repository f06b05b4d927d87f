"""Releases: folders of a promoted model, checked before they serve and swapped whole.

    releases/<model>/<version>/model.onnx manifest.json certificate.json
    releases/<model>/current -> <version>

A release is served only when the manifest's digests, the graph's signature and the certificate
hold, and the model made of it accepts its features and the answers of a first run. Whatever fails,
the model that serves goes on and the reason is kept for `descriptions`.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from serving.adapters.onnx import RUN_FAILURES, open_session, signature
from serving.domain.model import Certificate, ModelDescription, RefusedModel
from serving.errors import NoModel, ReleaseRefused
from serving.ports import Described

if TYPE_CHECKING:
    from pathlib import Path

    from serving.adapters.onnx import Session

FORMAT = 1
CURRENT = "current"
GRAPH, CERTIFICATE, MANIFEST = "model.onnx", "certificate.json", "manifest.json"
# What every manifest says; a model may need more of it.
MANIFEST_KEYS = frozenset(
    {
        "format",
        "name",
        "version",
        "graph_sha256",
        "certificate_sha256",
        "signature",
        "feature_set_hash",
        "features",
        "trained_time",
        "data_end",
        "metrics",
    }
)
M = TypeVar("M", bound=Described)
_log = logging.getLogger(__name__)


class Releases(Generic[M]):
    """Follows ``<folder>/<name>/current`` and keeps the last good release open."""

    def __init__(self, folder: Path, name: str, opener: Opener[M]) -> None:
        """Name the releases folder, the model and how it is made; nothing is read yet."""
        self._folder = folder / name
        self._name = name
        self._opener = opener
        self._model: M | None = None
        self._seen: tuple[str, int] | None = None
        self._refused = ""

    def current(self) -> M:
        """Return the model that serves; it stays open as long as the caller holds it.

        Raises:
            NoModel: If no release has been taken up.
        """
        model = self._model
        if model is None:
            raise NoModel(self._name, f"parlevel train {self._name}", refused=self._refused)
        return model

    def descriptions(self) -> list[ModelDescription | RefusedModel]:
        """Return what is served now, with why a newer release was refused.

        Where nothing serves because the first release was refused, its reason alone is returned.
        """
        model = self._model
        if model is None:
            return [RefusedModel(self._name, self._refused)] if self._refused else []
        return [replace(model.description, refused_reason=self._refused)]

    def refresh(self) -> bool:
        """Take up the current release if it is new and sound; say whether the model changed.

        Raises:
            ReleaseRefused: If the release fails a check; the model that serves goes on.
        """
        link = self._folder / CURRENT
        try:
            version = link.readlink().name
            # The link's own time tells a release promoted again from one already looked at.
            seen = (version, link.lstat().st_mtime_ns)
        except OSError:
            return False
        if seen == self._seen:
            return False
        self._seen = seen
        model = self._model
        if model is not None and model.description.version == version and not self._refused:
            return False
        try:
            opened = open_release(self._folder / version, self._opener)
        except ReleaseRefused as refusal:
            self._refused = str(refusal)
            raise
        # One assignment: a request holds the old model or the new one, and the old session is
        # freed with its last request.
        self._model, self._refused = opened, ""
        _log.info("serving %s version %s", self._name, version)
        return True


@dataclass(frozen=True, slots=True)
class Opened:
    """A release that passed every check all models share.

    Attributes:
        release: Its name and version, for messages.
        session: Its graph, open.
        manifest: What its manifest says.
        certificate: What its parity certificate says.
    """

    release: str
    session: Session
    manifest: Mapping[str, Any]
    certificate: Certificate

    def refusal(self, reason: str) -> ReleaseRefused:
        """Return the failure that refuses this release for a reason."""
        return ReleaseRefused(self.release, reason)

    def fact(self, name: str) -> Any:  # noqa: ANN401 - a manifest holds any JSON
        """Return what the manifest says under a name.

        Raises:
            ReleaseRefused: If it says nothing.
        """
        if name not in self.manifest:
            raise self.refusal(f"{MANIFEST} lacks {name}")
        return self.manifest[name]

    def require_features(self, features: tuple[str, ...], set_hash: str) -> None:
        """Refuse a release that reads other features than this server builds.

        Raises:
            ReleaseRefused: If hash, names or their order differ.
        """
        found = self.manifest["feature_set_hash"]
        if found != set_hash:
            raise self.refusal(f"it reads feature set {found}, this server builds {set_hash}")
        if self.manifest["features"] != list(features):
            raise self.refusal("its features are not those of its feature set, in order")

    def description(self, **more: Any) -> ModelDescription:  # noqa: ANN401 - as the class has them
        """Return the description all models share, with what one model adds."""
        said = self.manifest
        return ModelDescription(
            name=said["name"],
            version=said["version"],
            digest=said["graph_sha256"],
            feature_set_hash=said["feature_set_hash"],
            features=tuple(said["features"]),
            trained_time=dt.datetime.fromisoformat(said["trained_time"]),
            data_end=dt.date.fromisoformat(said["data_end"]),
            certificate=self.certificate,
            metrics=tuple(sorted((name, float(v)) for name, v in said["metrics"].items())),
            live_time=dt.datetime.now(dt.UTC),
            **more,
        )


# Makes a model of a release; refuses what its kind cannot serve.
Opener = Callable[[Opened], M]


def open_release(folder: Path, opener: Opener[M]) -> M:
    """Check a release folder, open its graph and make the model of it.

    Args:
        folder: ``releases/<model>/<version>``.
        opener: Makes the model of what passed the checks all models share.

    Raises:
        ReleaseRefused: If a file is missing or a check fails; the message says which.
    """
    release = f"{folder.parent.name}/{folder.name}"
    manifest = _manifest(folder, release)
    graph = _verified(folder, release, GRAPH, manifest["graph_sha256"])
    certificate = _json(
        release,
        CERTIFICATE,
        _verified(folder, release, CERTIFICATE, manifest["certificate_sha256"]),
    )
    if certificate.get("graph_sha256") != manifest["graph_sha256"]:
        raise ReleaseRefused(release, "its certificate was taken on another graph")
    if certificate.get("passed") is not True:
        raise ReleaseRefused(release, "its certificate did not pass")
    try:
        session = open_session(graph)
    except ReleaseRefused as error:
        raise ReleaseRefused(release, error.reason) from error
    if signature(session) != manifest["signature"]:
        raise ReleaseRefused(release, "its graph has another signature than its manifest")
    features = manifest["features"]
    if not isinstance(features, list):
        raise ReleaseRefused(release, "its features are not a list of names")
    if session.get_inputs()[0].shape[-1] != len(features):
        raise ReleaseRefused(release, f"its graph does not read {len(features)} features")
    try:
        return opener(Opened(release, session, manifest, _summary(certificate)))
    except RUN_FAILURES as error:
        raise ReleaseRefused(release, f"a first run failed: {error}") from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ReleaseRefused(release, f"its manifest or certificate says {error!r}") from error


def _summary(certificate: Mapping[str, Any]) -> Certificate:
    return Certificate(
        row_count=int(certificate["row_count"]),
        threshold_row_count=int(certificate["threshold_row_count"]),
        max_relative_difference=float(certificate["max_relative_difference"]),
        passed=True,
    )


def _manifest(folder: Path, release: str) -> dict[str, Any]:
    manifest = _json(release, MANIFEST, _read(folder, release, MANIFEST))
    found = manifest.get("format")
    if found != FORMAT:
        raise ReleaseRefused(
            release, f"its format is {found}, this server reads {FORMAT}: upgrade the older one"
        )
    missing = sorted(MANIFEST_KEYS - manifest.keys())
    if missing:
        raise ReleaseRefused(release, f"{MANIFEST} lacks {', '.join(missing)}")
    if (manifest["name"], manifest["version"]) != (folder.parent.name, folder.name):
        raise ReleaseRefused(release, "its manifest names another model or version")
    return manifest


def _json(release: str, file: str, content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except ValueError as error:
        raise ReleaseRefused(release, f"{file} is no JSON") from error
    if not isinstance(found, dict):
        raise ReleaseRefused(release, f"{file} is no JSON object")
    return found


def _read(folder: Path, release: str, file: str) -> bytes:
    try:
        return (folder / file).read_bytes()
    except FileNotFoundError as error:
        raise ReleaseRefused(release, f"{file} is missing") from error
    except OSError as error:
        raise ReleaseRefused(release, f"{file} cannot be read ({error.strerror})") from error


def _verified(folder: Path, release: str, file: str, digest: str) -> bytes:
    content = _read(folder, release, file)
    if hashlib.sha256(content).hexdigest() != digest:
        raise ReleaseRefused(release, f"{file} is not the file its manifest was written for")
    return content
