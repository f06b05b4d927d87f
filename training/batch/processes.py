"""Processes that work beside this one, each on one core."""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pyarrow as pa

from serving.errors import Busy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def beside(
    count: int, begin: Callable[..., None], given: tuple[object, ...], advice: str
) -> Iterator[ProcessPoolExecutor]:
    """Give processes that do work beside this one.

    Args:
        count: How many.
        begin: What each begins with, a function of a module.
        given: What it is given.
        advice: What to do when one is killed, for the sentence of the refusal.

    Yields:
        The processes.

    Raises:
        Busy: If a process was killed.
    """
    # A forked process would inherit locks that threads of this one hold.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(count, context, _begin, (begin, given)) as pool:
        try:
            yield pool
        except BrokenProcessPool as error:
            message = f"a process of the run was killed: {advice}"
            raise Busy(message, retry_after_seconds=1.0) from error
        finally:
            pool.shutdown(cancel_futures=True)


def _begin(begin: Callable[..., None], given: tuple[object, ...]) -> None:
    """Begin as a process that works beside others, on one core."""
    os.environ["POLARS_MAX_THREADS"] = "1"  # read at the first query
    pa.set_cpu_count(1)
    begin(*given)
