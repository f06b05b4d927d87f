"""An uplift model whose effects are read off its rows."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from serving.domain.covariates import CategoricalSource, Encoding, NumericSource
from serving.domain.uplift import UpliftInterval
from serving.flows.stored_units import LAST_DAY, UNIT, UNITS, StoredUnits
from tests.fakes.cost import DAY, FakeClock

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from serving.domain.model import ModelDescription

ENCODING = Encoding(
    (NumericSource("age", 0.0, 100.0, 40.0, may_miss=False), NumericSource("spend", 0, 9, 4, True)),  # noqa: FBT003 - as it stands in a manifest
    (CategoricalSource("channel", ("Phone", "Web")),),
)
RECORDS: dict[tuple[str, str], dict[str, Any]] = {
    (UNITS, ""): {LAST_DAY: DAY.isoformat()},
    (UNIT, "k1"): {"age": 35.0, "spend": 1 / 3, "channel": "Web", "elsewhere": 7.0},
    (UNIT, "k2"): {"age": 61.0, "channel": "Phone"},
    (UNIT, "ageless"): {"spend": 1.0, "channel": "Web"},
    (UNIT, "numbered"): {"age": 61.0, "channel": 3.0},
}


class FakeRecords:
    """What the tables hold of some units."""

    generation = "1"

    def __init__(self, records: dict[tuple[str, str], dict[str, Any]]) -> None:
        self._records = records

    def document(self, kind: str, key: str) -> dict[str, Any] | None:
        return self._records.get((kind, key))


def stored_units(*, empty: bool = False) -> StoredUnits:
    """Return what looks units up in the records above, or in none."""
    return StoredUnits(FakeRecords({} if empty else RECORDS), FakeClock())


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
