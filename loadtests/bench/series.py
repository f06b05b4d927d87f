"""A home of many synthetic series: real records perturbed, so that no two requests read alike."""

from __future__ import annotations

import datetime as dt
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from loadtests.stored_keys import database_of
from serving.adapters.features import PackedFeatures
from serving.domain.features import FUTURE, WIDTHS
from serving.errors import NoFeatures
from training.features.packing import features_writer, joined, new_generation

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from serving.adapters.features import PackedSnapshot
    from training.features.packing import GenerationWriter

    Floats = NDArray[np.float32]

COUNT = 100_000
LOCATIONS = 10
PART = 10_000  # series written at once
SPREAD, JITTER = 0.7, 0.15  # of the logarithm of a series' level, and of each of its values


@dataclass(frozen=True, slots=True)
class BenchHome:
    """A home to benchmark.

    Attributes:
        folder: Where it stands.
        as_of: Last day its features know.
        keys: Its series, as (sku, location).
    """

    folder: Path
    as_of: dt.date
    keys: list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class _Records:
    """Packed records of a view: event times (n,) and values (n, width)."""

    times: NDArray[np.int64]
    values: Floats


def make_home(source: Path, folder: Path, count: int = COUNT) -> BenchHome:
    """Make a home of so many series out of a home with a promoted model and features.

    A home made before from the same features is used again.

    Args:
        source: The home whose release is served and whose records are perturbed.
        folder: Where homes for benchmarks are kept.
        count: Series to make.

    Raises:
        NoFeatures: If nothing is materialised in the source.
    """
    database = database_of(source / "features")
    if not database.exists():
        raise NoFeatures
    generation = database.parent.resolve().name
    home = folder / f"{generation}-{count}"
    snapshot = PackedFeatures(source / "features" / "online").snapshot()
    skus = [f"bench-{number:06d}" for number in range(-(-count // LOCATIONS))]
    with closing(sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro", uri=True)) as read:
        places = [key for (key,) in read.execute("SELECT key FROM location") if ":" not in key]
        keys = [(sku, place) for sku in skus for place in places[:LOCATIONS]][:count]
        if not (home / "releases").exists():
            for older in folder.glob(f"*-{count}"):
                shutil.rmtree(older)
            with new_generation(
                home / "features" / "online", generation, features_writer
            ) as writer:
                _fill(writer, read, snapshot, keys)
            (home / "releases").symlink_to((source / "releases").resolve())
    return BenchHome(home, dt.date.fromisoformat(snapshot.meta["last_day"]), keys)


def _fill(
    writer: GenerationWriter,
    read: sqlite3.Connection,
    snapshot: PackedSnapshot,
    keys: list[tuple[str, str]],
) -> None:
    draw = np.random.default_rng(1)
    skus = sorted({sku for sku, _ in keys})
    _write_likes(writer, "product", skus, _perturbed(_read(read, "product"), len(skus), draw))
    location = _read(read, "location")
    names = [key for (key,) in read.execute("SELECT key FROM location ORDER BY key")]
    _write_likes(writer, "location", names, location)
    states, futures = _read(read, "demand_state"), _read(read, "known_future")
    for first in range(0, len(keys), PART):
        part = keys[first : first + PART]
        joint = joined([sku for sku, _ in part], [place for _, place in part])
        _write_likes(writer, "demand_state", joint, _perturbed(states, len(part), draw))
        _write_likes(writer, "known_future", joint, _priced(futures, len(part), draw))
    writer.describe(snapshot.meta)


def _read(database: sqlite3.Connection, view: str) -> _Records:
    rows = database.execute(f"SELECT record FROM {view} ORDER BY key")  # noqa: S608  a name of ours
    blob = b"".join(record for (record,) in rows)
    layout = np.dtype([("time", "<i8"), ("values", "<f4", WIDTHS[view])])
    records = np.frombuffer(blob, dtype=layout)
    return _Records(records["time"].astype(np.int64), records["values"])


def _write_likes(writer: GenerationWriter, view: str, keys: list[str], records: _Records) -> None:
    writer.write(view, keys, records.times, records.values)


def _perturbed(records: _Records, count: int, draw: np.random.Generator) -> _Records:
    """Draw records and scale them, each series by one factor and each value by its own."""
    rows = draw.integers(len(records.values), size=count)
    values = records.values[rows]
    level = np.exp(draw.normal(0.0, SPREAD, (count, 1)))
    own = np.exp(draw.normal(0.0, JITTER, values.shape))
    return _Records(records.times[rows], (values * level * own).astype(np.float32))


def _priced(records: _Records, count: int, draw: np.random.Generator) -> _Records:
    """Draw plans and scale their prices; a promotion stays one."""
    rows = draw.integers(len(records.values), size=count)
    values = records.values[rows].copy()
    values[:, FUTURE["price"]] *= np.exp(draw.normal(0.0, JITTER, (count, 1)))
    return _Records(records.times[rows], values)
