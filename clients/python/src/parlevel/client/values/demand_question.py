"""A question about one series as a value, for those who ask many on one stream."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from parlevel.client.values.demand import DemandTarget

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Literal

    from parlevel.client.values.demand import (
        DemandObservation,
        LocationAttributes,
        PlanDay,
        ProductAttributes,
    )


@dataclass(frozen=True, slots=True)
class ForecastQuestion:
    """What ``forecast`` is asked for one series, with the same options."""

    sku: str
    """Stock-keeping unit, 1 to 200 characters."""
    location: str
    """Location that sells it, 1 to 200 characters."""
    horizon_days: int
    """Days ahead, 1 to the trained horizon (at most 90)."""
    quantile_levels: Sequence[float] = ()
    """Probability levels, each from 0.02 to 0.98, ascending; default: the trained ones."""
    target: DemandTarget | Literal["demand", "sales"] = DemandTarget.DEMAND
    """What is forecast."""
    plan: Sequence[PlanDay] = ()
    """Decisions for days to come; each overrides the stored plan of its day, field by field."""
    history: Sequence[DemandObservation] = ()
    """Recent history, oldest first, one entry a day without gaps; replaces the stored features."""
    product: ProductAttributes | None = None
    """Attributes that make an unlisted product known (cold start)."""
    location_attributes: LocationAttributes | None = None
    """Attributes that make an unlisted location known."""
