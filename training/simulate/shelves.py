"""Stock on the shelf: units that keep, and lots that expire."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


class Shelves:
    """Units on hand of n series; those with a shelf life are kept by lot, the oldest sold first.

    A unit received for a shelf life of k days can be sold on the day it arrives and on the k - 1
    days after it; what is left then is waste.
    """

    def __init__(self, shelf_life: Floats) -> None:
        """Begin with empty shelves.

        Args:
            shelf_life: Whole days a unit can be sold, infinite where it keeps, shape (n,).
        """
        self.on_hand: Floats = np.zeros(shelf_life.size)
        self._rows = np.flatnonzero(np.isfinite(shelf_life))
        self._last = shelf_life[self._rows].astype(np.int64) - 1
        longest = int(self._last.max()) + 1 if self._rows.size else 0
        # Row k holds what can be sold today and on k days more.
        self._lots = np.zeros((longest, self._rows.size))
        self._columns = np.arange(self._rows.size)

    def receive(self, units: Floats) -> None:
        """Put fresh units on the shelves, shape (n,)."""
        self.on_hand += units
        if self._rows.size:
            self._lots[self._last, self._columns] += units[self._rows]

    def take(self, asked: Floats) -> Floats:
        """Take what is asked as far as there is stock; return what was taken, shape (n,)."""
        taken = np.minimum(self.on_hand, asked)
        self.on_hand -= taken
        if self._rows.size:
            wanted = taken[self._rows]
            before = np.cumsum(self._lots, axis=0) - self._lots
            self._lots -= np.clip(wanted - before, 0.0, self._lots)
        return taken

    def expire(self) -> Floats:
        """End the day: throw away what cannot be sold tomorrow; return it, shape (n,)."""
        waste = np.zeros(self.on_hand.size)
        if self._rows.size:
            waste[self._rows] = self._lots[0]
            self._lots[:-1] = self._lots[1:]
            self._lots[-1] = 0.0
            # The lots are what there is: no rounding error is carried from day to day.
            self.on_hand[self._rows] = self._lots.sum(axis=0)
        return waste
