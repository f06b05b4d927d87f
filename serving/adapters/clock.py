"""The business clock: now, or pinned to the end of a day."""

from __future__ import annotations

import datetime as dt


class BusinessClock:
    """Tells the moment business has reached."""

    def __init__(self, as_of: dt.date | None = None) -> None:
        """Pin the clock to the end of a day, or let it run where there is none."""
        self._pinned = (
            None
            if as_of is None
            else dt.datetime.combine(as_of + dt.timedelta(days=1), dt.time(), dt.UTC)
        )

    def now(self) -> dt.datetime:
        """Return the moment business has reached, in UTC."""
        return self._pinned or dt.datetime.now(dt.UTC)
