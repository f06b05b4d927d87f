"""Score the head of sums: does the level it names give the service it promises."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from serving.domain.demand import DemandTarget, interpolate_levels
from serving.domain.history import WEEK, demand_states
from training import metrics
from training.backtest.forecasts import forecast_cover

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from serving.domain.features import SeriesRecords
    from serving.ports import DemandModel
    from training.backtest.forecasts import Truth
    from training.panel import Panel

    Floats = NDArray[np.float64]

SERVICE_LEVELS = (0.8, 0.95)


def score_cover(
    panel: Panel, model: DemandModel, at: tuple[int, SeriesRecords], truth: Truth
) -> dict[str, float]:
    """Score the sum over the week after the origin, or over what is held of it.

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
        demand), ``wmape``, ``bias`` and ``rows``, each by slice of level ``cover``.
    """
    origin, records = at
    days = min(WEEK, truth.sold.shape[1])
    mean, quantiles = forecast_cover(model, records, days, DemandTarget.DEMAND)
    levels = model.description.cover_quantile_levels
    wanted = interpolate_levels(levels, quantiles, (*SERVICE_LEVELS, 0.5))
    forecast = np.column_stack([wanted, mean])
    sold, window = truth.sold[:, :days], (slice(None), slice(days))
    full = truth.in_stock[window].all(axis=1)
    recorded = truth.recorded[window].all(axis=1)
    ((_, _, completed),) = demand_states(panel.history, [origin + days])
    demand = completed[origin + 1 :, truth.series].sum(axis=0)
    return {
        **_figures("full_stock", sold[full].sum(axis=1), forecast[full]),
        **_figures("all", demand[recorded], forecast[recorded]),
        **_figures("sold", sold[recorded].sum(axis=1), forecast[recorded]),
    }


def _figures(name: str, demand: Floats, forecast: Floats) -> dict[str, float]:
    """Return the figures of windows; columns of the forecast: levels, median, mean."""
    figures = {f"rows/cover/{name}": float(demand.size)}
    if not demand.size:
        return figures
    for column, level in enumerate(SERVICE_LEVELS):
        share = round(100 * level)
        figures[f"service_{share}/cover/{name}"] = float((demand <= forecast[:, column]).mean())
        if demand.sum() > 0:
            stock = float(forecast[:, column].sum() / demand.sum())
            figures[f"stock_{share}/cover/{name}"] = stock
    figures[f"wmape/cover/{name}"] = metrics.wmape(demand, forecast[:, -2])
    figures[f"bias/cover/{name}"] = metrics.bias(demand, forecast[:, -1])
    return figures
