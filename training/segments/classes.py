"""Classes of series, and the policy each class gets unless a table says otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from serving.errors import InvalidField

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

# Cumulative share of value up to which a series is of class A, and of class B.
ABC = (0.80, 0.95)
# Weekly coefficient of variation up to which a series is of class X, and of class Y.
XYZ = (0.5, 1.0)
# Share of series that are fast movers, and fast or medium ones.
MOVERS = (0.2, 0.5)
# Cuts of demand patterns: mean interval between sales, squared variation of sizes.
INTERVAL_CUT, SIZE_CUT = 1.32, 0.49
_MARGINS = (1 / 3, 2 / 3)

POLICY_COLUMNS: Mapping[str, type[pl.DataType]] = {
    "abc": pl.String,
    "xyz": pl.String,
    "policy": pl.String,
    "target_kind": pl.String,
    "service_target": pl.Float64,
    "review_days": pl.Float64,
}
_POLICIES = {"order_up_to", "order_quantity", "min_max", "base_stock"}
_KINDS = {"cycle_service", "fill_rate", "cost"}
# The steadier and the more valuable, the oftener it is looked at and the more is promised.
_DEFAULTS = (
    ("A", "X", "order_up_to", "cycle_service", 0.98, 1.0),
    ("A", "Y", "order_up_to", "cycle_service", 0.97, 1.0),
    ("A", "Z", "order_up_to", "cycle_service", 0.95, 3.0),
    ("B", "X", "order_up_to", "cycle_service", 0.97, 3.0),
    ("B", "Y", "order_up_to", "cycle_service", 0.95, 7.0),
    ("B", "Z", "min_max", "fill_rate", 0.95, 7.0),
    ("C", "X", "order_up_to", "cycle_service", 0.95, 7.0),
    ("C", "Y", "min_max", "fill_rate", 0.92, 14.0),
    ("C", "Z", "min_max", "fill_rate", 0.90, 14.0),
)


def classify(measured: pl.DataFrame) -> pl.DataFrame:
    """Sort series into classes.

    A are the series that make the first 80 % of value, B those up to 95 %, C the rest; X vary by a
    weekly coefficient of at most 0.5, Y of at most 1, Z more or without two weeks; fast are the
    first 20 % by units a day, medium the next 30 %. Patterns are those of Syntetos and Boylan.

    Args:
        measured: Rows of `measure`.

    Returns:
        The rows with columns abc, xyz, mover, pattern and margin_class, in the same order.

    Source: Syntetos, Boylan and Croston, "On the categorization of demand patterns", Journal of
    the Operational Research Society 56 (2005).
    """
    frame = measured.with_row_index("row")
    ranked = frame.sort("value", "row", descending=[True, False]).with_columns(
        # What lies before a series decides: the one that crosses 80 % is still of class A.
        before=(pl.col("value").cum_sum() - pl.col("value")) / pl.col("value").sum()
    )
    ranked = ranked.with_columns(abc=_graded(pl.col("before").fill_nan(1.0), ABC, "ABC"))
    speed = pl.col("daily_mean").rank("ordinal", descending=True) - 1
    often, even = pl.col("interval") < INTERVAL_CUT, pl.col("size_cv2") < SIZE_CUT
    margin = pl.col("margin_share").rank("average") / pl.col("margin_share").count()
    return (
        ranked.sort("row")
        .with_columns(
            xyz=pl.when(pl.col("weekly_cv") <= XYZ[0])
            .then(pl.lit("X"))
            .when(pl.col("weekly_cv") <= XYZ[1])
            .then(pl.lit("Y"))
            .otherwise(pl.lit("Z")),
            mover=_graded(speed / pl.len(), MOVERS, ("fast", "medium", "slow")),
            pattern=pl.when(often & even)
            .then(pl.lit("smooth"))
            .when(often)
            .then(pl.lit("erratic"))
            .when(even)
            .then(pl.lit("intermittent"))
            .otherwise(pl.lit("lumpy")),
            margin_class=pl.when(pl.col("margin_share").is_not_null()).then(
                _graded(margin, _MARGINS, ("low", "medium", "high"))
            ),
        )
        .drop("row", "before")
    )


def default_policies() -> pl.DataFrame:
    """Return the policy of each class, a row for each of the nine."""
    return pl.DataFrame(list(_DEFAULTS), schema=dict(POLICY_COLUMNS), orient="row")


def read_policies(path: Path) -> pl.DataFrame:
    """Read a table of policies that somebody edited.

    Args:
        path: CSV file with the columns of `POLICY_COLUMNS`.

    Returns:
        The policies.

    Raises:
        InvalidField: If a column is missing, a class stands twice or lacks, or a value is none.
    """
    try:
        frame = pl.read_csv(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise InvalidField("policies", f"must be a CSV file: {error}") from error
    missing = [name for name in POLICY_COLUMNS if name not in frame.columns]
    if missing:
        raise InvalidField("policies", f"must have the columns {', '.join(missing)}")
    frame = frame.select(pl.col(name).cast(kind) for name, kind in POLICY_COLUMNS.items())
    classes = {(one, other) for one in "ABC" for other in "XYZ"}
    given = frame.select("abc", "xyz").rows()
    if set(given) != classes or len(given) != len(classes):
        raise InvalidField("policies", "must have one row for each of AX, AY ... CZ")
    for row, (policy, kind, service, review) in enumerate(
        frame.select("policy", "target_kind", "service_target", "review_days").rows()
    ):
        _check_row(row, policy, kind)
        if service is None or not 0 < service < 1:
            raise InvalidField(f"policies[{row}].service_target", "must be above 0 and below 1")
        if review is None or review < 0:
            raise InvalidField(f"policies[{row}].review_days", "must be 0 or more")
    return frame


def _check_row(row: int, policy: str, kind: str) -> None:
    if policy not in _POLICIES:
        raise InvalidField(f"policies[{row}].policy", f"must be one of {sorted(_POLICIES)}")
    if kind not in _KINDS:
        raise InvalidField(f"policies[{row}].target_kind", f"must be one of {sorted(_KINDS)}")


def _graded(value: pl.Expr, cuts: tuple[float, float], names: tuple[str, ...] | str) -> pl.Expr:
    return (
        pl.when(value < cuts[0])
        .then(pl.lit(names[0]))
        .when(value < cuts[1])
        .then(pl.lit(names[1]))
        .otherwise(pl.lit(names[2]))
    )
