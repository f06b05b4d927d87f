"""How long orders take: days at probabilities, by supplier, plant and item, from past orders.

An order that is still open is censored: it is known to take longer than it has taken, no more. Each
group of orders has a hazard a day; a group with few orders is drawn toward the group it belongs to
by counting that group's hazard as so many orders at risk. How many is chosen by the likelihood of
orders left out, and so are the levels: the level asked is the one that covered its share of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from serving.domain.supplier import LEVELS, order_groups

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Key = tuple[str, ...]

STRENGTHS = (2.0, 5.0, 20.0, 50.0)
FOLDS = 5
LEAST_TO_CALIBRATE = 200  # orders below which levels stand as they are
LEAST_HAZARD = 1e-6


@dataclass(frozen=True, slots=True)
class Orders:
    """Past orders.

    Attributes:
        days: Whole days each took, or has taken where it is open, shape (n,).
        open: Whether each is open, shape (n,).
        keys: Supplier, plant and item of each; empty where not known.
    """

    days: NDArray[np.int64]
    open: NDArray[np.bool_]
    keys: Sequence[Key]

    def take(self, rows: NDArray[np.bool_]) -> Orders:
        """Return some of the orders."""
        kept = [key for key, here in zip(self.keys, rows.tolist(), strict=True) if here]
        return Orders(self.days[rows], self.open[rows], kept)


@dataclass(frozen=True, slots=True)
class LeadTimes:
    """The distribution of days by group.

    Attributes:
        days: Days at which an order was received, ascending, shape (t,).
        hazards: Probability of receipt on each of them of an order open until then, by group,
            shape (t,) each; the group () is all orders.
    """

    days: NDArray[np.int64]
    hazards: dict[Key, Floats]

    def find(self, key: Key) -> Floats:
        """Return the hazards of the most specific group of a key that is there."""
        return next(self.hazards[group] for group in groups_of(key) if group in self.hazards)

    def quantiles(self, hazards: Floats, levels: Sequence[float] | Floats) -> Floats:
        """Return the days by which a share was received, shape (levels,).

        What is received on a day counts as spread evenly over half a day on either side of it. The
        mean of the quantiles is thereby that of the days, and the whole days within a quantile
        hold as near the share asked as whole days can, not always more.
        """
        until = self.received(hazards)
        before = np.concatenate([[0.0], until[:-1]])
        asked = np.asarray(levels)
        at = np.searchsorted(until, asked - 1e-12)
        through = (asked - before[at]) / np.maximum(until[at] - before[at], LEAST_HAZARD)
        days: Floats = self.days[at] - 0.5 + np.clip(through, 0.0, 1.0)
        return days

    def received(self, hazards: Floats) -> Floats:
        """Return the share received by each of the days, all of them by the last, shape (t,)."""
        shares = np.cumprod(1.0 - hazards, dtype=np.float64)
        return np.concatenate([1.0 - shares[:-1], [1.0]])


def groups_of(key: Key) -> Iterator[Key]:
    """Yield the groups an order belongs to, the most specific first, all orders last.

    Args:
        key: Supplier, plant and item; empty where not known.
    """
    supplier, plant, sku = key
    if supplier:
        yield from order_groups(supplier, plant, sku)
    yield ()


def fit(orders: Orders, strength: float) -> LeadTimes:
    """Estimate the hazards of every group.

    Args:
        orders: Past orders, one or more of them received.
        strength: Orders at risk that the hazard of the wider group counts as.

    Source: Kaplan and Meier, JASA 53 (1958); the hazard of a group has the beta prior whose mean
    is the wider group's.
    """
    days = np.unique(orders.days[~orders.open])
    members: dict[Key, list[int]] = {}
    for row, key in enumerate(orders.keys):
        for group in groups_of(key):
            members.setdefault(group, []).append(row)
    hazards: dict[Key, Floats] = {}
    for group in sorted(members, key=len):
        received, at_risk = _counted(days, orders, np.array(members[group]))
        if group:
            wider = next(wide for wide in _wider(group) if wide in hazards)
            hazards[group] = (received + strength * hazards[wider]) / (at_risk + strength)
        else:
            hazards[group] = np.where(at_risk > 0, received / np.maximum(at_risk, 1.0), 0.0)
    return LeadTimes(days, hazards)


def best_strength(orders: Orders) -> float:
    """Return the strength under which orders left out are likeliest."""
    found = {
        strength: sum(_likelihood(fit(known, strength), left) for known, left in _folds(orders))
        for strength in STRENGTHS
    }
    return max(found, key=found.__getitem__)


def calibrated_levels(orders: Orders, strength: float) -> tuple[float, ...]:
    """Return, for each of LEVELS, the level whose days covered that share of orders left out.

    An order is covered at every level above the middle of the share received before its day and
    the share received by it (see `LeadTimes.quantiles`), so the level that covers a share of the
    orders is a quantile of those middles. Coverage so reached is marginal, over all orders
    together, and holds as far as the coming orders are like the past ones.

    Args:
        orders: Past orders.
        strength: See `fit`.

    Source: Parzen, Statistical Science 19 (2004), the mid-distribution function.
    """
    if int((~orders.open).sum()) < LEAST_TO_CALIBRATE:
        return LEVELS
    middles = []
    for known, left in _folds(orders):
        fitted = fit(known, strength)
        for hazards, rows in _by_group(fitted, left):
            received = np.concatenate([[0.0], fitted.received(hazards)])
            taken = left.days[rows][~left.open[rows]]
            sides = [np.searchsorted(fitted.days, taken, side=side) for side in ("left", "right")]
            middles.append(received[np.array(sides)].mean(axis=0))
    found = np.quantile(np.concatenate(middles), LEVELS, method="higher") + 1e-9
    return tuple(np.clip(np.maximum.accumulate(found), LEVELS[0] / 10, 1.0).tolist())


def _wider(group: Key) -> Iterator[Key]:
    for size in range(len(group) - 1, -1, -1):
        yield group[:size]


def _counted(
    days: NDArray[np.int64], orders: Orders, rows: NDArray[np.int64]
) -> tuple[Floats, Floats]:
    """Return the orders received on each day, and those that were open until then."""
    taken, still_open = orders.days[rows], orders.open[rows]
    size = len(days) + 1
    received = np.bincount(np.searchsorted(days, taken[~still_open]), minlength=size)[:-1]
    # An open order was at risk on the days up to the last one it has been seen on.
    left = np.bincount(np.searchsorted(days, taken[still_open], side="right"), minlength=size)
    gone = np.concatenate([[0], np.cumsum(received)[:-1]]) + np.cumsum(left)[:-1]
    return received.astype(np.float64), (len(rows) - gone).astype(np.float64)


def _folds(orders: Orders) -> Iterator[tuple[Orders, Orders]]:
    fold = np.random.default_rng(0).permutation(len(orders.days)) % FOLDS
    for number in range(FOLDS):
        if (~orders.open[fold != number]).any():
            yield orders.take(fold != number), orders.take(fold == number)


def _likelihood(fitted: LeadTimes, orders: Orders) -> float:
    """Return the log-likelihood of orders: of their day where received, of no day where open."""
    total = 0.0
    for hazards, rows in _by_group(fitted, orders):
        bounded = np.clip(hazards, LEAST_HAZARD, 1.0 - LEAST_HAZARD)
        not_yet = np.concatenate([[0.0], np.cumsum(np.log1p(-bounded))])
        taken, still_open = orders.days[rows], orders.open[rows]
        seen = np.searchsorted(fitted.days, taken[still_open], side="right")
        places = np.searchsorted(fitted.days, taken[~still_open])
        total += float(not_yet[seen].sum() + not_yet[places].sum())
        inside = np.minimum(places, len(fitted.days) - 1)
        on_day = fitted.days[inside] == taken[~still_open]
        total += float(np.log(np.where(on_day, bounded[inside], LEAST_HAZARD)).sum())
    return total


def _by_group(fitted: LeadTimes, orders: Orders) -> Iterator[tuple[Floats, NDArray[np.int64]]]:
    """Yield the hazards of each group that answers for some of the orders, and their places."""
    places: dict[Key, list[int]] = {}
    for row, key in enumerate(orders.keys):
        places.setdefault(key, []).append(row)
    for key, rows in places.items():
        yield fitted.find(key), np.array(rows)
