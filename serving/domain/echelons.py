"""Guaranteed-service placement of safety stock over a network.

A stage that gets its inputs within SI days, works T days and promises S days needs stock for its
net replenishment time SI + T - S: z sigma sqrt(SI + T - S). SI is at least every supplier's S. On a
tree the best promises follow from a dynamic programme; on another network the tree of some links
gives a lower bound, and a search over promises a placement whose distance to it is told.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri

from serving.domain.echelon_search import cost_of, on_any, waits_of
from serving.domain.echelon_trees import on_forest
from serving.domain.inventory_policy import check_not_negative
from serving.domain.network import Network, own_stock, total
from serving.errors import InvalidField

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from serving.domain.network import EchelonLink, EchelonStage
    from serving.domain.series import Provenance

    Floats = NDArray[np.float64]
    Days = NDArray[np.int64]

MAX_CELLS = 50_000_000  # stages x days^2 that a call may compare
MAX_MESHED = 300  # stages of a network that is no tree
_SAME = 1e-9


@dataclass(frozen=True, slots=True)
class EchelonQuery:
    """Asks where a network should hold safety stock.

    Attributes:
        stages: Stages of the network.
        links: Links between them.
        service_level: Probability that demand stays within its bound, at least 0.5 and below 1.
        proportional_units: Units the proportional allocation shares out; None is as many as the
            stages need where each guards its own processing time.
    """

    stages: tuple[EchelonStage, ...] = ()
    links: tuple[EchelonLink, ...] = ()
    service_level: float = 0.0
    proportional_units: float | None = None

    def __post_init__(self) -> None:
        """Refuse a level that no stock is held for."""
        if not 0.5 <= self.service_level < 1:  # noqa: PLR2004 - below it the stock is negative
            raise InvalidField("service_level", "must be at least 0.5 and below 1")
        if self.proportional_units is not None:
            check_not_negative("proportional_units", self.proportional_units)


@dataclass(frozen=True, slots=True)
class EchelonPlacement:
    """What one stage promises and holds.

    Attributes:
        stage: Name of the stage.
        inbound_service_days: Days it may have to wait for its inputs.
        outbound_service_days: Days it lets what follows it wait.
        net_replenishment_days: Days its stock has to cover.
        demand_std: Standard deviation of a day's demand it sees in units.
        safety_stock: Units.
        holding_cost: Money: safety stock times holding cost.
        proportional_safety_stock: Units of the proportional allocation beside it.
    """

    stage: str
    inbound_service_days: int
    outbound_service_days: int
    net_replenishment_days: int
    demand_std: float
    safety_stock: float
    holding_cost: float
    proportional_safety_stock: float


@dataclass(frozen=True, slots=True)
class EchelonPlan:
    """Where a network should hold safety stock.

    Attributes:
        placements: Every stage in the order asked.
        total_cost: Money spent on safety stock.
        lower_bound: Least money any placement could cost.
        gap: (total_cost - lower_bound) / lower_bound.
        exact: Whether the placement is optimal.
        proportional_cost: Money of the proportional allocation.
        safety_factor: Standard normal quantile of the service level.
        provenance: Where the answer came from.
    """

    placements: tuple[EchelonPlacement, ...]
    total_cost: float
    lower_bound: float
    gap: float
    exact: bool
    proportional_cost: float
    safety_factor: float
    provenance: Provenance


def allocate(query: EchelonQuery, provenance: Provenance) -> EchelonPlan:
    """Place safety stock so that every promise is kept at least holding cost.

    Args:
        query: The network and its service level.
        provenance: Where the answer came from.

    Returns:
        Promises and stock of every stage, with the proportional allocation beside them.

    Raises:
        InvalidField: If the network is cyclic or too large.

    Source: Graves and Willems, "Optimizing strategic safety stock placement in supply chains",
    Manufacturing & Service Operations Management 2 (2000); Snyder and Shen, Fundamentals of Supply
    Chain Theory, 2nd ed. (2019), section 6.3.
    """
    network = Network.of(query.stages, query.links)
    factor = float(ndtri(query.service_level))
    days = int(network.longest.max()) + 1
    if len(network.stages) * days * days > MAX_CELLS:
        raise InvalidField("stages", "must be fewer, or their processing days shorter")
    if network.forest:
        promises = on_forest(network, factor, network.links)
        bound = cost_of(network, factor, promises, network.links)
    elif len(network.stages) > MAX_MESHED:
        raise InvalidField("stages", f"must be at most {MAX_MESHED} where the links make rings")
    else:
        promises, bound = on_any(network, factor)
    return _plan(query, network, (promises, bound), provenance)


def _plan(
    query: EchelonQuery, network: Network, found: tuple[Days, float], provenance: Provenance
) -> EchelonPlan:
    """Lay out promises and stock, and the proportional allocation beside them."""
    promises, bound = found
    factor = float(ndtri(query.service_level))
    waits = waits_of(network, promises, network.links)
    net = waits + network.processing - promises
    stock = factor * network.demand_std * np.sqrt(net)
    cost = total(stock * network.holding)
    shared = own_stock(network, factor)
    units = total(shared)
    if query.proportional_units is not None and units > 0:
        shared = shared * (query.proportional_units / units)
    gap = (cost - bound) / bound if bound > 0 else 0.0
    return EchelonPlan(
        placements=tuple(
            EchelonPlacement(
                stage=stage.stage,
                inbound_service_days=int(waits[place]),
                outbound_service_days=int(promises[place]),
                net_replenishment_days=int(net[place]),
                demand_std=float(network.demand_std[place]),
                safety_stock=float(stock[place]),
                holding_cost=float(stock[place] * network.holding[place]),
                proportional_safety_stock=float(shared[place]),
            )
            for place, stage in enumerate(network.stages)
        ),
        total_cost=cost,
        lower_bound=bound,
        gap=max(0.0, gap),
        exact=gap <= _SAME,
        proportional_cost=total(shared * network.holding),
        safety_factor=factor,
        provenance=provenance,
    )
