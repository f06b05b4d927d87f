"""How far totals over series fall from their means, learned on past origins."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from serving.domain.demand import DemandTarget
from serving.domain.history import STATE
from serving.domain.totals import TotalLevel, TotalShapes, total_groups
from serving.flows.prediction import predict_daily
from training.features.records import records_at
from training.shapes import fit_shape

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from serving.ports import DemandModel
    from training.panel import Panel

    Floats = NDArray[np.float64]
    Indices = NDArray[np.int64]

MAX_SERIES = 6_000  # series summed; of more those of whole locations are
MAX_DAYS = 28
MARGIN_LEVEL = 0.95
MIN_ROWS = 40  # totals of a day below which a group is pooled: upper levels have few of them


def total_codes(panel: Panel, series: Indices) -> dict[TotalLevel, Indices]:
    """Return the group of each series at every level, numbered from 0, shape (n,) each."""
    catalogue = panel.catalogue
    category = catalogue.category[panel.series.product[series]]
    location = panel.series.location[series]
    pairs = category * len(catalogue.locations) + location
    wanted = {
        TotalLevel.CATEGORY_LOCATION: pairs,
        TotalLevel.CATEGORY: category,
        TotalLevel.LOCATION: location,
        TotalLevel.REGION: catalogue.region[location],
        TotalLevel.TOTAL: np.zeros_like(location),
    }
    return {level: np.unique(codes, return_inverse=True)[1] for level, codes in wanted.items()}


def learn_totals(
    panel: Panel, model: DemandModel, origins: Sequence[int], completed: Floats
) -> TotalShapes:
    """Fit the spread of totals at every level.

    Args:
        panel: All series, the days after the origins among them.
        model: A model that has seen no day after the first origin.
        origins: Indices of the last known day, ascending.
        completed: Demand with stock-out days completed, shape (days, series).
    """
    rows: list[tuple[Indices, Floats, Floats]] = []
    chosen = _whole_locations(panel)
    for origin, records in records_at(panel, origins, future="realised"):
        known = chosen[records.state[chosen, STATE["observed_days"].start] > 0]
        if not known.size:
            continue
        reach = min(model.description.max_horizon, MAX_DAYS, panel.history.days - 1 - origin)
        window = slice(origin + 1, origin + 1 + reach)
        some, codes = records.take(known), total_codes(panel, known)
        for target, came in (
            (DemandTarget.DEMAND, completed[window][:, known].T),
            (DemandTarget.SALES, panel.history.quantity[window][:, known].T),
        ):
            mean, _ = predict_daily(model, some, reach, target)
            mean, sold = np.where(np.isnan(came), 0.0, mean), np.nan_to_num(came)
            for level, code in codes.items():
                expected, actual = sums(mean, code), sums(sold, code)
                ahead = np.arange(1, reach + 1)[None]
                sales = target is DemandTarget.SALES
                group = np.broadcast_arrays(
                    *total_groups(level, ahead, expected, sales=sales), expected
                )
                laid = np.stack([part.reshape(-1) for part in group[:-1]])
                rows.append((laid, expected.reshape(-1), actual.reshape(-1)))
    groups, expected, actual = (np.concatenate(part, axis=-1) for part in zip(*rows, strict=True))
    levels = model.description.quantile_levels
    _, factors = fit_shape(groups, expected, actual, levels, least=MIN_ROWS)
    return TotalShapes(_widened(factors, levels, len(origins)))


def _widened(factors: Floats, levels: Sequence[float], origins: int) -> Floats:
    """Widen the spread of totals whose errors are shared by all that happens in a week.

    The weeks, not the rows, are then the observations, and few of them say less than they show: by
    as much as Student's quantile lies further out than the normal one.
    """
    if origins <= 1:
        return factors
    margin = float(stats.t.ppf(MARGIN_LEVEL, origins - 1) / stats.norm.ppf(MARGIN_LEVEL))
    middle = factors[..., [levels.index(0.5)]]
    wider = np.maximum(middle + (factors - middle) * margin, 0.0)
    shared = [level for level in TotalLevel if level is not TotalLevel.CATEGORY_LOCATION]
    factors[:, shared] = wider[:, shared]
    return factors


def sums(values: Floats, code: Indices) -> Floats:
    """Return the sums of rows by group, shape (groups, columns)."""
    out = np.zeros((int(code.max()) + 1, values.shape[1]))
    np.add.at(out, code, values)
    return out


def _whole_locations(panel: Panel) -> Indices:
    """Return every series, or those of as many whole locations as are summed."""
    location = panel.series.location
    if location.size <= MAX_SERIES:
        return np.arange(location.size)
    counts = np.bincount(location)
    order = np.random.default_rng(0).permutation(np.flatnonzero(counts))
    taken = order[np.cumsum(counts[order]) <= MAX_SERIES]
    return np.flatnonzero(np.isin(location, taken if taken.size else order[:1]))
