"""Feast online store over packed generations: Feast writes and reads the records serving reads."""

from __future__ import annotations

import datetime as dt
import sqlite3
from contextlib import closing
from pathlib import Path  # noqa: TC003  pydantic reads the annotation
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from feast.infra.online_stores.online_store import OnlineStore
from feast.protos.feast.types.Value_pb2 import Value
from feast.repo_config import FeastConfigBaseModel

from serving.adapters.features import DATABASE, PackedSnapshot
from serving.adapters.packed import ENTITIES
from serving.domain.features import VIEWS, WIDTHS
from serving.domain.history import slices
from serving.domain.series import SEPARATOR
from serving.errors import InvalidField
from training.features.packing import GenerationWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from feast import Entity, FeatureView, RepoConfig
    from feast.protos.feast.types.EntityKey_pb2 import EntityKey
    from numpy.typing import NDArray

    Row = tuple[EntityKey, dict[str, Value], dt.datetime, dt.datetime | None]
    Found = tuple[dt.datetime | None, dict[str, Value] | None]


class PackedOnlineStoreConfig(FeastConfigBaseModel):
    """Settings of the store.

    Attributes:
        type: Where Feast finds the store.
        generation: Absolute folder of the generation that is read or filled.
    """

    type: Literal["training.features.packed_store.PackedOnlineStore"] = (
        "training.features.packed_store.PackedOnlineStore"
    )
    generation: Path


class PackedOnlineStore(OnlineStore):
    """Keeps one packed record per entity in the SQLite file of a generation."""

    def __init__(self) -> None:
        """Open nothing yet."""
        self._opened: PackedSnapshot | None = None

    def online_write_batch(
        self,
        config: RepoConfig,
        table: FeatureView,
        data: list[Row],
        progress: Callable[[int], Any] | None,
    ) -> None:
        """Write rows into a generation that is not published yet.

        Raises:
            InvalidField: If the generation is published: readers rely on it never to change.
        """
        path = config.online_store.generation / DATABASE
        if _published(path):
            raise InvalidField("online_store.generation", f"is published, {path} cannot change")
        latest: dict[str, Row] = {}
        for row in data:
            key = joined_key(table.name, row[0])
            if key not in latest or row[2] >= latest[key][2]:
                latest[key] = row
        writer = GenerationWriter(path)
        times = np.asarray([_seconds(row[2]) for row in latest.values()], dtype=np.int64)
        records = np.stack([_record(table.name, row[1]) for row in latest.values()])
        writer.write(table.name, list(latest), times, records)
        writer.close()
        if progress is not None:
            progress(len(data))

    def online_read(
        self,
        config: RepoConfig,
        table: FeatureView,
        entity_keys: list[EntityKey],
        requested_features: list[str] | None = None,
    ) -> list[Found]:
        """Read the records of entities, in order."""
        keys = [tuple(joined_key(table.name, key).split(SEPARATOR)) for key in entity_keys]
        layout, widths = slices(VIEWS[table.name]), dict(VIEWS[table.name])
        wanted = requested_features or list(layout)
        found: list[Found] = []
        for record in self._snapshot(config.online_store.generation).records(table.name, keys):
            if record is None:
                found.append((None, None))
                continue
            moment = dt.datetime.fromtimestamp(record.event_time, tz=dt.UTC)
            values = {name: _value(record.values[layout[name]], widths[name]) for name in wanted}
            found.append((moment, values))
        return found

    def update(  # noqa: PLR0913, PLR0917  Feast's own signature
        self,
        config: RepoConfig,
        tables_to_delete: Sequence[FeatureView],
        tables_to_keep: Sequence[FeatureView],
        entities_to_delete: Sequence[Entity],
        entities_to_keep: Sequence[Entity],
        partial: bool,  # noqa: FBT001  Feast's own signature
    ) -> None:
        """Do nothing: a generation has the tables of all views from its start."""

    def teardown(
        self, config: RepoConfig, tables: Sequence[FeatureView], entities: Sequence[Entity]
    ) -> None:
        """Do nothing: generations are dropped when newer ones are published."""

    def _snapshot(self, generation: Path) -> PackedSnapshot:
        name = generation.resolve().name  # the link may have moved on
        if self._opened is None or self._opened.generation != name:
            self._opened = PackedSnapshot(generation.resolve())
        return self._opened


def joined_key(view: str, key: EntityKey) -> str:
    """Return the key of an entity as the packed tables hold it."""
    values = {
        name: value.string_val for name, value in zip(key.join_keys, key.entity_values, strict=True)
    }
    return SEPARATOR.join(values[name] for name in ENTITIES[view])


def _published(path: Path) -> bool:
    """Tell a published generation by its description, which it gets last."""
    if not path.exists():
        return False
    with closing(sqlite3.connect(path)) as database:
        return bool(database.execute("SELECT count(*) FROM meta").fetchone()[0])


def _seconds(moment: dt.datetime) -> int:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
    return int(aware.timestamp())


def _record(view: str, values: dict[str, Value]) -> NDArray[np.float32]:
    """Pack Feast's values; what it holds as null is NaN again."""
    record = np.full(WIDTHS[view], np.nan, dtype=np.float32)
    layout = slices(VIEWS[view])
    for name, value in values.items():
        kind = value.WhichOneof("val")
        if kind == "float_val":
            record[layout[name]] = value.float_val
        elif kind == "float_list_val":
            record[layout[name]] = value.float_list_val.val
    return record


def _value(numbers: NDArray[np.float32], width: int) -> Value:
    value = Value()
    if width == 1:
        value.float_val = float(numbers[0])
    else:
        value.float_list_val.val.extend(numbers.tolist())
    return value
