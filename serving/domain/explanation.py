"""Why a forecast is what it is: what each driver adds to a base, in units of demand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from serving.domain.attribution import Driver

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from serving.domain.demand import Forecast

    Floats = NDArray[np.float64]

_TOLD = 3  # drivers a sentence names
_NAMES = {
    Driver.LEVEL: "its own level",
    Driver.TREND: "the trend",
    Driver.SEASON: "the season",
    Driver.CALENDAR: "the calendar",
    Driver.PROMOTION: "promotion or discount",
    Driver.PRICE: "the price",
    Driver.CALIBRATION: "calibration",
}


@dataclass(frozen=True, slots=True)
class Explanation:
    """What moves the mean of each day of a forecast.

    Attributes:
        forecast: The forecast that is explained.
        base: Units a day where nothing of the series is known but its scale, shape (horizon,).
        contributions: Units a day each driver adds, shape (horizon, drivers) in the order of
            Driver; with the base they add up to the mean.
    """

    forecast: Forecast
    base: Floats
    contributions: Floats

    @property
    def sentence(self) -> str:
        """Say in plain words what is expected and what moves it most."""
        mean, base = float(self.forecast.mean.sum()), float(self.base.sum())
        moved = self.contributions.sum(axis=0)
        order = [int(place) for place in np.argsort(-np.abs(moved), kind="stable")[:_TOLD]]
        told = [
            f"{_NAMES[Driver(place + 1)]} {'adds' if moved[place] > 0 else 'takes off'} "
            f"{abs(moved[place]):,.1f}"
            for place in order
            if abs(moved[place]) >= _shown(mean)
        ]
        period = self.forecast.frequency.name.lower()
        count = self.forecast.query.horizon
        span = f"the next {period}" if count == 1 else f"the next {count} {period}s"
        reasons = ", ".join(told) if told else "nothing moves it from there"
        return f"Over {span} {mean:,.1f} units are expected, from a base of {base:,.1f}: {reasons}."


def _shown(mean: float) -> float:
    """Return what is worth a word: a twentieth of a unit, and a thousandth of the whole."""
    return max(0.05, abs(mean) / 1000.0)
