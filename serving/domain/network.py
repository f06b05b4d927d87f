"""Supply networks: stages and links, valid by construction, and the demand each stage sees."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from serving.domain.inventory_policy import check_not_negative, check_positive
from serving.domain.series import check_key
from serving.errors import InvalidField

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Days = NDArray[np.int64]

MAX_STAGES = 2_000
MAX_DAYS = 3_650


@dataclass(frozen=True, slots=True)
class EchelonStage:
    """A place or step that may hold stock.

    Attributes:
        stage: Name.
        processing_days: Days it takes once its inputs are there, 0 to 3,650.
        holding_cost: Money to hold a unit for the time costs are counted in, 0 or more.
        demand_std: Standard deviation of a day's demand from outside the network in units.
        max_service_days: Longest days customers outside may wait; None is no limit, or 0 where
            nothing follows.
        external_supply_days: Days it waits for supply from outside the network.
    """

    stage: str
    processing_days: int = 0
    holding_cost: float = 0.0
    demand_std: float = 0.0
    max_service_days: int | None = None
    external_supply_days: int = 0

    def __post_init__(self) -> None:
        """Refuse figures outside their ranges."""
        check_key("stage", self.stage)
        for name in ("processing_days", "max_service_days", "external_supply_days"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= MAX_DAYS:
                raise InvalidField(name, f"must be from 0 to {MAX_DAYS:,}")
        check_not_negative("holding_cost", self.holding_cost)
        check_not_negative("demand_std", self.demand_std)


@dataclass(frozen=True, slots=True)
class EchelonLink:
    """A stage that supplies another.

    Attributes:
        upstream: The stage that supplies.
        downstream: The stage that is supplied.
        units: Units of the upstream stage in one of the downstream, above 0; 1 where None.
    """

    upstream: str
    downstream: str
    units: float | None = None

    def __post_init__(self) -> None:
        """Refuse a stage that supplies itself and units that are none."""
        check_key("upstream", self.upstream)
        check_key("downstream", self.downstream)
        if self.upstream == self.downstream:
            raise InvalidField("downstream", "must be another stage than upstream")
        if self.units is not None:
            check_positive("units", self.units)


@dataclass(frozen=True, slots=True)
class Network:
    """A supply network without cycles.

    Attributes:
        stages: The stages.
        links: Pairs (upstream, downstream) of places among the stages, each pair once.
        order: Places of the stages, every stage after those that supply it.
        processing: Days each stage takes, shape (stages,).
        external: Days each stage waits for supply from outside, shape (stages,).
        longest: Longest days from raw supply to the end of each stage, shape (stages,).
        most_service: Longest days each stage may let others wait, shape (stages,).
        demand_std: Standard deviation of a day's demand each stage sees in units, (stages,).
        holding: Money to hold a unit at each stage, shape (stages,).
    """

    stages: tuple[EchelonStage, ...]
    links: tuple[tuple[int, int], ...]
    order: tuple[int, ...]
    processing: Days
    external: Days
    longest: Days
    most_service: Days
    demand_std: Floats
    holding: Floats

    @classmethod
    def of(cls, stages: Sequence[EchelonStage], links: Sequence[EchelonLink]) -> Network:
        """Join stages by links.

        Demand of the stages that customers outside buy from is independent; a stage sees the units
        it has in each of them over all ways.

        Args:
            stages: Stages, each name once.
            links: Links between them, each pair once.

        Returns:
            The network.

        Raises:
            InvalidField: If a name stands twice or is unknown, or the links make a cycle.
        """
        if not 1 <= len(stages) <= MAX_STAGES:
            raise InvalidField("stages", f"must be from 1 to {MAX_STAGES:,}")
        places: dict[str, int] = {}
        for index, stage in enumerate(stages):
            if places.setdefault(stage.stage, index) != index:
                raise InvalidField(f"stages[{index}].stage", "must stand once")
        units = _units(links, places)
        order = _ordered(len(stages), tuple(units))
        processing = np.array([stage.processing_days for stage in stages], dtype=np.int64)
        external = np.array([stage.external_supply_days for stage in stages], dtype=np.int64)
        longest = external + processing
        for place in order:
            for up, down in units:
                if up == place:
                    longest[down] = max(longest[down], longest[up] + processing[down])
        followed = {up for up, _ in units}
        most = [
            int(longest[place])
            if stage.max_service_days is None and place in followed
            else stage.max_service_days or 0
            for place, stage in enumerate(stages)
        ]
        return cls(
            stages=tuple(stages),
            links=tuple(units),
            order=order,
            processing=processing,
            external=external,
            longest=longest,
            most_service=np.minimum(np.array(most, dtype=np.int64), longest),
            demand_std=_seen(stages, units, order),
            holding=np.array([stage.holding_cost for stage in stages]),
        )

    @property
    def forest(self) -> bool:
        """Whether no two ways lead from one stage to another, directions apart."""
        group = list(range(len(self.stages)))
        return all(_join(group, up, down) for up, down in self.links)

    def spanning(self, keys: Floats) -> list[tuple[int, int]]:
        """Return a forest of links that joins all that is joined, those of the least keys first.

        Args:
            keys: A number for each link, shape (links,).

        Returns:
            Links of the forest.
        """
        group = list(range(len(self.stages)))
        chosen = (self.links[place] for place in np.argsort(keys, kind="stable"))
        return [link for link in chosen if _join(group, *link)]


def _units(links: Sequence[EchelonLink], places: dict[str, int]) -> dict[tuple[int, int], float]:
    units: dict[tuple[int, int], float] = {}
    for index, link in enumerate(links):
        for name in ("upstream", "downstream"):
            if getattr(link, name) not in places:
                raise InvalidField(f"links[{index}].{name}", "must be the name of a stage")
        pair = (places[link.upstream], places[link.downstream])
        if pair in units:
            raise InvalidField(f"links[{index}]", "must stand once")
        units[pair] = 1.0 if link.units is None else link.units
    return units


def _ordered(count: int, links: Sequence[tuple[int, int]]) -> tuple[int, ...]:
    """Return the stages in an order in which each comes after those that supply it."""
    waits = [0] * count
    after: list[list[int]] = [[] for _ in range(count)]
    for up, down in links:
        waits[down] += 1
        after[up].append(down)
    ready = [place for place in range(count) if waits[place] == 0]
    order: list[int] = []
    while ready:
        place = ready.pop()
        order.append(place)
        for down in after[place]:
            waits[down] -= 1
            if waits[down] == 0:
                ready.append(down)
    if len(order) < count:
        raise InvalidField("links", "must not make a cycle: a stage would supply itself")
    return tuple(order)


def _seen(
    stages: Sequence[EchelonStage], units: dict[tuple[int, int], float], order: Sequence[int]
) -> Floats:
    """Return the deviation each stage sees: shared customers count once, over all ways."""
    ends = [place for place, stage in enumerate(stages) if stage.demand_std > 0]
    needs = np.zeros((len(stages), len(ends)))
    for column, place in enumerate(ends):
        needs[place, column] = 1.0
    after: dict[int, list[tuple[int, float]]] = {}
    for (up, down), each in units.items():
        after.setdefault(up, []).append((down, each))
    for place in reversed(order):
        for down, each in after.get(place, ()):
            needs[place] += each * needs[down]
    own = np.array([stages[place].demand_std for place in ends])
    seen: Floats = np.sqrt(((needs * own) ** 2).sum(axis=1))
    return seen


def _join(group: list[int], one: int, other: int) -> bool:
    """Join the groups of two stages; return whether they were apart."""
    roots = []
    for place in (one, other):
        root = place
        while group[root] != root:
            group[root] = group[group[root]]
            root = group[root]
        roots.append(root)
    group[roots[0]] = roots[1]
    return roots[0] != roots[1]


def safety_cost(network: Network, factor: float, stage: int, net_days: Floats) -> Floats:
    """Return the money a stage's safety stock costs over net replenishment times.

    Args:
        network: The network.
        factor: Safety factor z.
        stage: Place of the stage.
        net_days: Net replenishment times in days, 0 or more, any shape.

    Returns:
        Money h z sigma sqrt(days), shape as net_days.
    """
    each = float(network.holding[stage] * factor * network.demand_std[stage])
    return each * np.sqrt(np.maximum(net_days, 0.0))


def own_stock(network: Network, factor: float) -> Floats:
    """Return the safety stock of stages that each guard their own processing time, (stages,)."""
    return factor * network.demand_std * np.sqrt(network.processing)


def total(values: Floats) -> float:
    """Return a sum that does not depend on the order of its parts."""
    return math.fsum(values.tolist())
