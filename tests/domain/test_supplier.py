"""Suppliers: lead times from past orders, and rankings."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from serving.domain.supplier import (
    LEVELS,
    LeadTimeHistory,
    LeadTimeQuery,
    Performance,
    RankingQuery,
    Share,
    SupplierWeights,
    predict_lead_time,
    rank_suppliers,
)
from serving.errors import InvalidField, TooLarge

if TYPE_CHECKING:
    from collections.abc import Callable

DAYS = 10.0 + 100.0 * np.array(LEVELS)
DELAYS = 50.0 * np.array(LEVELS) - 25.0
HISTORY = LeadTimeHistory(orders=40, open_orders=3, lead_time=DAYS, delay=DELAYS)
ASKED = LeadTimeQuery("S", levels=(0.1, 0.5, 0.9))


def performed(name: str, share: float, premium: float | None, days: float) -> Performance:
    known = Share(100, share, share, share - 0.1, share + 0.1)
    return Performance(name, 90, 10, known, Share(0), premium, 50, days, 2.0)


def test_no_order_arrives_before_it_is_placed() -> None:
    at_once = replace(HISTORY, lead_time=np.linspace(-0.49, 0.49, len(DAYS)))
    assert min(predict_lead_time(ASKED, ("S",), at_once).days) == 0.0


def test_without_a_promise_past_lead_times_answer() -> None:
    found = predict_lead_time(ASKED, ("S",), HISTORY)
    assert found.days == pytest.approx((20.0, 60.0, 100.0))
    assert not found.from_promise
    assert found.provenance.warnings == ()


def test_with_a_promise_past_delays_are_added_to_it() -> None:
    found = predict_lead_time(replace(ASKED, promised_days=30.0), ("S",), HISTORY)
    assert found.days == pytest.approx((10.0, 30.0, 50.0))
    assert found.from_promise


def test_nothing_arrives_before_it_is_ordered() -> None:
    found = predict_lead_time(replace(ASKED, promised_days=5.0), ("S",), HISTORY)
    assert found.days[0] == 0.0


def test_a_promise_nobody_ever_gave_is_warned_of() -> None:
    silent = replace(HISTORY, delay=None)
    found = predict_lead_time(replace(ASKED, promised_days=5.0), ("S",), silent)
    assert found.days == pytest.approx((20.0, 60.0, 100.0))
    assert "promise" in found.provenance.warnings[0]


def test_a_wider_group_than_asked_is_warned_of() -> None:
    found = predict_lead_time(replace(ASKED, plant_id="P", sku="K"), ("S",), HISTORY)
    assert found.group == ("S",)
    assert "S answer" in found.provenance.warnings[0]


def test_the_better_on_every_count_is_ranked_first_whatever_the_weights() -> None:
    good, bad = performed("good", 0.95, -0.1, 10.0), performed("bad", 0.6, 0.3, 40.0)
    for weights in (SupplierWeights(), SupplierWeights(0.0, 0.0, 0.0, 1.0)):
        found = rank_suppliers(RankingQuery(("bad", "good"), weights), [bad, good])
        assert [one.supplier_id for one in found.ranked] == ["good", "bad"]


def test_what_is_not_known_neither_helps_nor_hurts() -> None:
    known, silent = performed("known", 0.9, 0.0, 10.0), performed("silent", 0.9, None, 10.0)
    found = rank_suppliers(RankingQuery(("known", "silent")), [known, silent])
    assert found.ranked[0].total == found.ranked[1].total
    assert found.ranked[1].price_score is None
    assert any("quality" in warning for warning in found.provenance.warnings)


@pytest.mark.parametrize(
    ("made", "field"),
    [
        (lambda: replace(ASKED, supplier_id=""), "supplier_id"),
        (lambda: replace(ASKED, promised_days=-1.0), "promised_days"),
        (lambda: replace(ASKED, promised_days=float("nan")), "promised_days"),
        (lambda: replace(ASKED, levels=()), "levels"),
        (lambda: replace(ASKED, levels=(0.5, 0.5)), "levels[1]"),
        (lambda: replace(ASKED, levels=(0.999,)), "levels[0]"),
        (lambda: SupplierWeights(0.5, 0.5, 0.5, 0.5), "weights"),
        (lambda: SupplierWeights(1.5, -0.5, 0.0, 0.0), "weights.on_time"),
        (lambda: RankingQuery(("one",)), "supplier_ids"),
        (lambda: RankingQuery(("one", "one")), "supplier_ids[1]"),
    ],
)
def test_what_breaks_its_rule_is_named(made: Callable[[], object], field: str) -> None:
    with pytest.raises(InvalidField) as refused:
        made()
    assert refused.value.field == field


def test_too_many_suppliers_are_refused() -> None:
    with pytest.raises(TooLarge):
        RankingQuery(tuple(str(number) for number in range(10_001)))
