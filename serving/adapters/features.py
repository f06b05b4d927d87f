"""Stored features: one packed record per entity, in the SQLite file of the current generation.

    <folder>/current -> <generation>        replaced in one step when a generation is published
    <folder>/<generation>/features.db       one table (key, record) per view, `stock`, and `meta`

A key is the values of the view's entities joined by the unit separator. A record is its event
time as a little-endian int64 in seconds, then the view's fields as little-endian float32; NaN is
unknown.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from typing import TYPE_CHECKING

import numpy as np

from serving.domain.features import WIDTHS, feature_set_hash
from serving.domain.overrides import Override
from serving.domain.series import SEPARATOR
from serving.errors import BrokenRecord, NoFeatures, ReleaseRefused
from serving.ports import StockInputs, StoredRecord

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

DATABASE = "features.db"
CURRENT = "current"
ENTITIES = {
    "demand_state": ("sku", "location"),
    "product": ("sku",),
    "location": ("location",),
    "known_future": ("sku", "location"),
}
STOCK_FIELDS = tuple(StockInputs.__dataclass_fields__)
EVENT_TIME_BYTES = 8

# Views small enough to be held in memory: every request reads one record of each.
_HELD = ("product", "location")
_CHUNK = 256  # keys of one statement
# Paged by the system instead of copied, as the file never changes; but it counts as our memory.
_MAP_BYTES = 1 << 26


class PackedFeatures:
    """Reads the current generation of a folder of packed features."""

    def __init__(self, folder: Path) -> None:
        """Name the folder; nothing is read yet.

        Args:
            folder: Folder of the generations and of the link to the current one.
        """
        self._folder = folder
        self._snapshot: PackedSnapshot | None = None

    def snapshot(self) -> PackedSnapshot:
        """Return the generation last looked up, looking one up where there was none.

        Raises:
            NoFeatures: If nothing has been materialised yet.
            ReleaseRefused: If the generation cannot be read.
        """
        if self._snapshot is None:
            self.refresh()
        if self._snapshot is None:
            raise NoFeatures
        return self._snapshot

    def refresh(self) -> bool:
        """Look up the current generation; who holds an older snapshot may go on reading it.

        Returns:
            Whether another generation became current.

        Raises:
            ReleaseRefused: If the generation cannot be read; the one before stays in use.
        """
        link = self._folder / CURRENT
        try:
            generation = link.readlink().name
        except FileNotFoundError:
            return False
        if self._snapshot is not None and self._snapshot.generation == generation:
            return False
        self._snapshot = PackedSnapshot(self._folder / generation)
        return True


class PackedSnapshot:
    """One generation; its file never changes, and stays readable after it has been removed."""

    def __init__(self, folder: Path) -> None:
        """Open the generation.

        Args:
            folder: Folder of the generation.

        Raises:
            ReleaseRefused: If its file is missing, damaged, or of another feature set's layout.
        """
        self._generation = folder.name
        # One connection for all threads: opened now, it outlives the removal of its file.
        self._lock = threading.Lock()
        uri = f"{(folder / DATABASE).resolve().as_uri()}?mode=ro&immutable=1"
        try:
            self._database = sqlite3.connect(uri, uri=True, check_same_thread=False)
            self._database.execute(f"PRAGMA mmap_size={_MAP_BYTES}")
            self._meta: dict[str, str] = dict(
                self._database.execute("SELECT name, value FROM meta").fetchall()
            )
            made_for = self._meta.get("feature_set_hash")
            if made_for != feature_set_hash():
                raise self._refused(f"it is of feature set {made_for}, not {feature_set_hash()}")
            width = self._database.execute(
                "SELECT length(record) FROM stock ORDER BY key LIMIT 1"
            ).fetchone()
            if width is not None and width[0] != 8 * len(STOCK_FIELDS):
                raise self._refused("its records of stock have other fields than this server reads")
            self._held = {view: self._all(view) for view in _HELD}
            self._overrides = self._all_overrides()
        except sqlite3.DatabaseError as error:
            raise self._refused(f"its file cannot be read ({error})") from error

    @property
    def generation(self) -> str:
        """Name of the generation."""
        return self._generation

    @property
    def feature_set_hash(self) -> str:
        """Hash of the feature set it was materialised for."""
        return str(self._meta["feature_set_hash"])

    @property
    def meta(self) -> dict[str, str]:
        """What its writer noted of the generation as a whole."""
        return dict(self._meta)

    @property
    def event_times(self) -> dict[str, int]:
        """Event time of each view, seconds since 1970-01-01 UTC."""
        return {view: int(time) for view, time in json.loads(self._meta["event_times"]).items()}

    def record(self, view: str, key: tuple[str, ...]) -> StoredRecord | None:
        """Return the record of one entity of a view, or None where there is none.

        Raises:
            ReleaseRefused: If the record has another length than the view.
        """
        name = SEPARATOR.join(key)
        if view in self._held:
            return self._held[view].get(name)
        record = self._blob(view, name)
        return None if record is None else self._unpack(view, name, record)

    def records(self, view: str, keys: Sequence[tuple[str, ...]]) -> list[StoredRecord | None]:
        """Return the records of many entities of a view, in order.

        Raises:
            ReleaseRefused: If a record has another length than the view.
        """
        names = [SEPARATOR.join(key) for key in keys]
        if view in self._held:
            held = self._held[view]
            return [held.get(name) for name in names]
        found: dict[str, StoredRecord] = {}
        for first in range(0, len(names), _CHUNK):
            chunk = names[first : first + _CHUNK]
            for key, record in self._blobs(view, chunk):
                found[key] = self._unpack(view, key, record)
        return [found.get(name) for name in names]

    def stock(self, sku: str, location: str) -> StockInputs:
        """Return what the tables say of stock and supply of one series.

        Raises:
            ReleaseRefused: If the record has another length than its fields.
        """
        name = SEPARATOR.join((sku, location))
        record = self._blob("stock", name)
        if record is None:
            return StockInputs()
        if len(record) != 8 * len(STOCK_FIELDS):
            raise BrokenRecord("stock", name.replace(SEPARATOR, "/"))
        values = np.frombuffer(record, dtype="<f8").tolist()
        known = zip(STOCK_FIELDS, values, strict=True)
        return StockInputs(**{field: value for field, value in known if value == value})  # noqa: PLR0124  NaN is the value unlike itself

    def series(self) -> list[tuple[str, str]]:
        """Return every series of which anything is stored, as sku and location."""
        rows = self._database.execute(
            "SELECT key FROM demand_state UNION SELECT key FROM known_future ORDER BY key"
        )
        found = (key.partition(SEPARATOR) for (key,) in rows)
        return [(sku, location) for sku, _, location in found]

    def overrides(self, sku: str, location: str) -> tuple[Override, ...]:
        """Return what planners say of days of one series."""
        return self._overrides.get(SEPARATOR.join((sku, location)), ())

    def _all_overrides(self) -> dict[str, tuple[Override, ...]]:
        """Read every override: people write few of them."""
        there = "SELECT name FROM sqlite_master WHERE name = 'overrides'"
        if not self._database.execute(there).fetchall():  # a generation older than the table
            return {}
        rows = self._database.execute("SELECT key, record FROM overrides")
        return {key: tuple(Override(**one) for one in json.loads(said)) for key, said in rows}

    def _all(self, view: str) -> dict[str, StoredRecord]:
        rows = self._database.execute(f"SELECT key, record FROM {view}")  # noqa: S608  a name of ours
        try:
            return {key: self._unpack(view, key, record) for key, record in rows}
        except BrokenRecord as error:
            raise self._refused(str(error)) from error

    def _blob(self, table: str, name: str) -> bytes | None:
        with self._lock:
            row = self._database.execute(
                f"SELECT record FROM {table} WHERE key = ?",  # noqa: S608  a name of ours
                (name,),
            ).fetchone()
        return None if row is None else row[0]

    def _blobs(self, table: str, names: list[str]) -> list[tuple[str, bytes]]:
        marks = ",".join("?" * len(names))
        with self._lock:
            return self._database.execute(
                f"SELECT key, record FROM {table} WHERE key IN ({marks})",  # noqa: S608  names of ours
                names,
            ).fetchall()

    def _unpack(self, view: str, name: str, record: bytes) -> StoredRecord:
        if len(record) != EVENT_TIME_BYTES + 4 * WIDTHS[view]:
            raise BrokenRecord(view, name.replace(SEPARATOR, "/"))
        return StoredRecord(
            int.from_bytes(record[:EVENT_TIME_BYTES], "little", signed=True),
            np.frombuffer(record, dtype="<f4", offset=EVENT_TIME_BYTES),
        )

    def _refused(self, reason: str) -> ReleaseRefused:
        return ReleaseRefused(
            f"of features {self._generation}", f"{reason}: run `parlevel features materialize`"
        )
