"""Questions gathered on an event loop and from threads."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

import pytest

from serving.errors import DeadlineExceeded, NoFeatures, ParlevelError, UnknownSeries
from serving.gather import MOST, Gather

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence


T = TypeVar("T")


class Answers:
    """Doubles numbers; 13 is unknown, 99 meets a defect; keeps what was asked together."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.factor = 2
        self.failure: ParlevelError | None = None

    def __call__(self, queries: Sequence[int]) -> list[int | ParlevelError]:
        self.batches.append(list(queries))
        if self.failure is not None:
            raise self.failure
        if 99 in queries:
            raise ZeroDivisionError
        return [
            UnknownSeries("sku", "13") if query == 13 else query * self.factor for query in queries
        ]


def passes() -> None:
    """Let a question through."""


def run(ask: Callable[[Gather[int, int]], Awaitable[T]], answers: Answers) -> T:
    async def main() -> T:
        return await ask(Gather(answers))

    return asyncio.run(main())


async def all_of(gather: Gather[int, int], *queries: int) -> list[int | BaseException]:
    asked = (gather.ask(query, passes) for query in queries)
    return await asyncio.gather(*asked, return_exceptions=True)


def test_questions_that_arrive_together_are_answered_together_and_in_order() -> None:
    answers = Answers()
    assert run(lambda gather: all_of(gather, 3, 1, 2), answers) == [6, 2, 4]
    assert answers.batches == [[3, 1, 2]]


def test_a_question_on_its_way_is_waited_for_some_turns_of_the_loop() -> None:
    answers = Answers()

    async def late(gather: Gather[int, int], turns: int) -> int:
        for _ in range(turns):
            await asyncio.sleep(0)
        return await gather.ask(turns, passes)

    async def ask(gather: Gather[int, int]) -> object:
        return await asyncio.gather(*(late(gather, turns) for turns in (0, 3, 7, 40)))

    assert run(ask, answers) == [0, 6, 14, 80]
    assert answers.batches == [[0, 3, 7], [40]]


def test_one_that_fails_fails_alone() -> None:
    one, failed, other = run(lambda gather: all_of(gather, 1, 13, 2), Answers())
    assert (one, other) == (2, 4)
    assert isinstance(failed, UnknownSeries)


def test_one_that_meets_a_defect_fails_alone() -> None:
    answers = Answers()
    one, failed, other = run(lambda gather: all_of(gather, 1, 99, 2), answers)
    assert (one, other) == (2, 4)
    assert isinstance(failed, ZeroDivisionError)
    assert answers.batches == [[1, 99, 2], [1], [99], [2]]


def test_what_fails_all_of_them_is_told_to_each() -> None:
    answers = Answers()
    answers.failure = NoFeatures()
    assert run(lambda gather: all_of(gather, 1, 2), answers) == [answers.failure] * 2
    assert answers.batches == [[1, 2]]


def test_no_more_are_answered_at_once_than_the_loop_can_bear() -> None:
    answers = Answers()
    queries = range(100, 100 + 2 * MOST + 3)
    assert run(lambda gather: all_of(gather, *queries), answers) == [2 * one for one in queries]
    assert [len(batch) for batch in answers.batches] == [MOST, MOST, 3]


def test_a_caller_that_left_is_not_answered() -> None:
    answers = Answers()

    async def ask(gather: Gather[int, int]) -> tuple[int | BaseException, int | BaseException]:
        left = asyncio.create_task(gather.ask(1, passes))
        stayed = asyncio.create_task(gather.ask(2, passes))
        await asyncio.sleep(0)
        left.cancel()
        return await asyncio.gather(left, stayed, return_exceptions=True)

    left, stayed = run(ask, answers)
    assert isinstance(left, asyncio.CancelledError)
    assert stayed == 4
    assert answers.batches == [[2]]


def test_when_all_callers_left_nothing_is_computed_and_the_next_is_answered() -> None:
    answers = Answers()

    async def ask(gather: Gather[int, int]) -> int:
        left = asyncio.create_task(gather.ask(1, passes))
        await asyncio.sleep(0)
        left.cancel()
        for _ in range(20):
            await asyncio.sleep(0)
        return await gather.ask(2, passes)

    assert run(ask, answers) == 4
    assert answers.batches == [[2]]


