"""The anomaly question and its answer, valid by construction, and the features of each kind."""

from __future__ import annotations

import enum
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from serving.domain.anomaly_spreads import spread_above, spread_below
from serving.errors import InvalidField, TooLarge

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from serving.domain.series import Provenance

    Floats = NDArray[np.float64]
    Indices = NDArray[np.int64]

MAX_ROWS = 100_000
MAX_DRIVERS = 5
LEAST_SPREAD_DAYS = 0.5  # of lead times: suppliers that never vary are still counted in days
LITTLE_FREIGHT = 0.01  # share of the price that freight is taken to be at the least
WEEK = 7  # days that the sums of a demand row hold


class AnomalyKind(enum.IntEnum):
    """What a row is about; numbers as in the contract."""

    COST = 1
    DEMAND = 2
    SUPPLIER_DELAY = 3


# What a row of each kind says, in its own units, in the order it is sent in.
INPUTS: dict[AnomalyKind, tuple[str, ...]] = {
    AnomalyKind.COST: (
        "unit_price",
        "usual_unit_price",
        "last_unit_price",
        "quantity",
        "usual_quantity",
        "freight_share",
        "usual_freight_share",
    ),
    AnomalyKind.DEMAND: (
        "quantity",
        "forecast_low",
        "forecast_median",
        "forecast_high",
        "week_quantity",
        "week_forecast",
        "zero_days",
        "usual_sale",
    ),
    AnomalyKind.SUPPLIER_DELAY: (
        "days_taken",
        "promised_days",
        "usual_days",
        "usual_spread_days",
        "quantity",
        "usual_quantity",
    ),
}


def _ratio(part: Floats, whole: Floats) -> Floats:
    """Return log(part / whole), NaN where either is not above 0."""
    fit = (part > 0) & (whole > 0)
    return np.log(np.where(fit, part, 1.0) / np.where(fit, whole, 1.0)) + np.where(fit, 0.0, np.nan)


def _cost(sent: dict[str, Floats]) -> tuple[Floats, ...]:
    freight = sent["freight_share"] + LITTLE_FREIGHT, sent["usual_freight_share"] + LITTLE_FREIGHT
    usual = _ratio(sent["unit_price"], sent["usual_unit_price"])
    last = _ratio(sent["unit_price"], sent["last_unit_price"])
    # A price that is back where it usually is did not jump, whatever the last one was.
    jump = np.where(usual * last > 0, np.sign(usual) * np.minimum(np.abs(usual), np.abs(last)), 0.0)
    return (
        usual,
        jump + 0.0 * (usual + last),
        _ratio(sent["quantity"], sent["usual_quantity"]),
        _ratio(*freight),
    )


def _demand(sent: dict[str, Floats]) -> tuple[Floats, ...]:
    quantity, median = sent["quantity"], sent["forecast_median"]
    gap, expected = quantity - median, sent["week_forecast"]
    above = spread_above(median, sent["forecast_high"], sent["usual_sale"])
    below = spread_below(sent["forecast_low"], median)
    # A day's spread on both sides keeps weeks of a part that seldom sells from looking odd, and
    # silence in spreads keeps that of a part that sells thousands a day from looking odder.
    return (
        gap / np.where(gap > 0, above, below),
        _ratio(sent["week_quantity"] + above, expected + above),
        (sent["week_quantity"] - expected) / (np.maximum(above, below) * np.sqrt(WEEK)),
        np.log1p(np.maximum(sent["zero_days"] * np.maximum(median, 0.0) / below, 0.0)),
    )


def _delay(sent: dict[str, Floats]) -> tuple[Floats, ...]:
    late = sent["days_taken"] - sent["promised_days"]
    spread = np.maximum(sent["usual_spread_days"], LEAST_SPREAD_DAYS)
    return (
        late,
        late / np.maximum(sent["promised_days"], 1.0),
        (sent["days_taken"] - sent["usual_days"]) / spread,
        _ratio(sent["quantity"], sent["usual_quantity"]),
    )


_MAKERS: dict[AnomalyKind, Callable[[dict[str, Floats]], tuple[Floats, ...]]] = {
    AnomalyKind.COST: _cost,
    AnomalyKind.DEMAND: _demand,
    AnomalyKind.SUPPLIER_DELAY: _delay,
}
# Features of each kind: logarithms of ratios, gaps in spreads or in days.
OWN_FEATURES: dict[AnomalyKind, tuple[str, ...]] = {
    AnomalyKind.COST: (
        "price_to_usual",
        "price_jump",
        "quantity_to_usual",
        "freight_to_usual",
    ),
    AnomalyKind.DEMAND: (
        "day_gap_in_spreads",
        "week_to_forecast",
        "week_gap_in_spreads",
        "silent_spreads",
    ),
    AnomalyKind.SUPPLIER_DELAY: (
        "late_days",
        "late_share_of_promise",
        "days_in_usual_spreads",
        "quantity_to_usual",
    ),
}
# Columns the model reads: the kind, then the features of every kind; those of others are missing.
FEATURES: tuple[str, ...] = (
    "kind",
    *(f"{kind.name.lower()}.{name}" for kind, names in OWN_FEATURES.items() for name in names),
)


def feature_set_hash() -> str:
    """Return the hash of the features this server builds.

    Returns:
        Sixteen hexadecimal digits.
    """
    text = "\n".join([*FEATURES, *(name for names in INPUTS.values() for name in names)])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def columns_of(kind: AnomalyKind) -> slice:
    """Return the columns of FEATURES that belong to a kind.

    Args:
        kind: The kind.

    Returns:
        The columns.
    """
    start = 1 + sum(len(names) for other, names in OWN_FEATURES.items() if other < kind)
    return slice(start, start + len(OWN_FEATURES[kind]))


