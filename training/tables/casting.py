"""Bring a column as it was received to its canonical type, and mark the cells that cannot be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Callable

    from training.tables.columns import Kind

DTYPES: dict[Kind, type[pl.DataType]] = {
    "text": pl.String,
    "number": pl.Float64,
    "whole": pl.Int64,
    "date": pl.Date,
    "flag": pl.Boolean,
}
CAST_RULES: dict[Kind, str] = {
    "text": "must be text or a whole number",
    "number": "must be a number with a decimal point (leave the cell empty if unknown)",
    "whole": "must be a whole number",
    "date": "must be a civil date as YYYY-MM-DD, without a time of day",
    "flag": "must be true or false (or 1 or 0)",
}

_TRUE = ("true", "1", "1.0", "yes", "y", "t")
_FALSE = ("false", "0", "0.0", "no", "n", "f")
_FLOATED_ID = r"^-?\d+\.0+$"


def cast(received: pl.Series, kind: Kind) -> tuple[pl.Series, pl.Series]:
    """Cast one column.

    Args:
        received: The column as read; text is stripped, and empty text counts as an empty cell.
        kind: The canonical kind.

    Returns:
        The cast column, and a mask of the cells that were filled but could not be cast (these
        are empty in the cast column).
    """
    if received.dtype == pl.String:
        received = received.str.strip_chars().replace("", None)
    elif isinstance(received.dtype, pl.Categorical | pl.Enum):
        received = received.cast(pl.String)
    nested = received.dtype.is_nested() or received.dtype == pl.Binary
    empty = pl.Series(received.name, [None], dtype=DTYPES[kind])
    result = empty.extend_constant(None, len(received))[1:] if nested else _CASTS[kind](received)
    return result, received.is_not_null() & result.is_null()


def _text(received: pl.Series) -> pl.Series:
    if received.dtype.is_float():
        # Where an id was missing, some tools write every id as a float and the gap as NaN.
        filled = received.fill_nan(None)
        whole = filled == filled.floor()
        digits = filled.cast(pl.Int64, strict=False).cast(pl.String)
        return digits.set(~whole.fill_null(value=False), None)
    text = received.cast(pl.String)
    if received.dtype == pl.String and text.str.contains(_FLOATED_ID).all() and text.count():
        return text.str.replace(r"\.0+$", "")
    return text


def _number(received: pl.Series) -> pl.Series:
    if received.dtype.is_temporal():
        return received.clear(len(received)).cast(pl.Float64)
    return received.cast(pl.Float64, strict=False)


def _whole(received: pl.Series) -> pl.Series:
    number = _number(received)
    whole = (number == number.floor()) & number.is_finite()
    return number.set(~whole.fill_null(value=True), None).cast(pl.Int64, strict=False)


def _date(received: pl.Series) -> pl.Series:
    if received.dtype == pl.String:
        return received.str.to_date("%Y-%m-%d", strict=False)
    if received.dtype == pl.Date:
        return received
    if isinstance(received.dtype, pl.Datetime):
        day = received.dt.date()
        midnight = received.dt.replace_time_zone(None) == day.cast(pl.Datetime("us"))
        return day.set(~midnight.fill_null(value=True), None)
    return received.clear(len(received)).cast(pl.Date)


def _flag(received: pl.Series) -> pl.Series:
    if received.dtype == pl.Boolean:
        return received
    words = received.cast(pl.String).str.to_lowercase()
    known = dict.fromkeys(_TRUE, True) | dict.fromkeys(_FALSE, False)
    return words.replace_strict(known, default=None, return_dtype=pl.Boolean)


_CASTS: dict[Kind, Callable[[pl.Series], pl.Series]] = {
    "text": _text,
    "number": _number,
    "whole": _whole,
    "date": _date,
    "flag": _flag,
}
