"""What a batch run asks of every series."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from serving.domain.features import SeriesRecords

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from serving.ports import DemandModel
    from training.features.records import PeerRecords
    from training.panel import Folder

    Floats = NDArray[np.float32]
    Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Part:
    """Some series of a block, answered together.

    Attributes:
        skus: Product of each series, shape (n,).
        locations: Location of each series, shape (n,).
        series: Index of each series in its block, shape (n,).
        records: Their records at the last known day.
    """

    skus: tuple[str, ...]
    locations: tuple[str, ...]
    series: NDArray[np.intp]
    records: SeriesRecords


@dataclass(frozen=True, slots=True)
class Block:
    """Series that one worker answers: what is known of each at the last known day.

    Attributes:
        skus: Product of each series, shape (n,).
        locations: Location of each series, shape (n,).
        origin: The last known day or period; its unit says which.
        state: Demand states, shape (n, WIDTHS["demand_state"]).
        future: Plan records, shape (n, WIDTHS["known_future"]).
        product: Index of each series' product in the catalogue, shape (n,).
        location: Index of each series' location in the catalogue, shape (n,).
        peers: Records of products and locations.
    """

    skus: tuple[str, ...]
    locations: tuple[str, ...]
    origin: np.datetime64
    state: Floats
    future: Floats
    product: Indices
    location: Indices
    peers: PeerRecords

    def part(self, series: NDArray[np.intp]) -> Part:
        """Return some series with their records."""
        return Part(
            skus=tuple(self.skus[one] for one in series),
            locations=tuple(self.locations[one] for one in series),
            series=series,
            records=SeriesRecords(
                origin=self.origin,
                state=self.state[series],
                product=self.peers.products[self.product[series]],
                location=self.peers.locations[self.location[series]],
                future=self.future[series],
            ),
        )


class Answerer(Protocol):
    """Answers the parts of one block."""

    def __call__(self, part: Part) -> pa.Table:
        """Return the answers of a part, row by row, series by series."""


class Question(Protocol):
    """One question, the same for every series; it is sent to other processes."""

    def options(self) -> Mapping[str, object]:
        """Return everything but data and model that the answer depends on, fit for JSON."""

    def check(self, model: DemandModel) -> None:
        """Refuse what the model was not trained for.

        Raises:
            BeyondTrained: If an option is beyond the model's.
        """

    def gather(self, folder: Folder, data_dir: Path, file: Path) -> None:
        """Read what all blocks need beside their records, once, and leave it in a file for them.

        A file that is there already was written by the same run before it was interrupted.
        """

    def answerer(self, model: DemandModel, block: Block, data_dir: Path, file: Path) -> Answerer:
        """Return what answers the parts of a block; the file is that of `gather`."""
