"""A batch run: read, sum, answer and write, block by block, into an output that appears whole.

Blocks are whole products. Tables are read once: each block leaves what its series know of
themselves and the sums of its peers; the sums of all blocks make the records of products and
locations; then each block is answered and written. What is done is kept beside the output until
it is complete, named by a hash of everything it depends on, so a run that was interrupted goes on
where it stopped, and one that has nothing new to say does nothing. What was read is kept longer:
the run of the next day reads the days after it alone.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from serving.domain.features import feature_set_hash
from serving.errors import Busy, InvalidField
from training import tables
from training.batch import files, partitions
from training.batch.histories import write_peers
from training.batch.kept import folder_of
from training.batch.readings import open_reading
from training.batch.workers import ANSWERING, READING, Work, at_work
from training.chunks import product_chunks
from training.tables.layers import locked

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from serving.ports import DemandModel
    from training.batch.questions import Question
    from training.batch.workers import Hands

    Progress = Callable[[str, int, int], None]

PART_SERIES = 2_048  # series answered at once
# Series of a block: few enough that its history, and its answers, take some hundred MiB.
BLOCK_SERIES, BLOCK_DAYS = 20_000, 2_400_000
LAYOUT = 4  # raised when the same inputs would be written otherwise


@dataclass(frozen=True, slots=True)
class BatchJob:
    """What a run reads, where it writes, and how.

    Attributes:
        data_dir: The data folder.
        out: The parquet file to write, or the folder where `by_location`.
        as_of: Last known day; the last one with sales where None.
        by_location: Write a folder of parquet files, one folder a location.
        kept: Folder to keep what was read in, for the next day; None reads all days, each time.
        part_series: Series answered at once.
        block_series: Series of a block, the most where the history is short.
    """

    data_dir: Path
    out: Path
    as_of: dt.date | None = None
    by_location: bool = False
    kept: Path | None = None
    part_series: int = PART_SERIES
    block_series: int = BLOCK_SERIES

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

    def series_of_a_block(self, days: int) -> int:
        """Return the series of a block with so many days of history."""
        return max(1, min(self.block_series, BLOCK_DAYS // days))


@dataclass(frozen=True, slots=True)
class Read:
    """What a run read.

    Attributes:
        days: Days, or periods, read from the tables.
        taken: Days taken from a reading kept before.
        afresh: Why all days were read though a reading was kept; empty where none was, or it held.
        size: Bytes of the reading that is kept now.
    """

    days: int = 0
    taken: int = 0
    afresh: str = ""
    size: int = 0


@dataclass(frozen=True, slots=True)
class BatchResult:
    """What a run did.

    Attributes:
        rows: Rows of the output.
        series: Series answered now.
        resumed: Series an interrupted run had answered before.
        unchanged: The output was complete and nothing it depends on has changed.
        read: What was read.
    """

    rows: int
    series: int = 0
    resumed: int = 0
    unchanged: bool = False
    read: Read = Read()


def run(job: BatchJob, question: Question, hands: Hands, progress: Progress) -> BatchResult:
    """Answer one question for every series that has sales.

    Args:
        job: Where to read and write.
        question: What to ask.
        hands: The model that answers, in this process or several.
        progress: Told what is being done, and of how many series, of how many, it is done.

    Returns:
        What was done; the output is there, whole.

    Raises:
        MissingInput: If the folder has no sales.
        BeyondTrained: If the question is beyond the model.
        InvalidField: If no row of sales is as old as `as_of`.
        Busy: If a process of the run was killed.
    """
    question.check(hands.model)
    content = _read_content(job)
    key = _key(content, job, question, hands.model)
    output = partitions if job.by_location else files
    if output.written_for(job.out) == key:
        return BatchResult(output.rows_of(job.out), unchanged=True)
    with _keeping(job, content) as place:
        reading = open_reading(job.data_dir, job.as_of, place)
        sales = reading.folder.sales
        blocks = product_chunks(reading.folder, job.series_of_a_block(sales.days))
        left = job.out.with_name(f"{job.out.name}.parts")
        work = Work(
            data_dir=job.data_dir,
            reading=reading,
            blocks=tuple(tuple(skus) for skus in blocks),
            # Blocks read from the first day and blocks read on from a kept one are not to be mixed.
            place=left / f"{key[:16]}-{reading.name}",
            question=question,
            key=key,
            part_series=job.part_series,
            by_location=job.by_location,
        )
        work.place.mkdir(parents=True, exist_ok=True)
        fresh = _work(work, hands, progress)
        output.join([work.answers(block) for block in range(len(blocks))], job.out)
        # Only now: until the output stands, a run that goes on has to begin where this one did.
        kept = reading.finish(work.blocks)
        shutil.rmtree(left)
    return BatchResult(
        output.rows_of(job.out),
        series=fresh,
        resumed=sales.series.height - fresh,
        read=Read(
            days=reading.days,
            taken=sales.days - reading.days,
            afresh=reading.afresh,
            size=0 if kept is None else kept.size,
        ),
    )


@contextmanager
def _keeping(job: BatchJob, content: Mapping[str, object]) -> Iterator[Path | None]:
    """Hold the folder that keeps the readings of a data folder, and name the one of this run.

    Another run that reads the same data folder at the same time reads all days and keeps nothing.
    """
    if job.kept is None:
        yield None
        return
    folder = folder_of(job.kept, job.data_dir)
    with ExitStack() as held:
        try:
            held.enter_context(locked(folder, "another run reads into"))
        except Busy:
            yield None
            return
        yield folder / _hash(content)[:16]


def _work(work: Work, hands: Hands, progress: Progress) -> int:
    """Do what is not done yet, and return the series answered."""
    every = range(len(work.blocks))
    unread = [block for block in every if not work.history(block).exists()]
    unanswered = [block for block in every if not work.answers(block).exists()]
    if not unanswered:
        return 0
    sizes = _sizes(work)
    with at_work(work, hands) as do:
        _follow(do(READING, unread), unread, sizes, partial(progress, READING))
        if not work.peers.exists():
            write_peers(work.reading, map(work.history, every), work.peers)
        work.question.gather(work.reading.folder, work.data_dir, work.beside)
        return _follow(do(ANSWERING, unanswered), unanswered, sizes, partial(progress, ANSWERING))


def _sizes(work: Work) -> list[int]:
    """Return the series of each block."""
    counts = dict(work.reading.folder.sales.series_per_sku())
    return [sum(counts[sku] for sku in skus) for skus in work.blocks]


def _follow(
    done: Iterator[None], blocks: list[int], sizes: list[int], tell: Callable[[int, int], None]
) -> int:
    """Tell of each block as it is done, after those done before; return the series done now."""
    fresh, before = 0, sum(sizes) - sum(sizes[block] for block in blocks)
    for block, _ in zip(blocks, done, strict=True):
        fresh += sizes[block]
        tell(before + fresh, sum(sizes))
    return fresh


def _read_content(job: BatchJob) -> dict[str, object]:
    """Return everything that decides what is read."""
    return {
        "layout": LAYOUT,
        "data": tables.digest(job.data_dir),
        "as_of": str(job.as_of),
        "features": feature_set_hash(),
    }


def _key(read: Mapping[str, object], job: BatchJob, question: Question, model: DemandModel) -> str:
    """Hash everything the output depends on."""
    return _hash(
        {
            **read,
            "model": model.description.digest,
            "version": model.description.version,
            "options": dict(question.options()),
            "blocks": job.block_series,
        }
    )


def _hash(content: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
