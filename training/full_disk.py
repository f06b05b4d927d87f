"""A full disk, whoever met it first."""

from __future__ import annotations

import errno

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
# What SQLite and polars say; they pass no number of the system on.
SAID = ("disk is full", "No space left", "os error 28")
SENTENCE = "the disk is full: make room and run it again; nothing is there by halves"


def is_full(error: BaseException) -> bool:
    """Return whether a failure comes of a full disk, itself or through what it was raised from."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        if isinstance(cause, OSError) and cause.errno in FULL:
            return True
        if any(words in str(cause) for words in SAID):
            return True
        cause = cause.__cause__ or cause.__context__
    return False
