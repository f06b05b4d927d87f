"""What a batch run asks of every series."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from serving.domain.features import SeriesRecords
    from serving.ports import DemandModel
    from training.panel import Panel


@dataclass(frozen=True, slots=True)
class Part:
    """Some series of a panel, answered and written together.

    Attributes:
        skus: Product of each series, shape (n,).
        locations: Location of each series, shape (n,).
        series: Index of each series in its panel, shape (n,).
        records: Their records at the last known day.
    """

    skus: tuple[str, ...]
    locations: tuple[str, ...]
    series: NDArray[np.intp]
    records: SeriesRecords


class Answerer(Protocol):
    """Answers the parts of one panel; safe to call from several threads."""

    def __call__(self, part: Part) -> pa.Table:
        """Return the rows of a part, series by series."""


class Question(Protocol):
    """One question, the same for every series."""

    def options(self) -> Mapping[str, object]:
        """Return everything but data and model that the answer depends on, fit for JSON."""

    def check(self, model: DemandModel) -> None:
        """Refuse what the model was not trained for.

        Raises:
            BeyondTrained: If an option is beyond the model's.
        """

    def answerer(self, model: DemandModel, panel: Panel, data_dir: Path) -> Answerer:
        """Read what a panel needs beside its records."""
