"""Enums of the domain as messages take them: the numbers are those of the contract."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable
    from enum import IntEnum


def number(member: IntEnum) -> Any:  # noqa: ANN401 - each enum of the contract has its own type
    """Return the number of a member."""
    return int(member)


def numbers(members: Iterable[IntEnum]) -> list[Any]:
    """Return the numbers of members."""
    return list(map(int, members))
