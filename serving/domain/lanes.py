"""Transport lanes: overflow to partners, dependency, resilience, returns and a heat map of cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr, ndtri

from serving.domain.inventory_formulas import cover_demand_std
from serving.domain.inventory_policy import check_not_negative
from serving.errors import InvalidField

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from serving.domain.series import Provenance

    Floats = NDArray[np.float64]

MAX_AXIS = 50


@dataclass(frozen=True, slots=True)
class LaneQuery:
    """Asks how a lane stands.

    Attributes:
        required_units: Units the lane has to carry in a period, 0 or more.
        capacity_units: Units it can carry itself, 0 or more.
        handling_cost: Money to handle a unit, 0 or more.
        surcharge: Money a partner asks beyond that per unit, 0 or more.
        partner_capacity_units: Units partners can take, 0 or more; None is no limit.
        safety_stock: Units of safety stock behind the lane, 0 or more.
        mean_demand: Mean units demanded a day at its end, 0 or more.
        demand_std: Standard deviation of a day's demand in units, 0 or more.
        lead_time_days: Lead time of the lane in days, 0 or more.
        lead_time_std_days: Standard deviation of the lead time in days, 0 or more.
        returns_share: Share of the units that come back, 0 to 1.
        holding_cost: Money to hold a unit of safety stock for the period, 0 or more.
        shortage_cost: Money lost per unit short in the period, 0 or more.
        service_levels: Service levels of the heat map, above 0 and below 1, ascending.
        lead_time_stds_days: Deviations of the lead time of the heat map in days, ascending.
    """

    required_units: float = 0.0
    capacity_units: float = 0.0
    handling_cost: float = 0.0
    surcharge: float = 0.0
    partner_capacity_units: float | None = None
    safety_stock: float = 0.0
    mean_demand: float = 0.0
    demand_std: float = 0.0
    lead_time_days: float = 0.0
    lead_time_std_days: float = 0.0
    returns_share: float = 0.0
    holding_cost: float = 0.0
    shortage_cost: float = 0.0
    service_levels: tuple[float, ...] = ()
    lead_time_stds_days: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        """Refuse negative figures, a share beyond 1 and axes that do not ascend."""
        for name in type(self).__dataclass_fields__:
            value = getattr(self, name)
            if isinstance(value, float | int):
                check_not_negative(name, value)
        if self.returns_share > 1:
            raise InvalidField("returns_share", "must be from 0 to 1")
        for name in ("service_levels", "lead_time_stds_days"):
            axis = getattr(self, name)
            if len(axis) > MAX_AXIS:
                raise InvalidField(name, f"must be at most {MAX_AXIS}")
            for index, value in enumerate(axis):
                check_not_negative(f"{name}[{index}]", value)
                if index and value <= axis[index - 1]:
                    raise InvalidField(f"{name}[{index}]", "must be above the one before it")
        for index, level in enumerate(self.service_levels):
            if not 0 < level < 1:
                raise InvalidField(f"service_levels[{index}]", "must be above 0 and below 1")


@dataclass(frozen=True, slots=True)
class LaneAssessment:
    """How a lane stands.

    Attributes:
        overflow_units: Units beyond the lane's own capacity.
        internal_units: Units the lane carries itself.
        unserved_units: Units that neither lane nor partners can take.
        total_cost: Money to carry it all.
        dependency: Overflow over required units; 0 where nothing is required.
        coverage: Safety stock over twice the deviation of lead-time demand; 1 where that is 0.
        resilience: 0 to 100.
        returned_units: Units that come back in the period.
        heat_map_costs: Money, shape (service levels, deviations).
        heat_map_safety_stocks: Units behind each cost, shape (service levels, deviations).
        provenance: Where the answer came from.
    """

    overflow_units: float
    internal_units: float
    unserved_units: float
    total_cost: float
    dependency: float
    coverage: float
    resilience: float
    returned_units: float
    heat_map_costs: Floats
    heat_map_safety_stocks: Floats
    provenance: Provenance


def assess(query: LaneQuery, provenance: Provenance) -> LaneAssessment:
    """Assess a lane.

    Overflow = max(0, C_req - C_max), cost = min(C_req, C_max) H + overflow (H + S), dependency =
    overflow / C_req, resilience = 50 min(1, coverage) + 50 (1 - dependency) with coverage = safety
    stock / (2 sigma of lead-time demand).

    Args:
        query: Load, capacity, costs and demand.
        provenance: Where the answer came from.

    Returns:
        The figures, and the heat map where both its axes were sent.

    Raises:
        InvalidField: If the figures are too large for a float together.

    Example:
        >>> from serving.domain.series import Provenance
        >>> loaded = LaneQuery(120.0, 100.0, handling_cost=10.0, surcharge=5.0)
        >>> lane = assess(loaded, Provenance())
        >>> lane.overflow_units, lane.total_cost, round(lane.dependency, 6)
        (20.0, 1300.0, 0.166667)
    """
    required, capacity = query.required_units, query.capacity_units
    overflow = max(0.0, required - capacity)
    partners = query.partner_capacity_units
    dependency = overflow / required if required > 0 else 0.0
    spread = float(_spread(query, np.array([query.lead_time_std_days]))[0])
    coverage = query.safety_stock / (2.0 * spread) if spread > 0 else 1.0
    costs, stocks = _heat_map(query)
    carried = _carriage(query, np.array(required)).item()
    if not np.isfinite([carried, coverage, *costs.reshape(-1)]).all():
        raise InvalidField(
            "handling_cost", "must give finite figures: the inputs lie too far apart"
        )
    return LaneAssessment(
        overflow_units=overflow,
        internal_units=min(required, capacity),
        unserved_units=0.0 if partners is None else max(0.0, overflow - partners),
        total_cost=carried,
        dependency=dependency,
        coverage=coverage,
        resilience=50.0 * min(1.0, coverage) + 50.0 * (1.0 - dependency),
        returned_units=required * query.returns_share,
        heat_map_costs=costs,
        heat_map_safety_stocks=stocks,
        provenance=provenance,
    )


def _carriage(query: LaneQuery, units: Floats) -> Floats:
    """Return the money to carry so many units: what overflows pays the surcharge too."""
    overflow = np.maximum(0.0, units - query.capacity_units)
    inside = np.minimum(units, query.capacity_units)
    return inside * query.handling_cost + overflow * (query.handling_cost + query.surcharge)


def _spread(query: LaneQuery, lead_time_stds: Floats) -> Floats:
    """Return the standard deviation of lead-time demand at deviations of the lead time."""
    ones = np.ones(lead_time_stds.shape)
    return cover_demand_std(
        query.lead_time_days * ones,
        demand_std=query.demand_std * ones,
        mean_demand=query.mean_demand * ones,
        lead_time_std_days=lead_time_stds,
    )


def _heat_map(query: LaneQuery) -> tuple[Floats, Floats]:
    """Return cost and safety stock over service levels and deviations of the lead time.

    A cell costs what its safety stock costs to hold, what demand beyond it loses, and the carriage
    of the required units and that stock.
    """
    factors = ndtri(np.array(query.service_levels))[:, None]
    spread = _spread(query, np.array(query.lead_time_stds_days))[None, :]
    density = np.exp(-0.5 * factors * factors) / np.sqrt(2.0 * np.pi)
    short = spread * np.maximum(density - factors * ndtr(-factors), 0.0)
    stock = factors * spread
    costs = (
        query.holding_cost * stock
        + query.shortage_cost * short
        + _carriage(query, np.maximum(query.required_units + stock, 0.0))
    )
    return costs, stock
