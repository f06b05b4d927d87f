"""A home of many synthetic series: real records rescaled, so that no two requests read alike."""

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
from serving.domain.demand import DemandTarget
from serving.domain.features import FUTURE, WIDTHS
from serving.domain.history import DEMANDS, PRICES, STATE
from serving.errors import NoFeatures
from training.batch.models import CHAMPION, open_model
from training.commands.publish import HORIZON
from training.features.packing import features_writer, joined, new_generation
from training.ready import jobs, publish

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from serving.adapters.features import PackedSnapshot
    from training.features.packing import GenerationWriter

    Floats = NDArray[np.float32]

COUNT = 100_000
LOCATIONS = 10
PART = 10_000  # series written at once
SPREAD, JITTER = 0.7, 0.15  # of the logarithm of a series' level, and of each of its demands


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
    with closing(sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro", uri=True)) as read:
        places = [key for (key,) in read.execute("SELECT key FROM location") if ":" not in key]
        places = places[:LOCATIONS]
        skus = [f"bench-{number:06d}" for number in range(-(-count // len(places)))]
        keys = [(sku, place) for sku in skus for place in places][:count]
        if not (home / "releases").exists():
            for older in folder.glob(f"*-{count}"):
                shutil.rmtree(older)
            with new_generation(
                home / "features" / "online", generation, features_writer
            ) as writer:
                _fill(writer, read, snapshot, keys)
            (home / "releases").symlink_to((source / "releases").resolve())
        documents = source / "features" / "reference"
        if documents.exists() and not (home / "features" / "reference").exists():
            (home / "features" / "reference").symlink_to(documents.resolve())
    return BenchHome(home, dt.date.fromisoformat(snapshot.meta["last_day"]), keys)


def answer_ahead(home: BenchHome) -> None:
    """Publish the forecasts of every series, unless these very answers stand there already."""
    model = open_model(home.folder / "releases", CHAMPION)
    snapshot = PackedFeatures(home.folder / "features" / "online").snapshot()
    horizon = min(HORIZON, model.description.max_horizon)
    for job in jobs(model, snapshot, DemandTarget.DEMAND, horizon):
        publish(job, home.folder / "features" / "ready", lambda *_: None)


def _fill(
    writer: GenerationWriter,
    read: sqlite3.Connection,
    snapshot: PackedSnapshot,
    keys: list[tuple[str, str]],
) -> None:
    draw = np.random.default_rng(1)
    skus = sorted({sku for sku, _ in keys})
    products = _read(read, "product")
    _write_likes(writer, "product", skus, _drawn(products, len(skus), draw))
    location = _read(read, "location")
    names = [key for (key,) in read.execute("SELECT key FROM location ORDER BY key")]
    _write_likes(writer, "location", names, location)
    states, futures = _read_series(read)
    for first in range(0, len(keys), PART):
        part = keys[first : first + PART]
        joint = joined([sku for sku, _ in part], [place for _, place in part])
        state, future = _rescaled(states, futures, len(part), draw)
        _write_likes(writer, "demand_state", joint, state)
        _write_likes(writer, "known_future", joint, future)
    writer.describe(snapshot.meta)


def _read(database: sqlite3.Connection, view: str) -> _Records:
    rows = database.execute(f"SELECT record FROM {view} ORDER BY key")  # noqa: S608  a name of ours
    return _unpacked(view, [record for (record,) in rows])


def _unpacked(view: str, packed: list[bytes]) -> _Records:
    blob = b"".join(packed)
    layout = np.dtype([("time", "<i8"), ("values", "<f4", WIDTHS[view])])
    records = np.frombuffer(blob, dtype=layout)
    return _Records(records["time"].astype(np.int64), records["values"])


def _write_likes(writer: GenerationWriter, view: str, keys: list[str], records: _Records) -> None:
    writer.write(view, keys, records.times, records.values)


def _read_series(database: sqlite3.Connection) -> tuple[_Records, _Records]:
    """Read the states that have a plan beside them, and those plans, in one order."""
    of_state, of_future = (
        dict(database.execute(f"SELECT key, record FROM {view}").fetchall())  # noqa: S608  a name of ours
        for view in ("demand_state", "known_future")
    )
    keys = sorted(of_state.keys() & of_future.keys())
    return (
        _unpacked("demand_state", [of_state[key] for key in keys]),
        _unpacked("known_future", [of_future[key] for key in keys]),
    )


def _drawn(records: _Records, count: int, draw: np.random.Generator) -> _Records:
    rows = draw.integers(len(records.values), size=count)
    return _Records(records.times[rows], records.values[rows])


def _rescaled(
    states: _Records, futures: _Records, count: int, draw: np.random.Generator
) -> tuple[_Records, _Records]:
    """Draw series and rescale the demands and the prices of each.

    A plan stays as far from the last regime as it was: what it does to demand is computed only
    where they differ.
    """
    rows = draw.integers(len(states.values), size=count)
    state, future = states.values[rows].copy(), futures.values[rows].copy()
    level = np.exp(draw.normal(0.0, SPREAD, (count, 1)))
    for name in DEMANDS:
        own = np.exp(draw.normal(0.0, JITTER, state[:, STATE[name]].shape))
        state[:, STATE[name]] *= (level * own).astype(np.float32)
    price = np.float32(2.0) ** draw.integers(-2, 3, (count, 1))  # exact, so that equals stay equal
    for name in PRICES:
        state[:, STATE[name]] *= price
    future[:, FUTURE["price"]] *= price
    return _Records(states.times[rows], state), _Records(futures.times[rows], future)
