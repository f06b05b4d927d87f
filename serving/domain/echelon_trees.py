"""The best promises on a network that is a tree, by dynamic programming."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from serving.domain.network import safety_cost

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from serving.domain.network import Network

    Floats = NDArray[np.float64]
    Days = NDArray[np.int64]


def on_forest(network: Network, factor: float, links: Sequence[tuple[int, int]]) -> Days:
    """Return the best outbound promises where the links make a forest.

    Args:
        network: The network.
        factor: Safety factor z.
        links: Links that bind; they make no ring.

    Returns:
        Days each stage lets what follows wait, shape (stages,).

    Source: Graves and Willems, "Optimizing strategic safety stock placement in supply chains",
    Manufacturing & Service Operations Management 2 (2000).
    """
    near: list[list[tuple[int, bool]]] = [[] for _ in network.stages]
    for up, down in links:
        near[up].append((down, True))
        near[down].append((up, False))
    promises = np.full(len(network.stages), -1, dtype=np.int64)
    for root in range(len(network.stages)):
        if promises[root] < 0:
            _Tree(network, factor, near).solve(root, promises)
    return promises


class _Tree:
    """The dynamic programme over one tree, from its leaves to a root and back.

    The cost of a branch is a function of the one promise that joins it to the rest: of its outbound
    promise where it supplies the rest, of its inbound one where it is supplied.
    """

    def __init__(
        self, network: Network, factor: float, near: Sequence[Sequence[tuple[int, bool]]]
    ) -> None:
        self._network, self._factor, self._near = network, factor, near
        self._days = int(network.longest.max()) + 1
        self._best: dict[int, tuple[Floats, Days]] = {}

    def solve(self, root: int, promises: Days) -> None:
        """Write the best outbound promises of the stages joined to a root."""
        walk, parent = self._walk(root)
        for stage in reversed(walk):
            table = self._branch(stage, parent[stage])
            hangs_on = parent[stage]
            if hangs_on is not None:
                self._best[stage] = _at_most(table) if hangs_on[1] else _at_least(table)
        inbound, outbound = divmod(int(table.argmin()), self._days)
        promises[root] = outbound
        settled = {root: (inbound, outbound)}
        for stage in walk[1:]:
            above, supplies = parent[stage] or (root, True)
            inbound, outbound = settled[above]
            place = int(self._best[stage][1][inbound if supplies else outbound])
            settled[stage] = divmod(place, self._days)
            promises[stage] = settled[stage][1]

    def _walk(self, root: int) -> tuple[list[int], dict[int, tuple[int, bool] | None]]:
        """Return the stages from the root on, and what each hangs on: (stage, it supplies that)."""
        walk: list[int] = [root]
        parent: dict[int, tuple[int, bool] | None] = {root: None}
        for stage in walk:
            for other, supplies in self._near[stage]:
                if other not in parent:
                    parent[other] = (stage, not supplies)
                    walk.append(other)
        return walk, parent

    def _branch(self, stage: int, above: tuple[int, bool] | None) -> Floats:
        """Return the least cost of a branch over inbound and outbound promise, (SI, S)."""
        network = self._network
        days = np.arange(self._days)
        net = days[:, None] + network.processing[stage] - days[None, :]
        table = safety_cost(network, self._factor, stage, net.astype(np.float64))
        most = int(network.longest[stage] - network.processing[stage])
        allowed = (net >= 0) & (days[None, :] <= network.most_service[stage])
        allowed &= (days[:, None] >= network.external[stage]) & (days[:, None] <= most)
        table = np.where(allowed, table, np.inf)
        for other, supplies in self._near[stage]:
            if above is not None and other == above[0]:
                continue
            best = self._best[other][0]
            table = table + (best[None, :] if supplies else best[:, None])
        return table


def _at_most(table: Floats) -> tuple[Floats, Days]:
    """Return, for each SI of the stage that is supplied, the best with an S of at most that."""
    rows, days = table.argmin(axis=0), np.arange(table.shape[1])
    least = table[rows, days]
    best = np.minimum.accumulate(least)
    at = np.maximum.accumulate(np.where(least <= best, days, 0))
    return best, rows[at] * days.size + at


def _at_least(table: Floats) -> tuple[Floats, Days]:
    """Return, for each S of the stage that supplies, the best with an SI of at least that."""
    columns, days = table.argmin(axis=1), np.arange(table.shape[0])
    least = table[days, columns]
    best = np.minimum.accumulate(least[::-1])[::-1]
    at = np.minimum.accumulate(np.where(least <= best, days, days.size - 1)[::-1])[::-1]
    return best, at * days.size + columns[at]
