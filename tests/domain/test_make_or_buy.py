"""Make or buy: scores, verdicts, and how far they hold."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.domain.make_or_buy import (
    MakeOrBuyQuery,
    MakeOrBuyVerdict,
    SourcingOption,
    Weights,
    breakeven_volume,
    compare_make_or_buy,
)
from serving.errors import InvalidField

if TYPE_CHECKING:
    from collections.abc import Callable

PLANT = SourcingOption("plant", 8.0, 20_000.0, 10.0, 0.95, 0.9)
OFFER = SourcingOption("offer", 10.0, 0.0, 30.0, 0.9, 0.5)
OTHER = SourcingOption("other", 9.5, 500.0, 25.0, 0.7, 0.4)
ASKED = MakeOrBuyQuery(PLANT, (OFFER, OTHER), volume=20_000.0)

options = st.builds(
    SourcingOption,
    name=st.just("any"),
    unit_cost=st.floats(0.1, 1e4),
    fixed_cost=st.floats(0, 1e6),
    lead_time_days=st.floats(0.5, 400),
    quality=st.floats(0, 1),
    strategic=st.floats(0, 1),
)


def shares(parts: tuple[float, float, float, float]) -> Weights:
    total = sum(parts)
    cost, quality, lead_time, strategic = (part / total for part in parts)
    return Weights(cost, quality, lead_time, strategic)


weights = st.tuples(*[st.floats(0.01, 1.0)] * 4).map(shares)


def test_totals_are_weighted_sums_of_the_scores() -> None:
    best = compare_make_or_buy(ASKED).options[0]
    assert best.total == pytest.approx(
        0.35 * best.cost_score
        + 0.30 * best.quality_score
        + 0.20 * best.lead_time_score
        + 0.15 * best.strategic_score
    )


def test_the_breakeven_volume_is_where_both_cost_the_same() -> None:
    volume = breakeven_volume(PLANT, OFFER)
    assert volume == 10_000.0
    assert PLANT.unit_cost + PLANT.fixed_cost / volume == OFFER.unit_cost


def test_who_costs_less_at_every_volume_has_no_breakeven() -> None:
    assert breakeven_volume(PLANT, replace(OFFER, unit_cost=7.0)) is None
    assert breakeven_volume(PLANT, replace(OFFER, unit_cost=8.0)) is None


def test_a_margin_inside_the_noise_is_to_review() -> None:
    twin = replace(PLANT, name="twin", quality=0.951)
    found = compare_make_or_buy(MakeOrBuyQuery(PLANT, (twin,), volume=20_000.0))
    assert found.verdict is MakeOrBuyVerdict.REVIEW
    assert found.best == "twin"
    certain = compare_make_or_buy(MakeOrBuyQuery(PLANT, (twin,), volume=20_000.0, noise_share=0.0))
    assert certain.verdict is MakeOrBuyVerdict.BUY


def test_equals_are_to_review_even_without_noise() -> None:
    twin = replace(PLANT, name="twin")
    found = compare_make_or_buy(MakeOrBuyQuery(PLANT, (twin,), volume=1.0, noise_share=0.0))
    assert found.verdict is MakeOrBuyVerdict.REVIEW


@given(options, options, st.floats(1, 1e6), weights)
def test_the_best_stays_the_best_within_its_ranges_and_not_beyond(
    make: SourcingOption, offer: SourcingOption, volume: float, weighed: Weights
) -> None:
    asked = MakeOrBuyQuery(make, (replace(offer, name="offer"),), volume, weighed)
    found = compare_make_or_buy(asked)
    if found.margin < 1e-6:
        return
    for at, held in enumerate(found.weight_ranges):
        for weight, inside in ((held.low, True), (held.high, True), (held.high + 1e-4, False)):
            if 0 <= weight <= 1:
                moved = compare_make_or_buy(replace(asked, weights=_with(weighed, at, weight)))
                ahead = moved.margin if moved.best == found.best else -moved.margin
                assert ahead >= -1e-9 if inside else ahead < 1e-3
    low, high = found.volume_range.low, found.volume_range.high
    assert low <= volume
    if high is not None:
        assert compare_make_or_buy(replace(asked, volume=high * 1.001)).best != found.best


def _with(weighed: Weights, at: int, weight: float) -> Weights:
    others = [value for place, value in enumerate(weighed.all) if place != at]
    rest = [value * (1 - weight) / sum(others) for value in others]
    rest.insert(at, weight)
    return Weights(rest[0], rest[1], rest[2], rest[3])


@given(options, options, st.floats(1, 1e6), st.floats(0.01, 100.0))
def test_money_in_another_currency_changes_no_verdict(
    make: SourcingOption, offer: SourcingOption, volume: float, rate: float
) -> None:
    first = MakeOrBuyQuery(make, (replace(offer, name="offer"),), volume)
    quotes = tuple(_in_currency(quote, rate) for quote in first.quotes)
    other = MakeOrBuyQuery(_in_currency(first.make, rate), quotes, volume)
    one, two = compare_make_or_buy(first), compare_make_or_buy(other)
    assert one.margin == pytest.approx(two.margin, abs=1e-9)


def _in_currency(option: SourcingOption, rate: float) -> SourcingOption:
    return replace(option, unit_cost=option.unit_cost * rate, fixed_cost=option.fixed_cost * rate)


@pytest.mark.parametrize(
    ("made", "field"),
    [
        (lambda: Weights(0.5, 0.5, 0.5, 0.0), "weights"),
        (lambda: Weights(-0.5, 0.5, 0.5, 0.5), "weights.cost"),
        (lambda: replace(PLANT, unit_cost=-1.0), "unit_cost"),
        (lambda: replace(PLANT, unit_cost=float("nan")), "unit_cost"),
        (lambda: replace(PLANT, quality=1.1), "quality"),
        (lambda: replace(ASKED, quotes=()), "quotes"),
        (lambda: replace(ASKED, volume=0.0), "volume"),
        (lambda: replace(ASKED, quotes=(OFFER, OFFER)), "quotes[1].name"),
        (lambda: replace(ASKED, confidence=0.3), "confidence"),
    ],
)
def test_what_breaks_its_rule_is_named(made: Callable[[], object], field: str) -> None:
    with pytest.raises(InvalidField) as refused:
        made()
    assert refused.value.field == field
