"""Cost against budget, split exactly."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.domain.variance import ElementCost, VarianceQuery, VarianceSplit, explain_variance
from serving.errors import InvalidField, TooLarge

EFFECTS = ("volume", "mix", "price", "rate", "usage", "currency")
NAMES = ("raw_material", "labor", "tariff")
PARTS = ("budget_price", "price", "budget_usage", "usage")


def query(seed: int = 0, lines: int = 6, scale: float = 1.0) -> VarianceQuery:
    rng = np.random.default_rng(seed)
    elements = tuple(
        ElementCost(name, *(rng.gamma(2.0, scale, lines) for _ in PARTS)) for name in NAMES
    )
    return VarianceQuery(
        groups=tuple("ab"[place % 2] for place in range(lines)),
        budget_volume=rng.gamma(2.0, 50.0, lines),
        volume=rng.gamma(2.0, 50.0, lines),
        elements=elements,
        budget_exchange_rate=rng.uniform(0.5, 2.0, lines),
        exchange_rate=rng.uniform(0.5, 2.0, lines),
    )


def effects(split: VarianceSplit) -> float:
    return math.fsum(getattr(split, name) for name in EFFECTS)


@given(st.integers(0, 10_000), st.integers(1, 40), st.sampled_from([1e-6, 1.0, 1e6]))
def test_the_effects_add_up_to_actual_less_budget(seed: int, lines: int, scale: float) -> None:
    found = explain_variance(query(seed, lines, scale)).total
    slack = 1e-9 * (found.actual + found.budget)
    assert effects(found) == pytest.approx(found.actual - found.budget, abs=slack)
    assert found.variance == found.actual - found.budget


@given(st.integers(0, 10_000))
def test_groups_add_up_to_the_total(seed: int) -> None:
    report = explain_variance(query(seed))
    for name in (*EFFECTS, "budget", "actual", "variance"):
        whole = getattr(report.total, name)
        parts = math.fsum(getattr(group, name) for group in report.groups)
        assert parts == pytest.approx(whole, abs=1e-9 * report.total.budget)


def test_a_change_of_one_cause_moves_that_effect_alone() -> None:
    asked = query()
    planned = replace(
        asked,
        volume=asked.budget_volume,
        exchange_rate=asked.budget_exchange_rate,
        elements=tuple(
            replace(one, price=one.budget_price, usage=one.budget_usage) for one in asked.elements
        ),
    )
    material, labor, tariff = planned.elements
    dearer = {
        "volume": replace(planned, volume=planned.volume * 1.1),
        "mix": replace(planned, volume=_swapped(planned.volume)),
        "price": replace(planned, elements=(_dearer(material, "price"), labor, tariff)),
        "rate": replace(planned, elements=(material, _dearer(labor, "price"), tariff)),
        "usage": replace(planned, elements=(material, _dearer(labor, "usage"), tariff)),
        "currency": replace(planned, exchange_rate=planned.exchange_rate * 1.1),
    }
    for moved, changed in dearer.items():
        found = explain_variance(changed).total
        for name in EFFECTS:
            at_rest = abs(getattr(found, name)) < 1e-9 * found.budget
            assert at_rest == (name != moved), (moved, name)


def test_a_group_beyond_the_alert_share_is_flagged() -> None:
    asked = query()
    whole = explain_variance(asked).total
    assert whole.share is not None
    assert whole.alert == (abs(whole.share) > 0.05)
    assert not explain_variance(replace(asked, alert_share=1e6)).total.alert


def test_a_group_without_a_budget_has_no_share_and_is_flagged() -> None:
    asked = query()
    unplanned = np.where(np.array(asked.groups) == "a", 0.0, asked.budget_volume)
    first = explain_variance(replace(asked, budget_volume=unplanned)).groups[0]
    assert (first.group, first.share, first.alert) == ("a", None, True)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"groups": ()}, "groups"),
        ({"elements": ()}, "elements"),
        ({"volume": np.ones(5)}, "volume"),
        ({"volume": np.array([1, 2, 3, np.nan, 5, 6])}, "volume[3]"),
        ({"volume": np.array([1, 2, -3, 4, 5, 6.0])}, "volume[2]"),
        ({"budget_volume": np.zeros(6)}, "budget_volume"),
        ({"exchange_rate": np.array([1, 1, 0, 1, 1, 1.0])}, "exchange_rate[2]"),
        ({"exchange_rate": np.array([1, 1, np.inf, 1, 1, 1])}, "exchange_rate[2]"),
        ({"alert_share": 0.0}, "alert_share"),
    ],
)
def test_what_breaks_its_rule_is_named(change: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidField) as refused:
        replace(query(), **change)
    assert refused.value.field == field


def test_an_element_that_is_there_twice_is_refused() -> None:
    asked = query()
    with pytest.raises(InvalidField, match="unique"):
        replace(asked, elements=(asked.elements[0], asked.elements[0]))


def test_too_many_lines_are_refused() -> None:
    with pytest.raises(TooLarge):
        replace(query(), groups=("a",) * 100_001)


def _swapped(
    volume: np.ndarray[Any, np.dtype[np.float64]],
) -> np.ndarray[Any, np.dtype[np.float64]]:
    moved = volume.copy()
    moved[0] += 5.0
    moved[1] -= 5.0
    return moved


def _dearer(element: ElementCost, part: str) -> ElementCost:
    return replace(element, **{part: getattr(element, part) * 1.1})
