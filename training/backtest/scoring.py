"""Score a demand model on the days after a past origin.

Figures are named ``metric/level/slice`` and, for baselines, ``metric/level/slice/baseline``.
Unless the slice says otherwise the forecast is of demand and is held against sales of days in
stock, where the two are the same; on other days sales are only a lower bound.

Metrics: ``wmape``, ``mae`` and ``rmse`` of the median, ``bias`` and ``rmsse`` of the mean,
``wmape_mean`` of the mean (sums of medians lean low, sums of means do not), ``pinball`` per level
in units, ``coverage_50`` and ``coverage_90`` with ``width_50`` and ``width_90`` as a share of mean
sales, ``rows``; ``wmape_low`` and ``wmape_high``, ``gain``, ``gain_low`` and ``gain_high`` over
the best baseline.

Levels: ``sku_location``, ``category_location``, ``location`` and ``total``, each by day.

Slices: ``all``; ``h1-7`` and on; ``smooth``, ``erratic``, ``intermittent``, ``lumpy``;
``volume_1`` (least) to ``volume_5``; ``every_day`` (stock-out days too); ``no_plan`` (prices and
promotions to come hidden); ``sales`` and ``sales_no_plan`` (sales forecast, every day).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from serving.domain.demand import DemandTarget
from serving.domain.history import STATE
from serving.errors import InvalidField
from training import metrics
from training.backtest.baselines import baselines, sales_states
from training.backtest.cover import score_cover
from training.backtest.forecasts import forecast_daily, truth_after, without_plan
from training.backtest.intervals import bootstrap_gain
from training.demand_rows import take
from training.features.records import records_at

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from serving.domain.features import SeriesRecords
    from serving.ports import DemandModel
    from training.backtest.forecasts import Daily, Truth
    from training.panel import Panel

    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]

HORIZON_CUTS = (7, 14, 28, 56)
INTERVAL_CUT, SIZE_CUT = 1.32, 0.49
QUINTILES = 5
BOOTSTRAP_SEED = 7


@dataclass(frozen=True, slots=True)
class Scene:
    """What every figure of one origin is drawn from.

    Attributes:
        panel: All series, the days after the origin among them.
        origin: Index of the last known day.
        records: Records of the scored series, the plan as it came true.
        truth: What came true.
    """

    panel: Panel
    origin: int
    records: SeriesRecords
    truth: Truth

    @property
    def horizon(self) -> int:
        """Days ahead that are scored."""
        return int(self.truth.sold.shape[1])


def score(panel: Panel, model: DemandModel, origin: int, horizon: int) -> dict[str, float]:
    """Score a model on the days after an origin, beside baselines on the same rows.

    Of more than 50,000 series an even spread is scored; sums over series are then of that spread.

    Args:
        panel: All series with the days after the origin; the model must not have seen those.
        model: The model.
        origin: Index of the last known day.
        horizon: Days ahead, at most those the panel holds.

    Returns:
        Figures by name; a figure that is not defined, as a WMAPE of nothing sold, is left out.

    Raises:
        InvalidField: If no day after the origin is in the panel, or no series is known at it.
    """
    scene = _scene(panel, origin, horizon)
    figures = dict(_demand(scene, model))
    figures |= dict(_sales(scene, model))
    figures |= score_cover(scene.panel, model, (origin, scene.records), scene.truth)
    return {name: float(value) for name, value in figures.items() if np.isfinite(value)}


def _scene(panel: Panel, origin: int, horizon: int) -> Scene:
    reach = min(horizon, panel.history.days - 1 - origin)
    if origin < 0 or reach < 1:
        last = panel.day(panel.history.days - 2)
        raise InvalidField("origin", f"must have a day with sales after it: {last} is the last")
    ((_, records),) = records_at(panel, [origin], future="realised")
    truth = truth_after(panel, records, origin, reach)
    if not truth.recorded.any():
        raise InvalidField("origin", f"must have sales after it: {panel.day(origin)} has none")
    return Scene(panel, origin, take(records, truth.series), truth)


def _demand(scene: Scene, model: DemandModel) -> Iterator[tuple[str, float]]:
    """Score the forecast of demand: on days in stock, then where that is not all."""
    truth, levels = scene.truth, model.description.quantile_levels
    daily = forecast_daily(model, scene.records, scene.horizon, DemandTarget.DEMAND)
    for name, rows in slices(scene):
        yield from _cells(f"sku_location/{name}", truth.sold, daily, rows, levels)
    yield from _cells("sku_location/every_day", truth.sold, daily, truth.recorded, levels)
    yield from _levels(scene, daily, levels, truth.in_stock, "all")
    yield from _rmsse(scene, daily)
    yield from _against(scene, daily, levels, DemandTarget.DEMAND)
    bare = forecast_daily(model, without_plan(scene.records), scene.horizon, DemandTarget.DEMAND)
    yield from _cells("sku_location/no_plan", truth.sold, bare, truth.in_stock, levels)


def _sales(scene: Scene, model: DemandModel) -> Iterator[tuple[str, float]]:
    """Score the forecast of sales on every recorded day."""
    truth, levels = scene.truth, model.description.quantile_levels
    daily = forecast_daily(model, scene.records, scene.horizon, DemandTarget.SALES)
    yield from _cells("sku_location/sales", truth.sold, daily, truth.recorded, levels)
    yield from _levels(scene, daily, levels, truth.recorded, "sales")
    yield from _against(scene, daily, levels, DemandTarget.SALES)
    bare = forecast_daily(model, without_plan(scene.records), scene.horizon, DemandTarget.SALES)
    yield from _cells("sku_location/sales_no_plan", truth.sold, bare, truth.recorded, levels)


def slices(scene: Scene) -> Iterator[tuple[str, Flags]]:
    """Yield each slice of the days in stock: its name and its cells, shape (n, horizon)."""
    in_stock, state = scene.truth.in_stock, scene.records.state
    yield "all", in_stock
    ahead, first = np.arange(1, scene.horizon + 1), 1
    for cut in (*HORIZON_CUTS, scene.horizon):
        last = min(cut, scene.horizon)
        if first <= last:
            yield f"h{first}-{last}", in_stock & (ahead >= first) & (ahead <= last)
        first = max(first, last + 1)
    for name, members in patterns(state).items():
        yield name, in_stock & members[:, None]
    mean = state[:, STATE["expanding_mean"].start]
    rank = np.argsort(np.argsort(mean, kind="stable"), kind="stable")
    quintile = rank * QUINTILES // max(rank.size, 1)
    for number in range(QUINTILES):
        yield f"volume_{number + 1}", in_stock & (quintile == number)[:, None]


def patterns(state: NDArray[np.float32]) -> dict[str, Flags]:
    """Sort series by demand pattern; those that never sold are in none.

    Args:
        state: Demand states, shape (n, STATE_WIDTH).

    Returns:
        Members of each pattern, shape (n,). A series with one sale has no variance: it counts as
        of even size.

    Source: Syntetos, Boylan and Croston (2005), On the categorization of demand patterns, J. Oper.
    Res. Soc. 56.
    """
    interval, size = (state[:, STATE[name].start] for name in ("interval", "size_cv2"))
    rare, uneven = interval >= INTERVAL_CUT, size >= SIZE_CUT
    known = ~np.isnan(interval)
    return {
        "smooth": known & ~rare & ~uneven,
        "erratic": known & ~rare & uneven,
        "intermittent": known & rare & ~uneven,
        "lumpy": known & rare & uneven,
    }


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


def _levels(
    scene: Scene, daily: Daily, levels: Sequence[float], rows: Flags, name: str
) -> Iterator[tuple[str, float]]:
    """Yield the figures of sums of the cells over series, day by day."""
    median = daily.quantiles[:, :, levels.index(0.5)]
    for level, group in _groups(scene).items():
        sums = [_summed(values, rows, group) for values in (scene.truth.sold, median, daily.mean)]
        some = _summed(np.ones(rows.shape), rows, group) > 0
        actual, middle, mean = (one[some] for one in sums)
        yield f"rows/{level}/{name}", actual.size
        if actual.size:
            for metric, value in metrics.point_metrics(actual, middle, mean).items():
                yield f"{metric}/{level}/{name}", value
            yield f"wmape_mean/{level}/{name}", metrics.wmape(actual, mean)


def _groups(scene: Scene) -> Mapping[str, NDArray[np.intp]]:
    """Return each series' group at every level above the series, shape (n,) each."""
    series, catalogue = scene.truth.series, scene.panel.catalogue
    location = scene.panel.series.location[series]
    category = catalogue.category[scene.panel.series.product[series]]
    pair = category * (location.max() + 1) + location
    return {
        "category_location": np.unique(pair, return_inverse=True)[1],
        "location": np.unique(location, return_inverse=True)[1],
        "total": np.zeros(series.size, dtype=np.intp),
    }


