"""Prices of quantities nobody quoted, from those on either side that were.

A few quoted quantities cannot tell a fixed charge from a unit price, and what a model makes of the
quantities between them has no ground. Between two quoted quantities the log of the price goes
straight over the log of the quantity; beyond them the nearest one's price stands.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serving.domain.cost import Quote, ShouldCostQuery

FEWEST = 3  # quantities that are all that were quoted; two are the least and the most of many


def quantities_for(quantity: float, quoted: Sequence[float]) -> dict[float, float]:
    """Return the quantities whose prices tell that of one, and the weight of each.

    Args:
        quantity: Units, above 0.
        quoted: Units that were quoted, ascending; the least and the most where they are many.

    Example:
        >>> quantities_for(100.0, (50.0, 200.0, 500.0))
        {50.0: 0.5, 200.0: 0.5}
        >>> quantities_for(1.0, (10.0, 500.0)), quantities_for(70.0, (10.0, 500.0))
        ({10.0: 1.0}, {70.0: 1.0})
    """
    if not quoted or quantity in quoted:
        return {quantity: 1.0}
    if not quoted[0] < quantity < quoted[-1]:
        return {quoted[0] if quantity < quoted[0] else quoted[-1]: 1.0}
    if len(quoted) < FEWEST:
        return {quantity: 1.0}
    above = bisect_left(quoted, quantity)
    low, high = quoted[above - 1], quoted[above]
    share = math.log(quantity / low) / math.log(high / low)
    return {low: 1.0 - share, high: share}


def at_quantity(query: ShouldCostQuery, quantity: float) -> ShouldCostQuery:
    """Return the same question of another quantity, which takes the place of its own."""
    quote: Quote = query.quote
    if quantity == quote.quantity:
        return query
    brackets = (quantity if one == quote.quantity else one for one in quote.bracket_quantities)
    return replace(
        query,
        quote=replace(
            quote, quantity=quantity, bracket_quantities=tuple(sorted(dict.fromkeys(brackets)))
        ),
    )
