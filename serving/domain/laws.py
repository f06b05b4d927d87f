"""What every law of demand answers, and the law of demand over a lead time that is not certain.

Every law answers for many amounts at once. A law in whole units has its quantiles in whole units:
the least that suffices.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from serving.domain.lead_times import LeadTime

    Floats = NDArray[np.float64]

_HALVINGS = 200
_ROUNDING = 1e-12


class Law(Protocol):
    """A distribution of demand."""

    @property
    def mean(self) -> float:
        """Expected units."""

    @property
    def variance(self) -> float:
        """Variance in units squared."""

    @property
    def whole(self) -> bool:
        """Whether demand comes in whole units."""

    def at_most(self, units: Floats) -> Floats:
        """Return P(D <= x) at many amounts."""

    def loss(self, units: Floats) -> Floats:
        """Return E(D - x)+ at many amounts."""

    def quantile(self, level: float) -> float:
        """Return the least amount that demand stays within with the probability of the level."""

    def over(self, days: float) -> Law:
        """Return the law of the sum of independent days.

        Args:
            days: How many, 0 or more.

        Returns:
            The law of their sum.

        Raises:
            InvalidField: If the law cannot be summed.
        """


def least(
    enough: Callable[[float], bool], *, start: float, step: float, whole: bool, floor: float = 0.0
) -> float:
    """Find the least amount that is enough, where more is always enough too.

    Args:
        enough: Whether an amount suffices.
        start: Where to begin to look, in units.
        step: How far to go at first, in units, above 0.
        whole: Whether the amount is in whole units.
        floor: Least amount allowed.

    Returns:
        The amount: to the last whole unit, else to the last bit of a float or nearly so.

    Example:
        >>> round(least(lambda units: units**2 >= 2.0, start=0.0, step=1.0, whole=False), 6)
        1.414214
    """
    if enough(floor):
        return floor
    low, high = floor, max(start, floor + step)
    if whole:
        low, high = math.floor(low), math.ceil(high)
    while not enough(high):
        low, high, step = high, high + step, 2.0 * step
        if whole:
            high = math.ceil(high)
    for _ in range(_HALVINGS):
        middle = (low + high) // 2 if whole else 0.5 * (low + high)
        if middle in {low, high}:
            break
        if enough(middle):
            high = middle
        else:
            low = middle
    return float(high)


def quantile_of(law: Law, level: float) -> float:
    """Search the quantile of a law, in whole units where it is one of them.

    Args:
        law: The law.
        level: Probability, 0 to below 1.

    Returns:
        Units, 0 or more.
    """
    spread = math.sqrt(law.variance)
    return least(
        lambda units: float(law.at_most(np.array(units))) >= level - _ROUNDING,
        start=law.mean,
        step=max(spread, law.mean, 1.0 if law.whole else 1e-9),
        whole=law.whole,
    )


@dataclass(frozen=True, slots=True)
class CertainLaw:
    """Demand that does not vary.

    Attributes:
        mean: The units demanded.
        whole: Whether they are counted in whole units.
    """

    mean: float
    whole: bool = False

    @property
    def variance(self) -> float:
        """No variance."""
        return 0.0

    def at_most(self, units: Floats) -> Floats:
        """Return P(D <= x)."""
        return (units >= self.mean).astype(np.float64)

    def loss(self, units: Floats) -> Floats:
        """Return E(D - x)+."""
        return np.maximum(self.mean - units, 0.0)

    def quantile(self, level: float) -> float:
        """Return the units demanded, 0 at a level of 0."""
        return self.mean if level > 0 else 0.0

    def over(self, days: float) -> CertainLaw:
        """Return the demand of so many days."""
        return CertainLaw(self.mean * days)


@dataclass(frozen=True, slots=True)
class MixedLaw:
    """One of several laws, by chance.

    Attributes:
        parts: The laws, all in whole units or none.
        weights: Probability of each, summing to 1.
    """

    parts: tuple[Law, ...]
    weights: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Expected units."""
        return math.fsum(w * part.mean for w, part in zip(self.weights, self.parts, strict=True))

    @property
    def variance(self) -> float:
        """Variance: the mean of the variances and the variance of the means."""
        middle = self.mean
        return math.fsum(
            w * (part.variance + (part.mean - middle) ** 2)
            for w, part in zip(self.weights, self.parts, strict=True)
        )

    @property
    def whole(self) -> bool:
        """Whether demand comes in whole units."""
        return all(part.whole for part in self.parts)

    def at_most(self, units: Floats) -> Floats:
        """Return P(D <= x) at many amounts."""
        parts = [w * part.at_most(units) for w, part in zip(self.weights, self.parts, strict=True)]
        total: Floats = np.sum(parts, axis=0)
        return total

    def loss(self, units: Floats) -> Floats:
        """Return E(D - x)+ at many amounts."""
        parts = [w * part.loss(units) for w, part in zip(self.weights, self.parts, strict=True)]
        total: Floats = np.sum(parts, axis=0)
        return total

    def quantile(self, level: float) -> float:
        """Return the least amount that demand stays within with the probability of the level."""
        return quantile_of(self, level)

    def over(self, days: float) -> MixedLaw:
        """Return the mixture of the sums: which law it is stays the same for all days."""
        return MixedLaw(tuple(part.over(days) for part in self.parts), self.weights)


def over_lead_time(daily: Law, lead_time: LeadTime, more_days: float = 0.0) -> Law:
    """Return the law of demand over a lead time and some days more, exactly.

    P(D <= x) = sum over l of P(L = l) P(D_{l + R} <= x).

    Args:
        daily: Demand of a day, days being independent.
        lead_time: Distribution of the lead time.
        more_days: Days beyond it, 0 or more.

    Returns:
        The law of the sum.

    Raises:
        InvalidField: If the law of a day cannot be summed over those days.

    Example:
        >>> from serving.domain.lead_times import LeadTime
        >>> law = over_lead_time(CertainLaw(2.0), LeadTime((1.0, 3.0), (0.5, 0.5)), 1.0)
        >>> law.mean, law.variance
        (6.0, 4.0)
    """
    parts = tuple(daily.over(days + more_days) for days in lead_time.days)
    return parts[0] if len(parts) == 1 else MixedLaw(parts, lead_time.weights)
