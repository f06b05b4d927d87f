"""Stock that expires before it is sold, the first to expire being sold first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from serving.domain.protection import complete

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_PATHS = 1_000


@dataclass(frozen=True, slots=True)
class Batch:
    """Units that expire on one day.

    Attributes:
        quantity: Units, 0 or more.
        levels: Trained probability levels, ascending.
        quantiles: Units demanded up to that day at those levels, shape (levels,).
    """

    quantity: float
    levels: tuple[float, ...]
    quantiles: Floats


def expected_waste(batches: Sequence[Batch], backorders: float = 0.0) -> float:
    """Return the units expected to expire, the first to expire being sold first.

    With Q_i the units of the batches up to i and D_i the demand up to the day they expire, the
    waste is the greatest (Q_i - D_i)+. A path of demand is taken to keep its probability level from
    day to day, as sums of one series nearly do.

    Args:
        batches: What expires, in the order it does.
        backorders: Units owed, which are delivered first.

    Returns:
        Units, 0 or more.

    Source: Nahmias, Perishable Inventory Systems (2011), chapter 2.

    Example:
        >>> certain = np.array([4.0, 4.0])
        >>> expected_waste([Batch(10.0, (0.5, 0.9), certain)], backorders=3.0) > 2.9
        True
    """
    paths = (np.arange(_PATHS) + 0.5) / _PATHS
    wasted, units = np.zeros(_PATHS), -backorders
    for batch in batches:
        units += batch.quantity
        whole = complete(batch.levels, batch.quantiles[None, None], np.ones((1, 1)))
        demanded = np.interp(paths, whole.levels, whole.quantiles[0, 0])
        wasted = np.maximum(wasted, units - demanded)
    return float(wasted.mean())
