"""Hold a frame against its contract and name every row that breaks it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from training.tables.casting import CAST_RULES, DTYPES, cast
from training.tables.columns import Column
from training.tables.contracts import contract
from training.tables.errors import SHOWN, TableRefused, Violation, header_refusal
from training.tables.nearest import suggestion

if TYPE_CHECKING:
    from training.tables.columns import Contract

ROW = "__row__"
_FOUND = {"row": pl.Int64, "column": pl.String, "rule": pl.String, "expectation": pl.String}


def conform(table: str, frame: pl.DataFrame, *, stored: pl.DataFrame | None = None) -> pl.DataFrame:
    """Bring a frame to its table's canonical form, or refuse it.

    Args:
        table: Canonical table name.
        frame: Rows as received; a column ``__row__`` carries their numbers in the source where
            they are not simply 1, 2, 3.
        stored: Keys these rows are to join and must not repeat, if any.

    Returns:
        The frame in canonical column order and types, rows sorted by the table's order.

    Raises:
        InvalidField: No canonical table has that name.
        TableRefused: A column or a row breaks the contract.
    """
    agreed = contract(table)
    typed, found = inspect(agreed, frame)
    refuse_if_any(table, found)
    if stored is not None:
        refuse_if_any(table, _repeated(agreed, typed.with_columns(_numbers(frame)), stored))
    present = [name for name in agreed.order if name in typed.columns]
    return typed.sort(present, nulls_last=True, maintain_order=True)


def unstored(table: str, rows: pl.DataFrame, stored: pl.DataFrame) -> pl.DataFrame:
    """Leave out the rows whose key is stored already.

    Args:
        table: Canonical table name.
        rows: Rows in canonical form.
        stored: The stored keys.

    Returns:
        The remaining rows in their order.
    """
    agreed = contract(table)
    ours, theirs = _with_whole_key(agreed, rows), _with_whole_key(agreed, stored)
    new = ours.join(theirs, on=agreed.key, how="anti", nulls_equal=True, maintain_order="left")
    return new.select(rows.columns)


def inspect(agreed: Contract, frame: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Cast a frame and find every violation of its contract.

    Args:
        agreed: The contract.
        frame: Rows as received, see :func:`conform`.

    Returns:
        The cast frame in the received row order, and the violations: row, column, rule,
        expectation (completeness, validity or uniqueness).

    Raises:
        TableRefused: Columns are missing or unknown, so that no row can be judged.
    """
    columns = _columns(agreed, frame)
    rows = _numbers(frame)
    found = []
    typed = {}
    for column in columns:
        typed[column.name], broken = cast(frame[column.name], column.kind)
        if broken.any():
            found.append(_violations(rows.filter(broken), column.name, CAST_RULES[column.kind]))
    result = pl.DataFrame(typed)
    found.append(_broken_rules(agreed, columns, result, rows))
    return result, _first_reason_per_cell(pl.concat(found))


def refuse_if_any(table: str, found: pl.DataFrame) -> None:
    """Raise the refusal of a table if any violation was found.

    Args:
        table: Canonical table name.
        found: Violations as :func:`inspect` returns them.

    Raises:
        TableRefused: There is at least one.
    """
    if found.is_empty():
        return
    first = found.head(SHOWN).select("row", "column", "rule")
    violations = tuple(Violation(*each) for each in first.iter_rows())
    raise TableRefused(table, violations, total=len(found), rows=found["row"].n_unique())


def _numbers(frame: pl.DataFrame) -> pl.Series:
    """Return each row's number in the source."""
    if ROW in frame.columns:
        return frame[ROW]
    return pl.int_range(1, len(frame) + 1, eager=True).alias(ROW)


