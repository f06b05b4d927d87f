"""What a forecast is made of."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from parlevel.client.values.demand import days_after

if TYPE_CHECKING:
    import datetime as dt

    from parlevel.client.values.demand import DemandFrequency, DemandTarget, DemandTier
    from parlevel.client.values.provenance import Provenance


class DemandDriver(StrEnum):
    """What moves a forecast."""

    LEVEL = "level"
    """What the series and its peers have sold."""
    TREND = "trend"
    """Where that is going."""
    SEASON = "season"
    """The time of the year."""
    CALENDAR = "calendar"
    """Weekdays, holidays and paydays."""
    PROMOTION = "promotion"
    """Promotions and discounts."""
    PRICE = "price"
    """The price."""
    CALIBRATION = "calibration"
    """What calibration and limits change beside the model."""
    OTHER = "other"
    """A driver younger than this client."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What each driver adds to the mean of each day of a forecast."""

    provenance: Provenance
    """Where the answer came from."""
    sku: str
    """Stock-keeping unit."""
    location: str
    """Location that sells it."""
    origin_date: dt.date
    """Last day whose sales are known to the forecast."""
    target: DemandTarget
    """What was forecast."""
    tier: DemandTier
    """Who answered; of several together the one with the greatest weight."""
    route_reason: str
    """Why that one answered; empty where the release has no other tier."""
    frequency: DemandFrequency
    """Length of the periods that days stand for."""
    mean: tuple[float, ...]
    """Expected units per day; length H days."""
    base: tuple[float, ...]
    """Units per day where nothing of the series is known but its scale; length H."""
    contributions: dict[DemandDriver, tuple[float, ...]]
    """Units per day each driver adds, each of length H; with the base they add up to the mean."""
    sentence: str
    """The most important of it in plain words."""

    @property
    def dates(self) -> tuple[dt.date, ...]:
        """The forecast days, or the first days of the periods, one for each mean."""
        return days_after(self.origin_date, len(self.mean), self.frequency)
