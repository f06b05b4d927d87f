"""What a forecast version is held against once it serves: its training profile and its own bands.

Both lie beside the release: the profile is what rows at the door looked like in the last weeks of
training, one block a day; the bands say between which values the daily accuracy of the hold-out
model lay.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import stdtrit

from serving.adapters.profiles import PROFILE, write_profile
from serving.domain.demand import DemandTarget
from serving.domain.drift import Column, Profile, Sample
from serving.domain.drift_check import profile_of
from serving.domain.features import FEATURES, daily_rows
from training.backtest.forecasts import forecast_daily, truth_after
from training.features.records import records_at
from training.metrics import wmape

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from serving.ports import DemandModel
    from training.demand import DemandFit
    from training.panel import Panel

    Floats = NDArray[np.float64]

BANDS = "bands.json"
# Columns that move with the calendar or the length of the history, whatever the data do.
MOVING = frozenset(
    {
        "horizon",
        "sales_target",
        "observed_days",
        "weekday",
        "weekend",
        "weekday_sin",
        "weekday_cos",
        "year_sin",
        "year_cos",
        "month",
        "season_month",
        "day_of_month",
        "holiday",
        "days_to_holiday",
        "days_since_holiday",
        "payday",
        "school_holiday",
    }
)
DAYS, SERIES, AHEAD = 28, 300, 14  # days of the profile, series a day, horizons they are drawn from
BAND = 0.99
LEAST_DAYS = 5  # for a band
SEED = 11


def keep_baseline(release: Path, panel: Panel, fit: DemandFit) -> None:
    """Write the training profile of a version beside its release.

    Args:
        release: Folder of the release.
        panel: The panel it was trained on.
        fit: The trained model.
    """
    mean = fit.daily.boosters.mean.feature_importance(importance_type="gain")
    importances = dict(zip(FEATURES, np.asarray(mean, dtype=np.float64).tolist(), strict=True))
    profile = profile_of(_rows_at_the_door(panel, min(fit.horizon, AHEAD)))
    days = _profiled_days(panel)
    dated = Profile(
        profile.features,
        blocked=True,
        days=tuple(panel.day(day).astype("datetime64[D]").astype(object) for day in days),
        importances=importances,
    )
    write_profile(release / PROFILE, dated)


def keep_bands(release: Path, bands: Mapping[str, tuple[float, float]]) -> None:
    """Write the bands of a version beside its release."""
    (release / BANDS).write_text(json.dumps(bands), encoding="utf-8")


def read_bands(release: Path) -> dict[str, tuple[float, float]]:
    """Return the bands of a version; none where it has none."""
    try:
        stored = json.loads((release / BANDS).read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return {name: (float(low), float(high)) for name, (low, high) in stored.items()}


def accuracy_bands(panel: Panel, model: DemandModel, origin: int) -> dict[str, tuple[float, float]]:
    """Return between which values the daily accuracy of a hold-out model lies.

    Args:
        panel: All series with the days after the origin; the model has not seen those.
        model: The hold-out model.
        origin: Index of the last day it knows.

    Returns:
        By ``wmape/<level>`` and ``coverage_90``, the band that holds the next day's value with
        probability BAND if days are alike; a figure of fewer than LEAST_DAYS days is left out.

    Source: the prediction interval of a normal sample, Hahn and Meeker (1991), chapter 4.
    """
    horizon = min(model.description.max_horizon, DAYS, panel.history.days - 1 - origin)
    ((_, records),) = records_at(panel, [origin], future="realised")
    truth = truth_after(panel, records, origin, horizon)
    daily = forecast_daily(model, records.take(truth.series), horizon, DemandTarget.DEMAND)
    levels = model.description.quantile_levels
    low, median, high = (
        daily.quantiles[:, :, levels.index(level)].astype(np.float64) for level in (0.05, 0.5, 0.95)
    )
    groups = _groups(panel, truth.series)
    figures: dict[str, list[float]] = {f"wmape/{level}": [] for level in groups}
    figures["coverage_90"] = []
    for day in range(horizon):
        rows = truth.in_stock[:, day]
        sold, middle = truth.sold[rows, day], median[rows, day]
        if not sold.sum() > 0:
            continue
        for level, group in groups.items():
            actual, said = (
                np.bincount(group[rows], weights=one).astype(np.float64) for one in (sold, middle)
            )
            figures[f"wmape/{level}"].append(wmape(actual, said))
        within = (sold >= low[rows, day]) & (sold <= high[rows, day])
        figures["coverage_90"].append(float(within.mean()))
    return {
        name: _band(np.array(values))
        for name, values in figures.items()
        if len(values) >= LEAST_DAYS
    }


def _band(values: Floats) -> tuple[float, float]:
    reach = stdtrit(values.size - 1, (1.0 + BAND) / 2.0)
    half = float(reach * values.std(ddof=1) * np.sqrt(1.0 + 1.0 / values.size))
    return max(0.0, float(values.mean()) - half), float(values.mean()) + half


def _groups(panel: Panel, series: NDArray[np.intp]) -> dict[str, NDArray[np.intp]]:
    location = panel.series.location[series]
    category = panel.catalogue.category[panel.series.product[series]]
    pair = category * (int(location.max()) + 1) + location
    return {
        "sku_location": np.arange(series.size),
        "category_location": np.unique(pair, return_inverse=True)[1],
        "location": np.unique(location, return_inverse=True)[1],
        "total": np.zeros(series.size, dtype=np.intp),
    }


def _profiled_days(panel: Panel) -> list[int]:
    last = panel.history.days - 2  # a day ahead must have come true
    return list(range(max(0, last - DAYS + 1), last + 1))


def _rows_at_the_door(panel: Panel, ahead: int) -> Sample:
    """Return what the model is asked on each of the last days, a random horizon a series."""
    rng = np.random.default_rng(SEED)
    days = _profiled_days(panel)
    chosen = np.arange(len(panel.skus))
    if chosen.size > SERIES:
        chosen = np.sort(rng.choice(chosen.size, SERIES, replace=False))
    rows, blocks = [], []
    for origin, records in records_at(panel, days, future="realised"):
        asked = daily_rows(records.take(chosen), ahead, sales_target=False)
        rows.append(asked[np.arange(chosen.size), rng.integers(0, ahead, chosen.size)])
        blocks.append(np.full(chosen.size, origin))
    values = np.concatenate(rows).astype(np.float64)
    values[~np.isfinite(values)] = np.nan
    columns = tuple(
        Column(name, np.ascontiguousarray(values[:, place]))
        for place, name in enumerate(FEATURES)
        if name not in MOVING
    )
    return Sample(columns, np.concatenate(blocks).astype(np.int64))
