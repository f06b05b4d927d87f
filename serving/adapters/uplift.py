"""A released uplift graph as a model, and what is said where lack of signal withholds one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from serving.adapters.releases import MANIFEST, Releases
from serving.domain.covariates import Encoding
from serving.domain.uplift import UpliftInterval
from serving.errors import NoModel, NoSignal

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from serving.adapters.onnx import Session
    from serving.adapters.releases import Opened
    from serving.domain.model import ModelDescription

    Floats = NDArray[np.float64]
    Rows = NDArray[np.float32]

NAME = "uplift"
ROWS, EFFECTS = "rows", "effects"
OUTPUTS = 4  # effect, lower, upper, propensity
NO_SIGNAL = "no_signal"  # manifest entry: the figure that includes chance


class OnnxUpliftModel:
    """An uplift graph and how covariates become its rows; safe to call from several threads."""

    def __init__(self, session: Session, description: ModelDescription, opened: Opened) -> None:
        """Take an open session and what the release says of it."""
        self._session = session
        self._description = description
        self._encoding = Encoding.from_json(opened.fact("encoding"))
        self._lower_is_better = bool(opened.fact("lower_is_better"))
        self._interval = UpliftInterval(opened.fact("interval"))

    @property
    def description(self) -> ModelDescription:
        """What the registry and the certificate say of it."""
        return self._description

    @property
    def encoding(self) -> Encoding:
        """How covariates become its rows."""
        return self._encoding

    @property
    def lower_is_better(self) -> bool:
        """Whether the action is to lower the outcome."""
        return self._lower_is_better

    @property
    def interval(self) -> UpliftInterval:
        """What its intervals cover."""
        return self._interval

    def effects(self, rows: Rows) -> Floats:
        """Return effect, lower, upper and propensity of rows (n, features), shape (n, 4).

        Effects are in the good direction of the outcome.
        """
        return run_effects(self._session, rows).astype(np.float64)


def run_effects(session: Session, rows: Rows) -> Rows:
    """Run an uplift graph: effect, lower, upper and propensity, shape (n, 4)."""
    found: Rows = session.run((EFFECTS,), {ROWS: rows})[0]
    return found


def open_uplift(opened: Opened) -> OnnxUpliftModel:
    """Make an uplift model of an opened release.

    Raises:
        ReleaseRefused: If its encoding is not that of its features, or a first run answers with
            anything but finite effects within their intervals' reach and propensities that are
            probabilities.
    """
    encoding = Encoding.from_json(opened.fact("encoding"))
    opened.require_features(encoding.features, encoding.digest)
    model = OnnxUpliftModel(opened.session, opened.description(), opened)
    found = model.effects(np.zeros((8, len(encoding.features)), dtype=np.float32))
    if found.shape != (8, OUTPUTS) or not np.isfinite(found).all():
        raise opened.refusal("a first run gave values that are not finite, or too few of them")
    if (found[:, 1] > found[:, 2]).any() or (np.abs(found[:, 3] - 0.5) > 0.5).any():  # noqa: PLR2004 - 0 to 1
        raise opened.refusal("a first run gave crossing intervals or no probabilities")
    return model


class UpliftReleases(Releases[OnnxUpliftModel]):
    """Follows the promoted uplift model; where there is none, says whether it was for no signal."""

    def __init__(self, folder: Path) -> None:
        """Name the releases folder; nothing is read yet."""
        super().__init__(folder, NAME, open_uplift)
        self._shelf = folder / NAME

    def current(self) -> OnnxUpliftModel:
        """Return the model that serves; it stays open as long as the caller holds it.

        Raises:
            NoModel: If no release has been taken up.
            NoSignal: If that is because the last training found no signal.
        """
        try:
            return super().current()
        except NoModel as failure:
            versions = [path for path in self._shelf.glob("[0-9]*") if path.is_dir()]
            if not versions:
                raise
            last = max(versions, key=lambda path: int(path.name))
            figure = json.loads((last / MANIFEST).read_bytes()).get(NO_SIGNAL)
            if figure is None:
                raise
            raise NoSignal(NAME, version=last.name, figure=figure) from failure
