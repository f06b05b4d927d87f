"""Releases: folders of a promoted model, checked before they serve and swapped whole.

    releases/<model>/<version>/model.onnx manifest.json certificate.json
    releases/<model>/current -> <version>

A release is served only when the manifest's digests, the graph's signature, the certificate and
the feature set all hold, and a first run answers with finite, ordered quantiles. Whatever fails,
the model that serves goes on and the reason is kept for `descriptions`.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from serving.adapters.onnx import OnnxDemandModel, open_session, signature
from serving.domain.features import COLUMN, FEATURES, feature_set_hash
from serving.domain.model import Certificate, ModelDescription
from serving.errors import NoModel, ReleaseRefused

if TYPE_CHECKING:
    from pathlib import Path

FORMAT = 1
CURRENT = "current"
GRAPH, CERTIFICATE, MANIFEST = "model.onnx", "certificate.json", "manifest.json"
_log = logging.getLogger(__name__)


class Releases:
    """Follows ``<folder>/<name>/current`` and keeps the last good release open."""

    def __init__(self, folder: Path, name: str) -> None:
        """Name the releases folder and the model; nothing is read yet."""
        self._folder = folder / name
        self._name = name
        self._model: OnnxDemandModel | None = None
        self._seen: tuple[str, int] | None = None
        self._refused = ""

    def current(self) -> OnnxDemandModel:
        """Return the model that serves; it stays open as long as the caller holds it.

        Raises:
            NoModel: If no release has been taken up.
        """
        model = self._model
        if model is None:
            raise NoModel(self._name, f"parlevel train {self._name}")
        return model

    def descriptions(self) -> list[ModelDescription]:
        """Return what is served now, with why a newer release was refused."""
        model = self._model
        if model is None:
            return []
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
            opened = open_release(self._folder / version)
        except ReleaseRefused as refusal:
            self._refused = str(refusal)
            raise
        # One assignment: a request holds the old model or the new one, and the old session is
        # freed with its last request.
        self._model, self._refused = opened, ""
        _log.info("serving %s version %s", self._name, version)
        return True


def open_release(folder: Path) -> OnnxDemandModel:
    """Check a release folder and open its graph.

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
    if manifest["feature_set_hash"] != feature_set_hash():
        raise ReleaseRefused(
            release,
            f"it reads feature set {manifest['feature_set_hash']}, "
            f"this server builds {feature_set_hash()}",
        )
    if manifest["features"] != list(FEATURES):
        raise ReleaseRefused(release, "its features are not those of its feature set, in order")
    try:
        session = open_session(graph)
    except ReleaseRefused as error:
        raise ReleaseRefused(release, error.reason) from error
    if signature(session) != manifest["signature"]:
        raise ReleaseRefused(release, "its graph has another signature than its manifest")
    if session.get_inputs()[0].shape[-1] != len(FEATURES):
        raise ReleaseRefused(release, f"its graph does not read {len(FEATURES)} features")
    try:
        description = _describe(manifest, certificate)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ReleaseRefused(release, f"its manifest or certificate says {error!r}") from error
    model = OnnxDemandModel(session, description)
    _warm(release, model)
    return model


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
        "quantile_levels",
        "cover_quantile_levels",
        "max_horizon",
        "max_cover",
        "trained_time",
        "data_end",
        "metrics",
    }
)


def _describe(manifest: dict[str, Any], certificate: dict[str, Any]) -> ModelDescription:
    return ModelDescription(
        name=manifest["name"],
        version=manifest["version"],
        digest=manifest["graph_sha256"],
        feature_set_hash=manifest["feature_set_hash"],
        features=tuple(manifest["features"]),
        quantile_levels=tuple(manifest["quantile_levels"]),
        cover_quantile_levels=tuple(manifest["cover_quantile_levels"]),
        max_horizon=int(manifest["max_horizon"]),
        max_cover=int(manifest["max_cover"]),
        trained_time=dt.datetime.fromisoformat(manifest["trained_time"]),
        data_end=dt.date.fromisoformat(manifest["data_end"]),
        certificate=Certificate(
            row_count=int(certificate["row_count"]),
            threshold_row_count=int(certificate["threshold_row_count"]),
            max_relative_difference=float(certificate["max_relative_difference"]),
            passed=True,
        ),
        metrics=tuple(sorted((name, float(v)) for name, v in manifest["metrics"].items())),
        live_time=dt.datetime.now(dt.UTC),
    )


def _warm(release: str, model: OnnxDemandModel) -> None:
    """Run both heads once, so that the first request pays nothing, and look at the answers."""
    rows = np.ones((8, len(FEATURES)), dtype=np.float32)
    rows[4:] = np.nan
    rows[:, COLUMN["scale"]] = 1.0
    rows[:, COLUMN["horizon"]] = 1.0
    said = model.description
    for head, levels in (
        (model.daily, said.quantile_levels),
        (model.cover, said.cover_quantile_levels),
    ):
        mean, quantiles = head(rows)
        if quantiles.shape[1] != len(levels):
            raise ReleaseRefused(release, "its graph has other quantiles than its manifest")
        if not (np.isfinite(mean).all() and np.isfinite(quantiles).all()):
            raise ReleaseRefused(release, "a first run gave values that are not finite")
        if (np.diff(quantiles, axis=1) < 0).any() or (quantiles < 0).any():
            raise ReleaseRefused(release, "a first run gave crossing or negative quantiles")
