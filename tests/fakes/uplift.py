"""An uplift model whose effects are read off its rows."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from serving.domain.covariates import CategoricalSource, Encoding, NumericSource
from serving.domain.uplift import UpliftInterval

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from serving.domain.model import ModelDescription

ENCODING = Encoding(
    (NumericSource("age", 0.0, 100.0, 40.0, may_miss=False), NumericSource("spend", 0, 9, 4, True)),  # noqa: FBT003 - as it stands in a manifest
    (CategoricalSource("channel", ("Phone", "Web")),),
)


class FakeUpliftModel:
    """Predicts a tenth of the age, one up and down, and a propensity of a hundredth of it."""

    def __init__(self, description: ModelDescription, *, lower_is_better: bool = False) -> None:
        self.description = dataclasses.replace(
            description,
            name="uplift",
            features=ENCODING.features,
            feature_set_hash=ENCODING.digest,
        )
        self.encoding = ENCODING
        self.lower_is_better = lower_is_better
        self.interval = UpliftInterval.SCORE

    def effects(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        age = rows[:, 0].astype(np.float64)
        effect = age / 10 - 3.0
        return np.column_stack([effect, effect - 1 / 3, effect + 1 / 3, np.clip(age / 100, 0, 1)])


class FakeUpliftModels:
    """Serves one uplift model, or fails as told."""

    def __init__(self, model: FakeUpliftModel) -> None:
        self.model = model
        self.failure: Exception | None = None

    def current(self) -> FakeUpliftModel:
        if self.failure is not None:
            raise self.failure
        return self.model

    def descriptions(self) -> list[ModelDescription]:
        return [self.model.description]
