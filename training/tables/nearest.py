"""The known name nearest to an unknown one."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def suggestion(name: str, known: Iterable[str]) -> str:
    """Say which known name was probably meant.

    Args:
        name: The unknown name.
        known: The names that would be right.

    Returns:
        ``: did you mean 'x'?``, or the list of known names where none is near.

    >>> suggestion("qty", ["quantity", "price"])
    ': known are price, quantity'
    >>> suggestion("quantty", ["quantity", "price"])
    ": did you mean 'quantity'?"
    """
    names = sorted(known)
    folded = {each.casefold(): each for each in names}
    near = get_close_matches(name.strip().casefold(), folded, n=1, cutoff=0.6)
    if near:
        return f": did you mean {folded[near[0]]!r}?"
    return f": known are {', '.join(names)}"
