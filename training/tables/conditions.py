"""What the steps of a recipe share: their context, tests of cells, and strict numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import polars as pl

from serving.errors import InvalidField
from training.tables.casting import CAST_RULES, cast
from training.tables.checking import ROW, refuse_if_any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from training.tables.columns import Kind


@dataclass(frozen=True, slots=True)
class Context:
    """What a step may know: the table it works for, and the last day of each stored table."""

    table: str
    last_days: Mapping[str, date]


class Step(Protocol):
    """One change of a frame; it keeps the column ``__row__``."""

    def apply(self, frame: pl.DataFrame, context: Context) -> pl.DataFrame:
        """Return the changed frame."""
        ...


@dataclass(frozen=True, slots=True)
class Condition:
    """What a cell must be; every given part must hold, and an empty cell fails all but ``empty``.

    ``equals``, ``differs`` and ``among`` compare as text, the four bounds as numbers, ``matches``
    is a regular expression found anywhere in the text.
    """

    column: str
    equals: str | None = None
    differs: str | None = None
    among: tuple[str, ...] = ()
    above: float | None = None
    at_least: float | None = None
    below: float | None = None
    at_most: float | None = None
    matches: str | None = None
    empty: bool | None = None

    def __post_init__(self) -> None:
        """Refuse a condition that tests nothing."""
        given = (self.equals, self.differs, self.above, self.at_least, self.below, self.at_most)
        if not self.among and all(part is None for part in (*given, self.matches, self.empty)):
            raise InvalidField(f"where {self.column}", "must say what to test, as equals = '1'")

    def holds(self, frame: pl.DataFrame, context: Context) -> pl.Series:
        """Test every row of a frame; the mask has no empty cells."""
        text = as_text(frame[self.column])
        tests = [pl.repeat(value=True, n=len(frame), eager=True)]
        if self.equals is not None:
            tests.append(text == self.equals)
        if self.differs is not None:
            tests.append(text != self.differs)
        if self.among:
            tests.append(text.is_in(list(self.among)))
        if self.matches is not None:
            tests.append(text.str.contains(self.matches))
        if self.empty is not None:
            tests.append(text.is_null() == self.empty)
        tests += self._bounds(frame, context)
        result = tests[0]
        for test in tests[1:]:
            result = result & test.fill_null(value=False)
        return result

    def _bounds(self, frame: pl.DataFrame, context: Context) -> list[pl.Series]:
        bounds = (self.above, self.at_least, self.below, self.at_most)
        if all(bound is None for bound in bounds):
            return []
        number = strictly(frame, self.column, "number", context)
        tests = []
        if self.above is not None:
            tests.append(number > self.above)
        if self.at_least is not None:
            tests.append(number >= self.at_least)
        if self.below is not None:
            tests.append(number < self.below)
        if self.at_most is not None:
            tests.append(number <= self.at_most)
        return tests


def as_text(values: pl.Series) -> pl.Series:
    """Write any column as text: whole numbers without a fraction, NaN and blanks as empty cells."""
    if values.dtype.is_float():
        filled = values.fill_nan(None)
        digits = filled.cast(pl.Int64, strict=False)
        whole = (filled == digits).fill_null(value=False)
        return filled.cast(pl.String).set(whole, None).fill_null(digits.cast(pl.String))
    return values.cast(pl.String).str.strip_chars().replace("", None)


def all_hold(conditions: tuple[Condition, ...], frame: pl.DataFrame, context: Context) -> pl.Series:
    """Test every row of a frame for several conditions."""
    result = pl.repeat(value=True, n=len(frame), eager=True)
    for condition in conditions:
        result = result & condition.holds(frame, context)
    return result


def strictly(frame: pl.DataFrame, column: str, kind: Kind, context: Context) -> pl.Series:
    """Cast a column, and refuse the table for cells that are something else.

    Args:
        frame: Rows with their numbers in ``__row__``.
        column: The column to cast.
        kind: The kind its cells must have.
        context: Names the table.

    Returns:
        The cast column; empty cells stay empty.

    Raises:
        TableRefused: A filled cell cannot be cast.
    """
    values, broken = cast(frame[column], kind)
    refuse_rows(frame.filter(broken), column, CAST_RULES[kind], context)
    return values


def refuse_rows(broken: pl.DataFrame, column: str, rule: str, context: Context) -> None:
    """Refuse the table if there are broken rows.

    Args:
        broken: The rows that break the rule.
        column: The column to blame.
        rule: What is required of it.
        context: Names the table.

    Raises:
        TableRefused: There is at least one row.
    """
    found = broken.select(ROW, pl.lit(column).alias("column"), pl.lit(rule).alias("rule"))
    refuse_if_any(context.table, found.rename({ROW: "row"}).sort("row"))
