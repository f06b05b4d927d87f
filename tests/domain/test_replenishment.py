"""The reorder question, and the way from a distribution to an order."""

from __future__ import annotations

import datetime as dt
import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.domain.cover_demand import CoverDemand, CoverForecast
from serving.domain.demand import interpolate_levels
from serving.domain.protection import quantile
from serving.domain.reorder_batch import BatchReorderQuery
from serving.domain.reorder_levels import (
    ReorderLevels,
    ReorderTerms,
    decide,
    order_quantity,
    stockout_probability,
)
from serving.domain.reorder_words import decisions, explain
from serving.domain.replenishment import ReorderMethod, ReorderQuery
from serving.domain.series import PlanDay
from serving.domain.supply import TargetKind
from serving.errors import BeyondTrained, InvalidField, TooLarge

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

LEVELS = (0.02, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
LADDER = (2.0, 8.0, 10.0, 14.0, 20.0, 24.0, 40.0)

units = st.floats(0, 1e6)
service = st.floats(0.5, 0.99)
ladders = st.lists(st.integers(0, 10**6), min_size=7, max_size=7).map(
    lambda drawn: [value / 100 for value in sorted(drawn)]
)


def terms(**changed: float) -> ReorderTerms:
    values = {
        "on_hand": 5.0,
        "on_order": 0.0,
        "backorders": 0.0,
        "lead_time_days": 3.0,
        "lead_time_std_days": 0.0,
        "review_days": 2.0,
        "service_level": 0.95,
        "minimum_order_quantity": 0.0,
        "pack_size": 0.0,
        "target_kind": 1.0,
    }
    return ReorderTerms(**{name: np.array([one]) for name, one in (values | changed).items()})


def demand_of(quantiles: Floats, scale: float = 1.0) -> CoverDemand:
    """Return demand over a lead time that is certain, nothing being demanded within it."""
    mean = quantiles.mean(axis=1)
    return CoverDemand.of(
        CoverForecast(
            levels=LEVELS,
            quantiles=quantiles[:, None],
            means=mean[:, None],
            lead_quantiles=np.zeros_like(quantiles)[:, None],
            weights=np.ones((len(quantiles), 1)),
            daily_mean=mean / 5.0,
            daily_std=np.full(len(quantiles), 3.0 * scale),
        )
    )


def demand(ladder: tuple[float, ...] | list[float] = LADDER, scale: float = 1.0) -> CoverDemand:
    return demand_of(scale * np.array([ladder]), scale)


def quantiles_at(quantiles: Floats, wanted: Floats) -> Floats:
    return quantile(demand_of(quantiles).over_cover, wanted)


def decided(method: ReorderMethod = ReorderMethod.DISTRIBUTION, **changed: float) -> ReorderLevels:
    return decide(terms(**changed), demand(), method)


def ordered(position: float, up_to: float, *, pack: float, minimum: float) -> float:
    quantity = order_quantity(
        np.array([position]),
        np.array([up_to]),
        pack_size=np.array([pack]),
        minimum=np.array([minimum]),
    )
    return float(quantity[0])


def exceeding(position: float) -> tuple[float, bool]:
    probability, bounded = stockout_probability(demand(), np.array([position]))
    return float(probability[0]), bool(bounded[0])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("sku", ""),
        ("location", "a\nb"),
        ("lead_time_days", -1.0),
        ("review_days", math.nan),
        ("lead_time_std_days", math.inf),
        ("on_hand", -0.5),
        ("on_order", 1e16),
        ("backorders", -1.0),
        ("minimum_order_quantity", -1.0),
        ("pack_size", 0.0),
        ("service_level", 0.49),
        ("service_level", 1.0),
        ("service_level", math.nan),
    ],
)
def test_a_number_outside_its_range_is_refused_by_name(field: str, value: object) -> None:
    asked = {"sku": "a", "location": "x", field: value}
    with pytest.raises(InvalidField) as refused:
        ReorderQuery(**asked)  # type: ignore[arg-type]  # wrong on purpose
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("numbers", "field"),
    [
        ({"service_level": 0.995}, "service_level"),
        ({"lead_time_days": 91.0}, "lead_time_days"),
        ({"lead_time_days": 60.0, "review_days": 31.0}, "lead_time_days"),
        ({"review_days": 1e9}, "review_days"),
    ],
)
def test_a_promise_beyond_the_trained_range_is_refused(
    numbers: dict[str, float], field: str
) -> None:
    with pytest.raises(BeyondTrained) as refused:
        ReorderQuery("a", "x", **numbers)  # type: ignore[arg-type]  # numbers only
    assert refused.value.field == field


