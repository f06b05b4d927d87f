"""Weights of criteria: shares that together are 1."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from serving.errors import InvalidField

if TYPE_CHECKING:
    from collections.abc import Sequence

_ERROR = 1e-6


def check_weights(names: Sequence[str], weights: Sequence[float]) -> None:
    """Refuse weights that are no shares of 1.

    Args:
        names: Criterion of each weight.
        weights: The weights, each 0 to 1, together 1.

    Raises:
        InvalidField: At the first that is none, or where they do not sum to 1.
    """
    for name, weight in zip(names, weights, strict=True):
        if not 0 <= weight <= 1:
            raise InvalidField(f"weights.{name}", "must be from 0 to 1")
    total = math.fsum(weights)
    if abs(total - 1.0) > _ERROR:
        raise InvalidField("weights", f"must sum to 1, got {total:g}")
