"""What a forecast is made of, computed beside it from the same records."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from serving.domain.attribution import Driver, by_driver
from serving.domain.demand import DemandTarget
from serving.domain.features import COLUMN, FEATURES, daily_rows
from serving.domain.routes import cells_of
from serving.domain.tiers import DemandTier, category_level, long_run_mean
from serving.errors import NothingMeasured
from serving.flows.prediction import plan_effect

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from serving.domain.features import SeriesRecords
    from serving.domain.routes import Routes
    from serving.ports import DemandModel

    Floats = NDArray[np.float64]
    Drivers = tuple[Floats, Floats]  # base, shape (horizon,), and what each driver adds


def explain_daily(
    model: DemandModel, records: SeriesRecords, mean: Floats, target: DemandTarget
) -> Drivers:
    """Split the mean of each day ahead of one series into a base and drivers.

    Args:
        model: The model that answered.
        records: Records of the one series.
        mean: What it answered, shape (horizon,), units a day.
        target: What was forecast.

    Returns:
        The base, shape (horizon,), and what each driver adds, shape (horizon, drivers) in the order
        of Driver. What limits and calibration change beside the trees is a driver of its own, so
        that all of it adds up.

    Raises:
        NothingMeasured: If the global model has a part and its release carries no trees.
    """
    routes, horizon = model.routes, mean.size
    tier, weight = DemandTier.GLOBAL_MODEL, 0.0
    if routes is not None:
        (cell,) = cells_of(records.state).tolist()
        tier = DemandTier(int(routes.cells.tier.flat[cell]))
        weight = float(routes.cells.weight.flat[cell])
    base, drivers = np.zeros(horizon), np.zeros((horizon, len(Driver)))
    if weight < 1.0:
        part = _of_model(model, records, horizon, target)
        base, drivers = base + (1.0 - weight) * part[0], drivers + (1.0 - weight) * part[1]
    if weight > 0.0 and routes is not None:
        effect = plan_effect(model, records, horizon, target)
        part = _of_tier(routes, tier, records, effect, target)
        base, drivers = base + weight * part[0], drivers + weight * part[1]
    drivers[:, Driver.CALIBRATION - 1] = mean - base - drivers.sum(axis=1)
    return base, drivers


def _of_model(
    model: DemandModel, records: SeriesRecords, horizon: int, target: DemandTarget
) -> Drivers:
    boxes = model.boxes
    if boxes is None:
        version = model.description.version
        raise NothingMeasured(
            f"version {version} carries no trees to explain with", "train and promote another"
        )
    rows = daily_rows(records, horizon, sales_target=target is DemandTarget.SALES)
    rows = rows.reshape(-1, len(FEATURES))
    scale = rows[:, COLUMN["scale"]].astype(np.float64)
    return boxes.base * scale, by_driver(boxes.contributions(rows)) * scale[:, None]


def _of_tier(
    routes: Routes, tier: DemandTier, records: SeriesRecords, effect: Floats, target: DemandTarget
) -> Drivers:
    """Split a tier's mean; what its distribution says of the mean counts to the level."""
    (planned,), _ = routes.daily(tier, records, effect, sales=target is DemandTarget.SALES)
    horizon, mean = planned.size, planned / effect[0]
    drivers = np.zeros((horizon, len(Driver)))
    # The plan's effect is one factor of price, discount and promotion together.
    drivers[:, Driver.PROMOTION - 1] = planned - mean
    parts = routes.parts(tier, records, horizon)
    if parts is None or not (parts.expected > 0).all():
        base = np.full(horizon, long_run_mean(records)[0])
        drivers[:, Driver.CALENDAR - 1] = mean - base
        return base, drivers
    calendar = parts.calendar[0]
    level = mean / (calendar * parts.season)
    base = np.full(horizon, category_level(records)[0])
    drivers[:, Driver.LEVEL - 1] = level - base
    drivers[:, Driver.CALENDAR - 1] = level * (calendar - 1.0)
    drivers[:, Driver.SEASON - 1] = mean - level * calendar
    return base, drivers
