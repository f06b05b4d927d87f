"""The sizes a synthetic world comes in."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from serving.errors import InvalidField

# Fixed, not today: the same seed must give the same bytes next year.
LAST_DAY = dt.date(2026, 6, 30)

CALENDAR_DAYS_AHEAD = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """How large a world is.

    Attributes:
        name: what the command line calls it.
        skus: number of products, >= 1.
        locations: number of locations, >= 1.
        days: days of history, >= 28; the last of them is ``LAST_DAY``.
        plan_days: days to come that are already decided, 1..120.
        skus_per_part: products drawn at once; bounds the memory a world takes.
        partitioned: write the daily tables as folders, one file per part.
        trouble: put anomalies, drift and gaps into the observed tables.

    Raises:
        InvalidField: when a size is outside its range.
    """

    name: str
    skus: int
    locations: int
    days: int
    plan_days: int = 90
    skus_per_part: int = 500
    partitioned: bool = False
    trouble: bool = False

    def __post_init__(self) -> None:
        """Refuse sizes no world can be drawn for."""
        limits = {
            "skus": (1, 100_000),
            "locations": (1, 1_000),
            "days": (28, 3_650),
            "plan_days": (1, CALENDAR_DAYS_AHEAD),
            "skus_per_part": (1, 100_000),
        }
        for field, (low, high) in limits.items():
            if not low <= getattr(self, field) <= high:
                raise InvalidField(f"profile.{field}", f"must be between {low} and {high:,}")
        if self.skus > self.skus_per_part and not self.partitioned:
            raise InvalidField("profile.partitioned", "must be true when there are several parts")

    @property
    def first_day(self) -> dt.date:
        """The first day of history."""
        return LAST_DAY - dt.timedelta(days=self.days - 1)

    @property
    def parts(self) -> int:
        """The number of parts the products are drawn in."""
        return -(-self.skus // self.skus_per_part)


PROFILES: dict[str, Profile] = {
    profile.name: profile
    for profile in (
        Profile(name="quick", skus=50, locations=3, days=90),
        Profile(name="demo", skus=200, locations=10, days=730),
        Profile(name="full", skus=500, locations=5, days=1_095),
        Profile(
            name="scale",
            skus=10_000,
            locations=50,
            days=120,
            plan_days=28,
            skus_per_part=250,
            partitioned=True,
        ),
    )
}


def find_profile(name: str) -> Profile:
    """Return the profile of that name.

    Args:
        name: one of the keys of ``PROFILES``.

    Returns:
        The profile.

    Raises:
        InvalidField: when there is none of that name.
    """
    if name not in PROFILES:
        raise InvalidField("profile", f"must be one of {', '.join(PROFILES)}, got {name!r}")
    return PROFILES[name]
