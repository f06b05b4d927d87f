"""A full disk is recognised whoever met it."""

from __future__ import annotations

import errno
import sqlite3

import pytest

from training.full_disk import is_full


@pytest.mark.parametrize(
    "failure",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EDQUOT, "Quota exceeded"),
        sqlite3.OperationalError("database or disk is full"),
        RuntimeError("No space left on device (os error 28)"),
    ],
)
def test_each_library_is_understood(failure: Exception) -> None:
    assert is_full(failure)


def test_what_a_failure_was_raised_from_counts() -> None:
    told = ValueError("cannot log the run")
    told.__cause__ = OSError(errno.ENOSPC, "No space left on device")
    assert is_full(told)


def test_other_failures_are_not_a_full_disk() -> None:
    circle = ValueError("round and round")
    circle.__cause__ = circle
    assert not is_full(circle)
    assert not is_full(OSError(errno.EACCES, "Permission denied"))
