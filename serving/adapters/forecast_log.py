"""The forecast log: every forecast served, as parquet by business day, in bounded space.

A request leaves its answer behind and goes on; a thread writes what was left in one file every
FLUSH_SECONDS. A series is logged once a day for each origin, model version and target, and again
where a longer horizon is asked: what is asked again has the same answer. A plan or history of the
request's own is a question of what if, and is not logged.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from serving.domain.demand import QUANTILE_LEVELS, Forecast
from serving.domain.series import RowStatus

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence
    from pathlib import Path

    import pyarrow as pa
    from numpy.typing import NDArray

    from serving.domain.demand import DemandTarget, ForecastBatch
    from serving.errors import ParlevelError
    from serving.ports import Clock

    Floats = NDArray[np.float64]

FLUSH_SECONDS = 10.0  # a crash costs so much of the log; a day has 8,640 files at the most
MAX_WAITING = 20_000  # forecasts between two flushes, about 30 MiB; beyond it the oldest go
MAX_BATCHES = 8
MAX_KEYS = 2_000_000  # series remembered as logged today
MIB = 1024 * 1024
FULL = 0.9  # share of its space a log is cut down to once it is full
SHARE = 0.25  # of what is left that one process writes before it looks again
_log = logging.getLogger(__name__)


class Served(NamedTuple):
    """One forecast on its way to the log."""

    sku: str
    location: str
    origin: dt.date
    target: DemandTarget
    route: str
    version: str
    levels: tuple[float, ...]
    mean: Floats
    quantiles: Floats


class ForecastLog:
    """Writes the forecasts that were served below a folder."""

    def __init__(self, folder: Path, clock: Clock, limit_mib: int) -> None:
        """Name the folder, the business clock and the space the log may take; 0 keeps none."""
        self._folder = folder
        self._clock = clock
        self._limit = limit_mib * MIB
        self._waiting: deque[Forecast] = deque(maxlen=MAX_WAITING)
        self._batches: deque[ForecastBatch] = deque(maxlen=MAX_BATCHES)
        self._room = 0  # bytes to write before looking what the log takes
        self._day: dt.date | None = None
        self._logged: dict[int, int] = {}
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="forecast-log", daemon=True)

    def start(self) -> None:
        """Start writing."""
        if self._limit:
            self._thread.start()

    def note(self, answers: Sequence[Forecast | ParlevelError]) -> None:
        """Leave the forecasts among answers behind."""
        if not self._limit:
            return
        for one in answers:
            # What was logged already is let go at once: what waits makes the collector work.
            if isinstance(one, Forecast):
                asked, version = one.query, one.provenance.model_version
                key = _key(asked.sku, asked.location, one.origin, version, asked.target)
                if self._logged.get(key, 0) < one.mean.size:
                    self._waiting.append(one)

    def note_batch(self, batch: ForecastBatch) -> None:
        """Leave the forecasts of a batch behind."""
        if self._limit:
            self._batches.append(batch)

    def close(self) -> None:
        """Write what is left and stop."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._closing.wait(FLUSH_SECONDS):
            self._try_to_flush()
        self._try_to_flush()

    def _try_to_flush(self) -> None:
        try:
            self._flush()
        except Exception:  # noqa: BLE001 - a defect of the log costs what waited, never the log to come
            _log.exception("the forecast log failed")

    def _flush(self) -> None:
        day = self._clock.now().date()
        if day != self._day or len(self._logged) > MAX_KEYS:
            self._day, self._logged = day, {}
        served = [_single(self._waiting.popleft()) for _ in range(len(self._waiting))]
        for _ in range(len(self._batches)):
            served += _rows(self._batches.popleft())
        new = self._first_of_day([one for one in served if one is not None])
        if not new:
            return
        try:
            self._room -= self._write(new)
            if self._room <= 0:
                self._room = self._make_room()
        except OSError as error:  # a full disk costs the log, never answers
            _log.warning("the forecast log cannot be written: %s", error)

    def _first_of_day(self, served: Sequence[Served]) -> list[Served]:
        """Return the forecasts that reach further than what was logged this business day."""
        new = []
        for one in served:
            key = _key(one.sku, one.location, one.origin, one.version, one.target)
            if self._logged.get(key, 0) < one.mean.size:
                self._logged[key] = one.mean.size
                new.append(one)
        return new

    def _write(self, served: Sequence[Served]) -> int:
        """Write forecasts to a file of their own; return its size in bytes."""
        import pyarrow.parquet as pq

        day = self._clock.now().date().isoformat()
        folder = self._folder / f"day={day}"
        folder.mkdir(parents=True, exist_ok=True)
        name = f"part-{os.getpid()}-{time.time_ns()}.parquet"
        new = folder / f".{name}"
        pq.write_table(_table(served), new, compression="zstd")
        size = new.stat().st_size
        new.replace(folder / name)
        return size

    def _make_room(self) -> int:
        """Drop the oldest files until the log fits; return what may be written until the next look.

        Several processes write, each without knowing of the others: none takes all that is left.
        """
        files = [
            (file.parent.name, file.name.rpartition("-")[2], file, file.stat().st_size)
            for file in self._folder.glob("day=*/part-*.parquet")
        ]
        taken = sum(size for *_, size in files)
        for _, _, file, size in sorted(files)[:-1]:
            if taken <= self._limit * FULL:
                break
            file.unlink(missing_ok=True)
            taken -= size
            if not any(file.parent.iterdir()):
                file.parent.rmdir()
        return int(max(self._limit - taken, 0) * SHARE)


