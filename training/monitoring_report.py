"""The monitoring page: verdict, accuracy, drift then and now, anomalies on their series."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from matplotlib.figure import Figure

from serving.adapters.profiles import PROFILE, read_profile
from serving.adapters.readings import StoredReadings
from serving.adapters.traffic import traffic_file
from serving.domain.drift import DriftQuery, DriftVerdict, Profile
from serving.domain.drift_check import check
from serving.domain.drift_measures import decile_bins, shares
from serving.domain.retrain import decide
from serving.domain.sketch import NumberSketch, summed
from serving.domain.two_sample import ks_statistic
from serving.errors import NothingMeasured
from training import tables
from training.accuracy import figures, join, latest
from training.batch.models import FORECAST, open_model
from training.page import Page, share

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from serving.domain.drift import DriftReport, FeatureDrift
    from serving.domain.retrain import Reading, RetrainAnswer
    from serving.settings import Settings

    Counts = NDArray[np.int64]

FEATURES_SHOWN, HISTOGRAMS, SERIES_SHOWN = 15, 6, 4
WEEK = 7
BLUE, ORANGE, RED = "#1f6f8b", "#d98032", "#b3261e"


def monitoring_page(settings: Settings, data: Path, anomalies: Path | None) -> Page:
    """Return the page of what was measured so far.

    Args:
        settings: Where releases, logs and readings are.
        data: Data folder, for categories and the series anomalies lie on.
        anomalies: What `parlevel anomalies` wrote; None leaves them out.

    Raises:
        NothingMeasured: If neither accuracy nor traffic was measured yet.
        NoModel: If no demand model is registered.
    """
    page = Page("Parlevel: monitoring of the forecast")
    version = open_model(settings.releases, "current").description.version
    found = _accuracy(page, settings, data)
    found |= _drift(page, settings, version)
    if anomalies is not None:
        _anomalies(page, data, anomalies)
    elif not found:
        raise NothingMeasured(
            "nothing has been measured yet", "serve forecasts, then run `parlevel actuals FILE`"
        )
    return page


def _accuracy(page: Page, settings: Settings, data: Path) -> bool:
    try:
        readings = StoredReadings(settings.monitoring).readings(FORECAST)
    except NothingMeasured:
        page.text("No sales have been held against forecasts yet: run `parlevel actuals FILE`.")
        return False
    _verdict(page, decide(readings))
    page.section("Rules over time")
    page.figure(
        _rules_figure(readings),
        "What each rule measured, by day, with the limit it is held to (dashed).",
    )
    rows = _joined(settings, data)
    if rows is None:
        return True
    page.section("Accuracy by segment")
    columns = ("by", "of", "rows", "WMAPE", "bias", "90 % intervals hold", "95 % quantile holds")
    lines: list[Sequence[str | int]] = []
    for by in ("all", "horizon_days", "category", "location", "model_version"):
        some = rows if by in {"horizon_days", "model_version"} else latest(rows)
        for row in figures(some, () if by == "all" else (by,)).iter_rows(named=True):
            of = "" if by == "all" else str(row[by])
            said = (share(row[k]) for k in ("wmape", "bias", "coverage_90", "service_level"))
            lines.append((by, of, row["rows"], *said))
    page.table(columns, lines, text_columns=("by", "of"))
    return True


def _verdict(page: Page, answer: RetrainAnswer) -> None:
    verdict = answer.verdict.name.lower().replace("_", " ")
    page.text(f"Verdict: {verdict}, since {answer.since_date}. {answer.reason}.")
    page.table(
        ("rule", "value", "limit", "days broken", "fires", "what was seen"),
        [
            (
                one.rule,
                one.value,
                one.limit,
                one.days_broken,
                "yes" if one.fired else "",
                one.detail,
            )
            for one in answer.evidence
        ],
        f"Measured up to {answer.as_of_date}.",
        text_columns=("rule", "fires", "what was seen"),
    )


def _joined(settings: Settings, data: Path) -> pl.DataFrame | None:
    store = settings.monitoring / FORECAST / "actuals.parquet"
    if not store.exists():
        return None
    actuals = pl.read_parquet(store)
    categories = pl.DataFrame(schema={"sku": pl.String, "category": pl.String})
    if tables.exists(data, "products"):
        categories = tables.read(data, "products", columns=["sku", "category"])
    last = actuals["date"].max()
    log = settings.home / "logs" / "forecasts"
    return join(actuals, log, categories, last).rows  # type: ignore[arg-type]  # a date


def _rules_figure(readings: Sequence[Reading]) -> Figure:
    names = sorted({one.rule for one in readings if one.value is not None})
    figure = Figure(figsize=(9, 1.7 * max(len(names), 1)), layout="constrained")
    first, last = min(one.date for one in readings), max(one.date for one in readings)
    ends = np.array([first - dt.timedelta(days=1), last + dt.timedelta(days=1)], "datetime64[D]")
    for place, name in enumerate(names):
        axes = figure.add_subplot(len(names), 1, place + 1)
        own = [one for one in readings if one.rule == name and one.value is not None]
        days = np.array([one.date for one in own], dtype="datetime64[D]")
        values = np.array([one.value for one in own], dtype=np.float64)
        axes.plot(days, values, color=BLUE, marker=".", linewidth=1)
        broken = [(one.date, one.value) for one in own if one.broken]
        if broken:
            axes.plot(*zip(*broken, strict=True), "o", color=RED)
        limits = [one.limit for one in own if one.limit is not None]
        if limits:
            axes.axhline(limits[-1], color=ORANGE, linestyle="--", linewidth=1)
        axes.set_xlim(*ends)
        axes.set_title(name.replace("_", " "), loc="left", fontsize=9)
        axes.tick_params(labelsize=7)
    return figure


def _drift(page: Page, settings: Settings, version: str) -> bool:
    reference = read_profile(settings.releases / FORECAST / version / PROFILE)
    current = read_profile(traffic_file(settings.monitoring, FORECAST, version))
    page.section("Features: training against live traffic")
    if reference is None or current is None:
        page.text("No traffic of this version was sampled yet, or it has no training profile.")
        return False
    week = Profile(
        {name: blocks[-WEEK:] for name, blocks in current.features.items()}, blocked=True
    )
    query = DriftQuery(model_name=FORECAST, importances=reference.importances)
    report = check(reference, week, query)
    shown = sorted(report.features, key=lambda one: -one.importance)[:FEATURES_SHOWN]
    _features_table(page, report, shown)
    page.figure(
        _timeline(reference, current, [one.name for one in shown]),
        "Greatest gap between the distribution of each day's traffic and training, by feature.",
    )
    chosen = sorted(shown, key=lambda one: -(one.ks or 0.0))[:HISTOGRAMS]
    page.figure(
        _then_and_now(reference, week, [one.name for one in chosen]),
        "Share of rows in the ten quantile bins of training: then (a tenth each) and in the last "
        "days of traffic.",
    )
    return True


def _features_table(page: Page, report: DriftReport, shown: Sequence[FeatureDrift]) -> None:
    verdict = report.verdict.name.lower().replace("_", " ")
    page.text(
        f"{report.current_row_count:,} rows of the last days against "
        f"{report.reference_row_count:,} of training: {verdict}. "
        "Days, not rows, are dealt out anew to find what chance would do."
    )
    page.table(
        (
            "feature",
            "importance",
            "verdict",
            "p adjusted",
            "KS",
            "PSI",
            "PSI reading",
            "moved (sd)",
        ),
        [
            (
                one.name,
                share(one.importance),
                "drifted" if one.verdict is DriftVerdict.DRIFTED else "stable",
                one.adjusted_p_value,
                one.ks,
                one.psi,
                one.psi_reading.name.lower(),
                one.wasserstein,
            )
            for one in shown
        ],
        text_columns=("feature", "verdict", "PSI reading"),
    )
    for finding in report.findings[:FEATURES_SHOWN]:
        page.text(f"{finding.kind.name.lower().replace('_', ' ')}: {finding.detail}")


def _timeline(reference: Profile, current: Profile, names: Sequence[str]) -> Figure:
    gaps = np.array(
        [
            [
                ks_statistic(_counts(reference, name), block.counts)
                for block in current.features[name]
                if isinstance(block, NumberSketch)
            ]
            for name in names
        ]
    )
    figure = Figure(figsize=(9, 0.32 * len(names) + 1.2), layout="constrained")
    axes = figure.add_subplot()
    image = axes.imshow(gaps, aspect="auto", cmap="magma_r", vmin=0.0, vmax=1.0)
    axes.set_yticks(range(len(names)), names, fontsize=7)
    step = max(1, len(current.days) // 10)
    places = range(0, len(current.days), step)
    axes.set_xticks(places, [str(current.days[place]) for place in places], fontsize=7)
    figure.colorbar(image, ax=axes, label="KS gap")
    return figure


def _counts(profile: Profile, name: str) -> Counts:
    whole = summed(profile.features[name])
    return whole.counts if isinstance(whole, NumberSketch) else np.zeros(1, dtype=np.int64)


def _then_and_now(reference: Profile, current: Profile, names: Sequence[str]) -> Figure:
    figure = Figure(figsize=(9, 1.9 * -(-max(len(names), 1) // 3)), layout="constrained")
    for place, name in enumerate(names):
        axes = figure.add_subplot(-(-len(names) // 3), 3, place + 1)
        bins = decile_bins(_counts(reference, name), _counts(current, name))
        at = np.arange(bins[0].size)
        axes.bar(at - 0.2, shares(bins[0]), 0.4, color=BLUE, label="then")
        axes.bar(at + 0.2, shares(bins[1]), 0.4, color=ORANGE, label="now")
        axes.set_title(name, fontsize=9, loc="left")
        axes.tick_params(labelsize=7)
        axes.set_xticks([])
        if not place:
            axes.legend(fontsize=7, frameon=False)
    return figure


def _anomalies(page: Page, data: Path, file: Path) -> None:
    scored = pl.read_parquet(file)
    page.section("Anomalies")
    counts = scored.group_by("kind").agg(
        rows=pl.len(), flagged=pl.col("flagged").sum(), least=pl.col("p_value").min()
    )
    page.table(("kind", "rows", "flagged", "least p"), counts.sort("kind").rows())
    worst = scored.filter("flagged").sort("p_value").head(FEATURES_SHOWN)
    if worst.height:
        columns = ("kind", "date", "sku", "entity", "p_value", "drivers")
        rows = [
            (*(str(cell) for cell in row[:4]), *row[4:]) for row in worst.select(columns).rows()
        ]
        text = ("kind", "date", "sku", "entity", "drivers")
        page.table(columns, rows, "The most unusual rows that are flagged.", text_columns=text)
    demand = scored.filter(pl.col("kind") == "demand").sort("p_value")
    if demand.height and tables.exists(data, "sales"):
        page.figure(
            _series_figure(data, demand),
            "Sales of the series that hold the most unusual days; what is flagged is marked red, "
            "what is most unusual but not flagged is orange.",
        )


def _series_figure(data: Path, demand: pl.DataFrame) -> Figure:
    keys = demand.select("sku", "entity").unique(maintain_order=True).head(SERIES_SHOWN)
    sales = tables.read(data, "sales", columns=["date", "sku", "location", "quantity"])
    figure = Figure(figsize=(9, 1.9 * keys.height), layout="constrained")
    for place, (sku, location) in enumerate(keys.iter_rows()):
        axes = figure.add_subplot(keys.height, 1, place + 1)
        own = sales.filter((pl.col("sku") == sku) & (pl.col("location") == location)).sort("date")
        axes.plot(own["date"].to_numpy(), own["quantity"].to_numpy(), color=BLUE, linewidth=1)
        seen = demand.filter((pl.col("sku") == sku) & (pl.col("entity") == location))
        odd = seen.filter(pl.col("flagged") | (pl.col("p_value") <= 0.01))  # noqa: PLR2004 - 1 in 100
        marked = odd.join(own, on="date", how="inner", suffix="_sold")
        colours = [RED if flagged else ORANGE for flagged in marked["flagged"].to_list()]
        axes.scatter(marked["date"].to_numpy(), marked["quantity"].to_numpy(), c=colours, zorder=3)
        axes.set_title(f"{sku} at {location}", loc="left", fontsize=9)
        axes.tick_params(labelsize=7)
    return figure
