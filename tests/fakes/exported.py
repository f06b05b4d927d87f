"""Models that are exported from made-up rows, for the checks every model passes."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import numpy as np

from serving.domain.anomaly import FEATURES, AnomalyKind, columns_of
from serving.domain.model import Certificate, ModelDescription
from serving.domain.part_features import QUOTE_FEATURES
from training.cost.model import CostRecipe, train

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from training.cost.graph import CostFit

    Rows = NDArray[np.float32]

SMALL = CostRecipe(folds=2, trees=15, spread_trees=10, learning_rate=0.2)
ATTRIBUTES = 3  # of a part, beside what every quote has


def usual_rows(kind: AnomalyKind, rng: np.random.Generator, count: int = 2_000) -> Rows:
    """Draw rows of a kind in the columns the anomaly model reads; every fiftieth value is NaN."""
    rows = np.full((count, len(FEATURES)), np.nan, dtype=np.float32)
    own = rng.normal(size=rows[:, columns_of(kind)].shape)
    own[rng.random(own.shape) < 0.02] = np.nan
    rows[:, 0], rows[:, columns_of(kind)] = int(kind), own
    return rows


def made_up_quotes() -> tuple[CostFit, Rows]:
    """Fit a cost model on quotes of 150 parts; return it with their rows."""
    rng = np.random.default_rng(4)
    parts = np.repeat(np.arange(150), 3)
    rows = rng.normal(size=(parts.size, len(QUOTE_FEATURES) + ATTRIBUTES))
    quantity = np.tile([1.0, 10.0, 100.0], 150)
    for place, name in enumerate(QUOTE_FEATURES):
        if "quantity" in name:
            rows[:, place] = quantity
    prices = 20.0 / quantity + np.exp(rows[:, -1] + rng.normal(0.0, 0.05, parts.size))
    fit, _ = train(rows.astype(np.float32), prices, parts, SMALL, lambda _: None)
    return fit, rows.astype(np.float32)


def described(
    name: str, certificate: Mapping[str, Any], features: tuple[str, ...]
) -> ModelDescription:
    """Describe a model as its release would."""
    said = ("row_count", "threshold_row_count", "max_relative_difference", "passed")
    return ModelDescription(
        name=name,
        version="1",
        digest="0" * 64,
        feature_set_hash="0" * 16,
        features=features,
        trained_time=dt.datetime(2026, 6, 30, tzinfo=dt.UTC),
        data_end=dt.date(2026, 6, 30),
        certificate=Certificate(**{key: certificate[key] for key in said}),
        metrics=(),
    )
