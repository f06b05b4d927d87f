"""Predictions of series of one origin: who answers for each, and the answers brought together.

Every answer of every kind, online and batch and backtest, comes from here.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from serving.domain.demand import DemandTarget
from serving.domain.features import KNOWN_DAYS, SeriesRecords, cover_rows, daily_rows, date_columns
from serving.domain.history import STATE
from serving.domain.routes import HISTORIES, PATTERNS, Answered, cells_of
from serving.domain.tiers import DemandPattern, DemandTier

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from serving.domain.routes import Cells, Routes
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


def answered_in(model: DemandModel, cell: int) -> Answered:
    """Say who answers for the series of a cell of `cells_of`."""
    return _answered(model.routes, cell)


def predict_daily(
    model: DemandModel, records: SeriesRecords, horizon: int, target: DemandTarget
) -> Answer:
    """Answer for each day ahead of n series of one origin.

    Returns:
        Mean, shape (n, horizon), and trained quantiles, shape (n, horizon, levels), units a day.
    """
    routes = model.routes
    mix = None if routes is None else _mix_of(routes.cells, records)
    if routes is None or mix is None:
        return _daily_of_model(model, records, horizon, target)
    differs = _differs(records, horizon)
    changed = np.flatnonzero((mix.weights > 0) & differs.any(axis=1))
    asked = mix.weights < 1
    asked[changed] = True
    rows = np.flatnonzero(asked)
    mean, quantiles, usual = _planned_and_usual(model, (records, rows, changed), horizon, target)
    effect = np.ones_like(mean)
    if changed.size:
        effect[changed] = _effect(differs[changed], mean[changed], usual)
    rest = 1.0 - mix.weights
    answer = mean * rest[:, None], quantiles * rest[:, None, None]
    sales = target is DemandTarget.SALES
    for tier, of in mix.tiers():
        some = _some(records, of)
        part = routes.daily(tier, some, effect[of], sales=sales, cells=mix.cells[of])
        _add(answer, part, of, mix.weights[of])
    return answer


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
    differs = _differs(records, horizon)
    rows = np.flatnonzero(differs.any(axis=1))
    if rows.size:
        asked = rows if planned is None else rows[:0]
        mean, _, usual = _planned_and_usual(model, (records, asked, rows), horizon, target)
        means = mean if planned is None else planned
        effect[rows] = _effect(differs[rows], means[rows], usual)
    return effect


def _differs(records: SeriesRecords, horizon: int) -> NDArray[np.bool_]:
    """Return on which days the plan is not as the last regime, shape (n, horizon)."""
    last = records.state[:, _REGIME, None]
    plan = records.future.reshape(-1, len(_REGIME), KNOWN_DAYS)[:, :, :horizon]
    differs: NDArray[np.bool_] = (~np.isnan(plan) & (plan != last)).any(axis=1)
    return differs


def _effect(differs: NDArray[np.bool_], planned: Floats, usual: Floats) -> Floats:
    """Return the effect of plans on the days they differ on, from the means with and without."""
    found = np.clip((planned + _LEAST) / (usual + _LEAST), *EFFECT_RANGE)
    return np.where(differs, found, 1.0)


def _planned_and_usual(
    model: DemandModel,
    of: tuple[SeriesRecords, NDArray[np.intp], NDArray[np.intp]],
    horizon: int,
    target: DemandTarget,
) -> tuple[Floats, Floats, Floats]:
    """Ask the global model, in one run, with the plan and with the last regime going on.

    Args:
        model: The model.
        of: Records of n series, the rows asked about with their plan, and those without it.
        horizon: Days ahead.
        target: What is forecast.

    Returns:
        Means and quantiles with the plan of all n series, 0 where not asked about, and the means
        of those asked about without it.
    """
    records, asked, without = of
    count = records.state.shape[0]
    if asked.size == count and not without.size:
        return *_daily_of_model(model, records, horizon, target), np.empty((0, horizon))
    mean = np.zeros((count, horizon))
    quantiles = np.zeros((count, horizon, len(model.description.quantile_levels)))
    both = records.take(np.concatenate((asked, without)))
    if not both.state.size:
        return mean, quantiles, mean[:0]
    if without.size:
        future = both.future.copy()
        future[asked.size :] = np.nan
        both = replace(both, future=future)
    means, levels = _daily_of_model(model, both, horizon, target)
    mean[asked], quantiles[asked] = means[: asked.size], levels[: asked.size]
    return mean, quantiles, means[asked.size :]


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
    mix = None if routes is None else _mix_of(routes.cover_cells, records)
    if routes is None or mix is None:
        return by_model(records, np.arange(records.state.shape[0]))
    levels = len(model.description.cover_quantile_levels)
    answer = np.zeros(covers.shape), np.zeros((*covers.shape, levels))
    rest = np.flatnonzero(mix.weights < 1)
    if rest.size:
        _add(answer, by_model(_some(records, rest), rest), rest, 1.0 - mix.weights[rest])
    for tier, of in mix.tiers():
        some = _some(records, of)
        effect = plan_effect(model, some, int(covers[of].max()), target)
        _add(answer, routes.cover(tier, some, effect, covers[of], sales=sales), of, mix.weights[of])
    return answer


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


@dataclass(frozen=True, slots=True)
class _Mix:
    """Who has which part in the answers about n series, each of shape (n,).

    Attributes:
        cells: What `cells_of` says of them.
        tier: Who answers beside the global model.
        weights: Its weight; the global model has the rest.
    """

    cells: NDArray[np.int64]
    tier: NDArray[np.int64]
    weights: Floats

    def tiers(self) -> Iterator[tuple[DemandTier, NDArray[np.intp]]]:
        """Yield the tiers that have a part, and in which rows."""
        rows = self.weights.nonzero()[0]
        asked = self.tier[rows]
        for tier in set(asked.tolist()):
            yield DemandTier(tier), rows[asked == tier]


def _mix_of(said: Cells, records: SeriesRecords) -> _Mix | None:
    """Return who has which part; None where the global model answers alone."""
    cells = cells_of(records.state)
    weights = said.weight.reshape(-1)[cells]
    if not weights.any():
        return None
    return _Mix(cells, said.tier.reshape(-1)[cells], weights)


def _add(answer: Answer, part: Answer, rows: NDArray[np.intp], weights: Floats) -> None:
    """Add a part of some rows to the answer.

    Quantiles are averaged level by level, so they stay in order and never turn negative.
    """
    for out, values in zip(answer, part, strict=True):
        out[rows] += values * weights.reshape(-1, *(1,) * (values.ndim - 1))


def _some(records: SeriesRecords, rows: NDArray[np.intp]) -> SeriesRecords:
    return records if rows.size == records.state.shape[0] else records.take(rows)


# No more than a table has cells: more would keep the tables of releases that are gone.
@functools.lru_cache(maxsize=PATTERNS * HISTORIES)
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
