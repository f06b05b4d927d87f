"""How many users a service bears: more and more of them until a service level breaks."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from loadtests.profiles import MAX_USERS, SETTLE_SECONDS, Stage
from serving.errors import NotReady

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from loadtests.slo import Levels, Measured

    Try = Callable[[tuple[Stage, ...]], Sequence[Measured]]

FIRST = 25  # users tried first; doubled until they are too many
HALVINGS = 3  # tries between the most that were borne and the least that were not
SECONDS = 11  # of each try
ENOUGH = 20  # requests below which a percentile says little


class Tried(NamedTuple):
    """What so many users came to.

    Attributes:
        users: Users at once.
        requests_per_second: Requests answered a second.
        p95_ms: Greatest P95 of a question at a door, in milliseconds.
        held: Whether every service level held.
    """

    users: int
    requests_per_second: float
    p95_ms: float
    held: bool


def find(levels: Levels, run: Try, tell: Callable[[Tried], None]) -> int:
    """Find how many users the service bears.

    Args:
        levels: The service levels that must hold.
        run: Puts a crowd on the service, as the stages say, and measures it.
        tell: Told of each number tried.

    Returns:
        The most users tried under which every level held.

    Raises:
        NotReady: If the levels break at the first users already.
    """

    def held(users: int) -> bool:
        tried = _tried(levels, users, run((Stage(SECONDS, users),)))
        tell(tried)
        return tried.held

    borne, users = 0, FIRST
    while held(users):
        borne = users
        if users == MAX_USERS:
            return users
        users = min(2 * users, MAX_USERS)
    if not borne:
        raise NotReady(f"the service levels break at {FIRST} users already: there is no capacity")
    too_many = users
    for _ in range(HALVINGS):
        users = (borne + too_many) // 2
        if held(users):
            borne = users
        else:
            too_many = users
    return borne


def _tried(levels: Levels, users: int, measured: Sequence[Measured]) -> Tried:
    told = [one for one in measured if one.requests >= ENOUGH]
    late = [
        one
        for one in told
        if one.question in levels.questions and one.p95_ms > levels.questions[one.question].p95_ms
    ]
    failed = sum(one.failures for one in measured)
    requests = sum(one.requests for one in measured)
    return Tried(
        users=users,
        requests_per_second=(requests - failed) / (SECONDS - SETTLE_SECONDS),
        p95_ms=max((one.p95_ms for one in told), default=0.0),
        held=bool(told) and not late and not failed,
    )
