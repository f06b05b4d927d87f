"""Totals over series: means add up exactly, spreads are measured at each level.

The mean of a total is the sum of the means of its series, so every level adds up to the one above.
Quantiles do not add: series share weather, holidays and weeks. Those of a total are its mean times
the quantiles that totals of the same level and size had over their means on past origins.
"""

from __future__ import annotations

import base64
import enum
import io
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from serving.domain.routes import AHEAD_CUTS, PATTERNS, SIZE_CUTS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Indices = NDArray[np.int64]

KEY = "totals"  # name of the entry in the graph's metadata


class TotalLevel(enum.IntEnum):
    """What a total is taken over; its number is its place in the shapes."""

    CATEGORY_LOCATION = 0
    CATEGORY = 1
    LOCATION = 2
    REGION = 3
    TOTAL = 4


def total_groups(
    level: TotalLevel, ahead: Indices, expected: Floats, *, sales: bool
) -> tuple[Indices, ...]:
    """Return the place of each total in the shapes, one index array an axis.

    Args:
        level: What the totals are taken over.
        ahead: Days ahead, broadcasting with ``expected``.
        expected: Expected units of each total.
        sales: Whether sales are asked for rather than demand in stock.

    Returns:
        Indices that broadcast to the shape of ``expected``.
    """
    return (
        np.asarray(int(sales)),
        np.asarray(int(level)),
        np.asarray(PATTERNS - 1),  # totals are told apart by size alone
        np.searchsorted(AHEAD_CUTS, ahead, side="left"),
        np.searchsorted(SIZE_CUTS, expected, side="right"),
    )


@dataclass(frozen=True, slots=True, eq=False)
class TotalShapes:
    """Quantiles of totals over their means, the leading axes those of routes.SHAPE_GROUPS.

    Attributes:
        factors: Last axis the daily levels.
    """

    factors: Floats

    def quantiles(
        self, level: TotalLevel, ahead: Indices, expected: Floats, *, sales: bool
    ) -> Floats:
        """Return quantiles of totals, shape (*expected.shape, levels)."""
        group = total_groups(level, ahead, expected, sales=sales)
        found: Floats = expected[..., None] * self.factors[group]
        return found

    def encode(self) -> str:
        """Write the factors as text for the graph's metadata."""
        packed = io.BytesIO()
        np.save(packed, self.factors)
        return base64.b64encode(zlib.compress(packed.getvalue(), 9)).decode()


def decode(text: str) -> TotalShapes:
    """Read factors as `TotalShapes.encode` writes them.

    Args:
        text: The entry of the graph's metadata.

    Returns:
        The shapes.

    Raises:
        ValueError: If the text is damaged.
    """
    packed = io.BytesIO(zlib.decompress(base64.b64decode(text)))
    return TotalShapes(np.load(packed, allow_pickle=False))
