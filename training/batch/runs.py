"""A batch run: panel by panel, part by part, into one parquet file that appears whole.

Parts are kept beside the output until it is complete, named by a hash of everything they depend
on, so a run that was interrupted goes on where it stopped, and one that has nothing new to say
does nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from serving.domain.features import feature_set_hash
from serving.errors import InvalidField
from training import tables
from training.batch import partitions
from training.batch.questions import Part
from training.demand_rows import take
from training.features.records import records_at
from training.panel import CHUNK_SERIES, iter_panels

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from serving.ports import DemandModel
    from training.batch.questions import Question
    from training.panel import Panel

    Progress = Callable[[int, int], None]

PART_SERIES = 2_048  # series of a part and of a row group
LAYOUT = 2  # raised when the same inputs would be written otherwise


@dataclass(frozen=True, slots=True)
class BatchJob:
    """What a run reads, where it writes, and how.

    Attributes:
        data_dir: The data folder.
        out: The parquet file to write, or the folder where `by_location`.
        as_of: Last known day; the last one with sales where None.
        workers: Threads that answer parts.
        part_series: Series of a part.
        panel_series: Series read at once.
        by_location: Write a folder of parquet files, one folder a location.
    """

    data_dir: Path
    out: Path
    as_of: dt.date | None = None
    workers: int = 2
    part_series: int = PART_SERIES
    panel_series: int = CHUNK_SERIES
    by_location: bool = False

    def __post_init__(self) -> None:
        """Refuse an output that cannot be written as parquet, or would replace other things."""
        if self.by_location:
            if self.out.exists() and partitions.written_for(self.out) is None:
                raise InvalidField("out", f"must be new or an output by location, not {self.out}")
            return
        if self.out.suffix != ".parquet":
            raise InvalidField("out", f"must end in .parquet, got {self.out.name!r}")
        if self.out.is_dir():
            raise InvalidField("out", f"must be a file, {self.out} is a folder")


@dataclass(frozen=True, slots=True)
class BatchResult:
    """What a run did.

    Attributes:
        rows: Rows of the output.
        series: Series answered now.
        resumed: Series an interrupted run had answered before.
        unchanged: The output was complete and nothing it depends on has changed.
    """

    rows: int
    series: int = 0
    resumed: int = 0
    unchanged: bool = False


def run(job: BatchJob, question: Question, model: DemandModel, progress: Progress) -> BatchResult:
    """Answer one question for every series that has sales.

    Args:
        job: Where to read and write.
        question: What to ask.
        model: The model that answers.
        progress: Told after each part how many series are done, of how many.

    Returns:
        What was done; the output is there, whole.

    Raises:
        MissingInput: If the folder has no sales.
        BeyondTrained: If the question is beyond the model.
        InvalidField: If no row of sales is as old as `as_of`.
    """
    question.check(model)
    key = _key(job, question, model)
    if job.by_location and partitions.written_for(job.out) == key:
        return BatchResult(partitions.rows_of(job.out), unchanged=True)
    if not job.by_location and _written_for(job.out) == key:
        return BatchResult(pq.read_metadata(job.out).num_rows, unchanged=True)
    all_parts = job.out.with_name(f"{job.out.name}.parts")
    folder = all_parts / key[:16]
    folder.mkdir(parents=True, exist_ok=True)
    total, done, fresh, files = 0, 0, 0, []
    with ThreadPoolExecutor(job.workers) as pool:
        panels = iter_panels(job.data_dir, as_of=job.as_of, chunk=job.panel_series)
        for number, panel in enumerate(panels):
            if number == 0:  # it reads every row, and is the same for every panel
                total = sum(series for _, series in panel.folder.sales.series_per_sku())
            pending = _Panel(panel, folder, number, job.part_series)
            for file, size, new in pending.answers(question, model, job.data_dir, pool):
                files.append(file)
                done, fresh = done + size, fresh + size * new
                progress(done, total)
            del panel, pending  # or it would still be held while the next one is read
    join = partitions.write_partitions if job.by_location else _join
    rows = join(files, job.out, key)
    shutil.rmtree(all_parts)
    return BatchResult(rows, series=fresh, resumed=done - fresh)


@dataclass(frozen=True, slots=True)
class _Panel:
    """The parts of one panel and their files.

    Attributes:
        panel: The series.
        folder: Folder of the part files.
        number: Place of the panel among those of the run.
        part_series: Series of a part.
    """

    panel: Panel
    folder: Path
    number: int
    part_series: int

    def answers(
        self, question: Question, model: DemandModel, data_dir: Path, pool: ThreadPoolExecutor
    ) -> Iterator[tuple[Path, int, bool]]:
        """Yield each part's file, its series and whether it was answered now, in order."""
        parts = self._parts()
        known = {file for file, _ in parts if file.exists()}
        if len(known) == len(parts):
            yield from ((file, series.size, False) for file, series in parts)
            return
        answer = question.answerer(model, self.panel, data_dir)
        ((_, records),) = records_at(self.panel, [self.panel.history.days - 1], future="planned")

        def work(part: tuple[Path, np.ndarray]) -> tuple[Path, int, bool]:
            file, series = part
            if file in known:
                return file, series.size, False
            names = (_names(self.panel.skus, series), _names(self.panel.locations, series))
            _write_whole(file, answer(Part(*names, series, take(records, series))))
            return file, series.size, True

        yield from pool.map(work, parts)

    def _parts(self) -> list[tuple[Path, np.ndarray]]:
        count = len(self.panel.skus)
        return [
            (
                self.folder / f"{self.number:04d}-{start // self.part_series:06d}.parquet",
                np.arange(start, min(start + self.part_series, count)),
            )
            for start in range(0, count, self.part_series)
        ]