def _repeated(agreed: Contract, numbered: pl.DataFrame, stored: pl.DataFrame) -> pl.DataFrame:
    """Find the rows whose key is stored already."""
    ours, theirs = _with_whole_key(agreed, numbered), _with_whole_key(agreed, stored)
    rows = ours.join(theirs, on=agreed.key, how="semi", nulls_equal=True)[ROW]
    rule = "is stored already: leave the row out, or import without --append to replace the table"
    return _violations(rows, ", ".join(agreed.key), rule, "uniqueness")


def _with_whole_key(agreed: Contract, frame: pl.DataFrame) -> pl.DataFrame:
    """Add the optional parts of the key a frame lacks, as empty cells."""
    lacking = [
        pl.lit(None, dtype=DTYPES[column.kind]).alias(column.name)
        for column in agreed.columns
        if column.name in agreed.key and column.name not in frame.columns
    ]
    return frame.with_columns(lacking)


def _columns(agreed: Contract, frame: pl.DataFrame) -> list[Column]:
    """Return the columns to take, canonical ones first, or refuse the header."""
    received = [name for name in frame.columns if name != ROW]
    problems = [
        (name, f"is required: add it, or rename one with --map old={name}")
        for name in agreed.required
        if name not in received
    ]
    extras = []
    for name in received:
        if name in agreed.names:
            continue
        if agreed.extra == "none":
            near = suggestion(name, agreed.names)
            problems.append((name, f"is not a column of {agreed.table}{near}"))
        extras.append(_extra_column(agreed, frame[name]))
    if problems:
        raise header_refusal(agreed.table, *problems)
    return [column for column in agreed.columns if column.name in received] + extras


def _extra_column(agreed: Contract, received: pl.Series) -> Column:
    """Decide the kind of a column the contract does not name."""
    number = agreed.extra == "number" or received.dtype.is_numeric()
    if not number and received.dtype == pl.String:
        _, broken = cast(received, "number")
        number = not broken.any()
    return Column(received.name, "number" if number else "text")


def _violations(
    rows: pl.Series, column: str, rule: str, expectation: str = "validity"
) -> pl.DataFrame:
    return pl.DataFrame({"row": rows}, schema={"row": pl.Int64}).with_columns(
        pl.lit(column).alias("column"),
        pl.lit(rule).alias("rule"),
        pl.lit(expectation).alias("expectation"),
    )


def _broken_rules(
    agreed: Contract, columns: list[Column], typed: pl.DataFrame, rows: pl.Series
) -> pl.DataFrame:
    """Run the pandera schema and translate what failed to rows, columns and rules."""
    # pandera takes two seconds to import, and reading what an import has checked needs none of it.
    from pandera.errors import SchemaErrors

    from training.tables.rules import FILLED
    from training.tables.schemas import DUPLICATE, schema

    try:
        schema(agreed, tuple(columns)).validate(typed, lazy=True)
    except SchemaErrors as error:
        cases = error.failure_cases
    else:
        return pl.DataFrame(schema=_FOUND)
    rule = pl.col("check")
    # A rule over several columns carries the one to blame before a colon.
    spread = pl.col("column").is_null()
    found: pl.DataFrame = cases.select(
        rows.gather(cases["index"].cast(pl.UInt32)).cast(pl.Int64).alias("row"),
        pl.when(spread).then(rule.str.extract("^(.*?): ")).otherwise("column").alias("column"),
        pl.when(spread).then(rule.str.replace("^.*?: ", "")).otherwise(rule).alias("rule"),
        pl.when(rule == FILLED)
        .then(pl.lit("completeness"))
        .when(rule.str.contains(DUPLICATE, literal=True))
        .then(pl.lit("uniqueness"))
        .otherwise(pl.lit("validity"))
        .alias("expectation"),
    )
    return found


def _first_reason_per_cell(found: pl.DataFrame) -> pl.DataFrame:
    """Drop the follow-up of a cell that could not be cast, and order by row."""
    kept = found.unique(["row", "column"], keep="first", maintain_order=True)
    return kept.sort("row", maintain_order=True)
