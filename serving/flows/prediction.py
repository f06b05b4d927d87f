"""Predictions of series of one origin: who answers for each, and the answers brought together.

Every answer of every kind, online and batch and backtest, comes from here.
"""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from serving.domain.demand import DemandTarget
from serving.domain.features import SeriesRecords, cover_rows, daily_rows, date_columns
from serving.domain.history import STATE
from serving.domain.routes import HISTORIES, Answered, cells_of
from serving.domain.tiers import DemandPattern, DemandTier

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from serving.domain.routes import Routes
    from serving.ports import DemandModel

    Floats = NDArray[np.float64]
    Answer = tuple[Floats, Floats]

EFFECT_RANGE = (0.1, 10.0)  # factors beyond which a plan is not believed to move demand
_LEAST = 1e-3  # units a day beside which a ratio of two means says nothing
_REGIME = [STATE[f"{name}_last"].start for name in ("price", "discount", "promoted")]
HALF = 0.5  # weight from which a tier, not the global model, is named as who answered


def answered_by(model: DemandModel, records: SeriesRecords) -> list[Answered]:
    """Say who answers for each series."""
    return [_answered(model.routes, cell) for cell in cells_of(records.state).tolist()]


def predict_daily(
    model: DemandModel, records: SeriesRecords, horizon: int, target: DemandTarget
) -> Answer:
    """Answer for each day ahead of n series of one origin.

    Returns:
        Mean, shape (n, horizon), and trained quantiles, shape (n, horizon, levels), units a day.
    """
    shape = (records.state.shape[0], horizon)
    sales = target is DemandTarget.SALES

    def by_model(some: SeriesRecords, _: NDArray[np.intp]) -> Answer:
        return _daily_of_model(model, some, horizon, target)

    routes = model.routes
    if routes is None:
        return by_model(records, np.arange(shape[0]))
    return _blend(
        routes,
        records,
        (shape, (*shape, len(model.description.quantile_levels))),
        by_model,
        lambda tier, some, _: routes.daily(
            tier, some, plan_effect(model, some, horizon, target), sales=sales
        ),
    )


def plan_effect(
    model: DemandModel,
    records: SeriesRecords,
    horizon: int,
    target: DemandTarget,
    *,
    planned: Floats | None = None,
) -> Floats:
    """Return what the plan does to each day, as a factor on what would be without it.

    The classical tiers read no plan: what price, discount and promotion do is taken from the
    global model, asked with the plan and with the last regime going on.

    Args:
        model: The model that answers.
        records: Records of n series.
        horizon: Days ahead.
        target: What is forecast.
        planned: The global model's means with the plan, shape (n, horizon), where they are known.

    Returns:
        Factors, shape (n, horizon), within EFFECT_RANGE; 1 where the plan is as the last regime.
    """
    effect = np.ones((records.state.shape[0], horizon))
    last = records.state[:, _REGIME][:, :, None]
    plan = records.future.reshape(len(effect), len(_REGIME), -1)[:, :, :horizon]
    differs = ~np.isnan(plan) & (plan != last)
    rows = np.flatnonzero(differs.any(axis=(1, 2)))
    if rows.size:
        some = _some(records, rows)
        none = replace(some, future=np.full_like(some.future, np.nan))
        usual, _ = _daily_of_model(model, none, horizon, target)
        if planned is None:
            with_plan, _ = _daily_of_model(model, some, horizon, target)
        else:
            with_plan = planned[rows]
        ratio = (with_plan + _LEAST) / (usual + _LEAST)
        found = np.clip(ratio, *EFFECT_RANGE)
        effect[rows] = np.where(differs[rows].any(axis=1), found, 1.0)
    return effect


def predict_cover(
    model: DemandModel, records: SeriesRecords, covers: NDArray[np.int64], target: DemandTarget
) -> Answer:
    """Answer for the sum over one cover of each of n series of one origin.

    Returns:
        Mean, shape (n,), and trained quantiles, shape (n, levels), units over each cover.
    """
    mean, quantiles = predict_covers(model, records, covers[:, None], target)
    return mean[:, 0], quantiles[:, 0]


