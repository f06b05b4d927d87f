"""Steps of a recipe that fill, convert, name or choose columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import polars as pl

from serving.errors import InvalidField
from training.tables.casting import cast
from training.tables.checking import ROW
from training.tables.conditions import Condition, all_hold, as_text, refuse_rows, strictly

if TYPE_CHECKING:
    from training.tables.conditions import Context


@dataclass(frozen=True, slots=True)
class Rename:
    """Rename columns: ``columns = { old = "new" }``."""

    columns: dict[str, str]

    def apply(self, frame: pl.DataFrame, context: Context) -> pl.DataFrame:
        """Rename all at once; no column gives way to another."""
        del context
        there = [name for name in frame.columns if name != ROW]
        staying = set(there) - set(self.columns)
        for old, new in self.columns.items():
            if old not in there:
                raise InvalidField(
                    "rename", f"names {old!r}, but there are only {', '.join(there)}"
                )
            if new in staying:
                raise InvalidField("rename", f"{old!r} to {new!r} is taken: rename that one too")
            staying.add(new)
        return frame.rename(self.columns)


@dataclass(frozen=True, slots=True)
class Take:
    """Keep these columns only, in this order."""

    columns: tuple[str, ...]

    def apply(self, frame: pl.DataFrame, context: Context) -> pl.DataFrame:
        """Select the columns."""
        del context
        return frame.select(ROW, *self.columns)


@dataclass(frozen=True, slots=True)
class Constant:
    """Set a column to one value, in all rows or where the conditions hold."""

    column: str
    value: str
    where: tuple[Condition, ...] = ()

    def apply(self, frame: pl.DataFrame, context: Context) -> pl.DataFrame:
        """Set the value; elsewhere an existing column keeps its own, a new one stays empty."""
        known = self.column in frame.columns
        other = pl.col(self.column).cast(pl.String) if known else pl.lit(None, dtype=pl.String)
        chosen = all_hold(self.where, frame, context)
        value = pl.when(chosen).then(pl.lit(self.value)).otherwise(other)
        return frame.with_columns(value.alias(self.column))


@dataclass(frozen=True, slots=True)
class Linear:
    """Convert a unit: ``column = factor * source + offset``, held within minimum and maximum.

    A price multiplier becomes a discount with factor -1, offset 1, minimum 0; hours out of stock
    out of 16 become an available fraction with factor -0.0625, offset 1.
    """

    column: str
    source: str
    factor: float = 1.0
    offset: float = 0.0
    minimum: float | None = None
    maximum: float | None = None

    def apply(self, frame: pl.DataFrame, context: Context) -> pl.DataFrame:
        """Convert every number."""
        value = strictly(frame, self.source, "number", context) * self.factor + self.offset
        return frame.with_columns(value.clip(self.minimum, self.maximum).alias(self.column))


@dataclass(frozen=True, slots=True)
class Product:
    """Multiply columns, as quantity and price to revenue."""

    column: str
    sources: tuple[str, ...]

    def apply(self, frame: pl.DataFrame, context: Context) -> pl.DataFrame:
        """Multiply the columns row by row; empty where one of them is."""
        value = pl.repeat(1.0, len(frame), eager=True)
        for source in self.sources:
            value = value * strictly(frame, source, "number", context)
        return frame.with_columns(value.alias(self.column))


@dataclass(frozen=True, slots=True)
class Compose:
    """Join the text of columns, as store and department to one location."""

    column: str
    sources: tuple[str, ...]
    separator: str = "-"

    def apply(self, frame: pl.DataFrame, context: Context) -> pl.DataFrame:
        """Join the columns; empty where one of them is."""
        del context
        texts = pl.DataFrame([as_text(frame[source]) for source in self.sources])
        joined = texts.select(pl.concat_str(pl.all(), separator=self.separator))
        return frame.with_columns(joined.to_series().alias(self.column))


@dataclass(frozen=True, slots=True)
class FirstKnown:
    """Take the first filled cell of several columns."""

    column: str
    sources: tuple[str, ...]

    def apply(self, frame: pl.DataFrame, context: Context) -> pl.DataFrame:
        """Fill each row from left to right; empty where all of them are."""
        del context
        texts = pl.DataFrame([as_text(frame[source]).replace("", None) for source in self.sources])
        return frame.with_columns(
            texts.select(pl.coalesce(pl.all())).to_series().alias(self.column)
        )


@dataclass(frozen=True, slots=True)
class Replace:
    """Replace values by others; what is not named keeps its own unless ``others`` is given."""

    column: str
    values: dict[str, str]
    others: str | None = None

    def apply(self, frame: pl.DataFrame, context: Context) -> pl.DataFrame:
        """Replace as text; an empty replacement empties the cell."""
        del context
        text = as_text(frame[self.column])
        default = text if self.others is None else self.others
        replaced = text.replace_strict(self.values, default=default, return_dtype=pl.String)
        return frame.with_columns(replaced.replace("", None).alias(self.column))


@dataclass(frozen=True, slots=True)
class Day:
    """Read the civil date out of a date, a time stamp, or text in a strptime format.

    A format without a day of the month, as ``%b-%y``, gives the first of the month. Without a
    format, text is read as ISO and its time of day is cut.
    """

    column: str
    source: str
    format: str = ""

    def apply(self, frame: pl.DataFrame, context: Context) -> pl.DataFrame:
        """Cut the time of day, and refuse filled cells that hold no such date."""
        source = frame[self.source]
        if source.dtype == pl.String:
            days = self._parsed(source.str.strip_chars())
            filled = source.str.strip_chars() != ""
        else:
            # The civil date is the local one: a plain cast would take the day in UTC.
            days = source.dt.date() if source.dtype.is_temporal() else cast(source, "date")[0]
            filled = source.is_not_null()
        rule = f"must be a date as {self.format or 'YYYY-MM-DD'}"
        refuse_rows(frame.filter(filled & days.is_null()), self.source, rule, context)
        return frame.with_columns(days.alias(self.column))

    def _parsed(self, text: pl.Series) -> pl.Series:
        if not self.format:
            clock = r"[T ]\d{2}:\d{2}.*$"
            return text.str.replace(clock, "").str.to_date("%Y-%m-%d", strict=False)
        if any(part in self.format for part in ("%H", "%I", "%T", "%R")):
            return text.str.to_datetime(self.format, strict=False).dt.date()
        if any(part in self.format for part in ("%d", "%e", "%j", "%F", "%D")):
            return text.str.to_date(self.format, strict=False)
        return ("01 " + text).str.to_date(f"%d {self.format}", strict=False)


@dataclass(frozen=True, slots=True)
class DatePart:
    """Take a part of a date as a number; weekday runs from 1 (Monday) to 7."""

    column: str
    source: str
    part: Literal["year", "quarter", "month", "day", "weekday", "week"]

    def apply(self, frame: pl.DataFrame, context: Context) -> pl.DataFrame:
        """Take the part of each date."""
        day = strictly(frame, self.source, "date", context).dt
        parts = {
            "year": day.year,
            "quarter": day.quarter,
            "month": day.month,
            "day": day.day,
            "weekday": day.weekday,
            "week": day.week,
        }
        return frame.with_columns(parts[self.part]().alias(self.column))
