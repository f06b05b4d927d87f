"""The cost report: what a part should cost, which quotes stand out, and why cost moved."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from matplotlib.figure import Figure as Drawing

from serving.errors import MissingInput
from serving.flows.supplier import PERFORMANCE
from training import tables
from training.cost.judging import Judgement, cost_flow, judge_quotes
from training.cost.part_page import add_tornado, add_waterfall, find_part
from training.cost.variance import ALL, monthly_variance
from training.cost.waterfall import draw_waterfall
from training.page import COLORS, Page, share
from training.suppliers import supplier_documents

EFFECTS = ("volume", "mix", "price", "rate", "usage", "currency")
MOST_QUOTES = 20_000  # drawn in the plot of gaps
PLAIN_NAMES = ("within 10 %", "more than 10 % above")
TOP = 15


@dataclass(frozen=True, slots=True)
class CostReport:
    """What to report on.

    Attributes:
        data: The data folder.
        releases: Folder of the releases.
        sku: Part whose cost is drawn; that of the quote most above should-cost where empty.
        by: Dimension of the variance.
    """

    data: Path
    releases: Path
    sku: str = ""
    by: str = "plant_id"


def cost_page(asked: CostReport) -> Page:
    """Return the page of a data folder; a section whose tables are not there says so.

    Raises:
        MissingInput: If the folder has neither quotes, nor bills, nor transactions, nor orders.
        UnknownSeries: If nothing is known of the part that was asked about.
    """
    wanted = ("quotes", "cost_transactions", "purchase_orders")
    if not any(tables.exists(asked.data, name) for name in wanted):
        raise MissingInput("quotes, cost transactions or purchase orders", "quotes")
    page = Page("Cost: what parts should cost, and why it moved")
    judged = _judged(asked)
    flow = cost_flow(asked.data, asked.releases)
    part = find_part(asked.data, asked.sku, judged, flow)
    if part is None:
        page.section("Should-cost of a part")
        page.text("No quoted part has a bill of materials that can be priced.")
    else:
        add_waterfall(page, part)
        add_tornado(page, part, flow)
    _add_gaps(page, judged)
    _add_variance(page, asked)
    _add_suppliers(page, asked.data)
    return page


def _judged(asked: CostReport) -> pl.DataFrame | None:
    if not tables.exists(asked.data, "quotes"):
        return None
    with tempfile.TemporaryDirectory() as scratch:
        job = Judgement(asked.data, Path(scratch) / "judged.parquet", asked.releases)
        return judge_quotes(job, lambda *_: None).judged


def _add_gaps(page: Page, judged: pl.DataFrame | None) -> None:
    page.section("Quotes against should-cost")
    if judged is None:
        page.text("There is no table quotes.")
        return
    known = judged.filter(pl.col("gap").is_not_null())
    flagged = known["flag"].fill_null(value=False)
    page.text(
        f"{known.height:,} of {judged.height:,} quotes have an estimate; "
        f"{share(_mean(known['gap_flag']))} lie more than 10 % above it, "
        + (
            "and no cost model serves, so none is flagged at a false-alarm rate."
            if known["flag"].null_count() == known.height
            else f"{share(_mean(flagged))} are flagged at a 5 % false-alarm rate. Of quotes it was "
            "trained on the model knows the price: it flags few of them."
        )
    )
    drawn = known.head(MOST_QUOTES)
    figure = Drawing(figsize=(6.0, 5.0), layout="constrained")
    axes = figure.subplots()
    answered = drawn["flag"].null_count() < drawn.height
    rule = ("flag", "not flagged", "flagged") if answered else ("gap_flag", *PLAIN_NAMES)
    marks = drawn[rule[0]].fill_null(value=False).to_numpy()
    for some, color, label in ((~marks, COLORS[0], rule[1]), (marks, COLORS[1], rule[2])):
        part = drawn.filter(pl.Series(some))
        axes.scatter(
            part["should_cost"], part["unit_price"], s=6, c=color, label=label, rasterized=True
        )
    if drawn.height:
        ends = np.array([drawn["should_cost"].min(), drawn["should_cost"].max()])
        axes.plot(ends, ends, color=COLORS[7], linewidth=1)
        axes.plot(ends, ends * 1.1, color=COLORS[7], linewidth=1, linestyle=":")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("should-cost")
    axes.set_ylabel("quoted")
    axes.legend(frameon=False)
    page.figure(figure, "Each quote; the line is should-cost, the dotted one 10 % above it.")
    columns = ("quote_id", "sku", "supplier_id", "quantity", "unit_price", "should_cost", "gap")
    top = known.sort("gap", descending=True).head(TOP)
    page.table(
        (*columns, "p-value"),
        [
            (
                *(str(row[name]) for name in columns[:3]),
                *(row[name] for name in columns[3:6]),
                share(row["gap"]),
                row["p_value"],
            )
            for row in top.iter_rows(named=True)
        ],
        "The quotes most above should-cost.",
        text_columns=set(columns[:3]),
    )


def _mean(flags: pl.Series) -> float | None:
    return float(flags.cast(pl.Float64).mean()) if flags.len() else None  # type: ignore[arg-type]


def _add_variance(page: Page, asked: CostReport) -> None:
    page.section("Cost against budget")
    if not tables.exists(asked.data, "cost_transactions"):
        page.text("There is no table cost_transactions.")
        return
    found = monthly_variance(asked.data, asked.by)
    totals = found.filter(group=ALL)
    last = totals.row(-1, named=True)
    figure = Drawing(figsize=(8.0, 3.6), layout="constrained")
    axes = figure.subplots()
    steps = [("budget", last["budget"]), *((name, last[name]) for name in EFFECTS)]
    draw_waterfall(axes, steps, total="actual")
    axes.set_ylabel(tables.dataset(asked.data).currency_code)
    low = min(last["budget"], last["actual"])
    reach = max(abs(last[name]) for name in EFFECTS)
    axes.set_ylim(max(low - 3 * reach, 0.0), max(last["budget"], last["actual"]) + 3 * reach)
    page.figure(figure, f"From budget to actual cost, {last['month']:%B %Y}; the axis is cut.")
    trend = Drawing(figsize=(8.0, 2.6), layout="constrained")
    axes = trend.subplots()
    axes.bar(
        [f"{month:%Y-%m}" for month in totals["month"]],
        [100 * (value or 0.0) for value in totals["share"]],
        color=[COLORS[1] if alert else COLORS[0] for alert in totals["alert"]],
    )
    axes.axhline(0, color=COLORS[7], linewidth=1)
    axes.tick_params(axis="x", rotation=90, labelsize=7)
    axes.set_ylabel("actual over budget, %")
    page.figure(trend, "Each month; orange is beyond 5 % of budget.")
    rows = found.filter((pl.col("month") == last["month"]) & (pl.col("group") != ALL))
    page.table(
        (asked.by, "budget", "actual", *EFFECTS, "share"),
        [
            (
                row["group"],
                *(round(row[name]) for name in ("budget", "actual", *EFFECTS)),
                share(row["share"]) + (" !" if row["alert"] else ""),
            )
            for row in rows.iter_rows(named=True)
        ],
        f"{last['month']:%B %Y} by {asked.by}; the six effects add up to actual less budget.",
    )


def _add_suppliers(page: Page, data: Path) -> None:
    page.section("Suppliers")
    found = [body for kind, _, body in supplier_documents(data, None) if kind == PERFORMANCE]
    if not found:
        page.text("There is no table purchase_orders with a delivered order.")
        return
    known = sorted(
        (one for one in found if one["on_time"]["shrunk"] is not None),
        key=lambda one: one["on_time"]["shrunk"],
    )[-2 * TOP :]
    figure = Drawing(figsize=(8.0, 1.0 + 0.3 * len(known)), layout="constrained")
    axes = figure.subplots()
    for place, one in enumerate(known):
        rate = one["on_time"]
        axes.plot([100 * rate["low"], 100 * rate["high"]], [place] * 2, color=COLORS[0])
        axes.plot(100 * rate["shrunk"], place, "o", color=COLORS[0])
    axes.set_yticks(range(len(known)), [str(one["supplier_id"])[:40] for one in known])
    axes.set_xlabel("promises kept, %, with 90 % interval")
    page.figure(figure, "Promises kept, drawn toward that of all suppliers where orders are few.")
    page.table(
        ("supplier", "orders", "open", "on time", "defects", "price premium", "days", "± days"),
        [
            (
                one["supplier_id"],
                one["delivered_orders"],
                one["open_orders"],
                share(one["on_time"]["shrunk"]),
                share(one["defects"]["shrunk"], 2),
                share(one["price_premium"]),
                one["lead_time_mean_days"],
                one["lead_time_std_days"],
            )
            for one in found[: 4 * TOP]
        ],
        "Open orders count as not received yet.",
    )
