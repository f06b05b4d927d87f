"""Overrides of a folder: what planners say of days to come, by series."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from serving.domain.overrides import Override
from serving.domain.periods import Frequency, first_day, period_of
from training import tables

if TYPE_CHECKING:
    from pathlib import Path

TABLE = "overrides"
_COLUMNS = (
    "date",
    "sku",
    "location",
    "quantity",
    "factor",
    "author",
    "created_date",
    "expires_date",
)

Key = tuple[str, str]


def load_overrides(
    data_dir: Path, frequency: Frequency = Frequency.DAY
) -> dict[Key, tuple[Override, ...]]:
    """Read the overrides of a folder.

    Args:
        data_dir: The data folder.
        frequency: Length of the periods that are forecast; a date stands for its period.

    Returns:
        The overrides of each sku and location that has some, by day; none without the table.

    Raises:
        InvalidField: If a row holds both a quantity and a factor, or neither.
    """
    if not tables.exists(data_dir, TABLE):
        return {}
    rows = tables.read(data_dir, TABLE, columns=list(_COLUMNS)).sort("sku", "location", "date")
    found: dict[Key, list[Override]] = {}
    for date, sku, location, quantity, factor, author, created, expires in rows.iter_rows():
        period = period_of(np.datetime64(date, "D"), frequency)
        override = Override(
            day=_number(first_day(period)),
            author=author,
            created=_number(created),
            quantity=quantity,
            factor=factor,
            expires=None if expires is None else _number(expires),
        )
        found.setdefault((sku, location), []).append(override)
    return {key: tuple(some) for key, some in found.items()}


def _number(day: object) -> int:
    return int(np.datetime64(day, "D").astype(np.int64))  # type: ignore[call-overload]
