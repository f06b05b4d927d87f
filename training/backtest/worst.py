"""The series a backtest missed by most, and what there is to say of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from serving.domain.history import STATE
from training.backtest.slices import NEW_DAYS, patterns
from training.page import share

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.backtest.forecasts import Daily
    from training.backtest.scene import Scene

    Floats = NDArray[np.float64]

SHOWN = 15
MOVED = 1.5  # demand over the level before the origin at which a series has moved
SOLD_OUT = 0.8  # share of the last week in stock below which the level is a guess
WITHIN = 0.85  # share of days within the 90 % interval from which a miss is noise
WIDE = 1.0  # width of that interval over mean sales from which noise is what there is


@dataclass(frozen=True, slots=True)
class Missed:
    """A series a backtest missed by much.

    Attributes:
        series: Its place among the scored series.
        sku: The product.
        location: The location.
        sold: Units sold on the days in stock.
        expected: Units the median forecast expected on them.
        error: Sum of |sold - forecast| over them, in units.
        share: That over the same sum of all series.
        why: What there is to say of it.
    """

    series: int
    sku: str
    location: str
    sold: float
    expected: float
    error: float
    share: float
    why: str


def worst_series(scene: Scene, daily: Daily, levels: tuple[float, ...]) -> list[Missed]:
    """Return the series with the greatest sums of errors on days in stock, the worst first.

    Args:
        scene: Where the forecast is held against what came true.
        daily: The forecast of demand.
        levels: Trained levels of the forecast.
    """
    truth, panel = scene.truth, scene.panel
    rows = truth.in_stock
    median = daily.quantiles[:, :, levels.index(0.5)].astype(np.float64)
    error = np.where(rows, np.abs(truth.sold - median), 0.0).sum(axis=1)
    sold = np.where(rows, truth.sold, 0.0).sum(axis=1)
    expected = np.where(rows, median, 0.0).sum(axis=1)
    total = max(float(error.sum()), 1e-12)
    order = np.argsort(-error, kind="stable")[:SHOWN]
    reasons = _Reasons(scene, daily, levels)
    return [
        Missed(
            series=row,
            sku=panel.skus[truth.series[row]],
            location=panel.locations[truth.series[row]],
            sold=float(sold[row]),
            expected=float(expected[row]),
            error=float(error[row]),
            share=float(error[row]) / total,
            why=reasons.of(row),
        )
        for row in order.tolist()
        if error[row] > 0
    ]


class _Reasons:
    """What can be said of a series from its past, its forecast and what came."""

    def __init__(self, scene: Scene, daily: Daily, levels: tuple[float, ...]) -> None:
        self._scene = scene
        self._low = daily.quantiles[:, :, levels.index(0.05)]
        self._high = daily.quantiles[:, :, levels.index(0.95)]
        self._patterns = patterns(scene.records.state)

    def of(self, row: int) -> str:
        """Return everything that holds for a series, the first cause first."""
        return (
            "; ".join([*self._past(row), *self._regime(row), *self._spread(row)])
            or "no cause stands out"
        )

    def _past(self, row: int) -> list[str]:
        found, state = [], self._scene.records.state[row]
        observed = float(state[STATE["observed_days"].start])
        if observed < NEW_DAYS:
            found.append(f"only {observed:.0f} days of history")
        available = float(state[STATE["available_7"].start])
        if available < SOLD_OUT:
            found.append(f"in stock {share(available, 0)} of the week before: its level is a guess")
        level, in_stock = float(state[STATE["level"].start]), self._scene.truth.in_stock[row]
        if level > 0 and in_stock.any():
            moved = float(self._scene.truth.sold[row][in_stock].mean()) / level
            if moved >= MOVED or moved <= 1 / MOVED:
                found.append(f"sold {moved:.1f} times its level of the weeks before")
        return found

    def _regime(self, row: int) -> list[str]:
        scene = self._scene
        window = slice(scene.origin + 1, scene.origin + 1 + scene.horizon)
        series = scene.truth.series[row]
        before = scene.records.state[row, STATE["promoted_level"].start]
        promoted = float(scene.panel.history.promoted[window, series].mean())
        if promoted > 0 and before < promoted / 4:
            return [f"promoted on {share(promoted, 0)} of the days, hardly before"]
        return []

    def _spread(self, row: int) -> list[str]:
        truth = self._scene.truth
        in_stock = truth.in_stock[row]
        found = [
            f"{name} demand"
            for name, members in self._patterns.items()
            if members[row] and name != "smooth"
        ]
        if in_stock.any():
            sold = truth.sold[row][in_stock]
            low, high = self._low[row][in_stock], self._high[row][in_stock]
            inside = float(((sold >= low) & (sold <= high)).mean())
            mean = float(sold.mean())
            wide = mean > 0 and float((high - low).mean()) / mean >= WIDE
            if inside >= WITHIN and wide:
                found.append(
                    f"{share(inside, 0)} of days within a wide 90 % interval: noise, and said so"
                )
            elif inside < WITHIN:
                found.append(f"{share(inside, 0)} of days within the 90 % interval")
        return found
