"""(R, s, nQ): how far demand has carried a position below the reorder point when it is seen.

A position that is looked at once a review period is not seen at the reorder point but below it, by
the undershoot. Each order then brings the least number of whole quantities that lifts it above the
point again, so that the position after a review is uniform on the Q units above it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from serving.domain.laws import quantile_of
from serving.domain.min_max import MAX_CELLS, cell_shares, grid_step
from serving.errors import InvalidField

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from serving.domain.laws import Law

    Floats = NDArray[np.float64]

_STEPS_OF_CELL = 10  # of the grid of demand, that make a cell the positions are averaged over


@dataclass(frozen=True, slots=True)
class UndershotLaw:
    """Demand over a lead time and the undershoot with which it began.

    Attributes:
        lead: Demand over the lead time.
        below: Undershoots in units, shape (n,).
        shares: Probability of each, summing to 1, shape (n,).
    """

    lead: Law
    below: Floats
    shares: Floats

    @classmethod
    def of(cls, lead: Law, between: Law, quantity: float) -> UndershotLaw:
        """Return the law of an order quantity under periodic review.

        With the position after a review uniform on (s, s + Q] and an order placed where demand up
        to the next one reaches s, P(undershoot = u) is in proportion to P(u < D_R <= u + Q). For a
        Q beyond all demand of a review period its mean is (sigma^2 + mu^2) / (2 mu), less a half
        where demand is in whole units.

        Args:
            lead: Demand over the lead time.
            between: Demand between two reviews.
            quantity: Units per order, above 0.

        Returns:
            The law.

        Raises:
            InvalidField: If the grid would be too large.

        Source: Hadley and Whitin, Analysis of Inventory Systems (1963), chapter 5, for the
        positions; Tijms, Stochastic Models (1994), section 1.1, for the mean.

        Example:
            >>> from serving.domain.demand_laws import GammaLaw, PoissonLaw
            >>> daily = GammaLaw(4.0, 2.5)
            >>> late = UndershotLaw.of(daily.over(3), daily, 100.0)
            >>> round(late.mean - 30.0, 3), (25.0 + 100.0) / 20.0
            (6.25, 6.25)
            >>> round(UndershotLaw.of(PoissonLaw(9.0), PoissonLaw(3.0), 50.0).mean - 9.0, 6)
            1.5
        """
        step = grid_step(between)
        single = cell_shares(between, step)
        window = max(1, min(round(quantity / step), single.size))
        reaching = np.zeros(single.size + window)  # P(D_R >= cells)
        reaching[: single.size] = single[::-1].cumsum()[::-1]
        shares = reaching[1 : single.size] - reaching[1 + window : single.size + window]
        if not shares.sum() > 0:
            return cls(lead, np.zeros(1), np.ones(1))
        # Demand that is not in whole units comes from anywhere in a cell: from its middle.
        below = (np.arange(float(shares.size)) + (0.0 if between.whole else 0.5)) * step
        return cls(lead, below, shares / float(shares.sum()))

    @property
    def mean(self) -> float:
        """Expected units."""
        return self.lead.mean + float(self.below @ self.shares)

    @property
    def variance(self) -> float:
        """Variance in units squared."""
        middle = float(self.below @ self.shares)
        return self.lead.variance + float((self.below - middle) ** 2 @ self.shares)

    @property
    def whole(self) -> bool:
        """Whether demand comes in whole units."""
        return self.lead.whole

    def at_most(self, units: Floats) -> Floats:
        """Return P(D + undershoot <= x) at many amounts."""
        within: Floats = self.lead.at_most(np.asarray(units)[..., None] - self.below) @ self.shares
        return within

    def loss(self, units: Floats) -> Floats:
        """Return E(D + undershoot - x)+ at many amounts."""
        short: Floats = self.lead.loss(np.asarray(units)[..., None] - self.below) @ self.shares
        return short

    def quantile(self, level: float) -> float:
        """Return the least amount that suffices with the probability of the level."""
        return quantile_of(self, level)

    def over(self, days: float) -> UndershotLaw:
        """Return the law of so many lead times, begun with one undershoot."""
        return UndershotLaw(self.lead.over(days), self.below, self.shares)


def positions_above(between: Law, quantity: float) -> Floats:
    """Return how far above the reorder point the position stands after a review, each as likely.

    Args:
        between: Demand between two reviews.
        quantity: Units per order, above 0.

    Returns:
        Units, ascending, shape (positions,): the whole ones where demand is in whole units.

    Raises:
        InvalidField: If there are too many.

    Example:
        >>> from serving.domain.demand_laws import PoissonLaw
        >>> positions_above(PoissonLaw(3.0), 4.0)
        array([1., 2., 3., 4.])
    """
    step = grid_step(between)
    cells = round(quantity) if between.whole else math.ceil(quantity / (_STEPS_OF_CELL * step))
    if cells > MAX_CELLS:
        raise InvalidField("order_quantity", "must be nearer to the demand of a review period")
    if between.whole:
        return np.arange(1.0, max(cells, 1) + 1.0)
    return (np.arange(float(cells)) + 0.5) * (quantity / cells)