def _summed(values: NDArray[np.floating], rows: Flags, group: NDArray[np.intp]) -> Floats:
    """Sum the chosen cells over the series of each group, shape (groups, horizon)."""
    chosen = np.where(rows, values, 0.0)
    return np.stack([np.bincount(group, weights=day) for day in chosen.T], axis=1)


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


def _against(
    scene: Scene, daily: Daily, levels: Sequence[float], target: DemandTarget
) -> Iterator[tuple[str, float]]:
    """Yield the baselines' figures, the gain over the best of them, and intervals of both."""
    truth, wants_sales = scene.truth, target is DemandTarget.SALES
    rows = truth.recorded if wants_sales else truth.in_stock
    actual, name = truth.sold[rows], f"sku_location/{'sales' if wants_sales else 'all'}"
    if not actual.sum() > 0:
        return
    state = scene.records.state
    if wants_sales:
        state = sales_states(scene.panel.history.between(0, scene.origin + 1))[truth.series]
    found = baselines(state, scene.horizon)
    for baseline, forecast in found.items():
        for metric, value in metrics.point_metrics(actual, forecast[rows], forecast[rows]).items():
            yield f"{metric}/{name}/{baseline}", value
    best = min(found, key=lambda one: metrics.wmape(actual, found[one][rows]))
    median = daily.quantiles[:, :, levels.index(0.5)]
    group = _groups(scene)["location"]
    mine, theirs, sold = (
        _summed(values, rows, group).sum(axis=1)
        for values in (np.abs(truth.sold - median), np.abs(truth.sold - found[best]), truth.sold)
    )
    if theirs.sum() > 0:
        yield f"gain/{name}", 1.0 - float(mine.sum() / theirs.sum())
    interval = bootstrap_gain(mine, theirs, sold, seed=BOOTSTRAP_SEED)
    if interval is not None:
        yield f"wmape_low/{name}", interval.wmape[0]
        yield f"wmape_high/{name}", interval.wmape[1]
        yield f"gain_low/{name}", interval.gain[0]
        yield f"gain_high/{name}", interval.gain[1]
