"""Offline files: one parquet file per view and event day, which Feast joins point in time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from serving.adapters.packed import ENTITIES
from serving.domain.features import VIEWS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import TracebackType

    from numpy.typing import NDArray

EVENT_TIME = "event_timestamp"  # as feature_repo.definitions has it; importing that costs seconds
PARTIAL = ".partial"


def offline_file(folder: Path, view: str, event_day: np.datetime64) -> Path:
    """Return where the records of a view and event day lie."""
    return folder / view / f"{event_day.astype('datetime64[D]')}.parquet"


def offline_days(folder: Path) -> list[np.datetime64]:
    """Return the event days for which every view is kept, oldest first."""
    kept = [{path.stem for path in (folder / view).glob("*.parquet")} for view in VIEWS]
    return [np.datetime64(day, "D") for day in sorted(set.intersection(*kept))]


class OfflineWriter:
    """Writes the records of one event day; files appear whole when the block ends, or none."""

    def __init__(self, folder: Path, event_day: np.datetime64) -> None:
        """Name the files.

        Args:
            folder: Folder of the views.
            event_day: The day after the last known one.
        """
        self._paths = {view: offline_file(folder, view, event_day) for view in VIEWS}
        self._event_day = event_day
        self._writers: dict[str, pq.ParquetWriter] = {}

    def __enter__(self) -> Self:
        """Open a partial file per view."""
        for view, path in self._paths.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            partial = path.with_name(f".{path.name}{PARTIAL}")
            self._writers[view] = pq.ParquetWriter(
                partial, _schema(view), compression="zstd", compression_level=1
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the files, and move them into place where nothing failed."""
        for view, path in self._paths.items():
            self._writers[view].close()
            partial = path.with_name(f".{path.name}{PARTIAL}")
            if kind is None:
                partial.replace(path)
            else:
                partial.unlink()

    def write(self, view: str, keys: Sequence[Sequence[str]], values: NDArray[np.float32]) -> None:
        """Append records.

        Args:
            view: Name of the view.
            keys: One sequence per entity of the view, each of n values.
            values: Fields, shape (n, WIDTHS[view]).
        """
        moment = self._event_day.astype("datetime64[us]")
        columns = [pa.array(column, pa.string()) for column in keys]
        columns.append(pa.array(np.full(values.shape[0], moment)).cast(pa.timestamp("us", "UTC")))
        start = 0
        for _, width in VIEWS[view]:
            block = np.ascontiguousarray(values[:, start : start + width]).reshape(-1)
            start += width
            if width == 1:
                columns.append(pa.array(block))
            else:
                ends = np.arange(0, block.size + 1, width, dtype=np.int32)
                columns.append(pa.ListArray.from_arrays(ends, pa.array(block)))
        self._writers[view].write_table(pa.Table.from_arrays(columns, schema=_schema(view)))


def _schema(view: str) -> pa.Schema:
    kinds = {True: pa.float32(), False: pa.list_(pa.float32())}
    return pa.schema(
        [
            *((name, pa.string()) for name in ENTITIES[view]),
            (EVENT_TIME, pa.timestamp("us", "UTC")),
            *((name, kinds[width == 1]) for name, width in VIEWS[view]),
        ]
    )
