"""Judges served forecasts by the sales that came true: readings of every rule, day by day."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from serving.adapters.profiles import PROFILE, read_profile
from serving.adapters.readings import StoredReadings
from serving.adapters.traffic import traffic_file
from serving.domain.drift import BREAKING, DriftQuery, DriftVerdict, Profile, PsiReading
from serving.domain.drift_check import check
from serving.domain.retrain import Reading
from serving.domain.two_sample import adjusted, table_p_value
from training import tables
from training.accuracy import (
    HIGH,
    KEY,
    LEVELS,
    LOW,
    daily,
    figures,
    join,
    latest,
    read_actuals,
)
from training.baseline import read_bands
from training.batch.models import FORECAST, open_model

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from serving.settings import Settings

    Bands = Mapping[str, tuple[float, float]]

MISSING_LIMIT, WMAPE_LIMIT, BIAS_LIMIT = 0.05, 0.25, 0.10
BIAS_DAYS = 28
DRIFT_LIMIT = 0.10  # share of importance
WINDOW_DAYS = 7
KEPT_DAYS = 400
UNFAIR_RATE = 0.01  # of false alarms over all locations
MOSTLY = 0.8  # share of its days on which a series must lie in its 90 % intervals to count as held


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a file of sales says of the forecasts.

    Attributes:
        rows: Joined rows, each forecast of a series and day.
        readings: What every rule saw on the days of the file.
        unknown: Sales of series and days nobody forecast.
        ahead: Sales dated after the business clock, left out.
        replaced: Series and days whose sales an earlier file gave differently.
        unfair: Locations whose forecasts cover less than elsewhere, more than chance explains.
    """

    rows: pl.DataFrame
    readings: list[Reading]
    unknown: int
    ahead: int
    replaced: int
    unfair: list[str]


def judge(settings: Settings, file: Path, today: dt.date) -> Judgement:
    """Join sales with the forecasts that were served and keep what every rule saw.

    Args:
        settings: Where the log, the releases and the readings are.
        file: CSV or parquet of sales.
        today: The day business has reached.

    Raises:
        InvalidField: If the sales break a rule.
        MissingInput: If no sale lies in the past.
        NothingMeasured: If no forecast was logged.
        NoModel: If no demand model is registered.
    """
    new = read_actuals(file)
    said = open_model(settings.releases, "current").description
    store = settings.monitoring / FORECAST / "actuals.parquet"
    everything, replaced = _merged(store, new.filter(pl.col("date") <= today))
    log = settings.home / "logs" / "forecasts"
    joined = join(everything, log, _categories(settings.tables), today)
    days = new.filter(pl.col("date") <= today)["date"].unique().sort().to_list()
    fresh = join(new, log, _categories(settings.tables), today)
    rows = latest(joined.rows)
    bands = read_bands(settings.releases / FORECAST / said.version)
    readings = [
        *_missing(joined.expected, everything, days),
        *_accuracy(rows, days, bands),
        *_bias(rows, days),
        *_features(settings, said.version),
    ]
    store.parent.mkdir(parents=True, exist_ok=True)
    everything.write_parquet(store)
    StoredReadings(settings.monitoring).keep(FORECAST, readings)
    return Judgement(
        rows=joined.rows,
        readings=readings,
        unknown=fresh.unknown,
        ahead=fresh.ahead,
        replaced=replaced,
        unfair=unfair_locations(rows),
    )


