"""A released cost graph as a model: price estimate and price quantiles of quotes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from serving.domain.part_features import PartEncoding

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from serving.adapters.onnx import Session
    from serving.adapters.releases import Opened
    from serving.domain.model import ModelDescription

COST = "cost"  # name it is registered under
ROWS, PRICES = "rows", "prices"


class OnnxCostModel:
    """A cost graph and the encoding of what it reads; safe to call from several threads."""

    def __init__(
        self,
        session: Session,
        description: ModelDescription,
        encoding: PartEncoding,
        currency_code: str,
    ) -> None:
        """Take an open session and what the release says of it."""
        self._session = session
        self._description = description
        self._encoding = encoding
        self._currency_code = currency_code

    @property
    def description(self) -> ModelDescription:
        """What the registry and the certificate say of it."""
        return self._description

    @property
    def encoding(self) -> PartEncoding:
        """Which attributes it reads, and in which column."""
        return self._encoding

    @property
    def levels(self) -> tuple[float, ...]:
        """Probability levels of the price quantiles, ascending."""
        return self._description.quantile_levels

    @property
    def currency_code(self) -> str:
        """Currency of its prices; empty where the data named none."""
        return self._currency_code

    def prices(self, rows: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return estimate (n,) and price quantiles (n, levels) of rows (n, features)."""
        prices = self._session.run((PRICES,), {ROWS: rows})[0].astype(np.float64)
        return prices[:, 0], prices[:, 1:]


def open_cost(opened: Opened) -> OnnxCostModel:
    """Make a cost model of an opened release.

    Raises:
        ReleaseRefused: If its features are not those of its encoding, it lacks a fact, or a first
            run answers with anything but finite, ordered prices above 0.
    """
    encoding = PartEncoding.from_json(opened.fact("part_encoding"))
    opened.require_features(encoding.features, encoding.digest)
    levels = tuple(float(level) for level in opened.fact("quantile_levels"))
    description = opened.description(quantile_levels=levels)
    model = OnnxCostModel(opened.session, description, encoding, opened.fact("currency_code"))
    rows = np.ones((8, len(encoding.features)), dtype=np.float32)
    rows[4:, 2:] = np.nan
    estimate, quantiles = model.prices(rows)
    if quantiles.shape[1] != len(levels):
        raise opened.refusal("its graph has other quantiles than its manifest")
    if not (np.isfinite(quantiles).all() and (estimate > 0).all()):
        raise opened.refusal("a first run gave prices that are not finite and above 0")
    if (np.diff(quantiles, axis=1) < 0).any():
        raise opened.refusal("a first run gave crossing quantiles")
    return model
