"""The report page of a simulation study, and its first table for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from rich.table import Table

from training.page import ABSENT, Page, share
from training.simulate.decisions import PROMISES
from training.simulate.figures import (
    fan_figure,
    frontier_figure,
    promise_figure,
    promised_policies,
)
from training.simulate.measures import compare, measure, yearly_return
from training.simulate.study import MAX_SERIES
from training.simulate.terms import CURRENT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from training.simulate.job import Findings
    from training.simulate.measures import Measured
    from training.simulate.running import Found
    from training.simulate.study import Ground, Study

SHARES = {
    "cycle_service": "cycle service",
    "known_service": "cycles seen whole",
    "fill_rate": "fill rate",
    "ready_rate": "ready rate",
}
LARGE = 1_000.0  # from which a figure is written in whole units
STOCK = {
    "days_of_supply": "days of supply",
    "turnover": "turns a year",
    "waste": "waste",
    "orders_a_week": "orders a week",
    "emergencies_a_week": "out of turn",
    "balance": "balance",
}
_NAMES = {
    "forecast": "Parlevel's forecast, as served",
    "textbook": "textbook, mean + z sigma, of eight weeks",
    "demand-only": "textbook with a certain lead time",
    "empirical": "quantile of the series' own sums",
    "pooled": "weighted level x pooled quantile",
    "base-stock": "base stock, reviewed daily, Poisson",
    CURRENT: "policy table at its own target, textbook",
}


def terminal_table(study: Study, findings: Findings) -> Table:
    """Return what the policies achieved at the service asked, a row a policy."""
    table = Table(title="Policies at the service asked, 95 % intervals over locations")
    table.add_column("policy")
    for title in ("cycle service", "fill rate", "days of supply", "orders a week", "balance"):
        table.add_column(title, justify="right")
    for name, sums in findings.found.asked.items():
        one = measure(sums, study.seed)
        table.add_row(
            name,
            _share(one["cycle_service"]),
            share(one["fill_rate"].value),
            f"{one['days_of_supply'].value:.2f}",
            f"{one['orders_a_week'].value:.2f}",
            f"{one['balance'].value:.3f}",
        )
    table.caption = "balance: units left as cycles end + p / (1 - p) x units short, over demand"
    return table


def study_page(study: Study, findings: Findings) -> Page:
    """Lay out everything a study found.

    Args:
        study: What was asked.
        findings: What was found.
    """
    ground, found, fan = findings.ground, findings.found, findings.fan
    page = Page("What stock policies would have achieved")
    _preface(page, study, ground, findings.model)
    page.section("Policies at the service asked")
    _policies(page, study, ground, found)
    if ground.terms.money is not None:
        _money(page, study, ground, found)
    if found.promised:
        _promises(page, study, found)
    page.section("Series by volume")
    _quintile_table(page, found)
    if fan is not None:
        page.section("Projected stock of one series")
        page.figure(
            fan_figure(fan),
            f"{fan.sku} at {fan.location}: stock at each close as projected before the first day, "
            "ordering up to the first level, and as it came.",
        )
    _changes(page, study, found)
    return page


def _preface(page: Page, study: Study, ground: Ground, model: str) -> None:
    terms = ground.terms.reorder
    seer = f"The forecast comes from {model}, which has not seen a simulated day. " if model else ""
    left_out = (
        f"{ground.left_out:,} series are left out: a day of theirs is not recorded, they had not "
        f"sold by the first, or there are more than {MAX_SERIES:,}."
    )
    source = (
        "Demand is that of the truth."
        if study.truth
        else f"Demand is sales, completed on stock-out days: {share(ground.estimated)} of it is an "
        "estimate of what was asked for after the shelves were empty."
    )
    page.text(
        f"{ground.series.size:,} series from {study.first} to {study.last} ({ground.days} days). "
        f"{source} {left_out}"
    )
    page.text(
        "Each review decides on what was known at the close of the day before; prices and "
        "promotions are taken as planned. An order takes its lead time to the morning it can be "
        f"sold. {seer}Unmet demand is {study.unmet.value}. Stock begins where the policy would "
        "have it after a long run."
    )
    page.table(
        ("term", "least", "mean", "greatest"),
        [
            (title, float(values.min()), float(values.mean()), float(values.max()))
            for title, values in (
                ("lead time, days", terms.lead_time_days),
                ("its standard deviation, days", terms.lead_time_std_days),
                ("review, days", terms.review_days),
                ("service asked", terms.service_level),
            )
        ],
    )
    for sentence in ground.terms.assumed:
        page.text(f"Taken as given: {sentence}.")


def _policies(page: Page, study: Study, ground: Ground, found: Found) -> None:
    page.table(
        ("policy", "what it is"),
        [(name, _NAMES[name]) for name in found.asked],
        text_columns=("policy", "what it is"),
    )
    measured = {name: measure(sums, study.seed) for name, sums in found.asked.items()}
    shares = [key for key in SHARES if key != "known_service" or not ground.known.all()]
    whole = (
        "the same of cycles whose days were all in stock, which are chosen by their outcome and "
        "lean to low demand; "
    ) * ("known_service" in shares)
    page.table(
        ("policy", *(SHARES[key] for key in shares)),
        [(name, *(_share(one[key]) for key in shares)) for name, one in measured.items()],
        f"Share of cycles without unmet demand; {whole}share of demand met from the "
        "shelf at once; share of days that closed with stock. In brackets the 95 % bootstrap "
        "interval over locations.",
    )
    shown = [key for key in STOCK if key != "emergencies_a_week" or study.emergency_days]
    page.table(
        ("policy", *(STOCK[key] for key in shown)),
        [
            (name, *(_number(one[key], shares=key == "waste") for key in shown))
            for name, one in measured.items()
        ],
        "Days of supply: mean stock over mean demand. Waste: share of units ordered. Orders a "
        "series and week. Balance: units left as cycles end plus p / (1 - p) times the units "
        "short, over demand: what a newsvendor would pay who asks for a service of p.",
    )


def _money(page: Page, study: Study, ground: Ground, found: Found) -> None:
    other = reference(study.policies)
    rows = []
    for name, sums in found.asked.items():
        one = measure(sums, study.seed)
        row = [name, _number(one["stock_value"]), _number(one["cost"])]
        if other is not None:
            saved, gain = yearly_return(sums, found.asked[other], ground.days)
            against = compare(sums, found.asked[other], "cost", study.seed)
            row += [_share(against), f"{saved:,.0f}", share(gain, 0)]
        rows.append(row)
    compared = () if other is None else (f"cost against {other}", "saved a year", "return")
    page.table(
        ("policy", "stock, money a series", "cost a unit of demand", *compared),
        rows,
        "Cost: ordering, holding, unmet demand and waste. Return: what is saved a year over the "
        "money tied up in extra stock; a dash where no more stock is needed.",
    )


def reference(policies: Sequence[str]) -> str | None:
    """Return the policy the others are held against: the one in force, else the textbook's."""
    return next((name for name in (CURRENT, "textbook") if name in policies), None)


