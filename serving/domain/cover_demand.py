"""Demand of series over their protection intervals, as a forecast gives it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from serving.domain.demand import distribution_std
from serving.domain.protection import Protection, complete

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class CoverForecast:
    """What a forecast says of n series' demand over each lead time they may have.

    Attributes:
        levels: Trained probability levels, ascending.
        quantiles: Units over lead time plus review period for each lead time, shape
            (n, lead times, levels), never crossing.
        means: Expected units over them, shape (n, lead times).
        lead_quantiles: Units over each lead time alone, 0 over no days, shape as quantiles.
        weights: Probability of each lead time, 0 for one that only pads, shape (n, lead times).
        daily_mean: Expected units a day, shape (n,).
        daily_std: Standard deviation of a day's forecast error in units, shape (n,).
    """

    levels: tuple[float, ...]
    quantiles: Floats
    means: Floats
    lead_quantiles: Floats
    weights: Floats
    daily_mean: Floats
    daily_std: Floats


@dataclass(frozen=True, slots=True)
class CoverDemand:
    """Demand of n series over their protection intervals.

    Attributes:
        forecast: What the forecast says.
        over_cover: Demand over lead time plus review period, lead times mixed.
        over_lead: Demand over the lead time alone.
        mean: Expected units over lead time plus review period, shape (n,).
    """

    forecast: CoverForecast
    over_cover: Protection
    over_lead: Protection
    mean: Floats

    @classmethod
    def of(cls, forecast: CoverForecast) -> CoverDemand:
        """Mix a forecast's distributions by the probabilities of the lead times.

        Args:
            forecast: What the forecast says.

        Returns:
            Demand of the same series.
        """
        weights, levels = forecast.weights, forecast.levels
        mean = weights[:, 0] * forecast.means[:, 0]
        for place in range(1, weights.shape[1]):  # in order: the same bits in any batch
            mean = mean + weights[:, place] * forecast.means[:, place]
        return cls(
            forecast=forecast,
            over_cover=complete(levels, forecast.quantiles, weights),
            over_lead=complete(levels, forecast.lead_quantiles, weights),
            mean=mean,
        )

    def std(self) -> Floats:
        """Return the standard deviation of demand over the protection interval, shape (n,)."""
        forecast = self.forecast
        total = np.zeros(self.mean.shape)
        for place in range(forecast.weights.shape[1]):
            part = forecast.means[:, place]
            spread = distribution_std(forecast.levels, forecast.quantiles[:, place], part)
            total = total + forecast.weights[:, place] * (spread**2 + (part - self.mean) ** 2)
        return np.sqrt(total)
