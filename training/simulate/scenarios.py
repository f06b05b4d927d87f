"""Scenarios and what-ifs: demand, lead times and prices other than those that came."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from serving.domain.replenishment import check_service_level
from serving.errors import InvalidField

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

PEAK = 1.4  # of a season over its lowest, as fourth over second quarter
SHOCK_SHARE, SHOCK_FACTOR, SHOCK_DAYS, SHOCK_LEAD = 0.3, 2.0, 14, 1.5
WEEK = 7


@dataclass(frozen=True, slots=True)
class Course:
    """What happens to n series.

    Attributes:
        demand: Units asked for on each day, shape (days, n).
        lead_time: Whole days of an order placed on each day, shape (days + 1, n) or (1, n).
    """

    demand: Floats
    lead_time: Ints


def as_it_came(course: Course) -> Course:
    """Change nothing."""
    return course


def seasonal(course: Course) -> Course:
    """Let demand rise along half a wave to 1.4 times its lowest and fall again, mean unchanged."""
    days = len(course.demand)
    wave = 1.0 + (PEAK - 1.0) * np.sin(np.pi * (np.arange(days) + 0.5) / days)
    return Course(course.demand * (wave / wave.mean())[:, None], course.lead_time)


def industrial(course: Course) -> Course:
    """Let customers order once a week what they would have asked for day by day.

    The weekday differs from series to series; what is left of the last week comes on its last day.
    """
    days, series = course.demand.shape
    lumped = np.zeros_like(course.demand)
    chosen, rows = np.arange(series) % WEEK, np.arange(series)
    for start in range(0, days, WEEK):
        stop = min(start + WEEK, days)
        on = np.minimum(start + chosen, stop - 1)
        lumped[on, rows] = course.demand[start:stop].sum(axis=0)
    return Course(lumped, course.lead_time)


def shock(course: Course) -> Course:
    """Double demand of three in ten series for a fortnight from the middle on, and delay supply.

    Orders placed in that fortnight take half as long again, of every series.
    """
    days, series = course.demand.shape
    hit = np.arange(series) % 10 < round(10 * SHOCK_SHARE)
    window = slice(days // 2, days // 2 + SHOCK_DAYS)
    demand = course.demand.copy()
    demand[window] *= np.where(hit, SHOCK_FACTOR, 1.0)
    lead = np.repeat(course.lead_time, 1 if len(course.lead_time) > 1 else days + 1, axis=0)
    lead[window] = np.rint(lead[window] * SHOCK_LEAD)
    return Course(demand, lead)


SCENARIOS: dict[str, Callable[[Course], Course]] = {
    "as-it-came": as_it_came,
    "seasonal": seasonal,
    "industrial": industrial,
    "shock": shock,
}


@dataclass(frozen=True, slots=True)
class WhatIf:
    """A change that the policy does not know of when it decides.

    Attributes:
        lead_time: Factor on every lead time.
        demand: Factor on demand.
        holding_cost: Factor on the cost of holding.
        shortage_cost: Factor on the cost of unmet demand.
        service_level: Level that is asked instead; None leaves it.
    """

    lead_time: float = 1.0
    demand: float = 1.0
    holding_cost: float = 1.0
    shortage_cost: float = 1.0
    service_level: float | None = None

    def __post_init__(self) -> None:
        """Refuse factors below 0."""
        for name in ("lead_time", "demand", "holding_cost", "shortage_cost"):
            if not 0 <= getattr(self, name) < np.inf:
                raise InvalidField(f"what_if.{name}", "must be a factor of 0 or more")
        if self.service_level is not None:
            check_service_level("what_if.service_level", self.service_level)

    def __str__(self) -> str:
        """Return the change as `parse_what_if` reads it."""
        given = ((one.name, getattr(self, one.name), one.default) for one in fields(self))
        return ", ".join(f"{name}={value:g}" for name, value, plain in given if value != plain)

    def change(self, course: Course) -> Course:
        """Return demand and lead times as changed."""
        lead = np.rint(course.lead_time * self.lead_time).astype(np.int64)
        return Course(course.demand * self.demand, lead)


def parse_what_if(text: str) -> WhatIf:
    """Read a change as ``lead_time=1.5,demand=1.2``.

    Raises:
        InvalidField: If a name is not known or a value is no number.

    Example:
        >>> parse_what_if("demand=1.2").demand
        1.2
    """
    given: dict[str, float] = {}
    for part in text.split(","):
        name, _, value = part.strip().partition("=")
        if name not in WhatIf.__dataclass_fields__:
            known = ", ".join(WhatIf.__dataclass_fields__)
            raise InvalidField("what_if", f"must change some of {known}, got {name!r}")
        try:
            given[name] = float(value)
        except ValueError as error:
            raise InvalidField(f"what_if.{name}", f"must be a number, got {value!r}") from error
    return WhatIf(**given)
