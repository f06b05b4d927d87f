"""How good estimates and flags are, on quotes whose parts were held out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from training.cost.model import LEVELS, conformal_factors

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.cost.model import HeldOut

    Floats = NDArray[np.float64]

ALARM = 0.05  # false-alarm rate the flags are scored at
OVERCHARGE = 1.3  # planted factor on an honest price
NEAR = 0.10
MIN_BRACKET = 500  # quotes from which a quantity is scored on its own


def score(held: HeldOut, prices: Floats, quantities: Floats) -> dict[str, float]:
    """Score held-out estimates and flags.

    The flag of a quote is judged by factors found on the other folds, so no quote helps to set the
    bar it is held to.

    Args:
        held: What models that had not seen the parts say, shape (n,) each.
        prices: Unit prices quoted, shape (n,).
        quantities: Units quoted, shape (n,).

    Returns:
        Figures by name: rmsle, within_10, false_flags, worst_bracket_false_flags, found_30 and
        interval_80 (share of prices within the 10 % and 90 % quantile).
    """
    estimate = np.exp(held.estimate)
    errors = np.log1p(estimate) - np.log1p(prices)
    bar, low, high = (_bars(held, prices, level) for level in (1.0 - ALARM, NEAR, 1.0 - NEAR))
    flagged = prices > bar
    brackets = [
        float(flagged[quantities == one].mean())
        for one, count in zip(*np.unique(quantities, return_counts=True), strict=True)
        if count >= MIN_BRACKET
    ]
    return {
        "rmsle": float(np.sqrt(np.mean(errors**2))),
        "within_10": float(np.mean(np.abs(estimate / prices - 1.0) <= NEAR)),
        "false_flags": float(flagged.mean()),
        "worst_bracket_false_flags": max(brackets, default=float(flagged.mean())),
        "found_30": float(np.mean(prices * OVERCHARGE > bar)),
        "interval_80": float(np.mean((prices >= low) & (prices <= high))),
    }


def _bars(held: HeldOut, prices: Floats, level: float) -> Floats:
    """Return the price quantile of each quote by factors of the other folds."""
    scores = (np.log(prices) - held.estimate) / held.spread
    column, groups = LEVELS.index(level), int(held.group.max()) + 1
    bars = np.empty(len(prices))
    for fold in range(int(held.fold.max()) + 1):
        out = held.fold == fold
        factors = conformal_factors(scores[~out], held.group[~out], groups)[:, column]
        bars[out] = np.exp(held.estimate[out] + factors[held.group[out]] * held.spread[out])
    return bars