def _promises(page: Page, study: Study, found: Found) -> None:
    page.section("Service achieved against promised")
    page.figure(promise_figure(study, found), "Cycle service achieved at each promise.")
    page.table(
        ("policy", *(share(at, 0) for at in PROMISES)),
        [
            (name, *(_share(_service(study, found, name, at)) for at in PROMISES))
            for name in promised_policies(found)
        ],
        "Cycle service achieved where all series are promised the same.",
    )
    page.section("Stock against service")
    page.figure(
        frontier_figure(study, found),
        "Each point is one promise, the same for all series: to the right and low is better.",
    )


def _quintile_table(page: Page, found: Found) -> None:
    page.table(
        ("policy", "least fifth", "second", "third", "fourth", "greatest fifth"),
        [(name, *(share(one) for one in values)) for name, values in found.quintiles.items()],
        "Cycle service at the service asked, series sorted by demand before the first day.",
    )


def _changes(page: Page, study: Study, found: Found) -> None:
    page.section("Scenarios")
    page.text(
        "Levels stay what they were decided to be: the policies do not know of the scenario. "
        "Seasonal: demand rises to 1.4 times its lowest and falls again. Industrial: a week's "
        "demand comes on one day. Shock: demand of three in ten series doubles for a fortnight "
        "while orders take half as long again."
    )
    scenarios = list(dict.fromkeys(scenario for scenario, _ in found.scenarios))
    for key, title in _CHANGED.items():
        measured = [
            [measure(found.scenarios[one, name], study.seed).get(key) for one in scenarios]
            for name in found.asked
        ]
        if measured[0][0] is not None:
            page.table(
                (f"{title}, policy", *(one.replace("-", " ") for one in scenarios)),
                [
                    (name, *(_cell(key, one) for one in row))
                    for name, row in zip(found.asked, measured, strict=True)
                ],
            )
    if found.what_ifs:
        page.section("What if")
        page.table(
            ("change", "policy", *_CHANGED.values()),
            [
                (str(change), name, *_changed_row(study, sums))
                for change, by_policy in found.what_ifs
                for name, sums in by_policy.items()
            ],
            "Factors on what came; the policies do not know of them.",
            text_columns=("change", "policy"),
        )


_CHANGED = {
    "cycle_service": "cycle service",
    "fill_rate": "fill rate",
    "days_of_supply": "days of supply",
    "cost": "cost a unit of demand",
}


def _changed_row(study: Study, sums: Mapping[str, np.ndarray]) -> list[str]:
    one = measure(sums, study.seed)
    return [_cell(key, one.get(key)) for key in _CHANGED]


def _cell(key: str, one: Measured | None) -> str:
    if one is None:
        return ABSENT
    return _share(one) if key in SHARES else _number(one)


def _service(study: Study, found: Found, name: str, promise: float) -> Measured:
    return measure(found.promised[name, promise], study.seed)["cycle_service"]


def _share(one: Measured) -> str:
    if np.isnan(one.low):
        return share(one.value)
    return f"{share(one.value)} ({100 * one.low:.1f} to {100 * one.high:.1f})"


def _number(one: Measured, *, shares: bool = False) -> str:
    if shares or np.isnan(one.value):
        return share(one.value)
    return f"{one.value:,.0f}" if abs(one.value) >= LARGE else f"{one.value:,.3g}"
