"""A released anomaly graph as a model: scores, what each feature adds, and what is usual."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import numpy as np

from serving.domain.anomaly import FEATURES, INPUTS, AnomalyKind, feature_rows, feature_set_hash
from serving.errors import BeyondTrained
from serving.ports import UsualRows

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from serving.adapters.onnx import Session
    from serving.adapters.releases import Opened
    from serving.domain.model import ModelDescription

    Floats = NDArray[np.float32]

ROWS, SCORE, CONTRIBUTIONS = "rows", "score", "contributions"


class OnnxAnomalyModel:
    """An anomaly graph with what is usual of each kind; safe to call from several threads."""

    def __init__(
        self,
        session: Session,
        description: ModelDescription,
        usual: Mapping[AnomalyKind, UsualRows],
    ) -> None:
        """Take an open session, what the release says of it, and what is usual of each kind."""
        self._session = session
        self._description = description
        self._usual = usual

    @property
    def description(self) -> ModelDescription:
        """What the registry and the certificate say of it."""
        return self._description

    def score(self, rows: Floats) -> tuple[Floats, Floats]:
        """Return scores (n,) and what each feature adds (n, features) of rows (n, features)."""
        scores, contributions = self._session.run((SCORE, CONTRIBUTIONS), {ROWS: rows})
        return scores[:, 0], contributions

    def usual(self, kind: AnomalyKind) -> UsualRows:
        """Return what is usual of a kind.

        Raises:
            BeyondTrained: If the model was trained without rows of it.
        """
        if kind not in self._usual:
            known = " or ".join(sorted(one.name for one in self._usual))
            raise BeyondTrained("kind", limit=known)
        return self._usual[kind]


def open_anomaly(opened: Opened) -> OnnxAnomalyModel:
    """Make an anomaly model of an opened release.

    Raises:
        ReleaseRefused: If it reads other features than this server builds, lacks what is usual,
            or a first run answers with anything but finite scores.
    """
    opened.require_features(FEATURES, feature_set_hash())
    usual = {
        AnomalyKind[name]: UsualRows(
            scores=decoded(said["scores"]).astype(np.float64),
            lows=np.asarray(said["lows"], dtype=np.float64),
            highs=np.asarray(said["highs"], dtype=np.float64),
        )
        for name, said in opened.fact("usual").items()
    }
    model = OnnxAnomalyModel(opened.session, opened.description(), usual)
    for kind in usual:
        rows = feature_rows(kind, np.ones((8, len(INPUTS[kind]))))
        rows[4:, 1:] = np.nan
        scores, contributions = model.score(rows)
        if not (np.isfinite(scores).all() and np.isfinite(contributions).all()):
            raise opened.refusal("a first run gave values that are not finite")
    return model


def encoded(scores: Floats) -> str:
    """Return scores as text for a manifest, to the last bit."""
    return base64.b64encode(scores.astype("<f4").tobytes()).decode()


def decoded(text: str) -> Floats:
    """Return the scores a manifest holds."""
    return np.frombuffer(base64.b64decode(text), dtype="<f4").astype(np.float32)
