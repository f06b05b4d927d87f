"""Days of sales beside their forecasts, as rows to score."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from serving.domain.anomaly import WEEK
from serving.domain.anomaly_spreads import spread_above
from serving.domain.demand import DemandTarget
from serving.errors import MissingInput
from training.backtest.forecasts import IN_STOCK, forecast_daily
from training.features.records import records_at
from training.gaps import LEAST_DAYS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from serving.ports import DemandModel
    from training.panel import Panel

    Floats = NDArray[np.float64]

LOW, HIGH = 0.02, 0.98  # quantiles that days of sales are held against
REACH = 3.0  # spreads above its forecast up to which a day counts in the week
LEAST_SERIES = 5  # of a location whose silence is no chance
MAX_SERIES = 4_000  # scored a week; of more an even spread is


def demand_rows(panel: Panel, model: DemandModel, weeks: int) -> pl.DataFrame:
    """Return a row for each series and day in stock of the last weeks, beside its forecast.

    Days on which a location reported nothing at all for weeks are missing data and no rows, nor
    are the first days of a series: a part that is launched outsells a forecast of nothing.

    Each week is forecast from the day before it, with the prices and promotions that came true, so
    that what a promotion sells is no surprise.

    Args:
        panel: All series.
        model: The model whose forecasts the days are held against.
        weeks: Weeks up to the last day, 1 or more.

    Returns:
        Columns date, entity (the location), sku, source (the table) and the inputs of the kind.
    """
    days = panel.history.days
    first = days - 1 - WEEK * (weeks + 1)  # a week before them completes the sums of the first
    origins = [day for day in range(first, days - 1, WEEK) if day >= WEEK]
    chosen = np.arange(len(panel.skus))
    if chosen.size > MAX_SERIES:
        chosen = np.linspace(0, chosen.size - 1, MAX_SERIES).astype(np.int64)
    mean, quantiles = _forecasts(panel, model, origins, chosen)
    sold = panel.history.quantity[:, chosen]
    at = np.arange(origins[0] + 1 + WEEK, origins[0] + 1 + len(mean))
    if not at.size:
        raise MissingInput("sales of three weeks or more", "sales")
    ahead = at - origins[0] - 1
    told = ~_unreported(sold, np.array(panel.locations)[chosen])
    stocked = (panel.history.available[:, chosen] >= IN_STOCK) & told
    known = slice(origins[0] + 1, origins[0] + 1 + len(mean))
    usual = _usual_sale(np.where(stocked, sold, np.nan))
    within = _within_reach(sold[known], quantiles, usual[known])
    # A day out of stock, or that nobody reported, says nothing: it counts as it was forecast.
    week = _week_sums(np.where(stocked[known], within, mean))[ahead]
    low, median, high = np.moveaxis(quantiles[ahead], -1, 0)
    inputs = {
        "quantity": sold[at],
        "forecast_low": low,
        "forecast_median": median,
        "forecast_high": high,
        "week_quantity": week,
        "week_forecast": _week_sums(mean)[ahead],
        "usual_sale": usual[at],
        "zero_days": _silent_days(np.where(stocked, sold, np.nan))[at],
    }
    scored = ~np.isnan(sold[at]) & stocked[at] & _past_launch(sold)[at]
    day, series = np.nonzero(scored & ~np.isnan(inputs["week_forecast"]))
    dates = (panel.history.first_day + at)[day]
    names = np.array(panel.skus)[chosen], np.array(panel.locations)[chosen]
    return pl.DataFrame(
        {
            "date": dates,
            "entity": names[1][series],
            "sku": names[0][series],
            "source": ["sales"] * series.size,
            **{name: values[day, series] for name, values in inputs.items()},
        }
    )


def _forecasts(
    panel: Panel, model: DemandModel, origins: list[int], chosen: NDArray[np.int64]
) -> tuple[Floats, Floats]:
    """Return mean (days, n) and quantiles (days, n, 3) of the days after the first origin."""
    levels = model.description.quantile_levels
    wanted = [levels.index(level) for level in (LOW, 0.5, HIGH)]
    means, quantiles = [], []
    for origin, records in records_at(panel, origins, future="realised"):
        horizon = min(WEEK, panel.history.days - 1 - origin)
        daily = forecast_daily(model, records.take(chosen), horizon, DemandTarget.DEMAND)
        means.append(daily.mean.T)
        quantiles.append(daily.quantiles[:, :, wanted].astype(np.float64).transpose(1, 0, 2))
    return np.concatenate(means), np.concatenate(quantiles)


def _within_reach(sold: Floats, quantiles: Floats, usual: Floats) -> Floats:
    """Return sales with a day far above its forecast cut down, so that one day is not a week's.

    Left whole, it would make each of the six days after it look as wrong as it was itself.
    """
    _, median, high = np.moveaxis(quantiles, -1, 0)
    return np.asarray(np.minimum(sold, median + REACH * spread_above(median, high, usual)))


def _week_sums(values: Floats) -> Floats:
    """Return the sum of the seven days that end with each, NaN where one is not known."""
    total = np.cumsum(np.vstack([np.zeros((1, values.shape[1])), np.nan_to_num(values)]), axis=0)
    gaps = np.cumsum(np.vstack([np.zeros((1, values.shape[1])), np.isnan(values)]), axis=0)
    found = np.full(values.shape, np.nan)
    whole = gaps[WEEK:] == gaps[:-WEEK]
    found[WEEK - 1 :] = np.where(whole, total[WEEK:] - total[:-WEEK], np.nan)
    return found


def _unreported(sold: Floats, locations: NDArray[np.str_]) -> NDArray[np.bool_]:
    """Say which days lie in a run of LEAST_DAYS or more on which a whole location sold nothing."""
    found = np.zeros(sold.shape, dtype=bool)
    for location in np.unique(locations):
        own = np.flatnonzero(locations == location)
        if own.size < LEAST_SERIES:
            continue
        nothing = ~(sold[:, own] > 0).any(axis=1)
        edges = np.flatnonzero(np.diff(np.r_[False, nothing, False].astype(np.int8)))
        for first, end in edges.reshape(-1, 2):
            if end - first >= LEAST_DAYS:
                found[first:end, own] = True
    return found


def _past_launch(sold: Floats) -> NDArray[np.bool_]:
    """Say which days come after a week or more of days that were recorded."""
    recorded = np.cumsum(~np.isnan(sold), axis=0)
    return np.asarray(np.vstack([np.zeros((1, sold.shape[1])), recorded[:-1]]) >= WEEK)


def _usual_sale(sold: Floats) -> Floats:
    """Return the mean of the days that sold something before each day, NaN where none did."""
    count, total = np.cumsum(sold > 0, axis=0), np.cumsum(np.nan_to_num(sold), axis=0)
    found = np.full(sold.shape, np.nan)
    found[1:] = np.where(count[:-1] > 0, total[:-1] / np.maximum(count[:-1], 1), np.nan)
    return found


def _silent_days(sold: Floats) -> Floats:
    """Return the days without a sale that end with each day; a day not recorded goes on."""
    silent = np.zeros(sold.shape)
    for day in range(len(sold)):
        before = silent[day - 1] if day else 0.0
        silent[day] = np.where(sold[day] > 0, 0.0, np.where(sold[day] == 0, before + 1.0, before))
    return silent
