"""Write generations of packed features; serving.adapters.features says how they are laid out."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np

from serving.adapters.features import CURRENT, DATABASE
from serving.adapters.packed import ENTITIES, EVENT_TIME_BYTES
from serving.domain.periods import last_day
from serving.domain.series import SEPARATOR

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from serving.domain.overrides import Override

KEPT = 2  # generations left standing, the current one included
STAGING = ".staging-"
_PAGE_BYTES = 16384  # a record must fit a quarter of a page, or SQLite chains overflow pages


class GenerationWriter:
    """Fills the file of one generation; rows of a key already there are replaced."""

    def __init__(self, path: Path) -> None:
        """Open the file, with its tables where it is new.

        Args:
            path: The SQLite file; its folder exists.
        """
        self.database = sqlite3.connect(path)
        # Nobody reads a generation before it is published, and a broken one is thrown away: a
        # journal would only cost time. `publish` forces the file to disk.
        for pragma in (f"page_size={_PAGE_BYTES}", "journal_mode=OFF", "synchronous=OFF"):
            self.database.execute(f"PRAGMA {pragma}")
        for table in (*ENTITIES, "stock", "overrides"):
            self.database.execute(
                f"CREATE TABLE IF NOT EXISTS {table} "
                "(key TEXT PRIMARY KEY, record BLOB NOT NULL) WITHOUT ROWID"
            )
        self.database.execute("CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT)")

    def write(
        self,
        view: str,
        keys: Sequence[str],
        event_times: NDArray[np.int64],
        values: NDArray[np.float32],
    ) -> int:
        """Write records of a view; an entity of which nothing is known gets none.

        Args:
            view: Name of the view.
            keys: Joined key of each record.
            event_times: Event time of each, seconds since 1970-01-01 UTC, shape (n,).
            values: Fields of each, shape (n, WIDTHS[view]).

        Returns:
            The records written.
        """
        known = np.flatnonzero(~np.isnan(values).all(axis=1))
        if known.size < len(keys):
            keys = [keys[place] for place in known.tolist()]
            event_times, values = event_times[known], values[known]
        self._put(view, keys, pack(event_times, values))
        return len(keys)

    def write_stock(self, keys: Sequence[str], values: NDArray[np.float64]) -> None:
        """Write what the tables say of stock and supply; see serving.ports.StockInputs.

        Args:
            keys: Joined sku and location of each record.
            values: Its fields, NaN where unknown, shape (n, fields).
        """
        packed = np.ascontiguousarray(values.astype("<f8")).view(np.uint8)
        self._put("stock", keys, packed)

    def write_overrides(self, overrides: Mapping[tuple[str, str], Sequence[Override]]) -> None:
        """Write what planners say, by sku and location; see serving.domain.overrides."""
        rows = [
            (SEPARATOR.join(key), json.dumps([asdict(one) for one in said]))
            for key, said in overrides.items()
        ]
        self.database.executemany("INSERT OR REPLACE INTO overrides VALUES (?, ?)", rows)

    def describe(self, meta: Mapping[str, object]) -> None:
        """Write what holds for the generation as a whole."""
        rows = [
            (name, value if isinstance(value, str) else json.dumps(value))
            for name, value in meta.items()
        ]
        self.database.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", rows)

    def close(self) -> None:
        """Commit and close."""
        self.database.commit()
        self.database.close()

    def _put(self, table: str, keys: Sequence[str], records: NDArray[np.uint8]) -> None:
        width, content = records.shape[1], records.tobytes()
        rows = (
            (key, content[place * width : (place + 1) * width]) for place, key in enumerate(keys)
        )
        self.database.executemany(f"INSERT OR REPLACE INTO {table} VALUES (?, ?)", rows)  # noqa: S608  a name of ours


def features_writer(folder: Path) -> GenerationWriter:
    """Return the writer of a new generation of features in its folder."""
    return GenerationWriter(folder / DATABASE)


def joined(*columns: Sequence[str]) -> list[str]:
    """Join the entity values of each row to one key."""
    return [SEPARATOR.join(key) for key in zip(*columns, strict=True)]


def pack(event_times: NDArray[np.int64], values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Lay records out as bytes, shape (n, EVENT_TIME_BYTES + 4 * fields)."""
    count, width = values.shape
    out = np.empty((count, EVENT_TIME_BYTES + 4 * width), dtype=np.uint8)
    head = np.ascontiguousarray(event_times.astype("<i8"))
    out[:, :EVENT_TIME_BYTES] = head.view(np.uint8).reshape(count, EVENT_TIME_BYTES)
    body = np.ascontiguousarray(values.astype("<f4", copy=False))
    out[:, EVENT_TIME_BYTES:] = body.view(np.uint8).reshape(count, 4 * width)
    return out


def event_time(day: np.datetime64) -> int:
    """Return the end of a day, seconds since 1970-01-01 UTC."""
    return (int(last_day(day).astype(np.int64)) + 1) * 86_400


class _Closed(Protocol):
    def close(self) -> None: ...


W = TypeVar("W", bound=_Closed)


@contextmanager
def new_generation(folder: Path, name: str, open_writer: Callable[[Path], W]) -> Iterator[W]:
    """Fill a generation and publish it when the block ends; on a failure nothing is published.

    Args:
        folder: Folder of the generations; it is made.
        name: Name of the new one.
        open_writer: Makes the writer of its one file in the folder it is given.

    Yields:
        The writer.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.glob(f"{STAGING}*"):  # of a run that was killed
        shutil.rmtree(left)
    staging = folder / f"{STAGING}{name}"
    staging.mkdir()
    writer = open_writer(staging)
    try:
        yield writer
    finally:
        writer.close()
    _publish(folder, staging, name)


def _publish(folder: Path, staging: Path, name: str) -> None:
    """Force a filled generation to disk, name it, point the link at it and drop old ones."""
    for path in (*staging.iterdir(), staging):
        _force_to_disk(path)
    if (folder / name).exists():
        shutil.rmtree(folder / name)  # a killed run named it, but no link ever pointed at it
    staging.rename(folder / name)
    link = folder / f".{CURRENT}.partial"
    link.unlink(missing_ok=True)
    link.symlink_to(name)
    link.replace(folder / CURRENT)
    _force_to_disk(folder)
    for old in [each for each in generations(folder) if each != name][: -(KEPT - 1)]:
        shutil.rmtree(folder / old)


def generations(folder: Path) -> list[str]:
    """Return the names of the published generations, oldest first."""
    return sorted(
        path.name
        for path in folder.iterdir()
        if path.is_dir() and not path.is_symlink() and not path.name.startswith(".")
    )


def _force_to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