def _key(sku: str, location: str, origin: dt.date, version: str, target: DemandTarget) -> int:
    """Return what a series is remembered by as logged today."""
    return hash((sku, location, origin, version, int(target)))  # the hash of an enum is slow


def _single(forecast: Forecast) -> Served | None:
    query = forecast.query
    if query.plan or query.history is not None or query.product is not None:
        return None
    return Served(
        query.sku,
        query.location,
        forecast.origin,
        query.target,
        forecast.route.name.lower(),
        forecast.provenance.model_version,
        query.levels,
        forecast.mean,
        forecast.quantiles,
    )


def _rows(batch: ForecastBatch) -> list[Served | None]:
    query = batch.query
    valued = [row for row, status in enumerate(batch.statuses) if status is RowStatus.OK]
    return [
        Served(
            query.skus[row],
            query.locations[row],
            batch.origins[place],
            query.target,
            batch.routes[place].name.lower(),
            batch.provenance.model_version,
            query.levels,
            batch.mean[place],
            batch.quantiles[place],
        )
        for place, row in enumerate(valued)
    ]


def column_of(level: float) -> str:
    """Return the column of the log that holds a quantile."""
    return f"q{level:.2f}"


def _table(served: Sequence[Served]) -> pa.Table:
    """Return forecasts as rows, one a series and day ahead; a level not asked for is null.

    Columns are laid out as Arrow keeps them: its own conversion imports pandas where that is
    installed, and takes several times as long, of which the requests would have to wait.
    """
    import pyarrow as pa

    lengths = np.array([one.mean.size for one in served])
    row = np.repeat(np.arange(len(served)), lengths)
    ahead = np.arange(row.size) - np.repeat(np.cumsum(lengths) - lengths, lengths) + 1
    origins = np.array([one.origin for one in served], dtype="datetime64[D]").astype(np.int32)
    place = _column(pa.int64(), row)

    def text(values: list[str]) -> pa.Array:
        return _texts(values).dictionary_encode().take(place)

    columns = {
        "sku": text([one.sku for one in served]),
        "location": text([one.location for one in served]),
        "target": text([one.target.name.lower() for one in served]),
        "route": text([one.route for one in served]),
        "model_version": text([one.version for one in served]),
        "origin_date": _column(pa.date32(), origins[row]),
        "date": _column(pa.date32(), (origins[row] + ahead).astype(np.int32)),
        "horizon": _column(pa.int16(), ahead.astype(np.int16)),
        "mean": _column(
            pa.float32(), np.concatenate([one.mean for one in served]).astype(np.float32)
        ),
    }
    for level, values in zip(QUANTILE_LEVELS, _quantiles(served, row).T, strict=True):
        columns[column_of(level)] = _column(pa.float32(), values, known=~np.isnan(values))
    return pa.Table.from_arrays(list(columns.values()), names=list(columns))


def _quantiles(served: Sequence[Served], row: NDArray[np.intp]) -> NDArray[np.float32]:
    """Return the trained levels of each row, shape (rows, levels), NaN where not asked for."""
    out = np.full((row.size, len(QUANTILE_LEVELS)), np.nan, dtype=np.float32)
    alike: dict[tuple[float, ...], list[int]] = {}
    for place, one in enumerate(served):
        alike.setdefault(one.levels, []).append(place)
    for levels, places in alike.items():
        rows = np.isin(row, places)
        values = np.concatenate([served[place].quantiles for place in places])
        for column, level in enumerate(QUANTILE_LEVELS):
            if level in levels:
                out[rows, column] = values[:, levels.index(level)]
    return out


def _column(
    kind: pa.DataType, values: NDArray[np.generic], known: NDArray[np.bool_] | None = None
) -> pa.Array:
    import pyarrow as pa

    laid = np.ascontiguousarray(values)
    bits = None if known is None else pa.py_buffer(np.packbits(known, bitorder="little"))
    return pa.Array.from_buffers(kind, len(laid), [bits, pa.py_buffer(laid)])


def _texts(values: Sequence[str]) -> pa.Array:
    import pyarrow as pa

    encoded = [one.encode() for one in values]
    ends = np.zeros(len(encoded) + 1, dtype=np.int32)
    np.cumsum([len(one) for one in encoded], out=ends[1:])
    parts = [None, pa.py_buffer(ends), pa.py_buffer(b"".join(encoded))]
    return pa.Array.from_buffers(pa.string(), len(encoded), parts)
