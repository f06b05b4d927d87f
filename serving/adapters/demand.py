"""A released demand graph as a model: a daily head and a cover head."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from serving.domain import attribution, totals
from serving.domain.attribution import KEY as BOXES
from serving.domain.features import COLUMN, FEATURES, feature_set_hash
from serving.domain.periods import Frequency
from serving.domain.route_text import KEY as ROUTES
from serving.domain.route_text import decode

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from serving.adapters.onnx import Session
    from serving.adapters.releases import Opened
    from serving.domain.model import ModelDescription
    from serving.domain.routes import Routes

    Floats = NDArray[np.float32]

ROWS, COVER, UNITS = "rows", "cover", "units"
_HEADS = {False: np.array(False), True: np.array(True)}  # noqa: FBT003 - tensors, not flags


class OnnxDemandModel:
    """A demand graph with a daily and a cover head; safe to call from several threads."""

    def __init__(self, session: Session, description: ModelDescription) -> None:
        """Take an open session and what the release says of it."""
        self._session = session
        self._description = description
        said = session.get_modelmeta().custom_metadata_map
        self._routes = decode(said[ROUTES]) if ROUTES in said else None
        self._boxes = attribution.decode(said[BOXES]) if BOXES in said else None
        self._totals = totals.decode(said[totals.KEY]) if totals.KEY in said else None

    @property
    def description(self) -> ModelDescription:
        """What the registry and the certificate say of it."""
        return self._description

    @property
    def routes(self) -> Routes | None:
        """Who answers for which series; None where the graph answers for all."""
        return self._routes

    @property
    def boxes(self) -> attribution.Boxes | None:
        """The leaves behind its mean, for attribution; None where the release carries none."""
        return self._boxes

    @property
    def totals(self) -> totals.TotalShapes | None:
        """How totals over series spread; None where the release does not say."""
        return self._totals

    def daily(self, rows: Floats) -> tuple[Floats, Floats]:
        """Return mean (n,) and trained quantiles (n, levels) of daily rows (n, features)."""
        units = run_head(self._session, rows, cover=False)
        return units[:, 0], units[:, 1:]

    def cover(self, rows: Floats) -> tuple[Floats, Floats]:
        """Return mean (n,) and trained quantiles (n, levels) of cover rows (n, features)."""
        units = run_head(self._session, rows, cover=True)
        return units[:, 0], units[:, 1:]


def run_head(session: Session, rows: Floats, *, cover: bool) -> Floats:
    """Run one head of a demand graph: mean and quantiles, shape (n, 1 + levels)."""
    units: Floats = session.run((UNITS,), {ROWS: rows, COVER: _HEADS[cover]})[0]
    return units


def open_demand(opened: Opened) -> OnnxDemandModel:
    """Make a demand model of an opened release.

    Raises:
        ReleaseRefused: If it reads other features than this server builds, lacks a fact, or a
            first run answers with anything but finite, ordered quantiles.
    """
    opened.require_features(FEATURES, feature_set_hash())
    description = opened.description(
        quantile_levels=tuple(opened.fact("quantile_levels")),
        cover_quantile_levels=tuple(opened.fact("cover_quantile_levels")),
        max_horizon=int(opened.fact("max_horizon")),
        max_cover=int(opened.fact("max_cover")),
        frequency=Frequency[str(opened.manifest.get("frequency", "day")).upper()],
    )
    model = OnnxDemandModel(opened.session, description)
    _warm(opened, model)
    return model


def _warm(opened: Opened, model: OnnxDemandModel) -> None:
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
            raise opened.refusal("its graph has other quantiles than its manifest")
        if not (np.isfinite(mean).all() and np.isfinite(quantiles).all()):
            raise opened.refusal("a first run gave values that are not finite")
        if (np.diff(quantiles, axis=1) < 0).any() or (quantiles < 0).any():
            raise opened.refusal("a first run gave crossing or negative quantiles")
