"""The figures of a backtest's report page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from serving.domain.history import STATE
from training.backtest.levels import Contest, by_day
from training.backtest.reported import LEVELS
from training.page import COLORS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from training.backtest.forecasts import Daily
    from training.backtest.reported import Reported
    from training.backtest.scene import Scene

FANS = 6
PAST_DAYS = 28  # shown before a fan
_BANDS = ((0.02, 0.98, 0.15), (0.1, 0.9, 0.25), (0.25, 0.75, 0.4))


def level_figure(reported: Reported, daily: Daily) -> Figure:
    """Draw the WMAPE of each day ahead at every level, after the last origin."""
    scene, levels = reported.scene, reported.model.description.quantile_levels
    median = daily.quantiles[:, :, levels.index(0.5)].astype(np.float64)
    found = by_day(Contest(scene, "all", scene.truth.in_stock, median, daily.mean, {}))
    figure = Figure(figsize=(8.0, 3.6), layout="constrained")
    axes = figure.subplots()
    ahead = np.arange(1, scene.horizon + 1)
    for color, (level, title) in zip(COLORS, LEVELS.items(), strict=False):
        axes.plot(ahead, 100 * found[level], "o-", color=color, label=title, ms=4)
    axes.set_xlabel("days ahead")
    axes.set_ylabel("WMAPE, %")
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    figure.legend(loc="outside upper left", frameon=False, fontsize=9, ncols=4)
    return figure


def calibration_figure(mean: Mapping[str, float], levels: Sequence[float]) -> Figure:
    """Draw the share of days at or below each quantile over what its level promises."""
    figure = Figure(figsize=(5.2, 4.6), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 100], [0, 100], color="#bbbbbb", linewidth=1)
    for color, cut, label in (
        (COLORS[0], "all", "demand, days in stock"),
        (COLORS[1], "sales", "sales, every day"),
    ):
        below = [100 * mean.get(f"below_{level:g}/sku_location/{cut}", np.nan) for level in levels]
        axes.plot([100 * level for level in levels], below, "o-", color=color, label=label, ms=4)
    axes.set_xlabel("quantile, %")
    axes.set_ylabel("days at or below it, %")
    axes.legend(frameon=False, fontsize=9)
    return figure


def fan_figure(reported: Reported, daily: Daily) -> Figure:
    """Draw forecasts after the last origin as bands, and sales before and after it."""
    scene, levels = reported.scene, list(reported.model.description.quantile_levels)
    figure = Figure(figsize=(10.0, 2.3 * FANS / 2), layout="constrained")
    panels = figure.subplots(FANS // 2, 2).ravel()
    start = max(0, scene.origin + 1 - PAST_DAYS)
    stop = scene.origin + 1 + scene.horizon
    days = np.arange(start, stop) - scene.origin
    ahead = np.arange(1, scene.horizon + 1)
    history = scene.panel.history
    for axes, row in zip(panels, _spread(scene), strict=False):
        series = scene.truth.series[row]
        for low, high, alpha in _BANDS:
            ends = (daily.quantiles[row, :, levels.index(level)] for level in (low, high))
            axes.fill_between(ahead, *ends, color=COLORS[0], alpha=alpha, linewidth=0)
        median = daily.quantiles[row, :, levels.index(0.5)]
        axes.plot(ahead, median, color=COLORS[0], linewidth=1.5)
        sold, whole = history.quantity[start:stop, series], history.available[start:stop, series]
        axes.plot(days, sold, color="#999999", linewidth=0.7)
        full = whole >= 1.0
        axes.plot(days[full], sold[full], "o", color="#222222", ms=2.5)
        axes.plot(days[~full], sold[~full], "o", color="#222222", ms=3, mfc="white")
        axes.axvline(0.5, color="#bbbbbb", linewidth=0.8)
        name = f"{scene.panel.skus[series]} at {scene.panel.locations[series]}"
        axes.set_title(name, fontsize=9, loc="left")
        axes.set_ylim(bottom=0)
    figure.supxlabel("days from the origin", fontsize=9)
    figure.supylabel("units a day", fontsize=9)
    return figure


def _spread(scene: Scene) -> list[int]:
    """Return series at ranks of volume spread over those that sell, the greatest first."""
    mean = scene.records.state[:, STATE["expanding_mean"].start]
    order = np.argsort(-np.nan_to_num(mean), kind="stable")
    order = order[np.nan_to_num(mean)[order] > 0]
    ranks = np.linspace(0, 0.9, FANS) * max(order.size - 1, 0)
    return list(dict.fromkeys(order[ranks.astype(np.int64)].tolist())) if order.size else []
