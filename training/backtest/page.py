"""The report page of a backtest: accuracy by level and horizon, calibration, fans, worst series."""

from __future__ import annotations

from typing import TYPE_CHECKING

from serving.domain.demand import DemandTarget
from training.backtest.figures import calibration_figure, fan_figure, level_figure
from training.backtest.forecasts import forecast_daily
from training.backtest.levels import SERIES
from training.backtest.reported import LEVELS
from training.backtest.runs import mean_figures
from training.backtest.slices import horizons
from training.backtest.worst import worst_series
from training.page import Page, share

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from training.backtest.forecasts import Daily
    from training.backtest.reported import Reported


def forecast_page(reported: Reported) -> Page:
    """Lay out how good the forecast would have been."""
    page = Page("How good the forecast would have been")
    mean = mean_figures(reported.scores)
    daily = forecast_daily(
        reported.model, reported.scene.records, reported.scene.horizon, DemandTarget.DEMAND
    )
    _preface(page, reported)
    _accuracy(page, mean, reported, daily)
    _rivals(page, reported, mean)
    _calibration(page, mean, reported.model.description.quantile_levels)
    page.section("What was forecast, and what came")
    page.figure(
        fan_figure(reported, daily),
        "Daily sales before and after the last origin with bands of 96, 80 and 50 %, and the "
        "median. Open circles are days that were not in stock throughout: sales are a lower bound "
        "of demand there. Series at six ranks of volume, the greatest first.",
    )
    _worst(page, reported, daily)
    return page


def _preface(page: Page, reported: Reported) -> None:
    origins = ", ".join(str(one.origin) for one in reported.scores)
    page.text(
        f"Models trained as of {origins} and exported; the exported graphs, run through the "
        f"serving code, forecast the {reported.job.horizon} days after each. Figures are means "
        f"over the origins, of {reported.scene.truth.series.size:,} series."
    )
    page.text(
        "Unless it says otherwise the forecast is of demand and is held against sales of days in "
        "stock, where the two are the same. Days in stock are chosen by their outcome: on days "
        "that sold out demand was higher. WMAPE is that of the median, bias that of the mean; "
        "positive bias is over-forecast. Intervals are 95 %, over locations."
    )


def _accuracy(page: Page, mean: Mapping[str, float], reported: Reported, daily: Daily) -> None:
    page.section("Accuracy by level and horizon")
    horizon = reported.scene.horizon
    stretches = [name for name, _ in horizons(horizon)]
    page.table(
        (
            "level",
            "rows",
            "WMAPE",
            "bias",
            "in 90 %",
            *(f"WMAPE, days {name[1:]}" for name in stretches),
        ),
        [
            (
                title,
                mean.get(f"rows/{level}/all"),
                _with_interval(mean, "wmape", f"{level}/all"),
                share(mean.get(f"bias/{level}/all")),
                share(mean.get(f"coverage_{'' if level == SERIES else 'sum_'}90/{level}/all")),
                *(share(mean.get(f"wmape/{level}/{name}")) for name in stretches),
            )
            for level, title in LEVELS.items()
        ],
        "Sums over series take the cells in stock alone, forecast and sales alike. On the right "
        "the WMAPE of stretches of days. In 90 %: share within that interval, of totals where the "
        "release says how they spread.",
    )
    page.figure(level_figure(reported, daily), "WMAPE by level and day ahead, last origin.")
    cuts = [
        name.split("/")[2]
        for name in mean
        if name.startswith("rows/sku_location/") and name.count("/") == 2  # noqa: PLR2004
    ]
    page.table(
        ("slice", "rows", "WMAPE", "bias", "in 50 %", "in 90 %", "width of 90 %"),
        [
            (
                cut.replace("_", " "),
                mean.get(f"rows/sku_location/{cut}"),
                *(
                    share(mean.get(f"{metric}/sku_location/{cut}"))
                    for metric in ("wmape", "bias", "coverage_50", "coverage_90", "width_90")
                ),
            )
            for cut in cuts
        ],
        "SKU x location x day. Every day: stock-out days too. No plan: prices and promotions to "
        "come hidden. Sales: the forecast of sales, on every day. New: fewer than 28 days of "
        "history. Width: that of the 90 % interval over mean sales.",
    )


def _rivals(page: Page, reported: Reported, mean: Mapping[str, float]) -> None:
    page.section("Against simple forecasts on the same rows")
    prefix = "wmape/sku_location/all/"
    names = [name.removeprefix(prefix) for name in mean if name.startswith(prefix)]
    page.table(
        ("level", "this model", *(name.replace("_", " ") for name in names), "gain over the best"),
        [
            (
                f"{title}, {label}",
                share(mean.get(f"wmape/{level}/{cut}")),
                *(share(mean.get(f"wmape/{level}/{cut}/{name}")) for name in names),
                _with_interval(mean, "gain", f"{level}/{cut}"),
            )
            for cut, label in (("all", "demand in stock"), ("sales", "sales"))
            for level, title in LEVELS.items()
        ],
        "WMAPE. Gain: 1 - WMAPE / WMAPE of the best simple forecast.",
    )
    page.table(
        ("origin", "days", "WMAPE", "gain", "bias", "in 90 %"),
        [
            (
                str(one.origin),
                one.horizon,
                _with_interval(one.figures, "wmape", "sku_location/all"),
                _with_interval(one.figures, "gain", "sku_location/all"),
                share(one.figures.get("bias/sku_location/all")),
                share(one.figures.get("coverage_90/sku_location/all")),
            )
            for one in reported.scores
        ],
        "Each origin by itself, SKU x location x day, demand in stock.",
    )


def _calibration(page: Page, mean: Mapping[str, float], levels: Sequence[float]) -> None:
    page.section("Calibration")
    page.figure(
        calibration_figure(mean, levels),
        "Share of days at or below each quantile; on the line it is what the quantile promises. A "
        "point above it means demand was lower than promised.",
    )
    page.table(
        ("level", *(f"{level:g}" for level in levels)),
        [
            (label, *(share(mean.get(f"below_{level:g}/sku_location/{cut}")) for level in levels))
            for cut, label in (("all", "demand, days in stock"), ("sales", "sales, every day"))
        ],
        "Zero is at or below every quantile, so that series which rarely sell lie above the line "
        "at low levels. Coverage is marginal, over all series and days together, and holds as far "
        "as the days to come are exchangeable with those it was calibrated on.",
    )


def _worst(page: Page, reported: Reported, daily: Daily) -> None:
    page.section("The series missed by most, and why")
    levels = tuple(reported.model.description.quantile_levels)
    page.table(
        ("sku", "location", "sold", "forecast", "error", "of all error", "what there is to say"),
        [
            (
                one.sku,
                one.location,
                one.sold,
                round(one.expected, 1),
                round(one.error, 1),
                share(one.share, 2),
                one.why,
            )
            for one in worst_series(reported.scene, daily, levels)
        ],
        "Units on days in stock after the last origin; error is the sum of absolute errors.",
        text_columns=("sku", "location", "what there is to say"),
    )


def _with_interval(figures: Mapping[str, float], metric: str, at: str) -> str:
    low, high = (figures.get(f"{metric}_{end}/{at}") for end in ("low", "high"))
    value = share(figures.get(f"{metric}/{at}"))
    return (
        value if low is None or high is None else f"{value} ({100 * low:.1f} to {100 * high:.1f})"
    )
