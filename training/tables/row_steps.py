"""Steps of a recipe that drop, gather or multiply rows.

A row that gathers several carries the ``__row__`` of the first.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import polars as pl

from training.tables.checking import ROW
from training.tables.conditions import Condition, all_hold, refuse_rows, strictly

if TYPE_CHECKING:
    from training.tables.conditions import Context


@dataclass(frozen=True, slots=True)
class Keep:
    """Keep the rows for which every condition holds."""

    where: tuple[Condition, ...]

    def apply(self, frame: pl.DataFrame, context: Context) -> pl.DataFrame:
        """Filter the rows."""
        return frame.filter(all_hold(self.where, frame, context))


@dataclass(frozen=True, slots=True)
class DaysAfter:
    """Keep the days after the last stored day of another table: what is still to come."""

    table: str
    column: str = "date"

    def apply(self, frame: pl.DataFrame, context: Context) -> pl.DataFrame:
        """Filter by date; without that table every day is to come."""
        if self.table not in context.last_days:
            return frame
        days = strictly(frame, self.column, "date", context)
        return frame.filter(days > context.last_days[self.table])


@dataclass(frozen=True, slots=True)
class InOrder:
    """Keep the rows whose dates come in the order of their columns; an empty one passes."""

    columns: tuple[str, ...]

    def apply(self, frame: pl.DataFrame, context: Context) -> pl.DataFrame:
        """Filter out rows whose later event is dated before an earlier one."""
        days = [strictly(frame, name, "date", context) for name in self.columns]
        held = pl.repeat(value=True, n=len(frame), eager=True)
        for at, later in enumerate(days):
            for earlier in days[:at]:
                held = held & (later >= earlier).fill_null(value=True)
        return frame.filter(held)


@dataclass(frozen=True, slots=True)
class Returns:
    """Treat negative quantities.

    ``net`` leaves them negative, for a ``sum`` step to subtract them from the same day with
    ``sum_from_zero``; ``separate`` moves them to ``returned_quantity``; ``drop`` removes their
    rows.
    """

    treat: Literal["net", "separate", "drop"]
    quantity: str = "quantity"

    def apply(self, frame: pl.DataFrame, context: Context) -> pl.DataFrame:
        """Apply the treatment."""
        number = strictly(frame, self.quantity, "number", context)
        if self.treat == "drop":
            return frame.filter((number >= 0.0).fill_null(value=True))
        if self.treat == "separate":
            return frame.with_columns(
                (0.0 - number).clip(0.0).alias("returned_quantity"),
                number.clip(0.0).alias(self.quantity),
            )
        return frame


@dataclass(frozen=True, slots=True)
class Sum:
    """Gather rows that share the columns ``by``, as invoice lines to daily sales.

    Attributes:
        by: Columns that make one row.
        sum: Columns to add up; every cell must be filled.
        sum_from_zero: Columns to add up and hold at 0 or more; every cell must be filled.
        weighted_mean: Column -> weight column; weights below zero count as zero, and a row whose
            weights are all zero has no mean.
        mean: Columns to average over filled cells.
        maximum: Columns of which the largest number stands for all.
        first: Columns of which the first filled cell in source order stands for all.
    """

    by: tuple[str, ...]
    sum: tuple[str, ...] = ()
    sum_from_zero: tuple[str, ...] = ()
    weighted_mean: dict[str, str] = field(default_factory=dict)
    mean: tuple[str, ...] = ()
    maximum: tuple[str, ...] = ()
    first: tuple[str, ...] = ()

    def apply(self, frame: pl.DataFrame, context: Context) -> pl.DataFrame:
        """Group and gather, in order of first appearance."""
        added = (*self.sum, *self.sum_from_zero)
        weighted = (*self.weighted_mean, *self.weighted_mean.values())
        for name in dict.fromkeys((*added, *weighted, *self.mean, *self.maximum)):
            numbers = strictly(frame, name, "number", context)
            frame = frame.with_columns(numbers.alias(name))
        for name in added:
            rule = "must be filled to be added up: keep rows where it is not empty first"
            refuse_rows(frame.filter(pl.col(name).is_null()), name, rule, context)
        return frame.group_by(self.by, maintain_order=True).agg(self._gathered())

    def _gathered(self) -> list[pl.Expr]:
        parts = [pl.col(ROW).min()]
        parts += [pl.col(name).sum() for name in self.sum]
        parts += [pl.col(name).sum().clip(0.0) for name in self.sum_from_zero]
        parts += [pl.col(name).mean() for name in self.mean]
        parts += [pl.col(name).max() for name in self.maximum]
        parts += [pl.col(name).drop_nulls().first() for name in self.first]
        for name, weight_name in self.weighted_mean.items():
            weight = pl.col(weight_name).clip(0.0) * pl.col(name).is_not_null()
            mean = (pl.col(name) * weight).sum() / weight.sum()
            parts.append(pl.when(weight.sum() > 0.0).then(mean).alias(name))
        return parts


@dataclass(frozen=True, slots=True)
class Unpivot:
    """Turn one column per period into one row per period; empty cells give no row."""

    keep: tuple[str, ...]
    name: str
    value: str

    def apply(self, frame: pl.DataFrame, context: Context) -> pl.DataFrame:
        """Unpivot every column but the kept ones."""
        del context
        index = [ROW, *self.keep]
        typed = frame.cast({name: pl.String for name in frame.columns if name not in index})
        long = typed.unpivot(index=index, variable_name=self.name, value_name=self.value)
        return long.filter(pl.col(self.value).str.strip_chars().str.len_chars() > 0)


@dataclass(frozen=True, slots=True)
class Stack:
    """Turn numbered groups of columns into rows, as component_1, quantity_1, component_2 ...

    A group whose cells are all empty gives no row.

    Attributes:
        keep: Columns every row repeats.
        columns: New column -> pattern of its columns in the source, ``{}`` for the number.
        first: The first number.
        last: The last number.
    """

    keep: tuple[str, ...]
    columns: dict[str, str]
    first: int
    last: int

    def apply(self, frame: pl.DataFrame, context: Context) -> pl.DataFrame:
        """Stack the groups in order; source order within each."""
        del context
        texts = [pl.col(name).cast(pl.String).str.strip_chars() for name in self.columns]
        filled = pl.any_horizontal(text.str.len_chars() > 0 for text in texts)
        groups = [
            frame.select(
                ROW,
                *self.keep,
                *(
                    pl.col(pattern.format(number)).cast(pl.String).alias(name)
                    for name, pattern in self.columns.items()
                ),
            )
            for number in range(self.first, self.last + 1)
        ]
        return pl.concat(groups).filter(filled)
