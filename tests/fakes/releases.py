"""Release folders of made-up models, sound or with one thing changed."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from serving.adapters.onnx import open_session, signature
from serving.adapters.releases import CERTIFICATE, CURRENT, FORMAT, GRAPH, MANIFEST
from serving.domain.features import FEATURES, feature_set_hash
from tests.fakes.fits import HORIZON, LEVELS, made_up
from training.certificate import certify

if TYPE_CHECKING:
    from pathlib import Path

DATA_END = dt.date(2026, 6, 30)


@dataclass(frozen=True)
class Sound:
    """A graph with its certificate."""

    graph: bytes
    certificate: dict[str, Any]

    @property
    def facts(self) -> dict[str, Any]:
        """What training says of it."""
        return {
            "quantile_levels": list(LEVELS),
            "cover_quantile_levels": list(LEVELS),
            "max_horizon": HORIZON,
            "max_cover": HORIZON,
            "data_end": DATA_END.isoformat(),
            "metrics": {"wmape/sku_location/all": 0.25},
        }


def sound(seed: int = 0) -> Sound:
    """Make a graph and its certificate."""
    made = made_up(seed)
    graph = made.fit.graph()
    return Sound(graph, certify(graph, made.fit, made.rows))


def write(folder: Path, model: Sound, version: str, **changes: object) -> Path:
    """Write a release below a releases folder; changes replace entries of its manifest."""
    release = folder / "forecast" / version
    release.mkdir(parents=True)
    (release / GRAPH).write_bytes(model.graph)
    certificate = json.dumps(model.certificate).encode()
    (release / CERTIFICATE).write_bytes(certificate)
    manifest = {
        "format": FORMAT,
        "name": "forecast",
        "version": version,
        "graph_sha256": hashlib.sha256(model.graph).hexdigest(),
        "certificate_sha256": hashlib.sha256(certificate).hexdigest(),
        "signature": signature(open_session(model.graph)),
        "feature_set_hash": feature_set_hash(),
        "features": list(FEATURES),
        "trained_time": dt.datetime(2026, 7, 1, tzinfo=dt.UTC).isoformat(),
        **model.facts,
        **changes,
    }
    (release / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    return release


def rewrite(release: Path, file: str, content: bytes) -> None:
    """Replace a file and write its new digest into the manifest, as a forger would."""
    (release / file).write_bytes(content)
    entry = {GRAPH: "graph_sha256", CERTIFICATE: "certificate_sha256"}[file]
    change(release, **{entry: hashlib.sha256(content).hexdigest()})


def change(release: Path, **entries: object) -> None:
    """Replace entries of a manifest; None takes one away."""
    manifest = json.loads((release / MANIFEST).read_bytes())
    manifest |= entries
    kept = {name: value for name, value in manifest.items() if value is not None}
    (release / MANIFEST).write_text(json.dumps(kept), encoding="utf-8")


def point(folder: Path, version: str) -> None:
    """Let the link name a version."""
    link = folder / "forecast" / ".link"
    link.symlink_to(version)
    link.replace(folder / "forecast" / CURRENT)
