"""Should-cost from a bill: what is used, times its dated rate, to the cent."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.domain.cost import (
    BatchShouldCostQuery,
    BillLine,
    CostElementKind,
    CostOverrides,
    Incoterm,
    Quote,
    ShouldCostQuery,
    bill_of,
)
from serving.domain.cost_answers import gap_of
from serving.domain.cost_rates import CostRates, LaneRate, Plant, RateSeries
from serving.domain.cost_rollup import Job, RolledUp, roll_up
from serving.domain.cost_usage import PartRecord, usage_of
from serving.errors import InvalidField, MissingInput, MissingRate, TooLarge, UnknownSeries

DAY = dt.date(2026, 6, 30)
TODAY = (DAY - dt.date(1970, 1, 1)).days
STEEL = RateSeries([TODAY - 30, TODAY], [2.0, 3.0], "USD")
RATES = CostRates(
    currency_code="USD",
    country="US",
    commodities={"steel": STEEL},
    exchange={("EUR", "USD"): RateSeries([TODAY - 10], [1.25])},
    tariffs={
        ("DE", "US"): (
            LaneRate(0.10, "2020-01-01", "2025-12-31"),
            LaneRate(0.20, "2026-01-01"),
            LaneRate(0.05, "2026-01-01", category="tools"),
        )
    },
    freight={("DE", "US"): (LaneRate(0.5, "2020-01-01", currency="USD"),)},
    plants={"P1": Plant("DE", 40.0, 1.5, currency="EUR")},
)
BILL = (BillLine("sheet", 2.0, "steel", 1.0, 0.8), BillLine("welding", 1.0, labor_minutes=30.0))
RECORD = PartRecord(bill=BILL, weight_kg=4.0, plant_id="P1")


class Parts:
    """Records of parts by code."""

    def __init__(self, **records: PartRecord) -> None:
        self.records = records

    def record(self, sku: str) -> PartRecord | None:
        return self.records.get(sku)


def job(record: PartRecord = RECORD, **other: object) -> Job:
    whole = Job("A", record, DAY, "", "P1", "", Incoterm.DDP, CostOverrides())
    return replace(whole, **other)  # type: ignore[arg-type]  # fields of a job


def costs(rolled: RolledUp) -> dict[CostElementKind, float]:
    return {element.kind: element.cost for element in rolled.elements}


def test_each_element_is_its_usage_times_its_rate() -> None:
    rolled = roll_up(job(), RATES, Parts())

    assert costs(rolled) == pytest.approx(
        {
            CostElementKind.RAW_MATERIAL: 2.0 / 0.8 * 3.0,
            CostElementKind.LABOR: 0.5 * 40.0 * 1.25,
            CostElementKind.OVERHEAD: 1.5 * 25.0,
            CostElementKind.LOGISTICS: 4.0 * 0.5,
            CostElementKind.TARIFF: 0.20 * (7.5 + 25.0 + 37.5),
        }
    )
    labor = rolled.elements[1].drivers[0]
    assert (labor.rate, labor.rate_currency_code, labor.exchange_rate) == (40.0, "EUR", 1.25)
    assert labor.exchange_rate_date == "2026-06-20"
    steel = rolled.elements[0].drivers[0]
    assert (steel.rate_date, steel.source) == ("2026-06-30", "commodity_prices")


@given(
    quantity=st.floats(0.01, 1e4),
    mass=st.floats(0.0, 1e3),
    minutes=st.floats(0.01, 1e4),
    share=st.floats(0.05, 1.0),
)
def test_elements_sum_to_the_total_and_drivers_to_their_element(
    quantity: float, mass: float, minutes: float, share: float
) -> None:
    work = BillLine("y", 1.0, labor_minutes=minutes)
    bill = (BillLine("x", quantity, "steel", mass, share), work)
    rolled = roll_up(job(replace(RECORD, bill=bill)), RATES, Parts())

    assert math.isclose(sum(costs(rolled).values()), rolled.total, rel_tol=1e-12, abs_tol=0.005)
    assert sum(element.share for element in rolled.elements) == pytest.approx(1.0)
    for element in rolled.elements:
        assert sum(d.cost for d in element.drivers) == pytest.approx(element.cost, abs=0.005)


def test_a_component_with_a_bill_is_priced_by_that_bill_alone() -> None:
    inner = PartRecord(bill=(BillLine("sheet", 3.0, "steel", 1.0),), price=999.0)
    line = BillLine("inner", 2.0, "steel", 50.0, labor_minutes=10.0)
    usage = usage_of("A", (line,), Parts(inner=inner))

    assert usage.commodities == {"steel": 6.0}
    assert usage.bought == {}
    assert usage.minutes == 20.0


def test_a_component_cycle_is_refused_and_named() -> None:
    parts = Parts(
        B=PartRecord(bill=(BillLine("C", 1.0),)), C=PartRecord(bill=(BillLine("B", 1.0),))
    )
    with pytest.raises(InvalidField, match="component cycle: B > C > B"):
        usage_of("A", (BillLine("B", 1.0),), parts)


def test_a_commodity_nobody_priced_by_then_is_named() -> None:
    early = job(day=DAY - dt.timedelta(31))
    with pytest.raises(MissingRate, match="price of commodity 'steel' on 2026-05-30"):
        roll_up(early, RATES, Parts())


def test_mixed_currencies_without_a_rate_are_refused() -> None:
    with pytest.raises(MissingRate, match="exchange rate from 'USD' to 'JPY'"):
        roll_up(job(currency="JPY"), RATES, Parts())


def test_the_answer_in_another_currency_is_the_same_money() -> None:
    dollars, euros = (roll_up(job(currency=code), RATES, Parts()) for code in ("USD", "EUR"))
    assert euros.total == pytest.approx(dollars.total / 1.25)


def test_two_currencies_are_exchanged_over_that_of_the_data() -> None:
    yen = RateSeries([*range(TODAY - 60, TODAY - 19)], [0.01 + 0.001 * (40 - n) for n in range(41)])
    euros = RateSeries([*range(TODAY - 40, TODAY - 9)], [1.25 + 0.01 * (30 - n) for n in range(31)])
    rates = replace(RATES, exchange={("EUR", "USD"): euros, ("JPY", "USD"): yen})
    crossed = rates.exchange_rate("EUR", "JPY", DAY, 90.0)
    assert crossed.value == pytest.approx(125.0)
    assert crossed.day == DAY - dt.timedelta(days=20)
    halves = [rates.exchange_rate(code, "USD", DAY, 90.0).deviation for code in ("EUR", "JPY")]
    assert 0.0 < crossed.deviation == pytest.approx(math.hypot(*halves))
    dollars, many = (roll_up(job(currency=code), rates, Parts()) for code in ("USD", "JPY"))
    assert many.total == pytest.approx(dollars.total * 100.0)
    with pytest.raises(MissingRate, match="exchange rate from 'EUR' to 'JPY'"):
        rates.exchange_rate("EUR", "JPY", DAY - dt.timedelta(days=50), 90.0)  # no euros yet


def test_the_duty_of_the_day_counts_and_the_category_before_any_goods() -> None:
    def duty(day: dt.date, category: str = "") -> float:
        return RATES.tariff(("DE", "US"), (category, "steel"), day).value

    assert (duty(dt.date(2025, 12, 31)), duty(DAY), duty(DAY, "tools")) == (0.10, 0.20, 0.05)
    with pytest.raises(MissingRate, match="tariff from DE to US"):
        duty(dt.date(2019, 1, 1))


def test_goods_that_cross_no_border_pay_no_duty() -> None:
    rates = replace(RATES, freight={("DE", "DE"): (LaneRate(0.1, "2020-01-01"),)})
    rolled = roll_up(job(destination="DE"), rates, Parts())
    assert costs(rolled)[CostElementKind.TARIFF] == 0.0


@pytest.mark.parametrize(
    ("incoterm", "elements"), [(Incoterm.DDP, 5), (Incoterm.DAP, 4), (Incoterm.EXW, 3)]
)
def test_a_price_covers_what_its_incoterm_says(incoterm: Incoterm, elements: int) -> None:
    rolled = roll_up(job(incoterm=incoterm), RATES, Parts())
    assert sum(element.cost > 0 for element in rolled.elements) == elements


def test_a_what_if_takes_the_place_of_the_rate_it_names() -> None:
    asked = CostOverrides({"steel": 6.0}, labor_minutes_factor=0.5, tariff_rate=0.0)
    rolled = roll_up(job(overrides=asked), RATES, Parts())

    found = costs(rolled)
    assert found[CostElementKind.RAW_MATERIAL] == pytest.approx(15.0)
    assert found[CostElementKind.LABOR] == pytest.approx(12.5)
    assert found[CostElementKind.TARIFF] == 0.0
    assert rolled.elements[0].drivers[0].source == "request"


def test_what_no_table_says_is_asked_for_by_name() -> None:
    with pytest.raises(MissingInput, match="plant_id"):
        roll_up(job(plant_id=""), RATES, Parts())
    with pytest.raises(UnknownSeries, match="plant_id 'P9'"):
        roll_up(job(plant_id="P9"), RATES, Parts())
    with pytest.raises(MissingInput, match="price or bill of component 'bolt'"):
        roll_up(job(replace(RECORD, bill=(BillLine("bolt", 1.0),))), RATES, Parts())


def test_the_spread_follows_from_how_far_rates_move() -> None:
    values = np.exp(np.cumsum(np.tile([0.01, -0.01], 100)))
    moving = RateSeries(list(range(TODAY - 199, TODAY + 1)), (3.0 * values).tolist(), "USD")
    calm = roll_up(job(), RATES, Parts())
    rates = replace(RATES, commodities={"steel": moving})
    rolled = roll_up(job(incoterm=Incoterm.EXW), rates, Parts())

    assert calm.deviation == 0.0
    raw = costs(rolled)[CostElementKind.RAW_MATERIAL]
    daily = float(np.std(np.diff(np.log(values)), ddof=1))
    relative = daily * math.sqrt(90.0) * raw / rolled.total
    assert rolled.deviation == pytest.approx(math.sqrt(math.log1p(relative**2)))
    assert rolled.quantile(-1.28) < rolled.total < rolled.quantile(1.28)


@pytest.mark.parametrize(
    ("made", "field"),
    [
        (lambda: bill_of([{"component": "x", "quantity": 0.0}]), r"bill\[0\].quantity"),
        (lambda: BillLine("x", 1.0, "steel", -1.0), "bill.mass_kg"),
        (lambda: BillLine("x", 1.0, yield_rate=0.0), "bill.yield_rate"),
        (lambda: CostOverrides(labor_rate_hourly=-1.0), "overrides.labor_rate_hourly"),
        (lambda: Quote(-0.01), "quote.unit_price"),
        (lambda: Quote(1.0, 5.0, bracket_quantities=(1.0,)), "quote.bracket_quantities"),
        (lambda: ShouldCostQuery(""), "sku"),
        (lambda: ShouldCostQuery("A", bill=(BillLine("A", 1.0),)), r"bill\[0\].component"),
        (lambda: ShouldCostQuery("A", currency_code="euro"), "currency_code"),
        (lambda: ShouldCostQuery("A", false_alarm_rate=0.9), "false_alarm_rate"),
        (lambda: BatchShouldCostQuery(("A",), unit_prices=np.array([-1.0])), r"unit_prices\[0\]"),
        (lambda: BatchShouldCostQuery(("A",), quantities=np.ones(2)), "quantities"),
    ],
)
def test_what_cannot_be_is_refused_by_name(made: object, field: str) -> None:
    with pytest.raises(InvalidField, match=f"^{field} "):
        made()  # type: ignore[operator]  # each makes one value


def test_a_batch_takes_a_thousand_rows() -> None:
    assert len(BatchShouldCostQuery(("A",) * 1_000).skus) == 1_000
    with pytest.raises(TooLarge, match="1,000"):
        BatchShouldCostQuery(("A",) * 1_001)


def test_the_gap_is_taken_after_the_margin_that_is_allowed() -> None:
    assert gap_of(11.0, 10.0, 0.0) == pytest.approx(0.1)
    assert gap_of(11.0, 10.0, 0.1) == pytest.approx(0.0)
