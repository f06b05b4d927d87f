"""Stored features in files: the SQLite file of the current generation of a folder.

<folder>/current -> <generation>        replaced in one step when a generation is published
<folder>/<generation>/features.db       the tables that serving.adapters.packed describes
"""

from __future__ import annotations

import sqlite3
import threading
from typing import TYPE_CHECKING

from serving.adapters.packed import LiveGeneration, PackedGeneration, refused

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from serving.settings import Settings

DATABASE = "features.db"
CURRENT = "current"

# Paged by the system instead of copied, as the file never changes; but it counts as our memory.
_MAP_BYTES = 1 << 26


class PackedSnapshot(PackedGeneration):
    """One generation; its file never changes, and stays readable after it has been removed."""

    def __init__(self, folder: Path) -> None:
        """Open the generation.

        Args:
            folder: Folder of the generation.

        Raises:
            ReleaseRefused: If its file is missing, damaged, or of another feature set's layout.
        """
        # One connection for all threads: opened now, it outlives the removal of its file.
        self._lock = threading.Lock()
        uri = f"{(folder / DATABASE).resolve().as_uri()}?mode=ro&immutable=1"
        try:
            self._database = sqlite3.connect(uri, uri=True, check_same_thread=False)
            self._database.execute(f"PRAGMA mmap_size={_MAP_BYTES}")
            super().__init__(folder.name)
        except sqlite3.DatabaseError as error:
            raise refused(folder.name, f"its file cannot be read ({error})") from error

    def rows(self, table: str) -> Iterable[tuple[str, bytes]]:
        """Return every record of a table, each with its key."""
        return self._database.execute(f"SELECT key, record FROM {table}")  # noqa: S608  a name of ours

    def texts(self, table: str) -> dict[str, str]:
        """Return a table of texts; an empty one where the generation is older than the table."""
        if table == "overrides":
            there = "SELECT name FROM sqlite_master WHERE name = 'overrides'"
            if not self._database.execute(there).fetchall():
                return {}
        return dict(self._database.execute(f"SELECT * FROM {table}").fetchall())  # noqa: S608  a name of ours

    def stock_bytes(self) -> int:
        """Return the bytes of a record of stock; 0 where there is none."""
        first = "SELECT length(record) FROM stock ORDER BY key LIMIT 1"
        (length,) = self._database.execute(first).fetchone() or (0,)
        return int(length)

    def _one(self, table: str, name: str) -> bytes | None:
        with self._lock:
            row = self._database.execute(
                f"SELECT record FROM {table} WHERE key = ?",  # noqa: S608  a name of ours
                (name,),
            ).fetchone()
        return None if row is None else row[0]

    def _some(self, table: str, names: list[str]) -> list[tuple[str, bytes]]:
        marks = ",".join("?" * len(names))
        with self._lock:
            return self._database.execute(
                f"SELECT key, record FROM {table} WHERE key IN ({marks})",  # noqa: S608  names of ours
                names,
            ).fetchall()

    def _keys(self, table: str) -> Iterable[str]:
        return (key for (key,) in self._database.execute(f"SELECT key FROM {table}"))  # noqa: S608  a name of ours


class PackedFeatures(LiveGeneration[PackedSnapshot]):
    """Reads the current generation of a folder of packed features."""

    def __init__(self, folder: Path) -> None:
        """Name the folder; nothing is read yet.

        Args:
            folder: Folder of the generations and of the link to the current one.
        """
        super().__init__()
        self._folder = folder

    def _current(self) -> str | None:
        try:
            return (self._folder / CURRENT).readlink().name
        except FileNotFoundError:
            return None

    def _open(self, generation: str) -> PackedSnapshot:
        return PackedSnapshot(self._folder / generation)


def features_of(settings: Settings) -> LiveGeneration[PackedGeneration]:
    """Return the reader of the features that serve: files below home, or the store that is set."""
    if settings.online_store is None:
        return PackedFeatures(settings.features / "online")
    from serving.adapters.redis_features import RedisFeatures

    return RedisFeatures(settings.online_store)
