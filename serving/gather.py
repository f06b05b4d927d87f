"""Questions that wait together are answered together, on an event loop or in threads."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar, cast

from serving.errors import ParlevelError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Q = TypeVar("Q")
A = TypeVar("A")

# Turns of the loop that may bring nothing before what waits is answered: grpc.aio takes about five
# to hand over a call that is already there. A turn costs microseconds.
PATIENCE = 6
# Seconds a thread lets others bring questions while they come; taking one over takes about as long.
PAUSE = 3e-4
FADE = 0.9  # of the crowd that is expected, a turn
MOST = 24  # questions answered at once: more gain little, and hold up what else the loop has to do


@dataclass(slots=True)
class _Asked(Generic[Q, A]):
    query: Q
    check: Callable[[], None]
    answer: asyncio.Future[A] | Slot[A]


@dataclass(slots=True)
class Slot(Generic[A]):
    """What a thread waits for: the part of a future that needs no loop."""

    _found: A | None = None
    _failure: Exception | None = None
    _done: bool = False

    def done(self) -> bool:
        """Return whether there is an answer or a failure."""
        return self._done

    def set_result(self, answer: A) -> None:
        """Leave the answer."""
        self._found, self._done = answer, True

    def set_exception(self, failure: Exception) -> None:
        """Leave the failure."""
        self._failure, self._done = failure, True

    def result(self) -> A:
        """Return the answer, or raise the failure; only once it is done."""
        if self._failure is not None:
            raise self._failure
        return cast("A", self._found)


class Gather(Generic[Q, A]):
    """Answers one kind of question, of one event loop and of any number of threads.

    A question alone costs several times its share of a batch, and a server with many callers is
    always behind: their questions wait for the loop, or for the interpreter, anyway. So a question
    is held back only while others are being answered, or go on being brought.
    """

    def __init__(
        self,
        answer_many: Callable[[Sequence[Q]], Sequence[A | ParlevelError]],
        ready: Callable[[Q], A | None] | None = None,
    ) -> None:
        """Take what answers.

        Args:
            answer_many: Answers questions together, each with its answer or failure, in order.
            ready: Returns the answer of a question that need not wait, None of one that must.
        """
        self._answer_many = answer_many
        self._ready = ready
        self._waiting: list[_Asked[Q, A]] = []
        self._queued: deque[_Asked[Q, A]] = deque()  # by threads
        self._turn = threading.Lock()
        self._crowd = 1.0  # questions that lately waited for a turn

    async def ask(self, query: Q, check: Callable[[], None]) -> A:
        """Answer a question, together with those that wait when its turn comes.

        Args:
            query: The question.
            check: Called when its turn comes; raises where the answer is of no use any more.

        Raises:
            ParlevelError: If the question, or the check, fails with a cause.
        """
        if self._ready is not None and (at_hand := self._ready(query)) is not None:
            return at_hand
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[A] = loop.create_future()
        self._waiting.append(_Asked(query, check, answer))
        if len(self._waiting) == 1:
            loop.call_soon(self._look, loop, 1, 0)
        return await answer

    def wait(self, query: Q, check: Callable[[], None]) -> A:
        """Answer a question of a thread, together with those of others that wait for their turn.

        Whoever gets the turn answers for all that have queued by then; the others find their
        answer when the turn comes to them.

        Args:
            query: The question.
            check: Called when its turn comes; raises where the answer is of no use any more.

        Raises:
            ParlevelError: If the question, or the check, fails with a cause.

        Source: Hendler, Incze, Shavit and Tzafrir (2010), Flat combining and the
        synchronization-parallelism tradeoff, SPAA.
        """
        return self.collect(self.bring(query, check))

    def bring(self, query: Q, check: Callable[[], None]) -> Slot[A]:
        """Queue a question of a thread that brings others before it waits for any answer.

        Args:
            query: The question.
            check: Called when its turn comes; raises where the answer is of no use any more.

        Returns:
            What `collect` takes to wait for the answer.

        Raises:
            ParlevelError: If the question fails before it has to wait.
        """
        slot: Slot[A] = Slot()
        if self._ready is not None and (at_hand := self._ready(query)) is not None:
            slot.set_result(at_hand)
        else:
            self._queued.append(_Asked(query, check, slot))
        return slot

    def collect(self, slot: Slot[A]) -> A:
        """Return the answer of a question that was brought, as `wait` does.

        Raises:
            ParlevelError: If the question, or its check, fails with a cause.
        """
        while not slot.done():
            with self._turn:
                if not slot.done():
                    self._answer(self._due())
        return slot.result()

    def _due(self) -> list[_Asked[Q, A]]:
        """Take what threads have queued, while as many go on coming as lately did."""
        queued, before = self._queued, 0
        while before < len(queued) < min(MOST, self._crowd):
            before = len(queued)
            time.sleep(PAUSE)
        now = min(len(queued), MOST)
        self._crowd = max(float(now), FADE * self._crowd)
        return [queued.popleft() for _ in range(now)]

    def _look(self, loop: asyncio.AbstractEventLoop, before: int, quiet: int) -> None:
        """Answer what waits, or let the loop turn again where it may yet bring others."""
        now = len(self._waiting)
        quiet = 0 if now > before else quiet + 1
        if now < MOST and quiet < PATIENCE:
            loop.call_soon(self._look, loop, now, quiet)
            return
        due, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
        if self._waiting:
            loop.call_soon(self._look, loop, len(self._waiting), 0)
        self._answer(due)

    def _answer(self, due: list[_Asked[Q, A]]) -> None:
        open_ = [asked for asked in due if _is_open(asked)]
        if not open_:
            return
        try:
            answers = self._answer_many([asked.query for asked in open_])
            answered = list(zip(open_, answers, strict=True))
        except Exception as error:  # noqa: BLE001 - handed on to those who wait for it
            if len(open_) == 1 or isinstance(error, ParlevelError):
                for asked in open_:
                    asked.answer.set_exception(error)
                return
            for asked in open_:  # one of them meets a defect: it fails alone
                self._answer([asked])
            return
        for asked, answer in answered:
            if isinstance(answer, ParlevelError):
                asked.answer.set_exception(answer)
            else:
                asked.answer.set_result(answer)


def _is_open(asked: _Asked[Q, A]) -> bool:
    """Return whether someone still waits for an answer; one who waited too long is told."""
    if asked.answer.done():  # cancelled
        return False
    try:
        asked.check()
    except ParlevelError as error:
        asked.answer.set_exception(error)
        return False
    return True
