"""Table dates as numbers of periods."""

from __future__ import annotations

import polars as pl

from serving.domain.periods import Frequency

_TO_THURSDAY = 3


def period_numbers(days: pl.Expr, frequency: Frequency) -> pl.Expr:
    """Number the periods that days lie in, as `datetime64` of the frequency's unit counts them.

    Args:
        days: Days since 1970-01-01, Int32.
        frequency: Length of a period.

    Returns:
        Periods since the one 1970-01-01 lies in, Int32, under the same name.

    Example:
        >>> frame = pl.DataFrame({"day": [0, 31, 364]}, schema={"day": pl.Int32})
        >>> [frame.select(period_numbers(pl.col("day"), one))["day"].to_list() for one in Frequency]
        [[0, 31, 364], [0, 4, 52], [0, 1, 11]]
    """
    if frequency is Frequency.DAY:
        return days
    if frequency is Frequency.WEEK:
        return (days + _TO_THURSDAY).floordiv(7).cast(pl.Int32)
    date = days.cast(pl.Date).dt
    return ((date.year() - 1970) * 12 + date.month() - 1).cast(pl.Int32)
