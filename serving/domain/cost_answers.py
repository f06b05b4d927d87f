"""The answers to should-cost questions, element by element."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from serving.domain.cost import CostElementKind, CostRowStatus, ShouldCostMethod
    from serving.domain.series import Provenance

    Floats = NDArray[np.float64]

FORMULA_VERSION = "should-cost/1"
PLAIN_GAP = 0.10  # the gap above which a quote is marked, whatever the estimate is worth


@dataclass(frozen=True, slots=True)
class CostDriver:
    """One product of usage and rate within an element.

    Attributes:
        name: What is used.
        usage: Amount used per unit of the part.
        usage_unit: Unit of the usage: kg, h, unit, or a currency where the rate is a share.
        rate: Money per unit of usage as the source says it.
        rate_currency_code: Currency the source says it in; empty for a share.
        exchange_rate: Rate into the currency of the answer.
        cost: usage x rate x exchange_rate.
        rate_date: Day the rate is from, ISO 8601; empty where its source is not dated.
        source: Table the rate came from, ``request``, or ``domestic`` where no duty is due.
        exchange_rate_date: Day the rate of exchange is from, ISO 8601; empty where none was needed.
    """

    name: str
    usage: float
    usage_unit: str
    rate: float
    rate_currency_code: str
    exchange_rate: float
    cost: float
    rate_date: str
    source: str
    exchange_rate_date: str = ""


@dataclass(frozen=True, slots=True)
class CostElement:
    """One element of a cost.

    Attributes:
        kind: Which it is.
        cost: Money per unit.
        share: Share of the whole, 0 to 1.
        drivers: What it is made of.
    """

    kind: CostElementKind
    cost: float
    share: float
    drivers: tuple[CostDriver, ...]


@dataclass(frozen=True, slots=True)
class QuoteGap:
    """Where a quote stands against should-cost; None where there is no model to say.

    Attributes:
        gap: unit_price / (should_cost (1 + allowed_margin)) - 1.
        gap_flag: Whether the gap is above PLAIN_GAP.
        expected_price: Estimate from quotes for parts like it.
        p_value: Probability that an honest quote lies as far above its estimate.
        flag: Whether p_value is at most the false-alarm rate.
    """

    gap: float
    gap_flag: bool
    expected_price: float | None = None
    p_value: float | None = None
    flag: bool | None = None


@dataclass(frozen=True, slots=True)
class ShouldCost:
    """What one part should cost, per unit.

    Attributes:
        provenance: Where the answer came from.
        sku: The part.
        method: How it was estimated.
        currency_code: Currency of every amount; empty where the data names none.
        as_of_date: Day whose rates were used, ISO 8601.
        should_cost: What one unit should cost.
        should_cost_p10: Cost it has a 10 % chance to stay below.
        should_cost_p50: Median.
        should_cost_p90: Cost it has a 90 % chance to stay below.
        elements: Elements of the cost; empty for an estimate from quotes.
        gap: Where the quote stands; None without a price.
    """

    provenance: Provenance
    sku: str
    method: ShouldCostMethod
    currency_code: str
    as_of_date: str
    should_cost: float
    should_cost_p10: float
    should_cost_p50: float
    should_cost_p90: float
    elements: tuple[CostElement, ...] = ()
    gap: QuoteGap | None = None


@dataclass(frozen=True, slots=True)
class ShouldCostBatch:
    """What many parts should cost; values of the rows whose status is OK only.

    Attributes:
        provenance: Where the answer came from.
        row_count: Rows that hold values.
        row_statuses: Outcome of each asked row.
        methods: How each estimate was made.
        currency_code: Currency of every amount.
        should_costs: What one unit should cost, shape (row_count,).
        should_cost_p10: Tenth percentiles, shape (row_count,).
        should_cost_p50: Medians, shape (row_count,).
        should_cost_p90: Ninetieth percentiles, shape (row_count,).
        element_costs: Elements of the rows estimated from a bill, shape (rows, 5).
        gaps: Gaps; empty without prices.
        gap_flags: Plain flags; empty without prices.
        p_values: As `QuoteGap`; empty without prices or model.
        flags: Calibrated flags; empty without prices or model.
    """

    provenance: Provenance
    row_count: int
    row_statuses: tuple[CostRowStatus, ...]
    methods: tuple[ShouldCostMethod, ...]
    currency_code: str
    should_costs: Floats
    should_cost_p10: Floats
    should_cost_p50: Floats
    should_cost_p90: Floats
    element_costs: Floats
    gaps: Floats
    gap_flags: NDArray[np.bool_]
    p_values: Floats
    flags: NDArray[np.bool_]


def gap_of(unit_price: float, should_cost: float, allowed_margin: float) -> float:
    """Return how far a price lies above what it may be.

    Args:
        unit_price: Price of one unit, 0 or more.
        should_cost: What one unit should cost, above 0, in the same money.
        allowed_margin: Margin a supplier may have, 0 to 1.

    Returns:
        The gap as a share; negative where the price lies below.

    Example:
        >>> round(gap_of(12.1, 10.0, 0.1), 6)
        0.1
    """
    return unit_price / (should_cost * (1.0 + allowed_margin)) - 1.0
