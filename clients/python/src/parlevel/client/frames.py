"""Series in and tables out: pairs always, pandas and polars frames where installed."""

from __future__ import annotations

import importlib
import sys
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, Union

from parlevel.client.errors import MissingLibrary, invalid

if TYPE_CHECKING:
    from types import ModuleType

    import pandas as pd
    import polars as pl

Columns: TypeAlias = Mapping[str, Sequence[object]]
"""Columns of one length by name, in order."""

Series: TypeAlias = Union[Iterable[tuple[str, str]], "pd.DataFrame", "pl.DataFrame"]
"""Pairs (sku, location), or a frame with columns ``sku`` and ``location``."""


@dataclass(frozen=True, slots=True)
class AskedRows:
    """The rows of a batch as they were asked."""

    skus: tuple[str, ...]
    """Stock-keeping units; length R, 1 or more."""
    locations: tuple[str, ...]
    """Locations; length R."""
    columns: Mapping[str, Sequence[object]]
    """Further columns of a frame that were wanted and are there; each of length R."""


def asked_rows(series: Series, wanted: Sequence[str] = ()) -> AskedRows:
    """Read the rows of a batch from pairs or from a frame.

    Args:
        series: Pairs (sku, location), or a pandas or polars frame with those columns.
        wanted: Further columns to read where a frame has them.

    Returns:
        The rows in order.

    Raises:
        InvalidArgument: There is no row, a column is missing, a sku or location is not text, or a
            pair stands twice.
    """
    columns = _frame_columns(series, ("sku", "location", *wanted))
    if columns is None:
        pairs = [_pair(row, item) for row, item in enumerate(_iterable(series))]
        columns = {"sku": [sku for sku, _ in pairs], "location": [place for _, place in pairs]}
    for name in ("sku", "location"):
        if name not in columns:
            raise invalid(f"series.{name}", "must be a column of the frame")
    skus, locations = _texts(columns.pop("sku"), "sku"), _texts(columns.pop("location"), "location")
    if not skus:
        raise invalid("series", "must hold at least one row")
    _refuse_duplicates(skus, locations)
    return AskedRows(skus, locations, columns)


def to_pandas(columns: Columns) -> pd.DataFrame:
    """Make a pandas frame of columns.

    Args:
        columns: Columns of one length by name.

    Returns:
        The frame, its columns in order.

    Raises:
        MissingLibrary: pandas is not installed.
    """
    pandas, numpy = _library("pandas"), _library("numpy")
    # pandas reads an array number by number unless numpy hands it the buffer.
    ready = {
        name: numpy.asarray(column) if isinstance(column, array) else column
        for name, column in columns.items()
    }
    return pandas.DataFrame(ready)


def to_polars(columns: Columns) -> pl.DataFrame:
    """Make a polars frame of columns.

    Args:
        columns: Columns of one length by name.

    Returns:
        The frame, its columns in order.

    Raises:
        MissingLibrary: polars is not installed.
    """
    frame: pl.DataFrame = _library("polars").DataFrame(dict(columns))
    return frame


def _library(name: str) -> ModuleType:
    """Import an optional library, or say how to install it."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        raise MissingLibrary(name) from error


def _frame_columns(series: Series, names: Sequence[str]) -> dict[str, list[object]] | None:
    """Read columns of a frame, or None where this is no frame.

    A library that was never imported cannot have made the argument, so none is imported here.
    """
    pandas, polars = sys.modules.get("pandas"), sys.modules.get("polars")
    if pandas is not None and isinstance(series, pandas.DataFrame):
        return {name: series[name].tolist() for name in names if name in series.columns}
    if polars is not None and isinstance(series, polars.DataFrame):
        return {name: series[name].to_list() for name in names if name in series.columns}
    return None


def _iterable(series: Series) -> Iterable[object]:
    """Refuse what cannot be pairs."""
    if not isinstance(series, Iterable) or isinstance(series, str | bytes | Mapping):
        raise invalid("series", "must be pairs (sku, location), or a pandas or polars frame")
    return series


def _pair(row: int, item: object) -> tuple[object, object]:
    """Read one (sku, location)."""
    # A text of two characters unpacks into two as well, and is never what was meant.
    if isinstance(item, Sequence) and not isinstance(item, str) and len(item) == 2:  # noqa: PLR2004
        return item[0], item[1]
    raise invalid(f"series[{row}]", "must be a pair (sku, location)")


def _texts(values: Sequence[object], name: str) -> tuple[str, ...]:
    """Refuse a column that holds anything but text."""
    texts = tuple(value for value in values if isinstance(value, str))
    if len(texts) != len(values):
        row = next(row for row, value in enumerate(values) if not isinstance(value, str))
        raise invalid(f"series[{row}].{name}", f"must be text, got {values[row]!r}")
    return texts


def _refuse_duplicates(skus: Sequence[str], locations: Sequence[str]) -> None:
    """Refuse a pair that stands twice: split over two calls, the server could not see it."""
    seen: set[tuple[str, str]] = set()
    for row, pair in enumerate(zip(skus, locations, strict=True)):
        if pair in seen:
            raise invalid(f"series[{row}]", f"must stand once, {pair!r} stands twice")
        seen.add(pair)
