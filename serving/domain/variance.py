"""Why cost differs from budget, split exactly into volume, mix, price, rate, usage and currency."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from serving.domain.series import Provenance, check_key
from serving.errors import InvalidField, TooLarge

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

FORMULA_VERSION = "variance/1"
ALERT_SHARE = 0.05
MAX_LINES = 100_000
LARGEST = 1e15
# Prices of these are a price variance, of every other element a rate variance.
MATERIALS = frozenset({"raw_material"})


@dataclass(frozen=True, slots=True)
class ElementCost:
    """What one cost element takes of each line, budget and actual.

    Attributes:
        name: Cost element, such as raw_material or labor.
        budget_price: Price or rate of a unit of usage, line currency, shape (n,).
        price: The same, actual.
        budget_usage: Units of usage a unit of volume takes, shape (n,).
        usage: The same, actual.
    """

    name: str
    budget_price: Floats
    price: Floats
    budget_usage: Floats
    usage: Floats

    def __post_init__(self) -> None:
        """Refuse figures that are negative or not finite."""
        check_key("elements.name", self.name)
        for part in ("budget_price", "price", "budget_usage", "usage"):
            _check_amounts(f"elements.{self.name}.{part}", getattr(self, part))


@dataclass(frozen=True, slots=True)
class VarianceQuery:
    """Asks why cost differs from budget.

    Attributes:
        groups: Group each line is reported under, n of them.
        budget_volume: Planned units of each line, shape (n,).
        volume: Actual units, shape (n,).
        elements: Cost elements of every line.
        budget_exchange_rate: Reporting currency a unit of line currency, planned, shape (n,).
        exchange_rate: The same, actual.
        alert_share: Share of budget beyond which a group is flagged, above 0.
    """

    groups: tuple[str, ...]
    budget_volume: Floats
    volume: Floats
    elements: tuple[ElementCost, ...]
    budget_exchange_rate: Floats
    exchange_rate: Floats
    alert_share: float = ALERT_SHARE

    def __post_init__(self) -> None:
        """Refuse lines that do not match, and a budget of nothing."""
        count = len(self.groups)
        if not count:
            raise InvalidField("groups", "is required: one line at the least")
        if count > MAX_LINES:
            raise TooLarge("lines", limit=MAX_LINES)
        if not self.elements:
            raise InvalidField("elements", "is required: one cost element at the least")
        names = [element.name for element in self.elements]
        for name in names:
            if names.count(name) > 1:
                raise InvalidField("elements.name", f"must be unique, {name!r} is there twice")
        self._check_columns(count)
        if not self.budget_volume.sum() > 0:
            raise InvalidField("budget_volume", "must sum to more than 0: nothing was planned")
        if not (math.isfinite(self.alert_share) and self.alert_share > 0):
            raise InvalidField("alert_share", "must be a finite number above 0")

    def _check_columns(self, count: int) -> None:
        rates = ("budget_exchange_rate", "exchange_rate")
        for name in ("budget_volume", "volume", *rates):
            values = getattr(self, name)
            _check_length(name, values, count)
            _check_amounts(name, values)
        for name in rates:
            values = getattr(self, name)
            if (values == 0).any():
                raise InvalidField(f"{name}[{int(np.argmin(values))}]", "must be above 0")
        for element in self.elements:
            for part in ("budget_price", "price", "budget_usage", "usage"):
                _check_length(f"elements.{element.name}.{part}", getattr(element, part), count)


@dataclass(frozen=True, slots=True)
class VarianceSplit:
    """One group's cost against budget, in the reporting currency.

    Attributes:
        group: What was asked under; empty for all lines together.
        budget: Planned cost.
        actual: Actual cost.
        variance: Actual less budget.
        volume: Because more or fewer units were made in all.
        mix: Because cheap and dear lines changed their share of the units.
        price: Because materials cost another price.
        rate: Because the other elements cost another rate.
        usage: Because a unit took more or less of them.
        currency: Because exchange rates moved.
        share: Actual less budget, as a share of budget; None without a budget.
        alert: The share is beyond the alert share, or there was no budget.
    """

    group: str
    budget: float
    actual: float
    variance: float
    volume: float
    mix: float
    price: float
    rate: float
    usage: float
    currency: float
    share: float | None
    alert: bool


@dataclass(frozen=True, slots=True)
class VarianceReport:
    """Cost against budget of all lines and of each group.

    Attributes:
        total: All lines together.
        groups: Each group in ascending order of its name.
        provenance: The formula that answered.
    """

    total: VarianceSplit
    groups: tuple[VarianceSplit, ...]
    provenance: Provenance


def explain_variance(query: VarianceQuery) -> VarianceReport:
    """Split the difference of actual and budget cost exactly.

    With q units, u usage, p price or rate, fx exchange rate, c = sum of u p fx over the elements,
    s the share of a line in all units, 0 budget and 1 actual: volume (Q1 - Q0) s0 c0, mix
    Q1 (s1 - s0) c0, price or rate q1 u1 (p1 - p0) fx0, usage q1 p0 (u1 - u0) fx0, currency
    q1 p1 u1 (fx1 - fx0). Mix is taken over all lines, so groups add up to the total.

    Args:
        query: Lines of budget and actual.

    Returns:
        The split of all lines and of each group; each sums to its actual less its budget up to
        the rounding of floats.

    Source: Horngren, Datar and Rajan, Cost Accounting, 15th ed. (2015), chapters 7 and 14.

    Example:
        >>> from numpy import array, ones
        >>> material = ElementCost(
        ...     "raw_material", array([10.0, 20.0]), array([11.0, 20.0]), ones(2), ones(2)
        ... )
        >>> units = array([100.0, 100.0]), array([120.0, 60.0])
        >>> asked = VarianceQuery(("a", "a"), *units, (material,), ones(2), ones(2))
        >>> found = explain_variance(asked).total
        >>> found.volume, found.mix, found.price, found.variance
        (-300.0, -300.0, 120.0, -480.0)
    """
    planned, units = query.budget_volume, query.volume
    fx0, fx1 = query.budget_exchange_rate, query.exchange_rate
    unit_cost = sum((e.budget_price * e.budget_usage for e in query.elements), np.zeros(1)) * fx0
    all_planned, all_units = float(planned.sum()), float(units.sum())
    fair = planned * (all_units / all_planned)
    effects = {
        "budget": planned * unit_cost,
        "actual": units * sum((e.price * e.usage for e in query.elements), np.zeros(1)) * fx1,
        "volume": (fair - planned) * unit_cost,
        "mix": (units - fair) * unit_cost,
        "price": np.zeros(len(units)),
        "rate": np.zeros(len(units)),
        "usage": np.zeros(len(units)),
        "currency": np.zeros(len(units)),
    }
    for one in query.elements:
        kind = "price" if one.name in MATERIALS else "rate"
        effects[kind] += units * one.usage * (one.price - one.budget_price) * fx0
        effects["usage"] += units * one.budget_price * (one.usage - one.budget_usage) * fx0
        effects["currency"] += units * one.price * one.usage * (fx1 - fx0)
    names, places = np.unique(np.array(query.groups), return_inverse=True)
    sums = {name: np.bincount(places, values) for name, values in effects.items()}
    groups = tuple(
        _split(str(name), {key: float(values[at]) for key, values in sums.items()}, query)
        for at, name in enumerate(names)
    )
    everything = {key: float(values.sum()) for key, values in effects.items()}
    for key, value in everything.items():
        if not math.isfinite(value):
            raise InvalidField("lines", f"must give a finite {key}: the figures lie too far apart")
    return VarianceReport(
        _split("", everything, query), groups, Provenance(formula_version=FORMULA_VERSION)
    )


def _split(group: str, sums: dict[str, float], query: VarianceQuery) -> VarianceSplit:
    budget, actual = sums["budget"], sums["actual"]
    share = (actual - budget) / budget if budget > 0 else None
    alert = actual > 0 if share is None else abs(share) > query.alert_share
    return VarianceSplit(group=group, **sums, variance=actual - budget, share=share, alert=alert)


def _check_length(field: str, values: Floats, count: int) -> None:
    if values.shape != (count,):
        raise InvalidField(field, f"must have {count} values, one a line")


def _check_amounts(field: str, values: Floats) -> None:
    wrong = np.flatnonzero(~((values >= 0) & (values <= LARGEST)))
    if wrong.size:
        requirement = f"must be a finite number, 0 or more, at most {LARGEST:g}"
        raise InvalidField(f"{field}[{wrong[0]}]", requirement)
