"""Score the head of sums: does the level it names give the service it promises."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from serving.domain.demand import DemandTarget, interpolate_levels
from serving.domain.history import STATE, WEEK, demand_states
from training import metrics
from training.backtest.baselines import expected_cover, pooled_covers
from training.backtest.forecasts import forecast_cover

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from serving.domain.features import SeriesRecords
    from serving.ports import DemandModel
    from training.backtest.forecasts import Truth
    from training.panel import Panel

    Floats = NDArray[np.float64]

SERVICE_LEVELS = (0.8, 0.95)
QUINTILES = 5


def score_cover(
    panel: Panel, model: DemandModel, at: tuple[int, SeriesRecords], truth: Truth
) -> dict[str, float]:
    """Score the sum over the week after the origin, or over what is held of it.

    A day the location was planned closed adds nothing to the sum, and nothing is expected of it.

    ``full_stock`` are windows in stock throughout, where sales are demand; they are chosen by their
    outcome, so their demand leans low. ``all`` are all recorded windows against demand completed on
    stock-out days, which is an estimate; ``sold`` are the same against sales, which are a lower
    bound, so that the service achieved is an upper one.

    Args:
        panel: All series.
        model: The model.
        at: The origin and the records of the scored series.
        truth: What came true of the same series.

    Returns:
        ``service_80`` and ``service_95`` achieved, ``stock_80`` and ``stock_95`` (level over mean
        demand), ``cost_80`` and ``cost_95`` (a unit short costs level / (1 - level) units left
        over; as a share of demand), ``wmape``, ``bias`` and ``rows``, each by slice of level
        ``cover``; of windows in full stock also the service by fifth of the trailing level
        (``volume_1``, least, to ``volume_5``), and the service and cost of ``level_pooled``: the
        level times the weekdays' factors times the quantile of all series' past errors.
    """
    origin, records = at
    days = min(WEEK, truth.sold.shape[1])
    mean, quantiles = forecast_cover(model, records, days, DemandTarget.DEMAND)
    levels = model.description.cover_quantile_levels
    wanted = interpolate_levels(levels, quantiles, (*SERVICE_LEVELS, 0.5))
    forecast = np.column_stack([wanted, mean])
    window = (slice(None), slice(days))
    closed = truth.closed[window]
    sold = np.where(closed, 0.0, truth.sold[window])
    opened = ~closed.all(axis=1)
    full = (truth.in_stock[window] | closed).all(axis=1) & opened
    recorded = (truth.recorded[window] | closed).all(axis=1) & opened
    ((_, _, completed),) = demand_states(panel.history, [origin + days])
    demand = panel.with_closed(completed)[origin + 1 :, truth.series].sum(axis=0)
    total = sold.sum(axis=1)
    pooled = pooled_covers(panel, origin, days, SERVICE_LEVELS)
    rival = expected_cover(records.state, ~closed)[:, None] * pooled
    return {
        **_figures("full_stock", total[full], forecast[full]),
        **dict(_by_level(records.state[full], total[full], forecast[full])),
        **dict(_services("full_stock", total[full], rival[full], "/level_pooled")),
        **_figures("all", demand[recorded], forecast[recorded]),
        **_figures("sold", total[recorded], forecast[recorded]),
    }


def _figures(name: str, demand: Floats, forecast: Floats) -> dict[str, float]:
    """Return the figures of windows; columns of the forecast: levels, median, mean."""
    figures = {f"rows/cover/{name}": float(demand.size)}
    if not demand.size:
        return figures
    figures |= dict(_services(name, demand, forecast))
    figures[f"wmape/cover/{name}"] = metrics.wmape(demand, forecast[:, -2])
    figures[f"bias/cover/{name}"] = metrics.bias(demand, forecast[:, -1])
    return figures


def _services(
    name: str, demand: Floats, stock: Floats, suffix: str = ""
) -> Iterator[tuple[str, float]]:
    """Yield service, stock and cost at each level; the first columns of `stock` hold them."""
    if not demand.size:
        return
    for column, level in enumerate(SERVICE_LEVELS):
        share, held = round(100 * level), stock[:, column]
        yield f"service_{share}/cover/{name}{suffix}", float((demand <= held).mean())
        if demand.sum() > 0:
            yield f"stock_{share}/cover/{name}{suffix}", float(held.sum() / demand.sum())
            short, left = np.maximum(demand - held, 0.0), np.maximum(held - demand, 0.0)
            cost = (level / (1.0 - level) * short + left).sum() / demand.sum()
            yield f"cost_{share}/cover/{name}{suffix}", float(cost)


def _by_level(
    state: NDArray[np.float32], demand: Floats, forecast: Floats
) -> Iterator[tuple[str, float]]:
    """Yield the service of windows in full stock by fifth of the trailing level."""
    rank = np.argsort(np.argsort(state[:, STATE["level"].start], kind="stable"), kind="stable")
    for fifth in range(QUINTILES):
        within = rank * QUINTILES // max(rank.size, 1) == fifth
        if within.any():
            for column, level in enumerate(SERVICE_LEVELS):
                achieved = float((demand <= forecast[:, column])[within].mean())
                name = f"service_{round(100 * level)}/cover/full_stock/volume_{fifth + 1}"
                yield name, achieved