def predict_covers(
    model: DemandModel, records: SeriesRecords, covers: NDArray[np.int64], target: DemandTarget
) -> Answer:
    """Answer for the sums over several covers of each of n series of one origin.

    The days of a series are built once, and a cover it asks for twice is predicted once.

    Args:
        model: The model that answers.
        records: Records of n series.
        covers: Days from the origin each sum runs over, 1 or more, shape (n, covers).
        target: What is forecast.

    Returns:
        Means, shape (n, covers), and trained quantiles, shape (n, covers, levels), in units.
    """
    sales = target is DemandTarget.SALES

    def by_model(some: SeriesRecords, rows: NDArray[np.intp]) -> Answer:
        asked = covers[rows]
        longest = int(asked.max())
        dates = _dates(records.origin, longest)
        daily = daily_rows(some, longest, sales_target=sales, dates=dates)
        owners = np.repeat(np.arange(len(rows)), asked.shape[1])
        keys = owners * (longest + 1) + asked.reshape(-1)
        _, first, place = np.unique(keys, return_index=True, return_inverse=True)
        mean, quantiles = model.cover(cover_rows(daily, asked.reshape(-1)[first], owners[first]))
        return (
            mean.astype(np.float64)[place].reshape(asked.shape),
            quantiles.astype(np.float64)[place].reshape(*asked.shape, -1),
        )

    routes = model.routes
    if routes is None:
        return by_model(records, np.arange(records.state.shape[0]))
    return _blend(
        routes,
        records,
        (covers.shape, (*covers.shape, len(model.description.cover_quantile_levels))),
        by_model,
        lambda tier, some, rows: routes.cover(
            tier,
            some,
            plan_effect(model, some, int(covers[rows].max()), target),
            covers[rows],
            sales=sales,
        ),
    )


def _daily_of_model(
    model: DemandModel, records: SeriesRecords, horizon: int, target: DemandTarget
) -> Answer:
    dates, sales = _dates(records.origin, horizon), target is DemandTarget.SALES
    rows = daily_rows(records, horizon, sales_target=sales, dates=dates)
    mean, quantiles = model.daily(rows.reshape(-1, rows.shape[2]))
    series = records.state.shape[0]
    return (
        mean.astype(np.float64).reshape(series, horizon),
        quantiles.astype(np.float64).reshape(series, horizon, -1),
    )


def _blend(
    routes: Routes,
    records: SeriesRecords,
    shapes: tuple[tuple[int, ...], tuple[int, ...]],
    by_model: Callable[[SeriesRecords, NDArray[np.intp]], Answer],
    by_tier: Callable[[DemandTier, SeriesRecords, NDArray[np.intp]], Answer],
) -> Answer:
    """Ask the global model and the tiers for the series each has a part in, and add the parts.

    Quantiles are averaged level by level, so they stay in order and never turn negative.
    """
    cells = cells_of(records.state)
    tiers, weights = routes.cells.tier.reshape(-1)[cells], routes.cells.weight.reshape(-1)[cells]
    if not weights.any():
        return by_model(records, np.arange(len(cells)))
    answer = np.zeros(shapes[0]), np.zeros(shapes[1])
    for tier, rows in _parts(tiers, weights):
        some = _some(records, rows)
        part = by_model(some, rows) if tier is None else by_tier(tier, some, rows)
        share = (1.0 - weights if tier is None else weights)[rows]
        for out, values in zip(answer, part, strict=True):
            out[rows] += values * share.reshape(-1, *(1,) * (values.ndim - 1))
    return answer


def _parts(
    tiers: NDArray[np.int64], weights: Floats
) -> Iterator[tuple[DemandTier | None, NDArray[np.intp]]]:
    """Yield who is asked, None for the global model, and for which rows."""
    rest = np.flatnonzero(weights < 1)
    if rest.size:
        yield None, rest
    for tier in np.unique(tiers[weights > 0]).tolist():
        yield DemandTier(tier), np.flatnonzero((weights > 0) & (tiers == tier))


def _some(records: SeriesRecords, rows: NDArray[np.intp]) -> SeriesRecords:
    if rows.size == records.state.shape[0]:
        return records
    return SeriesRecords(
        origin=records.origin,
        state=records.state[rows],
        product=records.product[rows],
        location=records.location[rows],
        future=records.future[rows],
    )


@functools.lru_cache(maxsize=1024)
def _answered(routes: Routes | None, cell: int) -> Answered:
    pattern = DemandPattern(cell // HISTORIES + 1)
    if routes is None:
        return Answered(DemandTier.GLOBAL_MODEL, pattern, "")
    tier, weight = routes.cells.tier.flat[cell], routes.cells.weight.flat[cell]
    who = DemandTier(int(tier)) if weight >= HALF else DemandTier.GLOBAL_MODEL
    return Answered(who, pattern, routes.reason(cell))


@functools.lru_cache(maxsize=256)
def _dates(origin: np.datetime64, horizon: int) -> NDArray[np.float32]:
    """Return `date_columns`, kept: every series of a day asks for the same ones."""
    return date_columns(origin, horizon)
