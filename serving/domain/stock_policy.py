"""Stock policies whose levels keep a promise exactly; unmet demand waits."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from serving.domain.inventory_policy import check_finite, check_not_negative, check_positive
from serving.domain.laws import Law, least, over_lead_time
from serving.domain.min_max import MinMax, MinMaxDemand
from serving.domain.undershoot import UndershotLaw, positions_above
from serving.errors import InvalidField

if TYPE_CHECKING:
    from collections.abc import Callable

    from serving.domain.law_inputs import DemandInputs, LeadTimeInputs

_ROUNDING = 1e-12


class StockPolicyKind(enum.IntEnum):
    """How stock is watched and ordered; numbers as in the contract."""

    ORDER_UP_TO = 1
    ORDER_QUANTITY = 2
    MIN_MAX = 3
    BASE_STOCK = 4


@dataclass(frozen=True, slots=True)
class CycleCosts:
    """What a cycle costs.

    Attributes:
        underage_cost: Money lost per unit short, 0 or more.
        overage_cost: Money lost per unit left over, 0 or more, not 0 with the other.
    """

    underage_cost: float = 0.0
    overage_cost: float = 0.0

    def __post_init__(self) -> None:
        """Refuse negative costs and costs without a critical ratio below 1."""
        check_costs(self.underage_cost, self.overage_cost)

    @property
    def ratio(self) -> float:
        """Critical ratio Cu / (Cu + Co)."""
        return self.underage_cost / (self.underage_cost + self.overage_cost)


@dataclass(frozen=True, slots=True)
class PolicyTarget:
    """What a policy promises; exactly one of the targets.

    Attributes:
        cycle_service_level: Probability of no stock-out in a cycle, above 0 and below 1.
        fill_rate: Share of demand met from stock at once, above 0 and below 1.
        cost: Least expected cost of shortage and leftover.
    """

    cycle_service_level: float | None = None
    fill_rate: float | None = None
    cost: CycleCosts | None = None

    def __post_init__(self) -> None:
        """Refuse none and several targets, and shares that are none."""
        given = [
            name
            for name in ("cycle_service_level", "fill_rate", "cost")
            if getattr(self, name) is not None
        ]
        if len(given) != 1:
            raise InvalidField(
                "target", "must be exactly one of cycle_service_level, fill_rate, cost"
            )
        for name in given[: self.cost is None]:
            if not 0 < getattr(self, name) < 1:
                raise InvalidField(name, "must be above 0 and below 1")


@dataclass(frozen=True, slots=True)
class StockPolicyInputs:
    """Inputs of a stock policy.

    Attributes:
        kind: The policy.
        demand: Demand of a day, days being independent.
        lead_time: Days from order to receipt.
        target: What is promised.
        review_days: Days between reviews; None where the policy has none or its default. An order
            quantity without them is watched without pause, and seen at its reorder point.
        order_quantity: Units per order, above 0; None where the policy needs none.
        ordering_cost: Money per order, 0 or more.
    """

    kind: StockPolicyKind
    demand: DemandInputs
    lead_time: LeadTimeInputs
    target: PolicyTarget
    review_days: float | None = None
    order_quantity: float | None = None
    ordering_cost: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what the policy needs and does not have, or has and does not need."""
        check_not_negative("ordering_cost", self.ordering_cost)
        watched = self.kind is StockPolicyKind.ORDER_QUANTITY
        if watched:
            check_not_negative("review_days", self.review_days or 0.0)
        if self.kind in {StockPolicyKind.ORDER_UP_TO, StockPolicyKind.MIN_MAX}:
            check_positive("review_days", self.review_days or 0.0)
        elif self.review_days is not None and not watched:
            check_positive("review_days", self.review_days)
        gap = self.kind is StockPolicyKind.MIN_MAX and self.target.cost is None
        if watched or gap or self.order_quantity is not None:
            check_positive("order_quantity", self.order_quantity or 0.0)

    @property
    def review(self) -> float:
        """Days between reviews, 0 where the policy watches without pause."""
        if self.kind is StockPolicyKind.BASE_STOCK:
            return 1.0 if self.review_days is None else self.review_days
        return self.review_days or 0.0


