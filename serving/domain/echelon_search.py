"""Promises on a network that is no tree: a search, and a lower bound from trees of its links."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from serving.domain.echelon_trees import on_forest
from serving.domain.network import Network, total

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Days = NDArray[np.int64]

_TREES = 24  # spanning trees tried for a bound
_ROUNDS = 50
_SAME = 1e-9


def waits_of(network: Network, promises: Days, links: Sequence[tuple[int, int]]) -> Days:
    """Return the days each stage waits for the slowest of its suppliers.

    Where a stage promises more than it needs, it may as well wait that long.

    Args:
        network: The network.
        promises: Days each stage lets what follows wait, shape (stages,).
        links: Links that bind.

    Returns:
        Days, shape (stages,).
    """
    waits: Days = np.maximum(network.external, promises - network.processing)
    for up, down in links:
        waits[down] = max(waits[down], promises[up])
    return waits


def cost_of(
    network: Network, factor: float, promises: Days, links: Sequence[tuple[int, int]]
) -> float:
    """Return the money that promises cost where some links bind.

    Args:
        network: The network.
        factor: Safety factor z.
        promises: Days each stage lets what follows wait, shape (stages,).
        links: Links that bind.

    Returns:
        Money spent on safety stock.
    """
    net = waits_of(network, promises, links) + network.processing - promises
    return total(factor * network.demand_std * np.sqrt(net) * network.holding)


def on_any(network: Network, factor: float) -> tuple[Days, float]:
    """Search promises of a network that is no tree.

    Where only the links of a tree bind, the problem is easier and its cost a lower bound.

    Args:
        network: The network.
        factor: Safety factor z.

    Returns:
        Days each stage lets what follows wait, shape (stages,), and the lower bound.
    """
    random = np.random.default_rng(0)
    dear = network.holding * network.demand_std
    keys = np.array([-dear[down] for _, down in network.links])
    best, cost, bound = np.zeros(len(network.stages), dtype=np.int64), np.inf, 0.0
    for _ in range(_TREES):
        links = network.spanning(keys)
        promises = on_forest(network, factor, links)
        bound = max(bound, cost_of(network, factor, promises, links))
        mended = _improved(network, factor, promises)
        found = cost_of(network, factor, mended, network.links)
        if found < cost - _SAME:
            best, cost = mended, found
        if cost <= bound * (1 + _SAME):
            break
        keys = random.random(len(network.links))
    return best, min(bound, cost)


def _improved(network: Network, factor: float, promises: Days) -> Days:
    """Move one promise at a time to where all together cost least, until none moves."""
    best, cost = promises, cost_of(network, factor, promises, network.links)
    for _ in range(_ROUNDS):
        before = cost
        for stage in network.order:
            for day in _turns(network, best, stage):
                tried = best.copy()
                tried[stage] = day
                found = cost_of(network, factor, tried, network.links)
                if found < cost - _SAME:
                    best, cost = tried, found
        if cost >= before - _SAME:
            break
    return best


def _turns(network: Network, promises: Days, stage: int) -> list[int]:
    """Return where the best promise may lie: at none, all of its time, or that of a neighbour."""
    waits = int(network.external[stage])
    followers = set()
    for up, down in network.links:
        if down == stage:
            waits = max(waits, int(promises[up]))
        if up == stage:
            followers.add(down)
    most = int(network.most_service[stage])
    full = min(waits + int(network.processing[stage]), most)
    beside = {int(promises[up]) for up, down in network.links if down in followers and up != stage}
    needed = {
        int(promises[down] - network.processing[down])
        for down in followers
        if promises[down] >= network.processing[down]
    }
    return sorted({0, full} | {day for day in beside | needed if day <= most})
