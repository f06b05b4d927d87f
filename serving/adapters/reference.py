"""Reference documents: what the tables say of suppliers and parts, one JSON document a key.

<folder>/current -> <generation>           replaced in one step when a generation is published
<folder>/<generation>/reference.db         one table (kind, key, body)
"""

from __future__ import annotations

import sqlite3
import threading
from typing import TYPE_CHECKING, Any

import orjson

from serving.errors import BrokenRecord, ReleaseRefused

if TYPE_CHECKING:
    from pathlib import Path

DATABASE = "reference.db"
CURRENT = "current"


class Reference:
    """Reads the current generation of a folder of reference documents."""

    def __init__(self, folder: Path) -> None:
        """Name the folder; nothing is read yet."""
        self._folder = folder
        self._generation = ""
        self._database: sqlite3.Connection | None = None
        self._lock = threading.Lock()

    @property
    def generation(self) -> str:
        """Name of the generation that is read; empty before the first."""
        return self._generation

    def refresh(self) -> bool:
        """Look up the current generation; say whether another one became current.

        Raises:
            ReleaseRefused: If the generation cannot be read; the one before stays in use.
        """
        try:
            generation = (self._folder / CURRENT).readlink().name
        except OSError:
            return False
        if generation == self._generation:
            return False
        path = (self._folder / generation / DATABASE).resolve()
        try:
            # One connection for all threads: opened now, it outlives the removal of its file.
            opened = sqlite3.connect(
                f"{path.as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False
            )
            opened.execute("SELECT kind, key, body FROM documents LIMIT 1").fetchone()
        except sqlite3.DatabaseError as error:
            raise ReleaseRefused(
                f"of reference documents {generation}",
                f"its file cannot be read ({error}): run `parlevel features materialize`",
            ) from error
        self._database, self._generation = opened, generation
        return True

    def document(self, kind: str, key: str) -> dict[str, Any] | None:
        """Return one document, or None where there is none.

        Raises:
            BrokenRecord: If its body is no JSON.
        """
        database = self._database
        if database is None:
            return None
        with self._lock:
            row = database.execute(
                "SELECT body FROM documents WHERE kind = ? AND key = ?", (kind, key)
            ).fetchone()
        if row is None:
            return None
        try:
            body: dict[str, Any] = orjson.loads(row[0])
        except orjson.JSONDecodeError as error:
            raise BrokenRecord(kind, key) from error
        return body
