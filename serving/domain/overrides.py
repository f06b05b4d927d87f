"""The planner's hand: what a person says of days to come, laid over what the model says.

An override never changes the model's answer in place: it is laid on top, by name and until it
expires, and the model's own value stays beside it so that both can be measured afterwards.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from serving.errors import InvalidField

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Override:
    """What one person says of one day of a series; days count from 1970-01-01.

    Attributes:
        day: The day, or the first day of the period.
        author: Who says it.
        created: Day it was said; a forecast from an origin more than a day before it knows nothing
            of it.
        quantity: Expected units of the day, 0 or more; None where a factor is given.
        factor: What the model's value is multiplied by, 0 or more; None where a quantity is given.
        expires: Last day it holds; None holds for good.
    """

    day: int
    author: str
    created: int
    quantity: float | None = None
    factor: float | None = None
    expires: int | None = None

    def __post_init__(self) -> None:
        """Refuse an override that says nothing, two things, or less than nothing."""
        said = [value for value in (self.quantity, self.factor) if value is not None]
        if len(said) != 1 or not (math.isfinite(said[0]) and said[0] >= 0):
            raise InvalidField("overrides", "must each hold one of quantity and factor, 0 or more")
        if not self.author:
            raise InvalidField("overrides.author", "is required")

    def holds(self, origin: int) -> bool:
        """Say whether it is known and in force the day after an origin."""
        known = self.created <= origin + 1
        return known and (self.expires is None or self.expires > origin)


def lay_over(
    mean: Floats, quantiles: Floats, days: Sequence[int], overrides: Sequence[Override]
) -> tuple[Floats, Floats]:
    """Lay overrides over the forecast of one series.

    The distribution keeps its shape: quantiles move in proportion to the mean. Where the model
    expects nothing, an override is all that is known, and every quantile is its quantity.

    Args:
        mean: Expected units a day, shape (horizon,).
        quantiles: Units a day, shape (horizon, levels).
        days: The forecast days, shape (horizon,).
        overrides: Overrides in force; those of other days change nothing.

    Returns:
        New mean and quantiles; those of days without an override have their own bits.

    Example:
        >>> import numpy as np
        >>> hand = [Override(day=8, author="ana", created=6, factor=0.5)]
        >>> mean, quantiles = np.array([4.0, 6.0]), np.array([[2.0, 6.0], [3.0, 9.0]])
        >>> lay_over(mean, quantiles, [7, 8], hand)
        (array([4., 3.]), array([[2. , 6. ],
               [1.5, 4.5]]))
    """
    found_mean, found = mean.copy(), quantiles.copy()
    places = {day: place for place, day in enumerate(days)}
    for override in overrides:
        place = places.get(override.day)
        if place is None:
            continue
        own = float(mean[place])
        if override.quantity is None:
            factor = float(override.factor or 0.0)
        elif own > 0:
            factor = override.quantity / own
        else:
            found_mean[place], found[place] = override.quantity, override.quantity
            continue
        found_mean[place] = own * factor if override.quantity is None else override.quantity
        found[place] = quantiles[place] * factor
    return found_mean, found


def lay_over_sum(
    total: tuple[float, Floats], daily: Floats, days: Sequence[int], overrides: Sequence[Override]
) -> tuple[float, Floats]:
    """Lay overrides of days over the forecast of their sum.

    As the distribution of each day keeps its shape, so does that of the sum: mean and quantiles
    move in proportion to the sum of the daily means, as they would exactly if all days moved alike.
    Units said of a day on which the model expects nothing are added.

    Args:
        total: Mean of the sum, and its quantiles, shape (levels,), in units.
        daily: The model's own expected units a day, shape (days,).
        days: The days of the sum, shape (days,).
        overrides: Overrides in force; those of other days change nothing.

    Returns:
        New mean and quantiles of the sum; the same ones where no override is of its days.

    Example:
        >>> import numpy as np
        >>> hand = [Override(day=8, author="ana", created=6, factor=2.0)]
        >>> lay_over_sum((10.0, np.array([8.0, 14.0])), np.array([3.0, 2.0]), [7, 8], hand)
        (14.0, array([11.2, 19.6]))
    """
    mean, quantiles = total
    if not {override.day for override in overrides} & set(days):
        return total
    said, _ = lay_over(daily, daily[:, None], days, overrides)
    expecting = daily > 0
    added = float(said[~expecting].sum())
    own = float(daily[expecting].sum())
    ratio = float(said[expecting].sum()) / own if own > 0 else 1.0
    return mean * ratio + added, quantiles * ratio + added


def told(days: Sequence[int], overrides: Sequence[Override]) -> str:
    """Say whose overrides hold on how many days; empty where none does."""
    held = [override for override in overrides if override.day in set(days)]
    if not held:
        return ""
    authors = ", ".join(sorted({override.author for override in held}))
    return f"overrides by {authors} hold on {len(held)} of {len(days)} days"
