"""Holidays, paydays, school holidays and closed days around an origin, per location."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from serving.domain.features import CLOSED, KNOWN_DAYS, LOCATION, NEVER
from serving.domain.periods import Frequency
from training import tables
from training.features.periods import period_numbers

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from training.features.catalogue import Catalogue

    Floats = NDArray[np.float32]
    Days = NDArray[np.int64]

DAY_FIELDS = (
    *("holiday", "days_to_holiday", "days_since_holiday", "payday", "school_holiday"),
    CLOSED,
)
OPEN = "open"  # column of the calendar: 0 on days a location is closed
# Numeric columns of a calendar that mark holidays where it has no names for them.
_HOLIDAY_FLAGS = ("holiday", "holiday_flag")


@dataclass(frozen=True, slots=True)
class Calendar:
    """Marked days per location; days count from 1970-01-01.

    Locations that share their marks share one entry.

    Attributes:
        group: Index of each location's entry, shape (locations,).
        holidays: Holidays of each entry, ascending.
        paydays: Paydays of each entry, ascending; None where no table marks them.
        school_holidays: School holidays of each entry; None where no table marks them.
        last_day: Last day the calendar covers; None where there is no calendar.
        closed: Days each entry is closed; None where no table marks them.
    """

    group: NDArray[np.int64]
    holidays: tuple[Days, ...]
    paydays: tuple[Days, ...] | None
    school_holidays: tuple[Days, ...] | None
    last_day: int | None
    closed: tuple[Days, ...] | None = None

    def closed_on(self, days: Days) -> NDArray[np.bool_] | None:
        """Return which days each location is closed, shape (locations, days).

        Args:
            days: Days, or periods, since 1970-01-01.

        Returns:
            The days; None where no table marks any.
        """
        if self.closed is None or not any(marks.size for marks in self.closed):
            return None
        return np.stack([np.isin(days, marks) for marks in self.closed])[self.group]

    def after(self, origin: np.datetime64) -> Floats:
        """Return the day fields of the known days after an origin.

        A day beyond the end of the calendar is not known: its fields are NaN.

        Args:
            origin: The last known day.

        Returns:
            The fields in their order in the location record, shape (locations, 6 * KNOWN_DAYS).
        """
        first = int(origin.astype(np.int64)) + 1
        days = np.arange(first, first + KNOWN_DAYS)
        out = np.full((len(self.holidays), len(DAY_FIELDS), KNOWN_DAYS), np.nan, dtype=np.float32)
        if self.last_day is not None:
            known = days <= self.last_day
            for entry, holidays in enumerate(self.holidays):
                out[entry, 0] = np.isin(days, holidays)
                out[entry, 1] = _days_to(holidays, days)
                out[entry, 2] = _days_to(-holidays[::-1], -days)
                for field, marks in (
                    *((3, self.paydays), (4, self.school_holidays)),
                    (5, self.closed),
                ):
                    if marks is not None:
                        out[entry, field] = np.isin(days, marks[entry])
            out[:, :, ~known] = np.nan
        return out.reshape(len(self.holidays), -1)[self.group]


def load_calendar(
    data_dir: Path, catalogue: Catalogue, frequency: Frequency = Frequency.DAY
) -> Calendar:
    """Read table `calendar` for the locations of a catalogue.

    A row holds for the locations of its country and region; an empty one holds for all.

    Args:
        data_dir: The data folder.
        catalogue: The locations.
        frequency: Length of the periods in which days are counted; one is marked by any of its
            days.

    Returns:
        The calendar; without the table, one that knows nothing.
    """
    nowhere = (np.empty(0, dtype=np.int64),)
    if not tables.exists(data_dir, "calendar"):
        group = np.zeros(len(catalogue.locations), dtype=np.int64)
        return Calendar(group, nowhere, None, None, None)
    frame = tables.read(data_dir, "calendar")
    frame = frame.with_columns(period_numbers(pl.col("date").cast(pl.Int32), frequency))
    places = list(zip(catalogue.countries, catalogue.regions, strict=True))
    entries = sorted(set(places)) or [("", "")]
    at = {place: index for index, place in enumerate(entries)}
    rows = [_rows_of(frame, country, region) for country, region in entries]
    marked = {
        name: tuple(_days(one, pl.col(name)) for one in rows) if name in frame.columns else None
        for name in ("payday", "school_holiday")
    }
    return Calendar(
        group=np.asarray([at[place] for place in places], dtype=np.int64),
        holidays=tuple(_days(one, _is_holiday(frame)) for one in rows),
        paydays=marked["payday"],
        school_holidays=marked["school_holiday"],
        last_day=int(frame["date"].cast(pl.Int32).to_numpy().max()) if frame.height else None,
        closed=tuple(_days(one, pl.col(OPEN).cast(pl.Float64) <= 0) for one in rows)
        if OPEN in frame.columns and frequency is Frequency.DAY
        else None,
    )


def _days_to(marks: Days, days: Days) -> NDArray[np.float64]:
    """Return the days until the next mark at or after each day, at most NEVER."""
    padded = np.append(marks, np.iinfo(np.int64).max // 2)
    return np.minimum(padded[np.searchsorted(marks, days)] - days, NEVER).astype(np.float64)


def _rows_of(frame: pl.DataFrame, country: str, region: str) -> pl.DataFrame:
    for column, value in (("country", country), ("region", region)):
        if column in frame.columns:
            frame = frame.filter(pl.col(column).fill_null("").is_in(["", value]))
    return frame


def _is_holiday(frame: pl.DataFrame) -> pl.Expr:
    named = pl.col("holiday_name").fill_null("") != "" if "holiday_name" in frame.columns else False
    flags = [pl.col(name).fill_null(0) > 0 for name in _HOLIDAY_FLAGS if name in frame.columns]
    return pl.any_horizontal(pl.lit(value=False) if named is False else named, *flags)


def _days(frame: pl.DataFrame, marked: pl.Expr) -> Days:
    chosen = frame.filter(marked.fill_null(value=False))["date"].unique().sort()
    return chosen.cast(pl.Int32).to_numpy().astype(np.int64)


# The location record holds the day fields last, in this order.
DAYS_OF_LOCATION = slice(LOCATION[DAY_FIELDS[0]].start, LOCATION[DAY_FIELDS[-1]].stop)