def _names(names: Sequence[str], series: np.ndarray) -> tuple[str, ...]:
    return tuple(names[series[0] : series[-1] + 1])


def _key(job: BatchJob, question: Question, model: DemandModel) -> str:
    """Hash everything the output depends on."""
    content = {
        "layout": LAYOUT,
        "data": tables.digest(job.data_dir),
        "as_of": str(job.as_of),
        "model": model.description.digest,
        "version": model.description.version,
        "features": feature_set_hash(),
        "options": dict(question.options()),
        "parts": [job.panel_series, job.part_series],
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _written_for(out: Path) -> str | None:
    """Return the key a finished output carries; None where there is no such file."""
    try:
        metadata = pq.read_schema(out).metadata or {}
    except (OSError, pa.ArrowInvalid):  # not there, or no parquet: it will be replaced
        return None
    key = metadata.get(partitions.KEY)
    return None if key is None else key.decode()


def _join(files: Sequence[Path], out: Path, key: str) -> int:
    """Copy the parts into one file, a row group each, and put it in place at once."""
    schema = pq.read_schema(files[0]).with_metadata({partitions.KEY: key.encode()})
    new = out.with_name(f".{out.name}.new")
    rows = 0
    with _writer(new, schema) as writer:
        for file in files:
            table = pq.read_table(file, memory_map=True).cast(schema)
            writer.write_table(table, row_group_size=max(table.num_rows, 1))
            rows += table.num_rows
    _flush(new)
    new.replace(out)
    return rows


def _write_whole(file: Path, table: pa.Table) -> None:
    """Write a part so that it is there whole or not at all."""
    new = file.with_suffix(".new")
    with _writer(new, table.schema) as writer:
        writer.write_table(table)
    new.replace(file)


def _writer(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    repeated = [field.name for field in schema if not pa.types.is_floating(field.type)]
    return pq.ParquetWriter(path, schema, compression="zstd", use_dictionary=repeated)


def _flush(path: Path) -> None:
    with path.open("rb") as handle:
        os.fsync(handle.fileno())
