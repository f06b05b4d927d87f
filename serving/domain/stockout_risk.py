"""The risk of running out over many series, and what the watchtower says of their demand."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from serving.domain import protection
from serving.domain.demand import check_rows
from serving.domain.history import MAX_HORIZON
from serving.domain.reorder_batch import check_column
from serving.errors import InvalidField

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from serving.domain.cover_demand import CoverDemand
    from serving.domain.series import Provenance, RowStatus

    Floats = NDArray[np.float64]

SURGE, LOW_VELOCITY = 1.5, 0.5
LONGEST_SUPPLY_DAYS = 3_650.0


class WatchtowerFlag(enum.IntEnum):
    """What a row's demand does against its own past; numbers as in the contract."""

    STEADY = 1
    SURGE = 2
    LOW_VELOCITY = 3


def _absent() -> Floats:
    return np.empty(0)


@dataclass(frozen=True, slots=True)
class RiskQuery:
    """Asks for the risk of running out; an empty array takes every row from its table.

    Attributes:
        skus: Stock-keeping units, one a row.
        locations: Locations, one a row; a pair may stand once.
        horizon_days: Days looked at; None is each row's lead time plus review period.
        on_hand: Units in stock, 0 or more, shape (0,) or (rows,).
        on_order: Units ordered and not yet received, 0 or more, shape (0,) or (rows,).
        backorders: Units owed to customers, 0 or more, shape (0,) or (rows,).
        unit_values: Money lost per unit not met, 0 or more, shape (0,) or (rows,).
    """

    skus: tuple[str, ...]
    locations: tuple[str, ...]
    horizon_days: int | None = None
    on_hand: Floats = field(default_factory=_absent)
    on_order: Floats = field(default_factory=_absent)
    backorders: Floats = field(default_factory=_absent)
    unit_values: Floats = field(default_factory=_absent)

    def __post_init__(self) -> None:
        """Refuse malformed rows, arrays of another length and numbers outside their ranges."""
        check_rows(self.skus, self.locations)
        for name in ("on_hand", "on_order", "backorders", "unit_values"):
            check_column(name, getattr(self, name), len(self.skus))
        if self.horizon_days is not None and not 1 <= self.horizon_days <= MAX_HORIZON:
            raise InvalidField("horizon_days", f"must be from 1 to {MAX_HORIZON}")


@dataclass(frozen=True, slots=True)
class RiskFigures:
    """The risk of n series.

    Attributes:
        stockout_probabilities: Probability that demand exceeds the position, shape (n,).
        expected_shortages: Expected units not met, shape (n,).
        expected_demand: Expected units over the days, shape (n,).
        days_of_supply: Days the position lasts at the expected rate, at most 3,650, shape (n,).
        velocity_ratios: Expected rate over that of the trailing days; 0 without one, shape (n,).
        flags: What the watchtower says, shape (n,).
        money_at_risk: Expected shortage times the unit value; 0 where none is known, shape (n,).
        ranking: Rows, those with most money at risk first, shape (n,).
    """

    stockout_probabilities: Floats
    expected_shortages: Floats
    expected_demand: Floats
    days_of_supply: Floats
    velocity_ratios: Floats
    flags: NDArray[np.int64]
    money_at_risk: Floats
    ranking: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class RiskBatch:
    """The risk of many series; arrays hold the rows whose status is OK, in order.

    Attributes:
        query: What was asked.
        statuses: Outcome of each asked row.
        horizon_days: Days each row was looked at, shape (rows,).
        figures: The risk of the rows.
        provenance: Where the answers came from.
    """

    query: RiskQuery
    statuses: tuple[RowStatus, ...]
    horizon_days: NDArray[np.int64]
    figures: RiskFigures
    provenance: Provenance


def score(
    demand: CoverDemand, position: Floats, *, trailing: Floats, unit_values: Floats
) -> RiskFigures:
    """Score the risk of n series.

    Args:
        demand: Demand over the days looked at, n series.
        position: Inventory positions in units, shape (n,).
        trailing: Mean units a day of the trailing days, NaN where unknown, shape (n,).
        unit_values: Money lost per unit, NaN where unknown, shape (n,).

    Returns:
        The figures.

    Example:
        >>> watched(np.array([1.6, 1.0, 0.4, 0.0]))
        array([2, 1, 3, 1])
    """
    rate = demand.forecast.daily_mean
    shortage = protection.loss(demand.over_cover, position)
    ratios, supply = np.zeros(rate.shape), np.full(rate.shape, LONGEST_SUPPLY_DAYS)
    np.divide(rate, trailing, out=ratios, where=trailing > 0)
    np.divide(np.maximum(position, 0.0), rate, out=supply, where=rate > 0)
    money = np.nan_to_num(shortage * unit_values)
    return RiskFigures(
        stockout_probabilities=np.where(
            position < 0, 1.0, 1.0 - protection.at_most(demand.over_cover, position)
        ),
        expected_shortages=shortage,
        expected_demand=demand.mean,
        days_of_supply=np.minimum(supply, LONGEST_SUPPLY_DAYS),
        velocity_ratios=ratios,
        flags=watched(ratios),
        money_at_risk=money,
        ranking=np.lexsort((-shortage, -money)).astype(np.int64),
    )


def watched(ratios: Floats) -> NDArray[np.int64]:
    """Return what the watchtower says of expected over trailing rates; 0 is unknown.

    Args:
        ratios: Expected rates over trailing ones, shape (n,).

    Returns:
        Numbers of WatchtowerFlag, shape (n,).
    """
    flags = np.full(ratios.shape, int(WatchtowerFlag.STEADY))
    flags[ratios > SURGE] = int(WatchtowerFlag.SURGE)
    flags[(ratios > 0) & (ratios < LOW_VELOCITY)] = int(WatchtowerFlag.LOW_VELOCITY)
    return flags