@dataclass(frozen=True, slots=True)
class StockPolicyResult:
    """The levels that keep a promise, and what follows from them.

    Attributes:
        reorder_point: Inventory position at or below which an order is placed, in units.
        order_up_to: Units the position is raised to; the greatest position of an order quantity.
        safety_stock: Units held beyond expected demand over the protection interval.
        expected_demand: Expected units over the protection interval.
        cycle_service_level: Probability of no stock-out in a cycle.
        fill_rate: Share of demand met from stock at once.
        expected_shortage: Expected units short at the end of a cycle.
        expected_leftover: Expected units left over at the end of a cycle.
        expected_cost: Expected money of a cycle; None without a cost target.
    """

    reorder_point: float
    order_up_to: float
    safety_stock: float
    expected_demand: float
    cycle_service_level: float
    fill_rate: float
    expected_shortage: float
    expected_leftover: float
    expected_cost: float | None = None

    def __post_init__(self) -> None:
        """Refuse figures that overflowed."""
        check_finite("stock_policy", self)


def check_costs(underage: float, overage: float) -> None:
    """Refuse costs that leave the critical ratio undefined or at 1.

    Args:
        underage: Money lost per unit short.
        overage: Money lost per unit left over.

    Raises:
        InvalidField: If one is negative, or there is no cost of holding too much.
    """
    check_not_negative("underage_cost", underage)
    check_not_negative("overage_cost", overage)
    if overage == 0:
        besides = "where underage_cost is 0" if underage == 0 else "or the level has no bound"
        raise InvalidField("overage_cost", f"must be above 0 {besides}")


def stock_policy(inputs: StockPolicyInputs) -> StockPolicyResult:
    """Compute the least levels that keep what a policy promises.

    (R, S) and base stock: cycle service P(D_{L+R} <= S), fill rate
    1 - (E(D_{L+R} - S)+ - E(D_L - S)+) / E[D_R], cost Cu E(D_{L+R} - S)+ + Co E(S - D_{L+R})+.
    (s, Q) watched without pause: cycle service P(D_L <= s), fill rate
    1 - (E(D_L - s)+ - E(D_L - s - Q)+) / Q, the position being uniform on (s, s + Q]. Looked at
    every R days it is seen below s, by the undershoot U: cycle service P(D_L + U <= s), fill rate
    that of an order-up-to level averaged over the same positions, see `UndershotLaw`. (s, S): see
    `MinMax`.

    Args:
        inputs: Policy, demand of a day, lead time and target.

    Returns:
        The levels with both kinds of service, in whole units where demand is.

    Raises:
        InvalidField: If the law of a day cannot be summed, or no float holds a figure.

    Source: Silver, Pyke and Thomas, Inventory and Production Management in Supply Chains,
    4th ed. (2017), chapters 6 and 7; Hadley and Whitin, Analysis of Inventory Systems (1963).

    Example:
        >>> from serving.domain.law_inputs import DemandInputs, LeadTimeInputs, MeanStd
        >>> weekly = stock_policy(
        ...     StockPolicyInputs(
        ...         StockPolicyKind.ORDER_UP_TO,
        ...         DemandInputs(normal=MeanStd(100.0, 20.0)),
        ...         LeadTimeInputs(fixed_days=9.0),
        ...         PolicyTarget(cycle_service_level=0.95),
        ...         review_days=7.0,
        ...     )
        ... )
        >>> round(weekly.safety_stock, 4)
        131.5883
    """
    daily, lead_time = inputs.demand.law(), inputs.lead_time.lead_time()
    over_lead = over_lead_time(daily, lead_time)
    if inputs.kind is StockPolicyKind.ORDER_QUANTITY and not inputs.review:
        return _order_quantity(inputs, over_lead)
    over_cover = over_lead_time(daily, lead_time, inputs.review)
    between = daily.over(inputs.review)
    if inputs.kind is StockPolicyKind.MIN_MAX:
        return _min_max(inputs, MinMaxDemand(between, over_lead, over_cover))
    if inputs.kind is StockPolicyKind.ORDER_QUANTITY:
        return _reviewed_quantity(inputs, between, over_lead, over_cover)
    return _order_up_to(inputs, between, over_lead, over_cover)