def test_a_question_that_waited_too_long_is_dropped_before_the_model_runs() -> None:
    answers = Answers()

    def too_late() -> None:
        raise DeadlineExceeded("the deadline passed")

    async def ask(gather: Gather[int, int]) -> tuple[int | BaseException, int | BaseException]:
        asked = (gather.ask(1, too_late), gather.ask(2, passes))
        return await asyncio.gather(*asked, return_exceptions=True)

    late, in_time = run(ask, answers)
    assert isinstance(late, DeadlineExceeded)
    assert in_time == 4
    assert answers.batches == [[2]]


@pytest.mark.parametrize("factor", [2, 3])
def test_what_changes_between_two_batches_holds_from_the_next_one_on(factor: int) -> None:
    answers = Answers()

    async def ask(gather: Gather[int, int]) -> object:
        before = await all_of(gather, 1, 2)
        answers.factor = factor
        return before, await all_of(gather, 1, 2)

    assert run(ask, answers) == ([2, 4], [factor, 2 * factor])


class Held(Answers):
    """Answers once it is let go, so that others can queue meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.let_go = threading.Event(), threading.Event()

    def __call__(self, queries: Sequence[int]) -> list[int | ParlevelError]:
        self.begun.set()
        assert self.let_go.wait(10)
        return super().__call__(queries)


def behind_one(answers: Held, *queries: int) -> list[int | BaseException]:
    """Ask one thing of a thread, the others of threads of their own while it is answered."""
    gather = Gather(answers)

    def ask(query: int) -> int | BaseException:
        try:
            return gather.wait(query, passes)
        except (ParlevelError, ZeroDivisionError) as failure:
            return failure

    with ThreadPoolExecutor(1 + len(queries)) as pool:
        first = pool.submit(ask, 1)
        assert answers.begun.wait(10)
        others = []
        for queued, query in enumerate(queries, 1):
            others.append(pool.submit(ask, query))
            while len(gather._queued) < queued:
                threading.Event().wait(0.001)
        answers.let_go.set()
        assert first.result() == 2
        return [other.result() for other in others]


def test_threads_that_wait_for_their_turn_are_answered_together() -> None:
    answers = Held()
    assert behind_one(answers, 3, 5, 4) == [6, 10, 8]
    assert answers.batches == [[1], [3, 5, 4]]


def test_no_more_threads_are_answered_at_once_than_the_others_can_bear() -> None:
    answers = Held()
    queries = range(100, 100 + MOST + 3)
    assert behind_one(answers, *queries) == [2 * one for one in queries]
    assert [len(batch) for batch in answers.batches] == [1, MOST, 3]


def test_a_thread_whose_question_fails_fails_alone() -> None:
    unknown, defect, other = behind_one(Held(), 13, 99, 2)
    assert isinstance(unknown, UnknownSeries)
    assert isinstance(defect, ZeroDivisionError)
    assert other == 4


def test_a_thread_that_waited_too_long_is_dropped_before_the_model_runs() -> None:
    answers = Answers()

    def too_late() -> None:
        raise DeadlineExceeded("the deadline passed")

    gather = Gather(answers)
    with pytest.raises(DeadlineExceeded):
        gather.wait(1, too_late)
    assert gather.wait(2, passes) == 4
    assert answers.batches == [[2]]


def test_what_a_thread_brings_before_it_collects_is_answered_together() -> None:
    answers = Answers()
    gather = Gather(answers)
    first, unknown, last = [gather.bring(query, passes) for query in (3, 13, 5)]
    assert gather.collect(last) == 10
    with pytest.raises(UnknownSeries):
        gather.collect(unknown)
    assert gather.collect(first) == 6
    assert answers.batches == [[3, 13, 5]]


def test_what_is_at_hand_is_not_queued_when_it_is_brought() -> None:
    answers = Answers()
    gather = Gather(answers, lambda query: 7 if query == 1 else None)
    slots = [gather.bring(query, passes) for query in (1, 2)]
    assert [gather.collect(slot) for slot in slots] == [7, 4]
    assert answers.batches == [[2]]


def test_threads_and_a_loop_may_ask_at_the_same_time() -> None:
    gather = Gather(Answers())

    async def ask() -> list[int | BaseException]:
        with ThreadPoolExecutor(4) as pool:
            loop = asyncio.get_running_loop()
            threads = [
                loop.run_in_executor(pool, gather.wait, one, passes) for one in range(100, 150)
            ]
            own = await all_of(gather, *range(150, 200))
            return [*await asyncio.gather(*threads), *own]

    assert asyncio.run(ask()) == [2 * one for one in range(100, 200)]
