"""How many users there are at each moment; every profile ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from serving.errors import InvalidField

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MAX_SECONDS = 3600
SETTLE_SECONDS = 3.0  # in which all users come at once, and which say nothing of a steady load
MAX_USERS = 2000
STEPS = 10  # of a ramp
QUIET = 5  # a spike is this many times the users before and after it


class Stage(NamedTuple):
    """A number of users up to a moment.

    Attributes:
        until: Seconds from the start at which it ends.
        users: Users there are.
    """

    until: float
    users: int


class Profile(NamedTuple):
    """A load to run.

    Attributes:
        users: Most users at any moment.
        seconds: Length of the run.
        stages: Gives the stages of so many users over so many seconds.
        share: Share of the users the service was found to bear that it is run with, 0 to 1; where
            None, `users` are.
        settle_seconds: Time from the start that does not count.
    """

    users: int
    seconds: int
    stages: Callable[[int, int], Iterator[Stage]]
    share: float | None = None
    settle_seconds: float = 0.0


def _sustained(users: int, seconds: int) -> Iterator[Stage]:
    yield Stage(seconds, users)


def _ramp(users: int, seconds: int) -> Iterator[Stage]:
    for step in range(1, STEPS + 1):
        yield Stage(seconds * step / STEPS, max(1, users * step // STEPS))


def _spike(users: int, seconds: int) -> Iterator[Stage]:
    quiet = max(1, users // QUIET)
    yield Stage(seconds * 0.4, quiet)
    yield Stage(seconds * 0.6, users)
    yield Stage(seconds, quiet)


PROFILES = {
    "short": Profile(20, 20, _sustained),
    "sustained": Profile(200, 120, _sustained, share=0.7, settle_seconds=SETTLE_SECONDS),
    "ramp": Profile(500, 120, _ramp, share=0.9),
    "spike": Profile(500, 120, _spike, share=0.9),
}


def profile_of(name: str) -> Profile:
    """Return a profile.

    Raises:
        InvalidField: If there is none of that name.
    """
    if name not in PROFILES:
        raise InvalidField("profile", f"must be one of {', '.join(PROFILES)}")
    return PROFILES[name]


def stages_of(name: str, users: int | None, seconds: int | None) -> tuple[Stage, ...]:
    """Return the stages of a profile.

    Args:
        name: Name of the profile.
        users: Most users at any moment; the profile's own number where None.
        seconds: Length of the run; the profile's own where None.

    Raises:
        InvalidField: If there is no such profile, or a number is out of bounds.
    """
    profile = profile_of(name)
    users = profile.users if users is None else users
    seconds = profile.seconds if seconds is None else seconds
    for field, value, most in (("users", users, MAX_USERS), ("seconds", seconds, MAX_SECONDS)):
        if not 1 <= value <= most:
            raise InvalidField(field, f"must be from 1 to {most:,}")
    return tuple(profile.stages(users, seconds))


def users_at(stages: tuple[Stage, ...], moment: float) -> int | None:
    """Return how many users there are so many seconds after the start; None once it is over."""
    return next((stage.users for stage in stages if moment < stage.until), None)
