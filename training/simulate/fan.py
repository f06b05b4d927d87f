"""Stock of one series projected from a day on, as a fan over what demand may come."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr

from serving.domain.demand import DemandTarget
from training.backtest.forecasts import forecast_cover, forecast_daily
from training.features.records import records_at
from training.simulate.events import simulate
from training.simulate.inputs import Demand, Levels
from training.simulate.running import run_policy, steady_opening, supply_of
from training.simulate.terms import draw_lead_times

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from serving.ports import DemandModel
    from training.simulate.study import Ground, Study

    Floats = NDArray[np.float64]

PATHS = 1_000
SHOWN = (0.05, 0.25, 0.5, 0.75, 0.95)
POLICY = "forecast"
VOLUME_RANK = 0.8  # of the series shown: enough sales to see, no exception
_LOW, _HIGH = 0.1, 0.9  # between them the spread of sums is matched
_HALVINGS = 20


@dataclass(frozen=True, slots=True)
class Fan:
    """Projected stock of one series under the served policy.

    Attributes:
        sku: The product.
        location: The location.
        dates: The days, shape (days,).
        levels: Probability of each band edge.
        stock: Units on the shelf at each close, shape (days, levels).
        came: Units on the shelf at each close under the demand that came, shape (days,).
        order_up_to: The level the projection orders up to, in units.
    """

    sku: str
    location: str
    dates: NDArray[np.datetime64]
    levels: tuple[float, ...]
    stock: Floats
    came: Floats
    order_up_to: float


def project(study: Study, ground: Ground, levels: Levels, model: DemandModel) -> Fan:
    """Project the stock of a typical series from what was known before the first day.

    Demand is drawn path by path, lead times too; the level stays what it was at the first review.

    Args:
        study: What is simulated.
        ground: What the policy meets.
        levels: Levels of the served policy.
        model: The demand model.

    Returns:
        The fan, over as many days as the model's horizon reaches.
    """
    row = _typical(ground.course.demand.sum(axis=0))
    days = min(ground.days, model.description.max_horizon)
    paths = _paths(ground, row, model, days)
    supply = supply_of(study, ground, POLICY)
    up_to = np.full((1, PATHS), levels.order_up_to[0, row])
    rng = np.random.default_rng(study.seed)
    terms = ground.terms.reorder
    lead = draw_lead_times(
        np.full(PATHS, terms.lead_time_days[row]),
        np.full(PATHS, terms.lead_time_std_days[row]),
        days + 1,
        rng,
    )
    many = dataclasses.replace(
        supply,
        lead_time=lead,
        review_days=np.repeat(supply.review_days[row], PATHS),
        pack_size=np.repeat(supply.pack_size[row], PATHS),
        minimum=np.repeat(supply.minimum[row], PATHS),
        shelf_life=np.repeat(supply.shelf_life[row], PATHS),
    )
    start = Levels(np.zeros(1, dtype=np.int64), up_to, up_to)
    opening = steady_opening(start, many, np.full(PATHS, ground.recent_mean()[row]))
    found = simulate(Demand(paths.T), start, many, opening, traced=True)
    came = run_policy(study, ground, POLICY, levels, traced=True).stock[:days, row]
    first = ground.panel.day(ground.origin + 1)
    series = int(ground.series[row])
    return Fan(
        sku=ground.panel.skus[series],
        location=ground.panel.locations[series],
        dates=first + np.arange(days),
        levels=SHOWN,
        stock=np.quantile(found.stock, SHOWN, axis=1).T,
        came=came,
        order_up_to=float(up_to[0, 0]),
    )


def demand_paths(
    levels: Sequence[float], daily: Floats, cover: tuple[int, float], rng: np.random.Generator
) -> Floats:
    """Draw paths whose days have the given distributions and whose sum has the given spread.

    Days of a path share a normal factor; its share of the variance is what gives the sum over the
    first days the distance from the .1 to the .9 quantile that is asked, as near as shares from 0
    to 1 can.

    Args:
        levels: Probability levels, ascending; beyond the outer ones demand is taken as theirs.
        daily: Units of each day at those levels, shape (days ahead, levels).
        cover: Days of the sum, and units between those quantiles of it.
        rng: The source of randomness.

    Returns:
        Units a day, shape (PATHS, days ahead).
    """
    days, spread = cover
    shared = rng.standard_normal((PATHS, 1))
    own = rng.standard_normal((PATHS, len(daily)))

    def draw(share: float) -> Floats:
        rank = ndtr(np.sqrt(share) * shared + np.sqrt(1.0 - share) * own)
        columns = [np.interp(rank[:, day], levels, units) for day, units in enumerate(daily)]
        return np.stack(columns, axis=1)

    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        below, above = np.quantile(draw(middle)[:, :days].sum(axis=1), (_LOW, _HIGH))
        low, high = (middle, high) if above - below < spread else (low, middle)
    return draw(low)


def _paths(ground: Ground, row: int, model: DemandModel, days: int) -> Floats:
    """Ask the model for the days and their sum, and draw paths that agree with both."""
    ((_, records),) = records_at(ground.panel, [ground.origin])
    one = records.take(ground.series[row : row + 1])
    trained = model.description
    daily = forecast_daily(model, one, days, DemandTarget.DEMAND).quantiles[0]
    cover = min(days, trained.max_cover)
    _, sums = forecast_cover(model, one, cover, DemandTarget.DEMAND)
    ends = np.interp((_LOW, _HIGH), trained.cover_quantile_levels, sums[0])
    spread = float(ends[1] - ends[0])
    rng = np.random.default_rng(row)
    return demand_paths(trained.quantile_levels, daily.astype(np.float64), (cover, spread), rng)


def _typical(volume: Floats) -> int:
    order = np.argsort(volume, kind="stable")
    return int(order[min(int(VOLUME_RANK * order.size), order.size - 1)])
