"""Slices of the scored cells: by days ahead, demand pattern, volume and age."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from serving.domain.history import STATE
from serving.domain.tiers import DemandPattern
from serving.domain.tiers import patterns as pattern_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from training.backtest.scene import Scene

    Flags = NDArray[np.bool_]

HORIZON_CUTS = (7, 14, 28, 56)
QUINTILES = 5
NEW_DAYS = 28  # a series with fewer recorded days is new


def slices(scene: Scene) -> Iterator[tuple[str, Flags]]:
    """Yield each slice of the days in stock: its name and its cells, shape (n, horizon)."""
    in_stock, state = scene.truth.in_stock, scene.records.state
    yield "all", in_stock
    for name, ahead in horizons(scene.horizon):
        yield name, in_stock & ahead
    for name, members in patterns(state).items():
        yield name, in_stock & members[:, None]
    for number, members in enumerate(quintiles(state), start=1):
        yield f"volume_{number}", in_stock & members[:, None]
    new = state[:, STATE["observed_days"].start] < NEW_DAYS
    yield "new", in_stock & new[:, None]
    yield "old", in_stock & ~new[:, None]


def horizons(horizon: int) -> Iterator[tuple[str, Flags]]:
    """Yield each stretch of days ahead: its name and its days, shape (horizon,)."""
    ahead, first = np.arange(1, horizon + 1), 1
    for cut in (*HORIZON_CUTS, horizon):
        last = min(cut, horizon)
        if first <= last:
            yield f"h{first}-{last}", (ahead >= first) & (ahead <= last)
        first = max(first, last + 1)


def patterns(state: NDArray[np.float32]) -> dict[str, Flags]:
    """Sort series by demand pattern; those that never sold are in none.

    Args:
        state: Demand states, shape (n, STATE_WIDTH).

    Returns:
        Members of each pattern, shape (n,).
    """
    found = pattern_of(state)
    named = (one for one in DemandPattern if one is not DemandPattern.NEVER_SOLD)
    return {one.name.lower(): found == one for one in named}


def quintiles(state: NDArray[np.float32]) -> list[Flags]:
    """Return the members of each fifth of the series by mean demand, least first, (n,) each."""
    mean = state[:, STATE["expanding_mean"].start]
    rank = np.argsort(np.argsort(mean, kind="stable"), kind="stable")
    fifth = rank * QUINTILES // max(rank.size, 1)
    return [fifth == number for number in range(QUINTILES)]