def test_a_plan_that_names_a_day_twice_is_refused() -> None:
    day = PlanDay(dt.date(2024, 5, 1), price=2.0)
    with pytest.raises(InvalidField, match=r"plan\[1\]\.date"):
        ReorderQuery("a", "x", plan=(day, day))


@pytest.mark.parametrize(
    ("arrays", "field"),
    [
        ({"on_hand": [1.0]}, "on_hand"),
        ({"on_hand": [1.0, math.nan]}, "on_hand[1]"),
        ({"on_order": [math.inf, 1.0]}, "on_order[0]"),
        ({"backorders": [0.0, -1.0]}, "backorders[1]"),
        ({"lead_time_days": [0.0, -1.0]}, "lead_time_days[1]"),
        ({"review_days": [-math.inf, 1.0]}, "review_days[0]"),
        ({"service_levels": [0.9, 0.2]}, "service_levels[1]"),
        ({"service_levels": [0.9, math.nan]}, "service_levels[1]"),
    ],
)
def test_an_array_that_breaks_its_rule_is_refused_with_the_row(
    arrays: dict[str, list[float]], field: str
) -> None:
    sent = {name: np.array(values) for name, values in arrays.items()}
    with pytest.raises(InvalidField) as refused:
        BatchReorderQuery(("a", "b"), ("x", "x"), **sent)  # type: ignore[arg-type]  # arrays only
    assert refused.value.field == field


def test_a_batch_beyond_the_trained_range_is_refused_with_the_row() -> None:
    with pytest.raises(BeyondTrained) as refused:
        BatchReorderQuery(("a", "b"), ("x", "x"), service_levels=np.array([0.9, 0.999]))
    assert refused.value.field == "service_levels[1]"
    with pytest.raises(BeyondTrained) as refused:
        BatchReorderQuery(
            ("a", "b"),
            ("x", "x"),
            lead_time_days=np.array([10.0, 60.0]),
            review_days=np.array([60.0, 60.0]),
        )
    assert refused.value.field == "lead_time_days[1]"


def test_a_batch_refuses_duplicate_and_too_many_rows() -> None:
    with pytest.raises(InvalidField, match="row 0 is the same"):
        BatchReorderQuery(("a", "a"), ("x", "x"))
    with pytest.raises(TooLarge):
        BatchReorderQuery(("a",) * 10_001, ("x",) * 10_001)


def test_the_level_is_the_quantile_at_the_service_level() -> None:
    levels = decided(service_level=0.95)
    assert levels.order_up_to[0] == 24.0
    assert levels.expected_demand[0] == pytest.approx(np.mean(LADDER))
    assert levels.safety_stock[0] == pytest.approx(24.0 - np.mean(LADDER))
    assert levels.order_quantity[0] == 19.0


def test_a_level_between_trained_ones_is_read_off_the_line() -> None:
    assert decided(service_level=0.97).order_up_to[0] == pytest.approx(32.0)


def test_the_textbook_level_is_the_formula() -> None:
    levels = decided(ReorderMethod.TEXTBOOK, lead_time_std_days=1.5)
    daily = np.mean(LADDER) / 5.0
    safety = 1.6448536269514722 * math.sqrt(5.0 * 3.0**2 + daily**2 * 1.5**2)
    assert levels.safety_stock[0] == pytest.approx(safety)
    assert levels.order_up_to[0] == pytest.approx(5.0 * daily + safety)


