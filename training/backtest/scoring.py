"""Score a demand model on the days after a past origin.

Figures are named ``metric/level/slice`` and, for baselines, ``metric/level/slice/baseline``.
Unless the slice says otherwise the forecast is of demand and is held against sales of days in
stock, where the two are the same; on other days sales are only a lower bound.

Metrics: ``wmape``, ``mae`` and ``rmse`` of the median, ``bias`` and ``rmsse`` of the mean,
``wmape_mean`` of the mean (sums of medians lean low, sums of means do not), ``pinball`` per level
in units, ``coverage_50`` and ``coverage_90`` with ``width_50`` and ``width_90`` as a share of mean
sales, ``below`` per level (the share of cells at or below that quantile), ``rows``; ``wmape_low``
and ``wmape_high``, ``gain``, ``gain_low`` and ``gain_high`` over the best baseline, intervals
over locations. ``pinball`` is also that of ``level_pooled``: the level x weekday times the quantile
of all series' past errors.

Levels: ``sku_location``, ``category_location``, ``location`` and ``total``, each by day.

Sums of means at ``category_location``, ``category``, ``location``, ``region`` and ``total``:
``wmape_sum``, ``bias_sum`` and ``coverage_sum_90``, and of means reconciled by MinT with ``/mint``.

Slices: ``all``; ``h1-7`` and on; ``smooth``, ``erratic``, ``intermittent``, ``lumpy``;
``volume_1`` (least) to ``volume_5``; ``new`` (fewer than 28 recorded days) and ``old``;
``seen`` and ``unseen`` locations where some were not trained on; ``every_day`` (stock-out days
too); ``no_plan`` (prices and
promotions to come hidden); ``sales`` and ``sales_no_plan`` (sales forecast, every day).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from serving.domain.demand import DemandTarget
from training import metrics
from training.backtest.baselines import baselines, pooled_days, sales_states
from training.backtest.coherence import score_totals
from training.backtest.cover import score_cover
from training.backtest.forecasts import forecast_daily, without_plan
from training.backtest.levels import Contest
from training.backtest.scene import set_scene
from training.backtest.slices import slices
from training.sampled import held_out

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from serving.ports import DemandModel
    from training.backtest.forecasts import Daily
    from training.backtest.scene import Scene
    from training.panel import Panel

    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]


def score(
    panel: Panel, model: DemandModel, origin: int, horizon: int, *, hold_out: int = 0
) -> dict[str, float]:
    """Score a model on the days after an origin, beside baselines on the same rows.

    Of more than 50,000 series an even spread is scored; sums over series are then of that spread.

    Args:
        panel: All series with the days after the origin; the model must not have seen those.
        model: The model.
        origin: Index of the last known day.
        horizon: Days ahead, at most those the panel holds.
        hold_out: Every so many-th location the model was not trained on; 0 where on all.

    Returns:
        Figures by name; a figure that is not defined, as a WMAPE of nothing sold, is left out.

    Raises:
        InvalidField: If no day after the origin is in the panel, or no series is known at it.
    """
    scene = set_scene(panel, origin, horizon)
    figures = dict(_demand(scene, model, hold_out))
    figures |= dict(_sales(scene, model))
    figures |= score_cover(scene.panel, model, (origin, scene.records), scene.truth)
    return {name: float(value) for name, value in figures.items() if np.isfinite(value)}


def _demand(scene: Scene, model: DemandModel, hold_out: int) -> Iterator[tuple[str, float]]:
    """Score the forecast of demand: on days in stock, then where that is not all."""
    truth, levels = scene.truth, model.description.quantile_levels
    daily = forecast_daily(model, scene.records, scene.horizon, DemandTarget.DEMAND)
    for name, rows in slices(scene):
        yield from _cells(f"sku_location/{name}", truth.sold, daily, rows, levels)
    yield from _below("sku_location/all", truth.sold, daily, truth.in_stock, levels)
    yield from _cells("sku_location/every_day", truth.sold, daily, truth.recorded, levels)
    yield from score_totals(scene, daily.mean, model.totals, levels)
    yield from _rmsse(scene, daily)
    rivals = baselines(scene.records.state, scene.horizon)
    median = daily.quantiles[:, :, levels.index(0.5)].astype(np.float64)
    yield from Contest(scene, "all", truth.in_stock, median, daily.mean, rivals).figures()
    yield from _pooled(scene, rivals["weighted_level_weekday"], levels)
    if hold_out:
        hidden = held_out(scene.panel, hold_out)[truth.series][:, None]
        for name, some in (("unseen", hidden), ("seen", ~hidden)):
            rows = truth.in_stock & some
            yield from Contest(scene, name, rows, median, daily.mean, rivals).figures()
    bare = forecast_daily(model, without_plan(scene.records), scene.horizon, DemandTarget.DEMAND)
    yield from _cells("sku_location/no_plan", truth.sold, bare, truth.in_stock, levels)


def _pooled(scene: Scene, expected: Floats, levels: Sequence[float]) -> Iterator[tuple[str, float]]:
    """Yield the pinball loss of what is expected times the quantiles of all past errors."""
    past = scene.panel.history.between(0, scene.origin + 1)
    factors = pooled_days(past, scene.horizon, levels)
    actual = scene.truth.sold[scene.truth.in_stock]
    quantiles = expected[scene.truth.in_stock][:, None] * factors
    for level, loss in zip(levels, metrics.pinball(actual, quantiles, levels), strict=True):
        yield f"pinball_{level:g}/sku_location/all/level_pooled", loss


def _sales(scene: Scene, model: DemandModel) -> Iterator[tuple[str, float]]:
    """Score the forecast of sales on every recorded day."""
    truth, levels = scene.truth, model.description.quantile_levels
    daily = forecast_daily(model, scene.records, scene.horizon, DemandTarget.SALES)
    yield from _cells("sku_location/sales", truth.sold, daily, truth.recorded, levels)
    yield from _below("sku_location/sales", truth.sold, daily, truth.recorded, levels)
    state = sales_states(scene.panel.history.between(0, scene.origin + 1))[truth.series]
    rivals = baselines(state, scene.horizon)
    median = daily.quantiles[:, :, levels.index(0.5)].astype(np.float64)
    yield from Contest(scene, "sales", truth.recorded, median, daily.mean, rivals).figures()
    bare = forecast_daily(model, without_plan(scene.records), scene.horizon, DemandTarget.SALES)
    yield from _cells("sku_location/sales_no_plan", truth.sold, bare, truth.recorded, levels)


def _cells(
    name: str, sold: Floats, daily: Daily, rows: Flags, levels: Sequence[float]
) -> Iterator[tuple[str, float]]:
    """Yield the figures of some cells."""
    actual = sold[rows]
    yield f"rows/{name}", actual.size
    if not actual.size:
        return
    quantiles = daily.quantiles[rows].astype(np.float64)
    median, mean = quantiles[:, levels.index(0.5)], daily.mean[rows]
    for metric, value in metrics.point_metrics(actual, median, mean).items():
        yield f"{metric}/{name}", value
    yield f"wmape_mean/{name}", metrics.wmape(actual, mean)
    for level, loss in zip(levels, metrics.pinball(actual, quantiles, levels), strict=True):
        yield f"pinball_{level:g}/{name}", loss
    for share, low, high in ((50, 0.25, 0.75), (90, 0.05, 0.95)):
        below, above = quantiles[:, levels.index(low)], quantiles[:, levels.index(high)]
        yield f"coverage_{share}/{name}", metrics.coverage(actual, below, above)
        if actual.sum() > 0:
            yield f"width_{share}/{name}", float((above - below).sum() / actual.sum())


def _below(
    name: str, sold: Floats, daily: Daily, rows: Flags, levels: Sequence[float]
) -> Iterator[tuple[str, float]]:
    """Yield the share of cells at or below each quantile: what its level promises."""
    if rows.any():
        shares = (sold[rows][:, None] <= daily.quantiles[rows]).mean(axis=0)
        for level, value in zip(levels, shares, strict=True):
            yield f"below_{level:g}/{name}", float(value)


def _rmsse(scene: Scene, daily: Daily) -> Iterator[tuple[str, float]]:
    """Yield the mean over series of the root mean squared scaled error of the mean."""
    truth, past = scene.truth, scene.panel.history.quantity[: scene.origin + 1]
    steps = np.diff(past[:, truth.series], axis=0) ** 2
    known = ~np.isnan(steps)
    naive = np.where(known, steps, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    gaps = np.where(truth.in_stock, truth.sold - daily.mean, 0.0)
    usable = truth.in_stock.any(axis=1) & (naive > 0)
    if usable.any():
        squared = (gaps**2).sum(axis=1)[usable] / truth.in_stock.sum(axis=1)[usable]
        yield "rmsse/sku_location/all", float(np.sqrt(squared / naive[usable]).mean())