def _order_up_to(
    inputs: StockPolicyInputs, between: Law, over_lead: Law, over_cover: Law
) -> StockPolicyResult:
    def fill(level: float) -> float:
        at = np.array([level])
        short = float(over_cover.loss(at)[0] - over_lead.loss(at)[0])
        return 1.0 - min(1.0, max(0.0, short / between.mean)) if between.mean > 0 else 1.0

    level = _level(inputs.target, over_cover, fill)
    return _result(
        inputs.target, (level, level), over_cover, (_within(over_cover, level), fill(level))
    )


def _order_quantity(inputs: StockPolicyInputs, over_lead: Law) -> StockPolicyResult:
    quantity = inputs.order_quantity or 0.0

    def fill(point: float) -> float:
        losses = over_lead.loss(np.array([point, point + quantity]))
        return 1.0 - min(1.0, max(0.0, float(losses[0] - losses[1]) / quantity))

    point = _level(inputs.target, over_lead, fill)
    levels = (point, point + quantity)
    return _result(inputs.target, levels, over_lead, (_within(over_lead, point), fill(point)))


def _reviewed_quantity(
    inputs: StockPolicyInputs, between: Law, over_lead: Law, over_cover: Law
) -> StockPolicyResult:
    quantity = inputs.order_quantity or 0.0
    above = positions_above(between, quantity)

    def fill(point: float) -> float:
        short = over_cover.loss(point + above) - over_lead.loss(point + above)
        return 1.0 - min(1.0, max(0.0, float(short.mean()) / between.mean))

    law = UndershotLaw.of(over_lead, between, quantity)
    if not between.mean > 0:
        return _result(inputs.target, (0.0, quantity), law, (1.0, 1.0))
    point = _level(inputs.target, law, fill)
    levels = (point, point + quantity)
    return _result(inputs.target, levels, law, (_within(law, point), fill(point)))


def _min_max(inputs: StockPolicyInputs, demand: MinMaxDemand) -> StockPolicyResult:
    if inputs.target.cost is not None:
        costs = inputs.target.cost
        found = MinMax.cheapest(
            demand,
            ordering_cost=inputs.ordering_cost,
            underage_cost=costs.underage_cost,
            overage_cost=costs.overage_cost,
        )
    else:
        served = inputs.target.cycle_service_level
        wanted = inputs.target.fill_rate if served is None else served
        found = MinMax.least(
            demand, inputs.order_quantity or 0.0, wanted or 0.0, by_fill_rate=served is None
        )
    over_cover = demand.over_cover
    return StockPolicyResult(
        reorder_point=found.reorder_point,
        order_up_to=found.order_up_to,
        safety_stock=found.reorder_point - over_cover.mean,
        expected_demand=over_cover.mean,
        cycle_service_level=found.cycle_service_level,
        fill_rate=found.fill_rate,
        expected_shortage=found.expected_shortage,
        expected_leftover=found.expected_leftover,
        expected_cost=found.expected_cost,
    )


def _level(target: PolicyTarget, law: Law, fill: Callable[[float], float]) -> float:
    """Find the least level that reaches the target."""
    if target.cycle_service_level is not None:
        return law.quantile(target.cycle_service_level)
    if target.cost is not None:
        return law.quantile(target.cost.ratio)
    wanted = (target.fill_rate or 0.0) - _ROUNDING
    step = max(law.mean, law.variance**0.5, 1.0 if law.whole else 1e-9)
    return least(lambda level: fill(level) >= wanted, start=law.mean, step=step, whole=law.whole)


def _within(law: Law, level: float) -> float:
    return float(law.at_most(np.array([level]))[0])


def _result(
    target: PolicyTarget, levels: tuple[float, float], law: Law, service: tuple[float, float]
) -> StockPolicyResult:
    """Lay out levels (reorder point, order-up-to) and service (by cycle, by fill rate)."""
    point, up_to = levels
    shortage = float(law.loss(np.array([point]))[0])
    leftover = point - law.mean + shortage
    cost = target.cost
    return StockPolicyResult(
        reorder_point=point,
        order_up_to=up_to,
        safety_stock=point - law.mean,
        expected_demand=law.mean,
        cycle_service_level=service[0],
        fill_rate=service[1],
        expected_shortage=shortage,
        expected_leftover=leftover,
        expected_cost=None
        if cost is None
        else cost.underage_cost * shortage + cost.overage_cost * leftover,
    )