def test_demand_only_takes_the_lead_time_as_certain() -> None:
    only = decided(ReorderMethod.TEXTBOOK_DEMAND_ONLY, lead_time_std_days=9.0)
    assert only.safety_stock[0] == pytest.approx(1.6448536269514722 * 3.0 * math.sqrt(5.0))
    certain = decided(ReorderMethod.TEXTBOOK, lead_time_std_days=0.0)
    assert only.order_up_to.tobytes() == certain.order_up_to.tobytes()


@given(ladder=ladders, low=service, high=service, method=st.sampled_from(ReorderMethod))
def test_a_higher_promise_never_lowers_the_level(
    ladder: list[float], low: float, high: float, method: ReorderMethod
) -> None:
    low, high = sorted((low, high))
    levels = [decide(terms(service_level=one), demand(ladder), method) for one in (low, high)]
    assert levels[1].order_up_to[0] >= levels[0].order_up_to[0] - 1e-9


@given(
    ladder=ladders, level=service, scale=st.floats(0.1, 10), method=st.sampled_from(ReorderMethod)
)
def test_levels_follow_the_unit_of_measure(
    ladder: list[float], level: float, scale: float, method: ReorderMethod
) -> None:
    once = decide(terms(service_level=level), demand(ladder), method)
    scaled = decide(terms(service_level=level, on_hand=5.0 * scale), demand(ladder, scale), method)
    for name in ("order_up_to", "safety_stock", "order_quantity"):
        assert getattr(scaled, name)[0] == pytest.approx(
            getattr(once, name)[0] * scale, rel=1e-9, abs=1e-6
        )


def test_a_certain_demand_needs_no_safety_stock() -> None:
    certain = demand_of(np.full((1, 7), 10.0), 0.0)
    for method in ReorderMethod:
        levels = decide(terms(), certain, method)
        assert levels.safety_stock[0] == 0.0
        assert levels.order_up_to[0] == 10.0


def test_all_zero_demand_orders_nothing_and_is_wholly_met() -> None:
    silent = demand_of(np.zeros((1, 7)), 0.0)
    for kind in TargetKind:
        asked = terms(on_hand=0.0, target_kind=float(kind))
        levels = decide(asked, silent)
        assert levels.order_up_to[0] == levels.order_quantity[0] == 0.0
        assert levels.fill_rate[0] == 1.0
        assert explain(*decisions(asked, levels)).startswith("Order nothing")


def test_quantiles_are_read_for_each_row_at_its_own_level() -> None:
    rows = np.array([LADDER, LADDER, LADDER])
    read = quantiles_at(rows, np.array([0.99, 0.5, 0.925]))
    assert read.tolist() == pytest.approx([40.0, 10.0, 22.0])


@given(ladder=ladders, level=st.one_of(service, st.sampled_from(LEVELS)))
def test_a_quantile_has_the_bits_the_forecast_gives_it(ladder: list[float], level: float) -> None:
    row = np.array([ladder])
    read = quantiles_at(row, np.array([level]))
    assert read.tobytes() == interpolate_levels(LEVELS, row, (level,)).tobytes()


@pytest.mark.parametrize(
    ("position", "probability", "bounded"),
    [
        (-1.0, 1.0, False),
        (0.0, 0.98, True),
        (2.0, 0.98, False),
        (9.0, 0.625, False),
        (10.0, 0.5, False),
        (30.0, 1 - 0.965, False),
        (40.0, 0.01, True),
        (500.0, 0.01, True),
    ],
)
def test_the_stock_out_probability_is_read_off_the_quantiles(
    position: float, probability: float, *, bounded: bool
) -> None:
    got, is_bound = exceeding(position)
    assert got == pytest.approx(probability)
    assert is_bound is bounded


