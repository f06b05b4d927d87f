"""Questions that wait for the event loop together are answered together."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from serving.errors import ParlevelError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Q = TypeVar("Q")
A = TypeVar("A")

# Turns of the loop that may bring nothing before what waits is answered: grpc.aio takes about five
# to hand over a call that is already there. A turn costs microseconds.
PATIENCE = 6
MOST = 24  # questions answered at once: more gain little, and hold up what else the loop has to do


@dataclass(slots=True)
class _Asked(Generic[Q, A]):
    query: Q
    check: Callable[[], None]
    answer: asyncio.Future[A]


class Gather(Generic[Q, A]):
    """Answers one kind of question; belongs to one event loop.

    A question alone costs several times its share of a batch, and a server with many callers is
    always behind: their questions wait for the loop anyway. So a question is held back only while
    the loop goes on bringing others, never for a time.
    """

    def __init__(self, answer_many: Callable[[Sequence[Q]], Sequence[A | ParlevelError]]) -> None:
        """Take what answers questions together, each with its answer or its failure, in order."""
        self._answer_many = answer_many
        self._waiting: list[_Asked[Q, A]] = []

    async def ask(self, query: Q, check: Callable[[], None]) -> A:
        """Answer a question, together with those that wait when its turn comes.

        Args:
            query: The question.
            check: Called when its turn comes; raises where the answer is of no use any more.

        Raises:
            ParlevelError: If the question, or the check, fails with a cause.
        """
        loop = asyncio.get_running_loop()
        asked: _Asked[Q, A] = _Asked(query, check, loop.create_future())
        self._waiting.append(asked)
        if len(self._waiting) == 1:
            loop.call_soon(self._look, loop, 1, 0)
        return await asked.answer

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
        except Exception as error:  # noqa: BLE001 - handed on to those who wait for it
            if len(open_) == 1 or isinstance(error, ParlevelError):
                for asked in open_:
                    asked.answer.set_exception(error)
                return
            for asked in open_:  # one of them meets a defect: it fails alone
                self._answer([asked])
            return
        for asked, answer in zip(open_, answers, strict=True):
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
