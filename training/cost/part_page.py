"""One part in the cost report: from its bill of materials to its price, and what moves it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from matplotlib.figure import Figure as Drawing

from serving.domain.cost import CostElementKind, CostOverrides, ShouldCostMethod, ShouldCostQuery
from training import tables
from training.cost.waterfall import draw_waterfall
from training.page import COLORS

if TYPE_CHECKING:
    import datetime as dt
    from pathlib import Path

    import polars as pl

    from serving.domain.cost_answers import ShouldCost
    from serving.flows.cost import CostFlow
    from training.page import Page

SWING = 0.10  # of each driver, in the tornado


@dataclass(frozen=True, slots=True)
class DrawnPart:
    """A part with its answer, and how to ask again."""

    query: ShouldCostQuery
    answer: ShouldCost
    price: float | None


def find_part(
    data: Path, sku: str, judged: pl.DataFrame | None, flow: CostFlow
) -> DrawnPart | None:
    """Return the part to draw: the one asked about, or the most overpriced one with a bill."""
    billed = None
    if judged is not None:
        billed = judged.filter(method="bill").sort("gap", descending=True)
        if sku:
            billed = billed.filter(sku=sku)
    if billed is None or billed.is_empty():
        if not sku:
            return None
        query = ShouldCostQuery(sku, method=ShouldCostMethod.BILL, as_of_date=_last_day(data))
        return DrawnPart(query, flow.estimate(query), None)
    row = billed.row(0, named=True)
    columns = ("quote_id", "date", "currency_code")
    quotes = tables.read(data, "quotes", columns=columns)
    quote = quotes.filter(quote_id=row["quote_id"]).row(0, named=True)
    query = ShouldCostQuery(
        row["sku"],
        method=ShouldCostMethod.BILL,
        currency_code=quote["currency_code"] or "",
        as_of_date=quote["date"],
    )
    return DrawnPart(query, flow.estimate(query), row["unit_price"])


def _last_day(data: Path) -> dt.date:
    day: dt.date = tables.read(data, "commodity_prices", columns=["date"])["date"].sort()[-1]
    return day


def add_waterfall(page: Page, part: DrawnPart) -> None:
    """Add the steps from the bill to the price, and each line of the arithmetic."""
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
    draw_waterfall(axes, steps, total="quote" if part.price is not None else "should-cost")
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


def add_tornado(page: Page, part: DrawnPart, flow: CostFlow) -> None:
    """Add what each driver, moved alone, does to the cost."""
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


def _word(kind: CostElementKind) -> str:
    return kind.name.lower().replace("_", " ")
