"""Packed records of features: what one generation says, wherever its bytes are kept.

A generation is one table (key, record) per view, `stock`, and two tables of texts, `overrides` and
`meta`. A key is the values of the view's entities joined by the unit separator. A record is its
event time as a little-endian int64 in seconds, then the view's fields as little-endian float32; NaN
is unknown.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Generic, Self, TypeVar

import numpy as np

from serving.domain.features import WIDTHS, feature_set_hash
from serving.domain.overrides import Override
from serving.domain.series import SEPARATOR
from serving.errors import BrokenRecord, NoFeatures, ReleaseRefused
from serving.ports import StockInputs, StoredRecord

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

ENTITIES = {
    "demand_state": ("sku", "location"),
    "product": ("sku",),
    "location": ("location",),
    "known_future": ("sku", "location"),
}
STOCK_FIELDS = tuple(StockInputs.__dataclass_fields__)
STOCK_BYTES = 8 * len(STOCK_FIELDS)
EVENT_TIME_BYTES = 8

# Views small enough to be held in memory: every request reads one record of each.
_HELD = ("product", "location")
CHUNK = 256  # keys asked for at once


class PackedGeneration(ABC):
    """One generation, which never changes; who inherits says where its bytes are."""

    def __init__(self, generation: str) -> None:
        """Read what is held in memory; the store must be open.

        Args:
            generation: Name of the generation.

        Raises:
            ReleaseRefused: If it is damaged, or of another feature set's layout.
        """
        self._generation = generation
        self._meta = self.texts("meta")
        made_for = self._meta.get("feature_set_hash")
        if made_for != feature_set_hash():
            reason = f"it is of feature set {made_for}, not {feature_set_hash()}"
            raise refused(generation, reason)
        if self.stock_bytes() not in {0, STOCK_BYTES}:
            reason = "its records of stock have other fields than this server reads"
            raise refused(generation, reason)
        try:
            self._held = {view: _unpacked(view, self.rows(view)) for view in _HELD}
        except BrokenRecord as error:
            raise refused(generation, str(error)) from error
        self._overrides = {  # people write few of them
            key: tuple(Override(**one) for one in json.loads(said))
            for key, said in self.texts("overrides").items()
        }

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
            BrokenRecord: If the record has another length than the view.
        """
        name = SEPARATOR.join(key)
        if view in self._held:
            return self._held[view].get(name)
        record = self._one(view, name)
        return None if record is None else _unpack(view, name, record)

    def records(self, view: str, keys: Sequence[tuple[str, ...]]) -> list[StoredRecord | None]:
        """Return the records of many entities of a view, in order.

        Raises:
            BrokenRecord: If a record has another length than the view.
        """
        names = [SEPARATOR.join(key) for key in keys]
        if view in self._held:
            held = self._held[view]
            return [held.get(name) for name in names]
        found: dict[str, StoredRecord] = {}
        for first in range(0, len(names), CHUNK):
            found.update(_unpacked(view, self._some(view, names[first : first + CHUNK])))
        return [found.get(name) for name in names]

    def stock(self, sku: str, location: str) -> StockInputs:
        """Return what the tables say of stock and supply of one series.

        Raises:
            BrokenRecord: If the record has another length than its fields.
        """
        name = SEPARATOR.join((sku, location))
        record = self._one("stock", name)
        if record is None:
            return StockInputs()
        if len(record) != STOCK_BYTES:
            raise BrokenRecord("stock", name.replace(SEPARATOR, "/"))
        values = np.frombuffer(record, dtype="<f8").tolist()
        known = zip(STOCK_FIELDS, values, strict=True)
        return StockInputs(**{field: value for field, value in known if value == value})  # noqa: PLR0124  NaN is the value unlike itself

    def series(self) -> list[tuple[str, str]]:
        """Return every series of which anything is stored, as sku and location, in order."""
        keys = {*self._keys("demand_state"), *self._keys("known_future")}
        found = (key.partition(SEPARATOR) for key in sorted(keys))
        return [(sku, location) for sku, _, location in found]

    def overrides(self, sku: str, location: str) -> tuple[Override, ...]:
        """Return what planners say of days of one series."""
        return self._overrides.get(SEPARATOR.join((sku, location)), ())

    def fetched(self, series: Sequence[tuple[str, str]], *tables: str) -> Self:  # noqa: ARG002
        """Return the same with some records at hand; here they always are."""
        return self

    @abstractmethod
    def rows(self, table: str) -> Iterable[tuple[str, bytes]]:
        """Return every record of a table, each with its key."""

    @abstractmethod
    def texts(self, table: str) -> dict[str, str]:
        """Return a table of texts."""

    @abstractmethod
    def stock_bytes(self) -> int:
        """Return the bytes of a record of stock; 0 where there is none."""

    @abstractmethod
    def _one(self, table: str, name: str) -> bytes | None:
        """Return one record, or None where there is none."""

    @abstractmethod
    def _some(self, table: str, names: list[str]) -> Iterable[tuple[str, bytes]]:
        """Return those of so many records that are there, each with its key."""

    @abstractmethod
    def _keys(self, table: str) -> Iterable[str]:
        """Return the keys of a table."""


def refused(generation: str, reason: str) -> ReleaseRefused:
    """Return the refusal of a generation, with what to do about it."""
    return ReleaseRefused(
        f"of features {generation}", f"{reason}: run `parlevel features materialize`"
    )


def _unpacked(view: str, rows: Iterable[tuple[str, bytes]]) -> dict[str, StoredRecord]:
    return {key: _unpack(view, key, record) for key, record in rows}


def _unpack(view: str, name: str, record: bytes) -> StoredRecord:
    if len(record) != EVENT_TIME_BYTES + 4 * WIDTHS[view]:
        raise BrokenRecord(view, name.replace(SEPARATOR, "/"))
    return StoredRecord(
        int.from_bytes(record[:EVENT_TIME_BYTES], "little", signed=True),
        np.frombuffer(record, dtype="<f4", offset=EVENT_TIME_BYTES),
    )


G_co = TypeVar("G_co", bound=PackedGeneration, covariant=True)


class LiveGeneration(ABC, Generic[G_co]):
    """Follows the current generation; who inherits says where to look for it."""

    def __init__(self) -> None:
        """Read nothing yet."""
        self._snapshot: G_co | None = None

    def snapshot(self) -> G_co:
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
        generation = self._current()
        if generation is None:
            return False
        if self._snapshot is not None and self._snapshot.generation == generation:
            return False
        self._snapshot = self._open(generation)
        return True

    @abstractmethod
    def _current(self) -> str | None:
        """Return the name of the current generation, or None where there is none."""

    @abstractmethod
    def _open(self, generation: str) -> G_co:
        """Open a generation."""
