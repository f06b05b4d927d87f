"""Read a CSV or parquet file as it is, before any contract is applied."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
from polars.exceptions import ColumnNotFoundError, NoDataError, PolarsError

from serving.errors import InvalidField
from training.tables.checking import ROW
from training.tables.errors import header_refusal

if TYPE_CHECKING:
    from pathlib import Path

SUFFIXES = (".parquet", ".csv", ".csv.gz")


def load_file(
    path: Path, *, table: str, separator: str = ",", columns: tuple[str, ...] = ()
) -> pl.DataFrame:
    """Read one file; every CSV cell stays text, so that an id keeps its leading zeros.

    Args:
        path: A ``.parquet``, ``.csv`` or ``.csv.gz`` file.
        table: Name the refusal carries if the file cannot be read.
        separator: Character between CSV cells.
        columns: Columns to read; all where none are named.

    Returns:
        The rows as received, with their numbers from 1 in column ``__row__``.

    Raises:
        InvalidField: There is no such file, or its name has another ending.
        TableRefused: The file is empty, or no CSV or parquet inside.
    """
    if not path.is_file():
        raise InvalidField("file", f"{path} does not exist")
    if not path.name.lower().endswith(SUFFIXES):
        raise InvalidField("file", f"{path.name} must end in {', '.join(SUFFIXES)}")
    chosen = list(columns) or None
    try:
        if path.name.lower().endswith(".parquet"):
            frame = pl.read_parquet(path, columns=chosen, glob=False)
        else:
            frame = pl.read_csv(
                path, columns=chosen, infer_schema=False, separator=separator, glob=False
            )
    except NoDataError as error:
        raise header_refusal(table, ("(all)", "the file is empty")) from error
    except ColumnNotFoundError as error:
        problems = tuple((name, "is required") for name in columns)
        raise header_refusal(table, *problems) from error
    except (PolarsError, OSError) as error:
        reason = str(error).splitlines()[0]
        advice = "save it as UTF-8 CSV with one cell per column, or as parquet"
        raise header_refusal(table, ("(all)", f"cannot be read ({reason}): {advice}")) from error
    if frame.width == 1 and any(mark in frame.columns[0] for mark in ";\t|"):
        advice = 'give a recipe with [source] separator = ";" or the one it has'
        raise header_refusal(table, (frame.columns[0], f"cells are not separated by ',': {advice}"))
    if ROW in frame.columns:
        raise header_refusal(table, (ROW, "is a reserved name: rename the column"))
    return frame.with_row_index(ROW, offset=1).with_columns(pl.col(ROW).cast(pl.Int64))
