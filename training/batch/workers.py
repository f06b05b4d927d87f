"""Who does the work of a batch run: this process, or some processes beside it."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from serving.adapters.demand import open_demand
from serving.adapters.releases import open_release
from training.batch import files, partitions
from training.batch.histories import read_block, write_history
from training.batch.processes import beside

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from serving.ports import DemandModel
    from training.batch.questions import Block, Part, Question
    from training.batch.readings import Reading

    Do = Callable[[str, Sequence[int]], Iterator[None]]


READING, ANSWERING = "reading", "answering"  # the steps of a run


@dataclass(frozen=True, slots=True)
class Hands:
    """Who answers.

    Attributes:
        model: The model, in this process.
        release: Folder of the same model, for other processes to open; None keeps to this one.
        workers: Processes at the most.
    """

    model: DemandModel
    release: Path | None = None
    workers: int = 1


@dataclass(frozen=True, slots=True)
class Work:
    """What workers have to know; it is sent to other processes.

    Attributes:
        data_dir: The data folder.
        reading: What is read of it.
        blocks: Products of each block.
        place: Folder of what is left between steps.
        question: What to ask.
        key: What the output is kept by.
        part_series: Series answered at once.
        by_location: Whether rows are written by location.
    """

    data_dir: Path
    reading: Reading
    blocks: tuple[tuple[str, ...], ...]
    place: Path
    question: Question
    key: str
    part_series: int
    by_location: bool

    def history(self, block: int) -> Path:
        """Return the file of what a block knows of itself."""
        return self.place / f"{block:05d}.history"

    @property
    def peers(self) -> Path:
        """The file of the records of products and locations."""
        return self.place / "peers"

    @property
    def beside(self) -> Path:
        """The file of what the question reads beside the records."""
        return self.place / "beside"

    def answers(self, block: int) -> Path:
        """Return the file, or folder, of the answers of a block."""
        return self.place / (f"{block:05d}" if self.by_location else f"{block:05d}.parquet")


class Worker:
    """Does the steps of a run, block by block."""

    def __init__(self, work: Work, model: DemandModel) -> None:
        """Take what is to be done and who answers."""
        self.work = work
        self.model = model

    def each(self, step: str, blocks: Sequence[int]) -> Iterator[None]:
        """Do one step of some blocks, and yield as each is done."""
        for block in blocks:
            self.do(step, block)
            yield

    def do(self, step: str, block: int) -> None:
        """Do one step of a block."""
        if step == READING:
            work = self.work
            write_history(work.reading, block, work.blocks[block], work.history(block))
        else:
            self._answer(block)

    def _answer(self, block: int) -> None:
        """Answer the series of a block that has been read."""
        work = self.work
        found = read_block(work.reading.folder, work.history(block), work.peers)
        answer = work.question.answerer(self.model, found, work.data_dir, work.beside)
        rows = pa.concat_tables([answer(part) for part in _parts(found, work)])
        rows = rows.replace_schema_metadata({files.KEY: work.key.encode()})
        output = partitions if work.by_location else files
        output.write_block(rows, work.answers(block))


def _parts(block: Block, work: Work) -> Iterator[Part]:
    """Cut a block into parts; by location the series of a location come together."""
    order = np.arange(len(block.skus))
    if work.by_location:
        order = np.argsort(block.location, kind="stable")
    for start in range(0, order.size, work.part_series):
        yield block.part(order[start : start + work.part_series])


@contextmanager
def at_work(work: Work, hands: Hands) -> Iterator[Do]:
    """Give what does a step for some blocks, in this process or in several beside it.

    Args:
        work: What is to be done.
        hands: Who does it.

    Yields:
        What does a step for blocks, and yields as each is done, in order.

    Raises:
        Busy: If a process was killed.
    """
    count = min(hands.workers, len(work.blocks))
    if hands.release is None or count == 1:
        worker = Worker(work, hands.model)
        yield worker.each
        return
    advice = "the same command goes on where it stopped"
    with beside(count, _begin, (work, hands.release), advice) as pool:
        yield lambda step, blocks: pool.map(partial(_do, step), blocks)


_workers: list[Worker] = []  # of a process of `at_work`: the one it is


def _begin(work: Work, release: Path) -> None:
    _workers.append(Worker(work, open_release(release, open_demand)))


def _do(step: str, block: int) -> None:
    _workers[0].do(step, block)
