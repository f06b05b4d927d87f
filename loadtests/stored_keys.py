"""The series a home can be asked about: read from its online features."""

from __future__ import annotations

import datetime as dt
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

from serving.adapters.features import CURRENT, DATABASE
from serving.adapters.packed import EVENT_TIME_BYTES
from serving.domain.series import SEPARATOR
from serving.errors import NoFeatures

if TYPE_CHECKING:
    from pathlib import Path


class Series(NamedTuple):
    """One series a load may ask about.

    Attributes:
        sku: Stock-keeping unit.
        location: Location that sells it.
        origin: Its last known day.
    """

    sku: str
    location: str
    origin: dt.date


def database_of(features: Path) -> Path:
    """Return the file of the current generation below a features folder."""
    return features / "online" / CURRENT / DATABASE


def read_series(features: Path) -> list[Series]:
    """Return every series of the current generation, in the order of their keys.

    Args:
        features: Folder of the features of a home.

    Raises:
        NoFeatures: If nothing is materialised there.
    """
    path = database_of(features)
    if not path.exists():
        raise NoFeatures
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
        rows = database.execute(
            f"SELECT key, substr(record, 1, {EVENT_TIME_BYTES}) FROM demand_state ORDER BY key"  # noqa: S608  a number of ours
        ).fetchall()
    keys = [(key.split(SEPARATOR), _last_day(head)) for key, head in rows]
    return [Series(sku, location, origin) for (sku, location), origin in keys]


def _last_day(head: bytes) -> dt.date:
    end = dt.datetime.fromtimestamp(int.from_bytes(head, "little", signed=True), dt.UTC)
    return end.date() - dt.timedelta(days=1)