def test_where_no_demand_is_likely_an_empty_shelf_is_no_certain_stock_out() -> None:
    quantiles = np.array([[0.0, 0.0, 0.0, 0.0, 1.0, 2.0, 5.0]])
    probability, bounded = stockout_probability(demand_of(quantiles), np.array([0.0]))
    assert probability[0] == pytest.approx(0.25)
    assert not bounded[0]


@given(ladder=ladders, low=st.floats(-10, 2e4), high=st.floats(-10, 2e4))
def test_more_stock_never_raises_the_stock_out_probability(
    ladder: list[float], low: float, high: float
) -> None:
    low, high = sorted((low, high))
    rows = np.array([ladder, ladder])
    (more, less), _ = stockout_probability(demand_of(rows), np.array([low, high]))
    assert 0 <= less <= more <= 1


@given(ladder=ladders, level=service)
def test_the_level_bought_keeps_the_promise_made(ladder: list[float], level: float) -> None:
    quantiles = np.array([ladder])
    up_to = quantiles_at(quantiles, np.array([level]))
    probability, _ = stockout_probability(demand_of(quantiles), up_to)
    assert probability[0] <= 1 - level + 1e-6


@given(
    position=st.floats(-1e6, 1e6),
    up_to=units,
    pack=st.one_of(st.just(0.0), st.floats(0.01, 1e4)),
    minimum=units,
)
def test_an_order_is_whole_packs_and_at_least_the_minimum(
    position: float, up_to: float, pack: float, minimum: float
) -> None:
    quantity = ordered(position, up_to, pack=pack, minimum=minimum)
    least = 1e-8 * max(abs(position), up_to, minimum, pack)
    if quantity == 0:
        assert up_to - position <= least
        return
    assert quantity >= max(minimum, up_to - position) - least
    assert quantity < max(minimum, up_to - position) + (pack or least) + least
    if pack:
        assert quantity / pack == pytest.approx(round(quantity / pack), abs=1e-6)


@given(position=units, up_to=units, pack=st.floats(0.01, 1e4), minimum=units)
def test_nothing_is_ordered_at_or_above_the_level(
    position: float, up_to: float, pack: float, minimum: float
) -> None:
    assert ordered(max(position, up_to), up_to, pack=pack, minimum=minimum) == 0


def test_rounding_errors_order_no_pack() -> None:
    assert ordered(0.1 + 0.2, 12.3, pack=12.0, minimum=0.0) == 12.0
    assert ordered(36.0, 36.00000000000001, pack=0.0, minimum=50.0) == 0.0


@pytest.mark.parametrize(
    ("lead", "review", "cover"), [(0.0, 0.0, 1), (0.3, 0.0, 1), (3.0, 7.0, 10), (3.2, 7.0, 11)]
)
def test_the_cover_is_whole_days_and_at_least_one(lead: float, review: float, cover: int) -> None:
    assert terms(lead_time_days=lead, review_days=review).cover_days.tolist() == [cover]


def test_a_cover_that_adds_up_to_whole_days_is_not_rounded_up_by_its_rounding_error() -> None:
    assert terms(lead_time_days=1.000000000000001, review_days=3.0).cover_days.tolist() == [4]


def test_the_reason_carries_the_numbers() -> None:
    asked = terms(pack_size=12.0, minimum_order_quantity=20.0)
    assert explain(*decisions(asked, decide(asked, demand()))) == (
        "Order 24: the inventory position of 5 is 19 below the order-up-to level of 24 (16.86 "
        "expected over 5 days and 7.14 of safety stock for a service level of 0.95), raised to "
        "the minimum order of 20 and whole packs of 12."
    )
    asked = terms(on_hand=30.0)
    assert explain(*decisions(asked, decide(asked, demand()))).startswith(
        "Order nothing: the inventory position of 30 has reached the order-up-to level of 24 ("
    )
