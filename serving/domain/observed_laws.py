"""Laws of demand as it was seen or forecast: values, their sums over days, and quantiles."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from serving.domain import protection
from serving.domain.laws import CertainLaw
from serving.errors import InvalidField

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from serving.domain.laws import Law

    Floats = NDArray[np.float64]

MAX_CELLS = 1 << 18  # units and days a sum may span
_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True)
class ObservedLaw:
    """Amounts with their probabilities, such as demand as it was seen.

    Attributes:
        values: Amounts in units, 0 or more, ascending, shape (n,).
        weights: Probability of each, summing to 1, shape (n,).
    """

    values: Floats
    weights: Floats

    @classmethod
    def of(cls, seen: Sequence[float]) -> ObservedLaw:
        """Return the law of values that were seen, each as likely as another.

        Args:
            seen: Units, 0 or more, one or more values.

        Returns:
            The law.

        Raises:
            InvalidField: If there is no value, or one is negative or not finite.
        """
        if not seen:
            raise InvalidField("values", "is required: one value at the least")
        for index, value in enumerate(seen):
            if not (math.isfinite(value) and value >= 0):
                raise InvalidField(f"values[{index}]", "must be a finite number, 0 or more")
        values, counts = np.unique(np.asarray(seen, dtype=np.float64), return_counts=True)
        return cls(values, counts / counts.sum())

    @property
    def mean(self) -> float:
        """Expected units."""
        return float(self.values @ self.weights)

    @property
    def variance(self) -> float:
        """Variance."""
        return float((self.values - self.mean) ** 2 @ self.weights)

    @property
    def whole(self) -> bool:
        """Whether every amount is in whole units."""
        return bool((self.values == np.floor(self.values)).all())

    def at_most(self, units: Floats) -> Floats:
        """Return P(D <= x)."""
        reached = np.concatenate(([0.0], self.weights.cumsum()))
        return np.minimum(reached[self.values.searchsorted(units, side="right")], 1.0)

    def loss(self, units: Floats) -> Floats:
        """Return E(D - x)+ from the mean and the probability of what lies beyond x."""
        beyond = np.concatenate((np.cumsum((self.values * self.weights)[::-1])[::-1], [0.0]))
        above = np.concatenate((np.cumsum(self.weights[::-1])[::-1], [0.0]))
        place = self.values.searchsorted(units, side="right")
        return np.maximum(beyond[place] - np.asarray(units) * above[place], 0.0)

    def quantile(self, level: float) -> float:
        """Return the least amount that suffices."""
        reached = self.weights.cumsum()
        place = int(reached.searchsorted(level - _ROUNDING))
        return float(self.values[min(place, self.values.size - 1)])

    def over(self, days: float) -> Law:
        """Return the law of the sum of independent days, exactly.

        Args:
            days: How many, whole, 0 or more.

        Returns:
            The law of their sum.

        Raises:
            InvalidField: If units or days are not whole, or span too much to add up.
        """
        if days == 0:
            return CertainLaw(0.0, whole=self.whole)
        if days == 1:
            return self
        if not self.whole:
            raise InvalidField("values", "must be whole units where days are added up")
        if days != math.floor(days):
            raise InvalidField("days", "must be whole where days that were seen are added up")
        top = int(self.values[-1])
        cells = top * int(days) + 1
        if cells > MAX_CELLS:
            raise InvalidField("values", f"must span at most {MAX_CELLS:,} units over the days")
        single = np.zeros(top + 1)
        single[self.values.astype(np.int64)] = self.weights
        return ObservedLaw(np.arange(cells, dtype=np.float64), _power(single, int(days), cells))


def _power(single: Floats, days: int, cells: int) -> Floats:
    """Convolve the probabilities of a day with themselves, by squaring: no error but rounding."""
    total, square = np.ones(1), single
    while days:
        if days & 1:
            total = np.convolve(total, square) if total.size < _DIRECT else _fft(total, square)
        days >>= 1
        if days:
            square = np.convolve(square, square) if square.size < _DIRECT else _fft(square, square)
    out: Floats = np.clip(total[:cells], 0.0, None)
    return out / float(out.sum())


_DIRECT = 2_000  # beyond so many cells a transform is quicker


def _fft(one: Floats, other: Floats) -> Floats:
    size = one.size + other.size - 1
    length = 1 << (size - 1).bit_length()
    product = np.fft.irfft(np.fft.rfft(one, length) * np.fft.rfft(other, length), length)
    return product[:size]


@dataclass(frozen=True, slots=True)
class QuantileLaw:
    """Demand by the quantiles of a forecast, linear between them, with an exponential tail.

    Attributes:
        demand: The one distribution.
    """

    demand: protection.Protection

    @classmethod
    def of(cls, levels: Sequence[float], values: Sequence[float]) -> QuantileLaw:
        """Return the law of quantiles.

        Args:
            levels: Probability levels, two or more, ascending, above 0 and below 1.
            values: Units at each level, 0 or more, never falling.

        Returns:
            The law.
        """
        quantiles = np.asarray(values, dtype=np.float64)[None, None]
        return cls(protection.complete(levels, quantiles, np.ones((1, 1))))

    @property
    def mean(self) -> float:
        """Expected units."""
        return float(protection.mean(self.demand)[0])

    @property
    def variance(self) -> float:
        """Variance: of a piece linear in the level, a third of a^2 + ab + b^2."""
        gaps = self.demand.quantiles[0, 0] - self.mean
        low, high = gaps[:-1], gaps[1:]
        pieces = np.diff(self.demand.levels) * (low * low + low * high + high * high) / 3.0
        return float(pieces.sum())

    @property
    def whole(self) -> bool:
        """Not in whole units."""
        return False

    def at_most(self, units: Floats) -> Floats:
        """Return P(D <= x)."""
        return self._each(protection.at_most, units)

    def loss(self, units: Floats) -> Floats:
        """Return E(D - x)+."""
        return self._each(protection.loss, units)

    def quantile(self, level: float) -> float:
        """Return the quantile."""
        return float(protection.quantile(self.demand, np.array([level]))[0])

    def over(self, days: float) -> Law:
        """Return the law itself for one day.

        Args:
            days: How many.

        Returns:
            The law.

        Raises:
            InvalidField: For any other number of days: quantiles do not add up.
        """
        if days == 1:
            return self
        if days == 0:
            return CertainLaw(0.0)
        raise InvalidField("quantiles", "must be of the whole interval: quantiles do not add up")

    def _each(self, ask: protection.Answer, units: Floats) -> Floats:
        at = np.asarray(units, dtype=np.float64)
        flat = at.reshape(-1)
        answers = ask(self.demand.take(np.zeros(flat.size, dtype=np.intp)), flat)
        return answers.reshape(at.shape)
