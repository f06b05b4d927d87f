"""The cost report: what a part should cost, which quotes stand out, and why cost moved."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from matplotlib.figure import Figure as Drawing

from serving.domain.cost import CostElementKind, CostOverrides, ShouldCostMethod, ShouldCostQuery
from serving.errors import MissingInput
from serving.flows.supplier import PERFORMANCE
from training import tables
from training.cost.judging import Judgement, cost_flow, judge_quotes
from training.cost.variance import ALL, monthly_variance
from training.page import COLORS, Page, share
from training.suppliers import supplier_documents

if TYPE_CHECKING:
    import datetime as dt

    from matplotlib.axes import Axes

    from serving.domain.cost import ShouldCost
    from serving.flows.cost import CostFlow

EFFECTS = ("volume", "mix", "price", "rate", "usage", "currency")
SWING = 0.10  # of each driver, in the tornado
MOST_QUOTES = 20_000  # drawn in the plot of gaps
WHOLE_FROM = 1_000.0  # money from which cents are not drawn
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


@dataclass(frozen=True, slots=True)
class _Part:
    """A part with its answer, and how to ask again."""

    query: ShouldCostQuery
    answer: ShouldCost
    price: float | None


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
    part = _part(asked, judged, flow)
    if part is None:
        page.section("Should-cost of a part")
        page.text("No quoted part has a bill of materials that can be priced.")
    else:
        _add_waterfall(page, part)
        _add_tornado(page, part, flow)
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


def _part(asked: CostReport, judged: pl.DataFrame | None, flow: CostFlow) -> _Part | None:
    """Return the part to draw: the one asked about, or the most overpriced one with a bill."""
    billed = None
    if judged is not None:
        billed = judged.filter(method="bill").sort("gap", descending=True)
        if asked.sku:
            billed = billed.filter(sku=asked.sku)
    if billed is None or billed.is_empty():
        if not asked.sku:
            return None
        query = ShouldCostQuery(
            asked.sku, method=ShouldCostMethod.BILL, as_of_date=_last_day(asked.data)
        )
        return _Part(query, flow.estimate(query), None)
    row = billed.row(0, named=True)
    columns = ("quote_id", "date", "currency_code")
    quotes = tables.read(asked.data, "quotes", columns=columns)
    quote = quotes.filter(quote_id=row["quote_id"]).row(0, named=True)
    query = ShouldCostQuery(
        row["sku"],
        method=ShouldCostMethod.BILL,
        currency_code=quote["currency_code"] or "",
        as_of_date=quote["date"],
    )
    return _Part(query, flow.estimate(query), row["unit_price"])


def _last_day(data: Path) -> dt.date:
    day: dt.date = tables.read(data, "commodity_prices", columns=["date"])["date"].sort()[-1]
    return day


def _add_waterfall(page: Page, part: _Part) -> None:
    said = part.answer
    page.section(f"Should-cost of {said.sku}")
    quoted = "" if part.price is None else f" It is quoted at {part.price:,.4g}."
    page.text(
        f"{said.should_cost:,.4g} {said.currency_code} a unit at the rates of {said.as_of_date}; "
        f"80 % range {said.should_cost_p10:,.4g} to {said.should_cost_p90:,.4g}.{quoted}"
    )
    steps = [(_word(one.kind), one.cost) for one in said.elements]
    if part.price is not None:
        steps.append(("above should-cost", part.price - said.should_cost))
    figure = Drawing(figsize=(8.0, 3.6), layout="constrained")
    axes = figure.subplots()
    _waterfall(axes, steps, total="quote" if part.price is not None else "should-cost")
    axes.set_ylabel(f"{said.currency_code} a unit")
    page.figure(figure, f"From the bill of materials to the price of {said.sku}.")
    rows = [
        (
            _word(element.kind),
            driver.name,
            driver.usage,
            driver.usage_unit,
            driver.rate,
            driver.rate_currency_code,
            driver.cost,
            driver.rate_date,
            driver.source,
        )
        for element in said.elements
        for driver in element.drivers
    ]
    page.table(
        ("element", "driver", "usage", "unit", "rate", "currency", "cost", "rate of", "source"),
        rows,
        "Cost is usage x rate x exchange rate.",
        text_columns={"element", "driver", "unit", "currency", "rate of", "source"},
    )


def _add_tornado(page: Page, part: _Part, flow: CostFlow) -> None:
    swings: list[tuple[str, float, float]] = []
    for name, low, high in _what_ifs(part.answer):
        less, more = (
            flow.estimate(replace(part.query, overrides=overrides)).should_cost
            for overrides in (low, high)
        )
        swings.append((name, less, more))
    swings.sort(key=lambda swing: abs(swing[2] - swing[1]))
    figure = Drawing(figsize=(8.0, 1.0 + 0.4 * len(swings)), layout="constrained")
    axes = figure.subplots()
    middle = part.answer.should_cost
    for place, (_, low_cost, high_cost) in enumerate(swings):
        axes.barh(place, low_cost - middle, left=middle, color=COLORS[2])
        axes.barh(place, high_cost - middle, left=middle, color=COLORS[1])
    axes.axvline(middle, color=COLORS[7], linewidth=1)
    axes.set_yticks(range(len(swings)), [name for name, *_ in swings])
    axes.set_xlabel(f"should-cost, {part.answer.currency_code} a unit")
    page.figure(
        figure,
        f"Should-cost with each driver {SWING:.0%} lower (green) and higher (orange), one at a "
        "time, as asked of the service.",
    )


def _what_ifs(said: ShouldCost) -> list[tuple[str, CostOverrides, CostOverrides]]:
    """Return each driver with the overrides that move it down and up."""
    found = []
    for element in said.elements:
        for driver in element.drivers:
            if element.kind is CostElementKind.RAW_MATERIAL and driver.usage_unit == "kg":
                # An override is in the currency of the question.
                price = driver.rate * driver.exchange_rate
                low, high = (
                    CostOverrides(commodity_prices={driver.name: price * factor})
                    for factor in (1 - SWING, 1 + SWING)
                )
                found.append((f"price of {driver.name}", low, high))
    rates = {
        CostElementKind.LABOR: "labor_rate_hourly",
        CostElementKind.OVERHEAD: "overhead_rate",
        CostElementKind.LOGISTICS: "freight_per_kg",
        CostElementKind.TARIFF: "tariff_rate",
    }
    for element in said.elements:
        name = rates.get(element.kind)
        if name is not None and len(element.drivers) == 1 and element.cost > 0:
            rate = element.drivers[0].rate * element.drivers[0].exchange_rate
            low, high = (_override(name, rate * factor) for factor in (1 - SWING, 1 + SWING))
            found.append((name.replace("_", " "), low, high))
    for name in ("labor_minutes_factor", "mass_factor"):
        low, high = (_override(name, factor) for factor in (1 - SWING, 1 + SWING))
        found.append((name.removesuffix("_factor").replace("_", " "), low, high))
    return found


def _override(name: str, value: float) -> CostOverrides:
    return replace(CostOverrides(), **{name: value})  # type: ignore[arg-type]  # by its name


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
            else f"{share(_mean(flagged))} are flagged at a 5 % false-alarm rate."
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
    _waterfall(axes, steps, total="actual")
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


def _waterfall(axes: Axes, steps: list[tuple[str, float]], *, total: str) -> None:
    """Draw steps that begin where the last one ended, and their sum."""
    level = 0.0
    for place, (_, step) in enumerate(steps):
        color = COLORS[0] if place == 0 else COLORS[1] if step >= 0 else COLORS[2]
        axes.bar(place, step, bottom=level, color=color)
        level += step
        axes.annotate(
            _money(step),
            (place, max(level, level - step)),
            ha="center",
            va="bottom",
            fontsize=8,
            xytext=(0, 2),
            textcoords="offset points",
        )
    axes.bar(len(steps), level, color=COLORS[6])
    axes.annotate(_money(level), (len(steps), level), ha="center", va="bottom", fontsize=8)
    axes.yaxis.set_major_formatter("{x:,.10g}")
    axes.set_xticks(range(len(steps) + 1), [*(name for name, _ in steps), total])
    axes.margins(y=0.15)


def _money(amount: float) -> str:
    return f"{amount:,.0f}" if abs(amount) >= WHOLE_FROM else f"{amount:,.4g}"


def _word(kind: CostElementKind) -> str:
    return kind.name.lower().replace("_", " ")
