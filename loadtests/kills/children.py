"""Children forked from one warm process: begun, killed at a random moment, and heard out.

The parent only imports and forks. What keeps threads or connections of its own (polars, MLflow,
LightGBM, onnxruntime) is used in children alone, since none of it outlives a fork.
"""

from __future__ import annotations

import functools
import os
import random
import signal
import time
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

from serving.errors import NotReady

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BEYOND = 1.1  # moments are drawn up to this share of the time the work takes
BEGUN = b"!"


class NotWhole(Exception):
    """What stands after a kill is neither the old state nor the new one."""


class Work(Protocol):
    """One kind of work that leaves an old state or a new one, whatever moment it is killed at."""

    def prepare(self) -> None:
        """Make what the rounds start from."""

    def run(self, number: int, begin: Callable[[], None]) -> None:
        """Do the work of a round, from the state the round before left to the next one.

        Args:
            number: Number of the round, from 0.
            begin: Called when what may be killed starts.
        """

    def strike(self, child: int) -> None:
        """Kill the child that works, and what it started."""

    def check(self, number: int) -> None:
        """Find the old state or the new one whole, finish the round's work, and find the new one.

        Raises:
            NotWhole: If a state is not whole.
        """


class Killed(NamedTuple):
    """What came of one kill.

    Attributes:
        seconds: Time from the start of the work to its kill.
        running: Whether the work was still under way.
        failure: Trace of what was not whole afterwards; empty where all was.
    """

    seconds: float
    running: bool
    failure: str


@dataclass(frozen=True, slots=True)
class _Child:
    """A child and the pipe it is heard on: one byte when its work begins, text when it fails."""

    pid: int
    heard: int

    def wait_for_begin(self) -> None:
        """Wait until its work begins.

        Raises:
            NotReady: If it fails before.
        """
        if os.read(self.heard, 1) != BEGUN:
            raise NotReady(f"the work failed before it began:\n{self.end()}")

    def end(self) -> str:
        """Wait for its end and return what it failed of; empty where it did not."""
        with open(self.heard, "rb") as heard:  # noqa: PTH123 - a pipe, no path
            said = heard.read().lstrip(BEGUN).decode()
        _, status = os.waitpid(self.pid, 0)
        return said if os.waitstatus_to_exitcode(status) else ""

    def runs(self) -> bool:
        """Return whether it has not ended yet."""
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None


def rounds(work: Work, times: int, seed: int) -> Iterator[Killed]:
    """Prepare work, measure one run of it, then kill it at random moments and check each time.

    Args:
        work: What is killed.
        times: Kills.
        seed: Seed of the moments.

    Yields:
        What came of each kill.

    Raises:
        NotReady: If the work fails where nobody kills it.
    """
    _demand(_fork(lambda _: work.prepare()))
    measured = _fork(functools.partial(work.run, 0))
    measured.wait_for_begin()
    begun = time.monotonic()
    _demand(measured)
    longest = (time.monotonic() - begun) * BEYOND
    _demand(_fork(lambda _: work.check(0)))
    chance = random.Random(seed)  # noqa: S311 - moments, no secrets
    for number in range(1, times + 1):
        seconds = chance.uniform(0.0, longest)
        running = _struck(work, number, seconds)
        failure = _fork(lambda _, number=number: work.check(number)).end()  # type: ignore[misc]  # a default binds the round
        yield Killed(seconds, running, failure)


def kill(pid: int) -> None:
    """Kill a process so that nothing of it runs on."""
    os.kill(pid, signal.SIGKILL)


def require(whole: bool, what: str) -> None:  # noqa: FBT001 - reads as a sentence
    """Go on where something is as it must be.

    Raises:
        NotWhole: If it is not.
    """
    if not whole:
        raise NotWhole(what)


def _struck(work: Work, number: int, seconds: float) -> bool:
    """Let a child work for so many seconds, kill it, and return whether it still worked."""
    child = _fork(functools.partial(work.run, number))
    child.wait_for_begin()
    time.sleep(seconds)
    running = child.runs()
    work.strike(child.pid)
    child.end()
    return running


def _demand(child: _Child) -> None:
    failure = child.end()
    if failure:
        raise NotReady(f"the work fails by itself:\n{failure}")


def _fork(work: Callable[[Callable[[], None]], object]) -> _Child:
    heard, telling = os.pipe()
    pid = os.fork()
    if pid:
        os.close(telling)
        return _Child(pid, heard)
    os.close(heard)
    code = 1
    try:
        work(lambda: _tell(telling, BEGUN))
        code = 0
    except BaseException:  # noqa: BLE001 - a child must not return into the parent's code
        _tell(telling, traceback.format_exc().encode())
    os._exit(code)


def _tell(end: int, what: bytes) -> None:
    os.write(end, what)
