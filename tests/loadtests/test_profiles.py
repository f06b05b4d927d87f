"""Profiles: how many users at which time, and always an end."""

from __future__ import annotations

import itertools

import pytest

from loadtests.profiles import PROFILES, stages_of, users_at
from serving.errors import InvalidField


@pytest.mark.parametrize("name", PROFILES)
def test_every_profile_ends_on_time_and_reaches_its_users(name: str) -> None:
    stages = stages_of(name, 50, 30)
    assert max(stage.users for stage in stages) == 50
    assert stages[-1].until == 30
    assert all(early.until < late.until for early, late in itertools.pairwise(stages))
    assert users_at(stages, 30.0) is None


def test_a_ramp_climbs() -> None:
    users = [stage.users for stage in stages_of("ramp", 100, 100)]
    assert users == list(range(10, 101, 10))


def test_a_spike_rises_five_times_and_falls_back() -> None:
    stages = stages_of("spike", 100, 10)
    moments = (0.0, 3.9, 4.0, 5.9, 6.0)
    assert [users_at(stages, moment) for moment in moments] == [20, 20, 100, 100, 20]


def test_one_user_is_the_least_anywhere() -> None:
    assert min(stage.users for stage in stages_of("ramp", 1, 10)) == 1


@pytest.mark.parametrize(
    ("name", "users", "seconds", "field"),
    [
        ("forever", None, None, "profile"),
        ("short", 0, None, "users"),
        ("short", None, 3601, "seconds"),
    ],
)
def test_what_cannot_be_run_is_refused(
    name: str, users: int | None, seconds: int | None, field: str
) -> None:
    with pytest.raises(InvalidField) as caught:
        stages_of(name, users, seconds)
    assert caught.value.field == field
