"""Laws of demand by their parameters: normal, gamma, Poisson and negative binomial."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import betainc, gammainc, gammaincc, gammaincinv, ndtr, ndtri, pdtr

from serving.domain.laws import CertainLaw, quantile_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from serving.domain.laws import Law

    Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class NormalLaw:
    """Normal demand; negative demand is as likely as the law says.

    Attributes:
        mean: Expected units.
        std: Standard deviation in units, above 0.
    """

    mean: float
    std: float

    @property
    def variance(self) -> float:
        """Variance."""
        return self.std**2

    @property
    def whole(self) -> bool:
        """Not in whole units."""
        return False

    def at_most(self, units: Floats) -> Floats:
        """Return P(D <= x)."""
        probability: Floats = ndtr((units - self.mean) / self.std)
        return probability

    def loss(self, units: Floats) -> Floats:
        """Return E(D - x)+ = sigma (phi(z) - z (1 - Phi(z)))."""
        factor = (np.asarray(units) - self.mean) / self.std
        density = np.exp(-0.5 * factor * factor) / math.sqrt(2.0 * math.pi)
        excess: Floats = self.std * np.maximum(density - factor * ndtr(-factor), 0.0)
        return excess

    def quantile(self, level: float) -> float:
        """Return the quantile, 0 where it would be negative."""
        return max(0.0, self.mean + float(ndtri(level)) * self.std)

    def over(self, days: float) -> Law:
        """Return the law of the sum of so many days."""
        if days == 0:
            return CertainLaw(0.0)
        return NormalLaw(self.mean * days, self.std * math.sqrt(days))


@dataclass(frozen=True, slots=True)
class GammaLaw:
    """Gamma demand.

    Attributes:
        shape: Shape, above 0.
        scale: Scale in units, above 0.
    """

    shape: float
    scale: float

    @property
    def mean(self) -> float:
        """Expected units."""
        return self.shape * self.scale

    @property
    def variance(self) -> float:
        """Variance."""
        return self.shape * self.scale**2

    @property
    def whole(self) -> bool:
        """Not in whole units."""
        return False

    def at_most(self, units: Floats) -> Floats:
        """Return P(D <= x)."""
        probability: Floats = gammainc(self.shape, np.maximum(units, 0.0) / self.scale)
        return probability

    def loss(self, units: Floats) -> Floats:
        """Return E(D - x)+ from the tails of this law and of the one a shape higher."""
        amount = np.maximum(np.asarray(units, dtype=np.float64), 0.0)
        at = amount / self.scale
        excess: Floats = self.mean * gammaincc(self.shape + 1.0, at)
        excess = excess - amount * gammaincc(self.shape, at)
        return np.maximum(excess, 0.0) + np.maximum(-np.asarray(units), 0.0)

    def quantile(self, level: float) -> float:
        """Return the quantile."""
        return float(gammaincinv(self.shape, level)) * self.scale

    def over(self, days: float) -> Law:
        """Return the law of the sum of so many days."""
        return CertainLaw(0.0) if days == 0 else GammaLaw(self.shape * days, self.scale)


@dataclass(frozen=True, slots=True)
class PoissonLaw:
    """Poisson demand, one unit at a time.

    Attributes:
        mean: Expected units, above 0.
    """

    mean: float

    @property
    def variance(self) -> float:
        """Variance."""
        return self.mean

    @property
    def whole(self) -> bool:
        """In whole units."""
        return True

    def at_most(self, units: Floats) -> Floats:
        """Return P(D <= x)."""
        counts = np.floor(units)
        return np.where(counts < 0, 0.0, pdtr(np.maximum(counts, 0.0), self.mean))

    def loss(self, units: Floats) -> Floats:
        """Return E(D - x)+ = m P(D >= k) - x P(D > k), k the whole units of x."""
        counts = np.floor(units)
        above = 1.0 - self.at_most(counts)
        from_it = 1.0 - self.at_most(counts - 1.0)
        return np.maximum(self.mean * from_it - np.asarray(units) * above, 0.0)

    def quantile(self, level: float) -> float:
        """Return the least whole units that suffice."""
        return quantile_of(self, level)

    def over(self, days: float) -> Law:
        """Return the law of the sum of so many days."""
        return CertainLaw(0.0, whole=True) if days == 0 else PoissonLaw(self.mean * days)


@dataclass(frozen=True, slots=True)
class NegativeBinomialLaw:
    """Negative binomial demand: Poisson at a rate that is gamma.

    Attributes:
        size: Size r, above 0.
        share: Probability p of a success, above 0 and below 1; the mean is r (1 - p) / p.
    """

    size: float
    share: float

    @property
    def mean(self) -> float:
        """Expected units."""
        return self.size * (1.0 - self.share) / self.share

    @property
    def variance(self) -> float:
        """Variance."""
        return self.mean / self.share

    @property
    def whole(self) -> bool:
        """In whole units."""
        return True

    def at_most(self, units: Floats) -> Floats:
        """Return P(D <= x)."""
        counts = np.floor(units)
        within = betainc(self.size, np.maximum(counts, 0.0) + 1.0, self.share)
        return np.where(counts < 0, 0.0, within)

    def loss(self, units: Floats) -> Floats:
        """Return E(D - x)+: the mean beyond k is that of the law one size up, k - 1 units on."""
        counts = np.floor(units)
        larger = NegativeBinomialLaw(self.size + 1.0, self.share)
        beyond = self.mean * (1.0 - larger.at_most(counts - 1.0))
        above = 1.0 - self.at_most(counts)
        return np.maximum(beyond - np.asarray(units) * above, 0.0)

    def quantile(self, level: float) -> float:
        """Return the least whole units that suffice."""
        return quantile_of(self, level)

    def over(self, days: float) -> Law:
        """Return the law of the sum of so many days."""
        if days == 0:
            return CertainLaw(0.0, whole=True)
        return NegativeBinomialLaw(self.size * days, self.share)
