"""Publish reference documents; serving.adapters.reference says how they are laid out."""

from __future__ import annotations

import hashlib
import sqlite3
from typing import TYPE_CHECKING

import orjson

from serving.adapters.reference import CURRENT, DATABASE
from training.cost.actions import action_documents
from training.cost.documents import cost_documents
from training.features.packing import new_generation
from training.features.supply import reorder_documents
from training.suppliers import supplier_documents
from training.tables.layers import locked
from training.uplift.documents import unit_documents

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    Document = tuple[str, str, Mapping[str, object]]  # kind, key, body

REFERENCE = "reference"  # folder below that of the features
_BATCH = 10_000


def materialize_reference(data_dir: Path, features: Path, as_of: dt.date | None) -> int:
    """Publish what the tables say of suppliers, parts, costs, units and what orders draw on.

    Args:
        data_dir: The data folder.
        features: Folder of the features.
        as_of: Last known day; that of the tables where None.

    Returns:
        The documents that are current; none where there is nothing to say.

    Raises:
        Busy: If another run holds the folder.
    """
    documents = [
        *supplier_documents(data_dir, as_of),
        *cost_documents(data_dir),
        *action_documents(data_dir),
        *reorder_documents(data_dir, as_of),
        *unit_documents(data_dir, as_of),
    ]
    return publish(features / REFERENCE, documents) if documents else 0


def publish(folder: Path, documents: Iterable[Document]) -> int:
    """Publish a generation of documents; equal documents publish nothing anew.

    Args:
        folder: Folder of the generations; it is made.
        documents: Kind, key and body of each; a kind and key come once.

    Returns:
        The documents that are current.

    Raises:
        Busy: If another run holds the folder.
    """
    rows = sorted(
        (kind, key, orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_SORT_KEYS))
        for kind, key, body in documents
    )
    digest = hashlib.sha256()
    for row in rows:
        digest.update(repr(row).encode())
    name = digest.hexdigest()[:32]
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder, "another run publishes to"):
        current = folder / CURRENT
        if current.is_symlink() and current.readlink().name == name and current.exists():
            return len(rows)
        with new_generation(folder, name, _open) as database:
            for batch in _batches(rows):
                database.executemany("INSERT INTO documents VALUES (?, ?, ?)", batch)
            database.commit()
    return len(rows)


def _open(staging: Path) -> sqlite3.Connection:
    database = sqlite3.connect(staging / DATABASE)
    database.execute(
        "CREATE TABLE documents (kind TEXT, key TEXT, body BLOB NOT NULL, "
        "PRIMARY KEY (kind, key)) WITHOUT ROWID"
    )
    return database


def _batches(rows: list[tuple[str, str, bytes]]) -> Iterator[list[tuple[str, str, bytes]]]:
    for start in range(0, len(rows), _BATCH):
        yield rows[start : start + _BATCH]
