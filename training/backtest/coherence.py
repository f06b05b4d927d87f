"""Totals at every level: how good they are, and whether reconciling would have helped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from serving.domain.history import WEEK, History, demand_states
from serving.domain.totals import TotalLevel
from training import metrics
from training.backtest.baselines import baselines
from training.totals import sums, total_codes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from serving.domain.totals import TotalShapes
    from training.backtest.scene import Scene

    Floats = NDArray[np.float64]
    Codes = dict[TotalLevel, NDArray[np.int64]]

RECONCILED = (TotalLevel.CATEGORY, TotalLevel.LOCATION, TotalLevel.TOTAL)
LEAST_VARIANCE = 1e-6
RECENT_DAYS = 56  # days the variance of a series is read from


def score_totals(
    scene: Scene, mean: Floats, shapes: TotalShapes | None, levels: Sequence[float]
) -> Iterator[tuple[str, float]]:
    """Score sums of means by level, on days in stock.

    Args:
        scene: What is scored.
        mean: Units expected of each series and day, shape (n, horizon).
        shapes: How totals spread; None where the release does not say.
        levels: Probability levels of the shapes.

    Yields:
        ``wmape_mean`` and ``bias`` by level, the same of ``/mint``, and ``coverage_90`` where
        the release says how totals spread.
    """
    codes = total_codes(scene.panel, scene.truth.series)
    reconciled = reconcile(scene, mean, codes)
    rows = scene.truth.in_stock
    came = np.where(rows, scene.truth.sold, 0.0)
    for level, code in codes.items():
        name = level.name.lower()
        actual = sums(came, code)
        for suffix, forecast in (("", mean), ("/mint", reconciled)):
            expected = sums(np.where(rows, forecast, 0.0), code)
            yield f"wmape_sum/{name}/all{suffix}", metrics.wmape(actual, expected)
            yield f"bias_sum/{name}/all{suffix}", metrics.bias(actual, expected)
        if shapes is not None:
            expected = sums(np.where(rows, mean, 0.0), code)
            ahead = np.arange(1, scene.horizon + 1)[None]
            quantiles = shapes.quantiles(level, ahead, expected, sales=False)
            low, high = (quantiles[:, :, levels.index(one)] for one in (0.05, 0.95))
            some = sums(rows.astype(np.float64), code) > 0
            yield (
                f"coverage_sum_90/{name}/all",
                metrics.coverage(actual[some], low[some], high[some]),
            )


def reconcile(scene: Scene, mean: Floats, codes: Codes) -> Floats:
    """Return means moved by least squares toward own forecasts of the levels above.

    Each total is forecast from its own past by level x weekday; errors are taken as uncorrelated
    with the variances of recent weekly changes (MinT with a diagonal matrix).

    Source: Wickramasuriya, Athanasopoulos and Hyndman (2019), Optimal forecast reconciliation for
    hierarchical and grouped time series through trace minimization, J. Am. Stat. Assoc. 114, eq. 9.
    """
    panel, origin = scene.panel, scene.origin
    ((_, _, completed),) = demand_states(panel.history.between(0, origin + 1), [origin])
    past = np.nan_to_num(completed[:, scene.truth.series])
    own = _variance(past)
    groups, asked, variance, first = [], [], [], 0
    for level in RECONCILED:
        code = codes[level]
        total = sums(past.T, code).T
        shape = total.shape
        history = History(
            panel.history.first_day,
            total,
            np.ones(shape),
            np.full(shape, np.nan),
            *np.zeros((2, *shape)),
        )
        ((_, state, _),) = demand_states(history, [origin])
        asked.append(baselines(state, scene.horizon)["weighted_level_weekday"])
        variance.append(_variance(total))
        groups.append(code + first)
        first += shape[1]
    above, spread = np.concatenate(asked), np.concatenate(variance)
    gap = above - sum_by(groups, mean, first)
    inner = np.diag(spread)
    for left in groups:
        for right in groups:
            np.add.at(inner, (left, right), own)
    step = np.linalg.solve(inner, gap)
    moved = mean + own[:, None] * sum(step[code] for code in groups)
    found: Floats = np.maximum(moved, 0.0)
    return found


def sum_by(groups: Sequence[NDArray[np.int64]], values: Floats, count: int) -> Floats:
    """Return the sums of rows over every group they belong to, shape (count, columns)."""
    out = np.zeros((count, values.shape[1]))
    for code in groups:
        np.add.at(out, code, values)
    return out


def _variance(past: Floats) -> Floats:
    """Return half the mean square of changes over a week, shape (n,)."""
    recent = past[-RECENT_DAYS - WEEK :]
    if len(recent) <= WEEK:
        return np.ones(past.shape[1])
    change = recent[WEEK:] - recent[:-WEEK]
    variance: Floats = np.maximum((change**2).mean(axis=0) / 2.0, LEAST_VARIANCE)
    return variance
