"""What questions that are answered together share: one fails alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from serving.errors import ParlevelError

if TYPE_CHECKING:
    from collections.abc import Sequence

A = TypeVar("A")


def only(answers: Sequence[A | ParlevelError]) -> A:
    """Return the answer of the one question there was, or raise its failure."""
    (answer,) = answers
    if isinstance(answer, ParlevelError):
        raise answer
    return answer
