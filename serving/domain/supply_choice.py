"""Options of supply weighed in money: suppliers, transfers and an expedite."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from serving.domain.protection import Protection, complete, loss
from serving.domain.supply import SupplyChoice, SupplyKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from serving.domain.supply import SupplierOption, Supply

    Floats = NDArray[np.float64]

_ROUNDING = 1e-9
_STEPS = 400  # amounts an option is tried at


def whole_packs(
    needed: float,
    *,
    pack_size: float,
    minimum: float,
    room: float | None,
    affordable: float | None,
) -> tuple[float, str]:
    """Cut an order to what fits the location and the budget, in whole packs.

    Args:
        needed: Units to order without limits, in whole packs.
        pack_size: Units in a pack, 0 where there are none.
        minimum: Least units an order may have.
        room: Units the location can take; None is no limit.
        affordable: Units the budget pays for; None is no limit.

    Returns:
        Units to order, and a sentence on what was cut, empty where nothing was.

    Example:
        >>> whole_packs(36.0, pack_size=12.0, minimum=0.0, room=30.0, affordable=None)
        (24.0, ' 12 units are cut: the location has room for 30.')
    """
    limits = []
    if room is not None and room < needed * (1 - _ROUNDING):
        limits.append((max(0.0, room), f"the location has room for {max(0.0, room):,.6g}"))
    if affordable is not None and affordable < needed * (1 - _ROUNDING):
        limits.append((affordable, f"the budget pays for {affordable:,.6g}"))
    if not limits:
        return needed, ""
    most, why = min(limits)
    order = most
    if pack_size > 0:
        order = math.floor(most / pack_size + _ROUNDING) * pack_size
    if order < minimum * (1 - _ROUNDING):
        order, why = 0.0, f"{why}, less than the minimum order of {minimum:,.6g}"
    return order, f" {needed - order:,.6g} units are cut: {why}."


def cost_per_unit(
    supplier: SupplierOption | None, *, demanded: float, shortage: float, leftover: float
) -> float:
    """Return what a unit demanded costs from a supplier: price, ordering, shortage and leftover.

    Args:
        supplier: The supplier; None where there is no choice.
        demanded: Expected units over the cover.
        shortage: Expected money lost to shortage over the cover.
        leftover: Expected money lost to leftover over the cover.

    Returns:
        Money per unit; 0 where nothing is demanded.
    """
    if demanded <= 0:
        return 0.0
    price = ordering = 0.0
    if supplier is not None:
        price = supplier.unit_price
        ordering = supplier.ordering_cost / max(demanded, supplier.minimum_order_quantity)
    return price + ordering + (shortage + leftover) / demanded


@dataclass(frozen=True, slots=True)
class Rescue:
    """Transfers and an expedite as they were weighed.

    Attributes:
        choices: The options, best first.
        taken: The one that pays best; None where none does.
        sentence: What to do, in one sentence; empty where nothing.
    """

    choices: tuple[SupplyChoice, ...]
    taken: SupplyChoice | None
    sentence: str


@dataclass(frozen=True, slots=True)
class _Option:
    kind: SupplyKind
    source: str
    days: float
    most: float
    unit_cost: float


@dataclass(frozen=True, slots=True)
class Wait:
    """The time until an order is there.

    Attributes:
        days: Days until it is there.
        stock: Units that can be sold before.
        levels: Trained probability levels, ascending.
        over: Returns the quantiles of demand over so many days, shape (levels,).
        underage_cost: Money lost per unit short.
    """

    days: int
    stock: float
    levels: tuple[float, ...]
    over: Callable[[float], Floats]
    underage_cost: float

    def demand(self, days: float) -> Protection:
        """Return the distribution of demand over so many days."""
        return complete(self.levels, self.over(days)[None, None], np.ones((1, 1)))


def best_rescue(supply: Supply, order: float, wait: Wait) -> Rescue:
    """Weigh transfers and an expedite against running out before the order is there.

    Units that arrive on day t spare the shortage that falls between t and the lead time L:
    (E(D_L - x)+ - E(D_L - x - q)+) - (E(D_t - x)+ - E(D_t - x - q)+). What they gain is that times
    the underage cost, less q times their cost.

    Args:
        supply: The options.
        order: Units of the order, of which part may be expedited.
        wait: The time until the order is there.

    Returns:
        The options, and the one that gains most.
    """
    options = [
        _Option(
            SupplyKind.TRANSFER, one.from_location, one.days, one.available_units, one.unit_cost
        )
        for one in supply.transfers
    ]
    if supply.expedite is not None:
        days, cost = supply.expedite.lead_time_days, supply.expedite.extra_unit_cost
        options.append(_Option(SupplyKind.EXPEDITE, "", days, order, cost))
    weighed = [_weighed(option, wait) for option in options]
    weighed.sort(key=lambda one: -one.money)
    if not weighed or weighed[0].quantity == 0:
        return Rescue(tuple(weighed), None, "")
    best, *others = weighed
    taken = SupplyChoice(
        best.kind,
        best.source,
        best.quantity,
        best.days,
        best.shortage_avoided,
        best.money,
        chosen=True,
    )
    what = f"Take {taken.quantity:,.6g} from {taken.source}"
    if taken.kind is SupplyKind.EXPEDITE:
        what = f"Expedite {taken.quantity:,.6g}"
    sentence = (
        f"{what}: it gains {taken.money:,.6g} by sparing {taken.shortage_avoided:,.6g} units."
    )
    return Rescue((taken, *others), taken, sentence)


def _weighed(option: _Option, wait: Wait) -> SupplyChoice:
    """Return an option at the amount at which it gains most; 0 where it never does."""
    same = np.zeros(_STEPS + 1, dtype=np.intp)
    soon, late = (wait.demand(days).take(same) for days in (option.days, wait.days))
    amounts = np.linspace(0.0, option.most, _STEPS + 1)
    short = loss(late, wait.stock + amounts) - loss(soon, wait.stock + amounts)
    spared = (short[0] - short) * float(option.days < wait.days)
    gains = wait.underage_cost * spared - option.unit_cost * amounts
    best = int(gains.argmax())
    if gains[best] <= 0:
        best = 0
    return SupplyChoice(
        kind=option.kind,
        source=option.source,
        quantity=float(amounts[best]),
        days=option.days,
        shortage_avoided=float(spared[best]),
        money=float(gains[best]),
        chosen=False,
    )
