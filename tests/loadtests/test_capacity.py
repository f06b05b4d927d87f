"""How many users are borne is searched, not guessed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from loadtests.capacity import FIRST, Tried, find
from loadtests.profiles import MAX_USERS
from loadtests.slo import Bounds, Levels, Measured
from serving.errors import NotReady

if TYPE_CHECKING:
    from loadtests.profiles import Stage

LEVELS = Levels(availability=0.999, questions={"forecast": Bounds(50.0, 100.0, 0.0)})


class Service:
    """Answers in time up to a number of users; beyond it late, or not at all."""

    def __init__(self, borne: int, *, failures: int = 0) -> None:
        self.borne = borne
        self.failures = failures

    def run(self, stages: tuple[Stage, ...]) -> list[Measured]:
        ((seconds, users),) = stages
        fine = users <= self.borne
        late = fine or self.failures
        return [
            Measured(
                door="grpc",
                question="forecast",
                requests=int(seconds * users),
                failures=0 if fine else self.failures,
                unanswered=0,
                p50_ms=5.0,
                p95_ms=20.0 if late else 80.0,
                p99_ms=90.0,
            )
        ]


@pytest.mark.parametrize("failures", [0, 3])
@pytest.mark.parametrize("borne", [FIRST, 60, 333, 1200])
def test_what_is_found_is_borne_and_a_little_more_is_not(borne: int, failures: int) -> None:
    tried: list[Tried] = []
    found = find(LEVELS, Service(borne, failures=failures).run, tried.append)
    assert found <= borne <= found * 1.2
    assert {one.users: one.held for one in tried}[found]
    assert all(one.held == (one.users <= borne) for one in tried)


def test_a_service_that_bears_all_is_tried_with_no_more_than_there_are() -> None:
    assert find(LEVELS, Service(10 * MAX_USERS).run, lambda _: None) == MAX_USERS


def test_a_service_that_bears_nobody_has_no_capacity() -> None:
    with pytest.raises(NotReady, match="break at 25 users already"):
        find(LEVELS, Service(3).run, lambda _: None)


def test_a_question_asked_too_seldom_decides_nothing() -> None:
    def seldom(stages: tuple[Stage, ...]) -> list[Measured]:
        (one,) = Service(100).run(stages)
        rare = Measured("http", "forecast", 3, 0, 0, 1.0, 900.0, 900.0)
        return [one, rare]

    assert 80 <= find(LEVELS, seldom, lambda _: None) <= 100
