"""Readings of the rules of the verdict: one JSON line each, one file a model."""

from __future__ import annotations

import datetime as dt
import math
from typing import TYPE_CHECKING

import orjson

from serving.domain.retrain import Reading
from serving.errors import NothingMeasured

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

MAX_DAYS = 400  # older readings are left out when the file is written anew


class StoredReadings:
    """Readings below the monitoring folder."""

    def __init__(self, folder: Path) -> None:
        """Name the folder; it is made by the first reading."""
        self._folder = folder

    def readings(self, name: str) -> list[Reading]:
        """Return every reading of a model, in the order they were taken.

        Raises:
            NothingMeasured: If none was taken.
        """
        found = self._stored(name)
        if not found:
            raise NothingMeasured(
                f"nothing has been measured of {name}",
                "run `parlevel actuals FILE` with the sales that came true",
            )
        return found

    def keep(self, name: str, readings: Sequence[Reading]) -> None:
        """Add readings; of one rule and day the last one stays. The file is replaced in one step.

        Args:
            name: Registered name of the model.
            readings: What was read.
        """
        merged = {(one.date, one.rule): one for one in (*self._stored(name), *readings)}
        last = max((day for day, _ in merged), default=dt.date.min)
        kept = [one for one in merged.values() if (last - one.date).days < MAX_DAYS]
        kept.sort(key=lambda one: (one.date, one.rule))
        file = self._file(name)
        file.parent.mkdir(parents=True, exist_ok=True)
        new = file.with_name(f".{file.name}")
        new.write_bytes(b"".join(_line(one) for one in kept))
        new.replace(file)

    def _file(self, name: str) -> Path:
        return self._folder / name / "readings.jsonl"

    def _stored(self, name: str) -> list[Reading]:
        try:
            lines = self._file(name).read_bytes().splitlines()
        except FileNotFoundError:
            return []
        return [_reading(orjson.loads(line)) for line in lines]


def _line(reading: Reading) -> bytes:
    value = reading.value if reading.value is not None and math.isfinite(reading.value) else None
    return orjson.dumps(
        {
            "date": reading.date,
            "rule": reading.rule,
            "value": value,
            "limit": reading.limit,
            "broken": reading.broken,
            "detail": reading.detail,
        },
        option=orjson.OPT_APPEND_NEWLINE,
    )


def _reading(line: dict[str, object]) -> Reading:
    fields = {**line, "date": dt.date.fromisoformat(str(line["date"]))}
    return Reading(**fields)  # type: ignore[arg-type]  # as `_line` wrote it
