"""Ready forecasts: records of one length in a file, found by a sorted index of their keys.

<folder>/<kind>/current -> <generation>       replaced in one step when a run ends
<folder>/<kind>/<generation>/answers.bin      the records; see serving.domain.ready
<folder>/<kind>/<generation>/keys.bin         first 8 bytes of each key, ascending, uint64
<folder>/<kind>/<generation>/meta.json        what they were made from
"""

from __future__ import annotations

import json
import os
import weakref
from bisect import bisect_left
from typing import TYPE_CHECKING

import numpy as np

from serving.adapters.features import CURRENT
from serving.domain.ready import ReadyKind, intact, key_of, keys_of, layout, opened
from serving.errors import ReleaseRefused

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from serving.domain.ready import ReadyForecast

ANSWERS, KEYS, META = "answers.bin", "keys.bin", "meta.json"
NUMBER_BYTES = 8


class ReadyForecasts:
    """Reads the current generation of each kind; where nothing is published, nothing."""

    def __init__(self, folder: Path) -> None:
        """Name the folder; nothing is read yet.

        Args:
            folder: Folder of the kinds.
        """
        self._folder = folder
        self._runs: dict[ReadyKind, ReadyRun] = {}

    def run(self, kind: ReadyKind) -> ReadyRun | None:
        """Return the forecasts of a kind last looked up, or None."""
        return self._runs.get(kind)

    def refresh(self) -> None:
        """Look up the current generations; who holds an older one may go on reading it.

        Raises:
            ReleaseRefused: If a generation cannot be read; the one before stays in use.
        """
        for kind in ReadyKind:
            place = self._folder / kind
            try:
                generation = (place / CURRENT).readlink().name
            except FileNotFoundError:
                continue
            held = self._runs.get(kind)
            if held is None or held.generation != generation:
                self._runs[kind] = ReadyRun(place / generation)


class ReadyRun:
    """The forecasts of one run; its files never change, and stay readable after their removal.

    Attributes:
        generation: Its name.
        digest: Digest of the release that answered.
        features: Generation of the features the answers were made from.
        horizon: Days of each answer.
    """

    def __init__(self, folder: Path) -> None:
        """Open the generation.

        Args:
            folder: Folder of the generation.

        Raises:
            ReleaseRefused: If a file is missing, damaged, or not as long as it should be.
        """
        self.generation = folder.name
        try:
            meta = json.loads((folder / META).read_bytes())
            self.digest, self.features = str(meta["digest"]), str(meta["features"])
            self.horizon, levels = int(meta["horizon"]), int(meta["levels"])
            self._numbers = memoryview((folder / KEYS).read_bytes()).cast("Q")
            self._sorted = np.frombuffer(self._numbers, dtype="<u8")
            # Read place by place: a mapped file would count as memory of the process.
            self._file = os.open(folder / ANSWERS, os.O_RDONLY)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise self._refused(str(error)) from error
        weakref.finalize(self, os.close, self._file)  # once nobody reads it any more
        self._shape, self._layout = (self.horizon, levels), layout(self.horizon, levels)
        self._width = self._layout.itemsize
        if os.fstat(self._file).st_size != len(self._numbers) * self._width:
            raise self._refused("its files are not of one length")

    def answer(self, sku: str, location: str) -> ReadyForecast | None:
        """Return the forecast of a series; None where there is none, or it is damaged."""
        key = key_of(sku, location)
        number = int.from_bytes(key[:NUMBER_BYTES], "little")
        place = bisect_left(self._numbers, number)
        if place == len(self._numbers) or self._numbers[place] != number:
            return None
        record = os.pread(self._file, self._width, place * self._width)
        return opened(record, self._shape, key) if len(record) == self._width else None

    def answers(
        self, series: Sequence[tuple[str, str]]
    ) -> tuple[NDArray[np.intp], NDArray[np.void]]:
        """Return the forecasts of many series.

        Args:
            series: Sku and location of each.

        Returns:
            Rows of those that have one that is whole, and theirs, laid out, each of shape (found,).
        """
        keys = keys_of(series)
        numbers = keys.view("<u8")[:, 0]
        places = np.searchsorted(self._sorted, numbers)
        rows = np.flatnonzero(places < self._sorted.size)
        rows = rows[self._sorted[places[rows]] == numbers[rows]]
        content = bytearray(rows.size * self._width)
        parts, width = memoryview(content), self._width
        for row, place in enumerate(places[rows].tolist()):
            os.preadv(self._file, [parts[row * width : (row + 1) * width]], place * width)
        found = np.frombuffer(content, self._layout)
        whole = intact(content, found) & (found["key"] == keys[rows]).all(axis=1)
        return rows[whole], found[whole]

    def _refused(self, reason: str) -> ReleaseRefused:
        return ReleaseRefused(
            f"of forecasts {self.generation}", f"{reason}: run `parlevel publish` again"
        )
