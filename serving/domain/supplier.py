"""Suppliers: how they performed, how long they take, and who is best by weighted criteria."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from serving.domain.series import Provenance, check_key
from serving.domain.weights import check_weights
from serving.errors import InvalidField, TooLarge

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

FORMULA_VERSION = "supplier/1"
MAX_SUPPLIERS = 10_000
MAX_DAYS = 3650.0
# Probabilities at which the days of a lead time are stored.
LEVELS = tuple((np.arange(1, 100) / 100).tolist())
CRITERIA = ("on_time", "quality", "price", "lead_time")


@dataclass(frozen=True, slots=True)
class Share:
    """A share that was observed, and what it is worth beside those of the others.

    Attributes:
        count: Cases behind it.
        observed: Share of them; None without any.
        shrunk: The share drawn toward that of all suppliers, the more the fewer the cases; None
            where no supplier has any case.
        low: Lower end of its 90 % interval; None likewise.
        high: Upper end; None likewise.
    """

    count: int
    observed: float | None = None
    shrunk: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Performance:
    """How a supplier performed.

    Attributes:
        supplier_id: Who.
        delivered_orders: Orders received.
        open_orders: Orders not received yet.
        on_time: Share of promises kept, of the orders received or overdue that had a promise.
        defects: Share of inspected units that were defective.
        price_premium: Price over the median price of the same item, as a share, drawn toward 0;
            None where nobody else sells the same.
        priced_orders: Orders behind the premium.
        lead_time_mean_days: Expected days from order to receipt, open orders included as not
            received yet; None without an order.
        lead_time_std_days: Standard deviation of the days; None likewise.
    """

    supplier_id: str
    delivered_orders: int
    open_orders: int
    on_time: Share
    defects: Share
    price_premium: float | None
    priced_orders: int
    lead_time_mean_days: float | None
    lead_time_std_days: float | None


@dataclass(frozen=True, slots=True)
class PerformanceAnswer:
    """How a supplier performed.

    Attributes:
        performance: The figures.
        provenance: The formula that answered.
    """

    performance: Performance
    provenance: Provenance


@dataclass(frozen=True, slots=True)
class LeadTimeQuery:
    """Asks how long an order will take.

    Attributes:
        supplier_id: Of whom.
        plant_id: To where; empty for anywhere.
        sku: Of what; empty for anything.
        promised_days: Days the supplier promised; None without a promise.
        levels: Probabilities to answer at, within those stored, ascending.
    """

    supplier_id: str
    plant_id: str = ""
    sku: str = ""
    promised_days: float | None = None
    levels: tuple[float, ...] = (0.1, 0.5, 0.9)

    def __post_init__(self) -> None:
        """Refuse keys and levels that break their rule."""
        check_key("supplier_id", self.supplier_id)
        for name in ("plant_id", "sku"):
            if getattr(self, name):
                check_key(name, getattr(self, name))
        if self.promised_days is not None and not 0 <= self.promised_days <= MAX_DAYS:
            raise InvalidField("promised_days", f"must be from 0 to {MAX_DAYS:g}")
        if not self.levels:
            raise InvalidField("levels", "is required")
        for index, level in enumerate(self.levels):
            if not LEVELS[0] <= level <= LEVELS[-1]:
                raise InvalidField(f"levels[{index}]", f"must be from {LEVELS[0]} to {LEVELS[-1]}")
            if index and level <= self.levels[index - 1]:
                raise InvalidField(f"levels[{index}]", "must be above the one before it")


def order_groups(supplier: str, plant: str, sku: str) -> Iterator[tuple[str, ...]]:
    """Yield the groups that orders of a supplier belong to, the most specific first.

    Args:
        supplier: Of whom.
        plant: To where; empty for anywhere.
        sku: Of what; empty for anything.

    Yields:
        Keys that start with the supplier.

    Example:
        >>> list(order_groups("S", "P", "K"))
        [('S', 'P', 'K'), ('S', '', 'K'), ('S', 'P'), ('S',)]
    """
    if sku:
        yield (supplier, plant, sku)
    if plant and sku:
        yield (supplier, "", sku)
    if plant:
        yield (supplier, plant)
    yield (supplier,)


@dataclass(frozen=True, slots=True)
class LeadTimeHistory:
    """What past orders say of a group of them.

    Attributes:
        orders: Orders of the group, open ones included.
        open_orders: Orders of these that are open.
        lead_time: Days from order to receipt at LEVELS, what came on a day spread over half a day
            on either side, shape (99,); None without an order.
        delay: Days from promise to receipt at LEVELS, negative where early, shape (99,); None
            without a promise.
    """

    orders: int
    open_orders: int
    lead_time: Floats | None
    delay: Floats | None


@dataclass(frozen=True, slots=True)
class LeadTimePrediction:
    """How long an order will take.

    Attributes:
        levels: Probabilities answered at.
        days: Days from order to receipt at each of them.
        mean_days: Their expectation.
        orders: Orders of the group that answered.
        open_orders: Orders of these that are open.
        group: The group: supplier, plant and item as far as they were known.
        from_promise: The answer is the promise plus past delays, not past lead times.
        provenance: The formula that answered, with warnings.
    """

    levels: tuple[float, ...]
    days: tuple[float, ...]
    mean_days: float
    orders: int
    open_orders: int
    group: tuple[str, ...]
    from_promise: bool
    provenance: Provenance


@dataclass(frozen=True, slots=True)
class SupplierWeights:
    """What each criterion counts, 0 to 1, together 1.

    Attributes:
        on_time: Promises kept.
        quality: Units without a defect.
        price: Price beside that of the others.
        lead_time: Days to delivery.
    """

    on_time: float = 0.3
    quality: float = 0.3
    price: float = 0.25
    lead_time: float = 0.15

    def __post_init__(self) -> None:
        """Refuse weights that are no shares of 1."""
        check_weights(CRITERIA, self.all)

    @property
    def all(self) -> tuple[float, float, float, float]:
        """The weights in the order of CRITERIA."""
        return (self.on_time, self.quality, self.price, self.lead_time)


@dataclass(frozen=True, slots=True)
class RankedSupplier:
    """A supplier beside the others.

    Attributes:
        supplier_id: Who.
        total: Weighted sum of the scores, 0 to 1.
        on_time_score: Shrunk share of promises kept; None where nothing is known, as below.
        quality_score: One less the shrunk share of defects.
        price_score: Least price over the own.
        lead_time_score: Least expected days over the own.
        performance: What the scores rest on.
    """

    supplier_id: str
    total: float
    on_time_score: float | None
    quality_score: float | None
    price_score: float | None
    lead_time_score: float | None
    performance: Performance


@dataclass(frozen=True, slots=True)
class SupplierRanking:
    """Suppliers, best first.

    Attributes:
        ranked: Every supplier asked about.
        weights: What each criterion counted.
        provenance: The formula that answered, with warnings.
    """

    ranked: tuple[RankedSupplier, ...]
    weights: SupplierWeights
    provenance: Provenance


@dataclass(frozen=True, slots=True)
class RankingQuery:
    """Asks who is best.

    Attributes:
        supplier_ids: Whom to compare, two or more, unique.
        weights: What each criterion counts.
    """

    supplier_ids: tuple[str, ...]
    weights: SupplierWeights = field(default_factory=SupplierWeights)

    def __post_init__(self) -> None:
        """Refuse a comparison of one, and names that are there twice."""
        if len(self.supplier_ids) < 2:  # noqa: PLR2004 - one alone is not compared
            raise InvalidField("supplier_ids", "must name two suppliers or more")
        if len(self.supplier_ids) > MAX_SUPPLIERS:
            raise TooLarge("supplier_ids", limit=MAX_SUPPLIERS)
        seen: set[str] = set()
        for index, name in enumerate(self.supplier_ids):
            check_key(f"supplier_ids[{index}]", name)
            if name in seen:
                raise InvalidField(f"supplier_ids[{index}]", f"must be unique: {name!r}")
            seen.add(name)


def predict_lead_time(
    query: LeadTimeQuery, group: tuple[str, ...], history: LeadTimeHistory
) -> LeadTimePrediction:
    """Answer how long an order will take from what past orders say.

    With a promise the answer is the promise plus the delays of the past, never below 0; without
    one, or where no past order had one, it is the lead times of the past.

    Args:
        query: What is asked.
        group: The most specific group of past orders that is stored.
        history: What they say.

    Returns:
        Days at each level.

    Raises:
        InvalidField: If there was no promise and no past order has a lead time.
    """
    warnings = []
    from_promise = query.promised_days is not None and history.delay is not None
    if from_promise and history.delay is not None and query.promised_days is not None:
        stored = np.maximum(history.delay + query.promised_days, 0.0)
    elif history.lead_time is not None:
        stored = np.maximum(history.lead_time, 0.0)
        if query.promised_days is not None:
            warnings.append("no past order had a promise: its lead times answer")
    else:
        raise InvalidField("supplier_id", "must have an order in the purchase orders")
    asked = tuple(name for name in (query.supplier_id, query.plant_id, query.sku) if name)
    if len(group) < len(asked):
        known = ", ".join(group) or "all suppliers"
        warnings.append(f"no past order of all that was asked: those of {known} answer")
    return LeadTimePrediction(
        levels=query.levels,
        days=tuple(np.interp(query.levels, LEVELS, stored).tolist()),
        mean_days=float(stored.mean()),
        orders=history.orders,
        open_orders=history.open_orders,
        group=group,
        from_promise=from_promise,
        provenance=Provenance(formula_version=FORMULA_VERSION, warnings=tuple(warnings)),
    )


def rank_suppliers(query: RankingQuery, performances: Sequence[Performance]) -> SupplierRanking:
    """Rank suppliers by the weighted sum of their scores.

    On time scores the shrunk share, quality one less the shrunk share of defects; price scores
    the least price over the own, lead time the least expected days over the own. What is not known
    of a supplier scores the mean of the others: it neither helps nor hurts.

    Args:
        query: Whom to compare, and by what.
        performances: Theirs, in the order asked.

    Returns:
        All of them, best first; equals in the order asked.

    Source: Keeney and Raiffa, Decisions with Multiple Objectives (1976), additive value function.
    """
    premiums = _column([one.price_premium for one in performances])
    days = _column([one.lead_time_mean_days for one in performances])
    raw = np.column_stack(
        [
            _column([one.on_time.shrunk for one in performances]),
            1.0 - _column([one.defects.shrunk for one in performances]),
            _least_over_own(1.0 + premiums),
            _least_over_own(days),
        ]
    )
    known = ~np.isnan(raw)
    counts = known.sum(axis=0)
    means = np.where(counts > 0, np.where(known, raw, 0.0).sum(axis=0) / np.maximum(counts, 1), 0.0)
    totals = np.where(known, raw, means) @ np.array(query.weights.all)
    ranked = tuple(
        RankedSupplier(
            supplier_id=query.supplier_ids[at],
            total=float(totals[at]),
            **{
                f"{name}_score": float(raw[at, column]) if known[at, column] else None
                for column, name in enumerate(CRITERIA)
            },
            performance=performances[at],
        )
        for at in np.argsort(-totals, kind="stable").tolist()
    )
    silent = [name for name, count in zip(CRITERIA, counts.tolist(), strict=True) if not count]
    warnings = tuple(f"nothing is known of {name}: it moves nobody" for name in silent)
    provenance = Provenance(formula_version=FORMULA_VERSION, warnings=warnings)
    return SupplierRanking(ranked, query.weights, provenance)


def _column(values: Sequence[float | None]) -> Floats:
    return np.array([math.nan if value is None else value for value in values])


def _least_over_own(values: Floats) -> Floats:
    if np.isnan(values).all():
        return values
    own = np.maximum(values, 1e-9)
    return np.asarray(np.nanmin(own) / own)
