"""The planner's hand on sums: what people say of days, laid over demand over covers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from serving.domain.demand import DemandTarget
from serving.domain.overrides import lay_over_sum
from serving.domain.periods import day_numbers_ahead, first_day, period_of
from serving.flows.prediction import predict_daily

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from serving.domain.features import SeriesRecords
    from serving.domain.overrides import Override
    from serving.domain.periods import Frequency
    from serving.flows.evidence import Evidence
    from serving.ports import DemandModel

    Floats = NDArray[np.float64]
    Hands = Mapping[int, Sequence[Override]]


def hands_of(found: Sequence[Evidence]) -> dict[int, Sequence[Override]]:
    """Return the overrides in force of series, by their row; those of none are left out."""
    return {row: one.overrides for row, one in enumerate(found) if one.overrides}


def told_of_covers(
    found: Sequence[Evidence], covers: NDArray[np.int64], frequency: Frequency, beside: int = 0
) -> tuple[str, ...]:
    """Say for how many series overrides hold within the cover; nothing where for none.

    Args:
        found: What the answer about each of n series rests on.
        covers: Periods of each cover, shape (n,).
        frequency: Length of a period.
        beside: Further series asked about together with them, of which nobody says anything.
    """
    held, asked = 0, len(found) + beside
    for one, periods in zip(found, covers.tolist(), strict=True):
        if one.overrides:
            beyond = period_of(np.datetime64(one.origin, "D"), frequency) + periods + 1
            end = int(first_day(beyond).astype(np.int64))
            held += any(one.origin < override.day < end for override in one.overrides)
    return (f"overrides hold within the cover of {held} of {asked} series",) if held else ()


def laid_over_covers(
    model: DemandModel,
    records: SeriesRecords,
    hands: Hands,
    covers: NDArray[np.int64],
    answer: tuple[Floats, Floats],
) -> tuple[Floats, Floats]:
    """Lay overrides over demand over covers; without any, the very same arrays.

    Args:
        model: The model that answered.
        records: Records of n series of one origin.
        hands: Overrides in force, by the row of their series.
        covers: Days each sum runs over, shape (n, covers).
        answer: Means, shape (n, covers), and quantiles, shape (n, covers, levels), in units.

    Returns:
        Means and quantiles with the overrides.
    """
    if not hands:
        return answer
    mean, quantiles = (part.copy() for part in answer)
    for row, overrides in hands.items():
        horizon = int(covers[row].max())
        days = day_numbers_ahead(records.origin, horizon)
        one = records.take(np.array([row]))
        own, _ = predict_daily(model, one, horizon, DemandTarget.DEMAND)
        for place, cover in enumerate(covers[row].tolist()):
            mean[row, place], quantiles[row, place] = lay_over_sum(
                (answer[0][row, place].item(), answer[1][row, place]),
                own[0, :cover],
                days[:cover],
                overrides,
            )
    return mean, quantiles
