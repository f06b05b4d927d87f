"""The report page of a segmentation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from matplotlib.figure import Figure

from training.page import COLORS, Page, share
from training.segments.likeness import NOISE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.segments.likeness import Segments

_MEASURES = ("daily_mean", "value", "weekly_cv", "interval", "size_cv2", "promoted_share")
_SHOWN = 5_000  # dots of a picture


def page_of(classed: pl.DataFrame, segments: Segments, policies: pl.DataFrame) -> Page:
    """Lay out classes, policies and segments.

    Args:
        classed: Rows of `classify`.
        segments: Segments of the same rows.
        policies: The policy of each class.

    Returns:
        The page, not yet written.
    """
    page = Page("Segments of series")
    page.text(
        f"{classed.height:,} series. A make the first 80 % of value, B up to 95 %, C the rest. "
        "X vary by a weekly coefficient of at most 0.5, Y of at most 1, Z more."
    )
    page.section("Value by variability")
    rows = _crossed(classed, policies)
    columns = (
        "class",
        "series",
        "of value",
        "of units",
        "policy",
        "target",
        "promise",
        "review, days",
    )
    texts = ("class", "policy", "target")
    page.table(columns, rows, "The policy is the default of the class.", text_columns=texts)
    page.figure(_curve(classed), "Cumulative share of value, series sorted by value.")
    page.section("Speed and pattern")
    for name, title in (
        ("mover", "Fast are the first 20 % of series by units a day, medium the next 30 %."),
        ("pattern", "Cuts: interval 1.32, squared variation 0.49."),
        ("margin_class", "Thirds of the share of price that is margin."),
    ):
        page.table((name, "series", "of value", "of units"), _shares(classed, name), title)
    page.section("Likeness")
    page.text(
        f"k-means: {len(np.unique(segments.kmeans))} segments, mean silhouette "
        f"{segments.silhouette:.2f} (1 is far apart, 0 is no segment). DBSCAN: "
        f"{len(set(segments.dbscan.tolist()) - {NOISE})} segments, "
        f"{share(float((segments.dbscan == NOISE).mean()))} of series in none."
    )
    explained = " and ".join(share(float(one)) for one in segments.explained)
    for labels, name in ((segments.kmeans, "k-means"), (segments.dbscan, "DBSCAN")):
        caption = f"{name} on the two principal components, which explain {explained} of variance."
        page.figure(_picture(segments.picture, labels), caption)
        table = classed.with_columns(segment=pl.Series(labels))
        page.table(("segment", "series", *_MEASURES), _medians(table), "Medians of each segment.")
    return page


def _crossed(classed: pl.DataFrame, policies: pl.DataFrame) -> list[tuple[str | float, ...]]:
    found = classed.group_by("abc", "xyz").agg(
        pl.len(), pl.col("value").sum(), pl.col("units").sum()
    )
    value, units = classed["value"].sum() or 1.0, classed["units"].sum() or 1.0
    joined = policies.join(found, on=("abc", "xyz"), how="left").fill_null(0)
    return [
        (
            f"{one['abc']}{one['xyz']}",
            one["len"],
            share(one["value"] / value),
            share(one["units"] / units),
            one["policy"],
            one["target_kind"],
            share(one["service_target"]),
            one["review_days"],
        )
        for one in joined.iter_rows(named=True)
    ]


def _shares(classed: pl.DataFrame, name: str) -> list[tuple[str | float, ...]]:
    value, units = classed["value"].sum() or 1.0, classed["units"].sum() or 1.0
    found = classed.group_by(pl.col(name).fill_null("unknown")).agg(
        pl.len(), pl.col("value").sum(), pl.col("units").sum()
    )
    ranked = found.sort("value", descending=True).rows()
    return [(one, count, share(v / value), share(u / units)) for one, count, v, u in ranked]


def _medians(table: pl.DataFrame) -> list[tuple[str | float, ...]]:
    found = table.group_by("segment").agg(pl.len(), pl.col(_MEASURES).median()).sort("segment")
    return [
        ("none" if label == NOISE else str(label), *figures) for label, *figures in found.rows()
    ]


def _curve(classed: pl.DataFrame) -> Figure:
    values = np.sort(classed["value"].to_numpy())[::-1]
    figure = Figure(figsize=(7, 3))
    axes = figure.add_subplot()
    total = values.sum() or 1.0
    axes.plot(np.arange(1, len(values) + 1) / len(values), values.cumsum() / total, color=COLORS[0])
    for cut, name in ((0.80, "A"), (0.95, "B")):
        axes.axhline(cut, color=COLORS[6], linewidth=0.8, linestyle="--")
        axes.text(1.03, cut, f"{name} ", va="top", ha="right")
    axes.set_xlabel("share of series")
    axes.set_ylabel("share of value")
    axes.set_ylim(0, 1.02)
    return figure


def _picture(picture: NDArray[np.float64], labels: NDArray[np.int64]) -> Figure:
    shown = np.linspace(0, len(labels) - 1, min(len(labels), _SHOWN)).astype(np.int64)
    figure = Figure(figsize=(7, 4.5))
    axes = figure.add_subplot()
    for label in np.unique(labels).tolist():
        rows = shown[labels[shown] == label]
        color = "#c8c8c8" if label == NOISE else COLORS[label % len(COLORS)]
        name = "none" if label == NOISE else str(label)
        axes.scatter(
            picture[rows, 0], picture[rows, 1], s=8, color=color, label=name, rasterized=True
        )
    axes.set_xlabel("first component")
    axes.set_ylabel("second component")
    axes.legend(title="segment", loc="center left", bbox_to_anchor=(1.0, 0.5), markerscale=2)
    return figure