def _merged(store: Path, new: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """Return all sales known, the newest file's first, and how many it says differently."""
    if not store.exists():
        return new, 0
    old = pl.read_parquet(store)
    both = old.join(new, on=KEY, how="inner", suffix="_new")
    replaced = both.filter(pl.col("quantity") != pl.col("quantity_new")).height
    merged = pl.concat([new, old], how="vertical").unique(KEY, keep="first", maintain_order=True)
    last = merged["date"].max()
    first = last - dt.timedelta(days=KEPT_DAYS)  # type: ignore[operator]  # a date: there is a row
    return merged.filter(pl.col("date") > first).sort(KEY), replaced


def _categories(folder: Path) -> pl.DataFrame:
    empty = pl.DataFrame(schema={"sku": pl.String, "category": pl.String})
    if not tables.exists(folder, "products"):
        return empty
    products = tables.read(folder, "products")
    return products.select("sku", "category") if "category" in products.columns else empty


def _missing(expected: pl.DataFrame, known: pl.DataFrame, days: list[dt.date]) -> Iterator[Reading]:
    """Yield the share of forecast series without a sale or a zero, by day."""
    asked = expected.filter(pl.col("date").is_in(days))
    gone = asked.join(known.select(*KEY, there=pl.lit(1)), on=KEY, how="left")
    shares = gone.group_by("date").agg(share=pl.col("there").is_null().mean()).sort("date")
    for day, share in shares.iter_rows():
        yield Reading(
            day,
            "missing_data",
            share,
            MISSING_LIMIT,
            broken=share > MISSING_LIMIT,
            detail=f"{share:.1%} of the forecast series have no sales on {day}",
        )


def _accuracy(rows: pl.DataFrame, days: list[dt.date], bands: Bands) -> Iterator[Reading]:
    """Yield WMAPE against its limit and its bands, and coverage against its band, by day."""
    some = rows.filter(pl.col("date").is_in(days))
    found = {
        level: dict(daily(some, level).select("date", "wmape").iter_rows()) for level in LEVELS
    }
    for day, value in found["category_location"].items():
        detail = f"WMAPE at category and location was {value:.1%} on {day}"
        broken = value > WMAPE_LIMIT
        yield Reading(day, "wmape_category_location", value, WMAPE_LIMIT, broken, detail)
    for day in found["total"]:
        yield _worst_level(day, {level: values.get(day) for level, values in found.items()}, bands)
    if "coverage_90" not in bands:
        return
    low, high = bands["coverage_90"]
    shares = some.group_by("date").agg(
        pl.col("quantity").is_between(pl.col(LOW), pl.col(HIGH)).mean().alias("share")
    )
    for day, share in shares.sort("date").iter_rows():
        usual = f"{max(low, 0.0):.1%} to {min(high, 1.0):.1%} is usual"
        detail = f"90 % intervals held {share:.1%} of the sales on {day}, {usual}"
        yield Reading(day, "coverage", share, low, not low <= share <= high, detail)


def _worst_level(day: dt.date, values: Mapping[str, float | None], bands: Bands) -> Reading:
    """Return the reading of the level that lies farthest above its band."""
    found = [
        (value / max(bands[f"wmape/{level}"][1], 1e-9), level, value)
        for level, value in values.items()
        if value is not None and f"wmape/{level}" in bands
    ]
    if not found:
        detail = "the version that serves has no bands of its own: train it anew"
        return Reading(day, "backtest_band", None, None, broken=False, detail=detail)
    over, level, value = max(found)
    limit = bands[f"wmape/{level}"][1]
    detail = (
        f"WMAPE at {level} was {value:.1%} on {day}, its backtest's 99 % band ends at {limit:.1%}"
    )
    return Reading(day, "backtest_band", value, limit, over > 1, detail)


def _bias(rows: pl.DataFrame, days: list[dt.date]) -> Iterator[Reading]:
    """Yield the bias of the 28 days that end with each, where so many were measured."""
    sums = (
        rows.group_by("date")
        .agg(pl.col("mean").sum(), sold=pl.col("quantity").sum())
        .sort("date")
        .with_columns(
            mean=pl.col("mean").rolling_sum(BIAS_DAYS), sold=pl.col("sold").rolling_sum(BIAS_DAYS)
        )
        .filter(pl.col("date").is_in(days) & (pl.col("sold") > 0))
    )
    for day, mean, sold in sums.iter_rows():
        value = mean / sold - 1.0
        detail = f"forecasts of the {BIAS_DAYS} days up to {day} were {value:+.1%} of the sales"
        yield Reading(day, "bias_28_days", value, BIAS_LIMIT, abs(value) > BIAS_LIMIT, detail)


def _features(settings: Settings, version: str) -> Iterator[Reading]:
    """Yield what the sampled traffic says of the features, where there is any."""
    reference = read_profile(settings.releases / FORECAST / version / PROFILE)
    current = read_profile(traffic_file(settings.monitoring, FORECAST, version))
    if reference is None or current is None:
        return
    week = Profile(
        {name: blocks[-WINDOW_DAYS:] for name, blocks in current.features.items()}, blocked=True
    )
    query = DriftQuery(model_name=FORECAST, importances=reference.importances)
    report = check(reference, week, query)
    day = current.days[-1]
    broken = [one.detail for one in report.findings if one.kind in BREAKING]
    detail = "; ".join(broken[:3]) or f"features of the traffic up to {day} are whole"
    yield Reading(day, "broken_features", float(len(broken)), 0.0, bool(broken), detail)
    # Days that follow each other are alike, so a slow feature moves more than dealing days anew
    # allows, if only by a little: what counts has moved by more than the convention tolerates.
    moved = [
        one
        for one in report.features
        if one.verdict is DriftVerdict.DRIFTED and one.psi_reading is not PsiReading.NONE
    ]
    share = sum(one.importance for one in moved)
    names = ", ".join(one.name for one in moved[:5]) or "none"
    detail = f"features of {share:.1%} importance have drifted: {names}"
    fires = share > DRIFT_LIMIT
    yield Reading(day, "feature_drift", share, DRIFT_LIMIT, fires, detail)


def unfair_locations(rows: pl.DataFrame) -> list[str]:
    """Return the locations whose 90 % intervals hold fewer sales than elsewhere.

    Each location is tested against all others, the tests adjusted for how many there are. Days of a
    series resemble each other, so each series counts once: held on most of its days, or not.

    Args:
        rows: Joined rows, each series and day once.
    """
    held = pl.col("quantity").is_between(pl.col(LOW), pl.col(HIGH)).mean() >= MOSTLY
    series = rows.group_by("location", "sku").agg(held=held)
    counts = (
        series.group_by("location").agg(held=pl.col("held").sum(), of=pl.len()).sort("location")
    )
    total, of = int(counts["held"].sum()), int(counts["of"].sum())
    less, p_values = [], []
    for location, mine, size in counts.iter_rows():
        others = of - size
        less.append(others and mine / size < (total - mine) / others and location)
        p_values.append(table_p_value(mine, size, total - mine, others))
    corrected = adjusted(np.array(p_values), np.ones(len(p_values)))
    return [str(name) for name, p in zip(less, corrected, strict=True) if name and p <= UNFAIR_RATE]


def overview(judgement: Judgement) -> pl.DataFrame:
    """Return the figures of all rows and of each horizon and model version."""
    rows = judgement.rows
    parts = [figures(latest(rows)).select(*_names(), by=pl.lit("all"), of=pl.lit(""))]
    for by in ("horizon_days", "model_version", "category", "location"):
        some = rows if by in {"horizon_days", "model_version"} else latest(rows)
        found = figures(some, (by,))
        parts.append(found.select(*_names(), by=pl.lit(by), of=pl.col(by).cast(pl.String)))
    return pl.concat(parts)


def _names() -> list[str]:
    return ["rows", "wmape", "bias", "coverage_90", "service_level"]
