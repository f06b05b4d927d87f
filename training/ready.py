"""Answer every stored series ahead of its question, where serving looks it up."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from serving.adapters.features import CURRENT
from serving.adapters.ready import ANSWERS, KEYS, META, NUMBER_BYTES
from serving.domain.demand import DemandTarget
from serving.domain.ready import KEY_BYTES, ReadyKind, key_of, layout, sealed
from serving.domain.routes import cells_of
from serving.flows.demand_answers import tellings, unplanned_days, unpriced_series
from serving.flows.evidence import SERIES_VIEWS, assemble, chunks
from serving.flows.prediction import predict_covers, predict_daily
from training.features.packing import new_generation

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from serving.adapters.packed import PackedGeneration
    from serving.domain.features import SeriesRecords
    from serving.flows.evidence import Evidence
    from serving.ports import DemandModel

    Key = tuple[str, str]

BLOCK = 4096  # series held at once


@dataclass(frozen=True, slots=True)
class ReadyJob:
    """What is answered ahead.

    Attributes:
        model: The release that answers.
        snapshot: The features it answers from.
        horizon: Days of each answer.
        kind: What is answered.
    """

    model: DemandModel
    snapshot: PackedGeneration
    horizon: int
    kind: ReadyKind

    @property
    def meta(self) -> dict[str, object]:
        """What serving compares with what is current before it takes an answer."""
        said = self.model.description
        covers = self.kind is ReadyKind.COVERS
        return {
            "digest": said.digest,
            "features": self.snapshot.generation,
            "horizon": self.horizon,
            "levels": len(said.cover_quantile_levels if covers else said.quantile_levels),
        }

    def answer(self, records: SeriesRecords) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Answer for series of one origin, as the doors do.

        Returns:
            Means, shape (n, horizon), and quantiles, shape (n, horizon, levels).
        """
        if self.kind is ReadyKind.COVERS:
            ahead = np.arange(1, self.horizon + 1)
            covers = np.broadcast_to(ahead, (len(records.state), self.horizon))
            return predict_covers(self.model, records, covers, DemandTarget.DEMAND)
        target = DemandTarget[self.kind.name]
        return predict_daily(self.model, records, self.horizon, target)


def jobs(
    model: DemandModel, snapshot: PackedGeneration, target: DemandTarget, horizon: int
) -> list[ReadyJob]:
    """Return what is published of a target: its days and, of demand, the covers orders rest on."""
    days = ReadyJob(model, snapshot, horizon, ReadyKind.of(target))
    if target is not DemandTarget.DEMAND:
        return [days]
    covers = min(horizon, model.description.max_cover)
    return [days, ReadyJob(model, snapshot, covers, ReadyKind.COVERS)]


def publish(job: ReadyJob, ready: Path, tell: Callable[[int, int], None]) -> int | None:
    """Answer every stored series and make the answers current in one step.

    Args:
        job: What is answered.
        ready: Folder of the kinds.
        tell: Told the series done, and of how many.

    Returns:
        The series answered; None where these very answers are current already.
    """
    folder = ready / job.kind
    if _current(folder) == job.meta:
        return None
    keys = [key for key in job.snapshot.series() if _is_known(job.snapshot, key)]
    name = f"{job.snapshot.generation}-{job.model.description.version}-{job.horizon}"
    with new_generation(folder, name, _Writer) as writer:
        for first in range(0, len(keys), BLOCK):
            block = keys[first : first + BLOCK]
            views = [job.snapshot.records(view, block) for view in SERIES_VIEWS]
            found = [
                assemble(job.snapshot, key, series)
                for key, series in zip(block, zip(*views, strict=True), strict=True)
            ]
            for rows, records in chunks(found, job.model.description.frequency):
                part = [found[row] for row in rows.tolist()]
                names = [key_of(*block[row]) for row in rows.tolist()]
                writer.write(names, _records(job, part, records, names))
            tell(first + len(block), len(keys))
        writer.describe(job.meta)
    return len(keys)


def _is_known(snapshot: PackedGeneration, key: Key) -> bool:
    """Return whether a question about a series would find its product and its location."""
    sku, location = key
    found = (snapshot.record("product", (sku,)), snapshot.record("location", (location,)))
    return all(one is not None for one in found)


def _current(folder: Path) -> object:
    """Return what the current answers were made from; None where there are none."""
    try:
        return json.loads((folder / CURRENT / META).read_bytes())
    except (OSError, ValueError):  # none, or damaged: these take their place
        return None


def _records(
    job: ReadyJob, found: Sequence[Evidence], records: SeriesRecords, names: Sequence[bytes]
) -> list[bytes]:
    """Lay out the answers of series of one origin."""
    mean, quantiles = job.answer(records)
    out = np.zeros(len(found), dtype=layout(job.horizon, quantiles.shape[2]))
    out["values"][:, :, 0], out["values"][:, :, 1:] = mean, quantiles
    out["oldest"] = [one.oldest for one in found]
    out["origin"] = [one.origin for one in found]
    out["telling"] = tellings(records)
    out["route"] = [one.route for one in found]
    out["cell"] = cells_of(records.state)
    out["lone"] = [one.lone for one in found]
    out["unpriced"] = unpriced_series(records)
    out["unplanned"] = unplanned_days(records, job.horizon)
    out["key"] = np.frombuffer(b"".join(names), dtype=np.uint8).reshape(-1, KEY_BYTES)
    return sealed(out)


class _Writer:
    """Fills the files of one generation; the records are put in order at the end."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._unsorted = (folder / "unsorted.bin").open("w+b")
        self._numbers: list[int] = []
        self._width = 0

    def write(self, names: Sequence[bytes], records: Sequence[bytes]) -> None:
        """Add the answers of some series."""
        self._numbers += [int.from_bytes(name[:NUMBER_BYTES], "little") for name in names]
        self._width = len(records[0])
        self._unsorted.write(b"".join(records))

    def describe(self, meta: dict[str, object]) -> None:
        """Put the records in the order of their keys, and say what they were made from."""
        numbers = np.array(self._numbers, dtype="<u8")
        order = np.argsort(numbers, kind="stable")
        self._unsorted.flush()
        with (self._folder / ANSWERS).open("wb") as out:
            if numbers.size:
                there: NDArray[np.uint8] = np.memmap(self._unsorted, dtype=np.uint8, mode="r")
                rows = there.reshape(-1, self._width)
                for first in range(0, order.size, BLOCK):
                    out.write(rows[order[first : first + BLOCK]].tobytes())
        (self._folder / KEYS).write_bytes(numbers[order].tobytes())
        (self._folder / META).write_text(json.dumps(meta), encoding="utf-8")

    def close(self) -> None:
        """Drop what was held in between."""
        self._unsorted.close()
        (self._folder / "unsorted.bin").unlink()