def feature_rows(kind: AnomalyKind, inputs: Floats) -> NDArray[np.float32]:
    """Compute the rows the model reads.

    Args:
        kind: Kind of all rows.
        inputs: What each row says, NaN where missing, shape (n, inputs of the kind).

    Returns:
        Rows in the columns of FEATURES, shape (n, features).
    """
    rows = np.full((len(inputs), len(FEATURES)), np.nan, dtype=np.float32)
    rows[:, 0] = int(kind)
    sent = dict(zip(INPUTS[kind], np.ascontiguousarray(inputs.T), strict=True))
    rows[:, columns_of(kind)] = np.stack(_MAKERS[kind](sent), axis=1)
    return rows


@dataclass(frozen=True, slots=True)
class AnomalyQuery:
    """Asks how unusual rows of one kind are.

    Attributes:
        kind: Kind of all rows.
        inputs: What each row says, NaN where missing, shape (n, inputs of the kind).
        false_alarm_rate: Share of usual rows that may be flagged, 0.0001 to 0.5.
        driver_count: Drivers named per row, 0 to MAX_DRIVERS.
    """

    kind: AnomalyKind
    inputs: Floats
    false_alarm_rate: float = 0.01
    driver_count: int = 3

    def __post_init__(self) -> None:
        """Refuse no rows, too many, and rates that are none."""
        if not len(self.inputs):
            raise InvalidField("values", "is required: one row at the least")
        if len(self.inputs) > MAX_ROWS:
            raise TooLarge("rows", limit=MAX_ROWS)
        if not 0.0001 <= self.false_alarm_rate <= 0.5:  # noqa: PLR2004 - as documented
            raise InvalidField("false_alarm_rate", "must be from 0.0001 to 0.5")
        most = min(MAX_DRIVERS, len(OWN_FEATURES[self.kind]))
        if not 0 <= self.driver_count <= most:
            raise InvalidField("driver_count", f"must be from 0 to {most}")


def read_rows(
    kind: AnomalyKind, inputs: tuple[str, ...], values: Floats, missing_places: Indices
) -> Floats:
    """Lay values sent row by row into the inputs of a kind.

    Args:
        kind: Kind of all rows.
        inputs: Names of the inputs in the order sent; the kind's own where empty.
        values: Values row by row, shape (n x inputs,).
        missing_places: Places in `values` without a value, shape (m,).

    Returns:
        What each row says, NaN where missing or not sent, shape (n, inputs of the kind).

    Raises:
        InvalidField: If a name is none of the kind's, or the values fill no whole rows.
    """
    own = INPUTS[kind]
    sent = inputs or own
    for index, name in enumerate(sent):
        if name not in own:
            raise InvalidField(f"inputs[{index}]", f"must be one of {', '.join(own)}")
        if name in sent[:index]:
            raise InvalidField(f"inputs[{index}]", "must stand once")
    if values.size % len(sent):
        raise InvalidField("values", f"must fill whole rows of {len(sent)} inputs")
    if missing_places.size and not (
        missing_places.min() >= 0 and missing_places.max() < values.size
    ):
        raise InvalidField("missing_places", f"must be from 0 to {values.size - 1}")
    filled = values.astype(np.float64)
    filled[missing_places] = np.nan
    rows = np.full((values.size // len(sent), len(own)), np.nan)
    rows[:, [own.index(name) for name in sent]] = filled.reshape(-1, len(sent))
    return rows


def p_values(scores: Floats, calibration: Floats) -> Floats:
    """Return the share of usual scores as great, the row itself counted.

    Args:
        scores: Scores, shape (n,).
        calibration: Scores of usual rows, ascending, shape (m,).

    Returns:
        (1 + #{calibration >= score}) / (m + 1), shape (n,): of usual rows at most a share p has a
        p-value of at most p.

    Source: Vovk, Gammerman, Shafer (2005), Algorithmic Learning in a Random World; Bates et al.
    (2023), Testing for outliers with conformal p-values, Ann. Stat. 51.

    Example:
        >>> p_values(np.array([0.5, 9.0]), np.arange(1.0, 10.0)).tolist()
        [1.0, 0.2]
    """
    greater = calibration.size - np.searchsorted(calibration, scores, side="left")
    return np.asarray((1.0 + greater) / (calibration.size + 1.0))


@dataclass(frozen=True, slots=True)
class AnomalyAnswer:
    """How unusual rows are, in the order asked.

    Attributes:
        row_count: Rows answered.
        scores: Greater is more unusual, above 0, and above 1 where a feature is far out of its
            range, shape (n,).
        p_values: Share of usual rows that score as high, shape (n,).
        flags: Whether the p-value is at most the rate asked, shape (n,).
        features: Names of the features that drivers index.
        driver_count: Drivers named per row.
        driver_features: Features that raise the score most, first the greatest, shape (n, k).
        driver_contributions: What each adds, in splits, shape (n, k).
        driver_values: Value of each driver's feature, 0 where missing, shape (n, k).
        driver_usual_lows: Its 5th percentile in usual rows, shape (n, k).
        driver_usual_highs: Its 95th percentile in usual rows, shape (n, k).
        provenance: Where the answer came from.
    """

    row_count: int
    scores: Floats
    p_values: Floats
    flags: NDArray[np.bool_]
    features: tuple[str, ...]
    driver_count: int
    driver_features: Indices
    driver_contributions: Floats
    driver_values: Floats
    driver_usual_lows: Floats
    driver_usual_highs: Floats
    provenance: Provenance
