"""Which actions bring cost down, and which to take."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.domain.reductions import (
    ActionType,
    CandidateAction,
    PastAction,
    ReductionsQuery,
    realisation_rates,
    recommend_reductions,
)
from serving.errors import InvalidField

if TYPE_CHECKING:
    from collections.abc import Callable

RENEGOTIATE, AUTOMATE = ActionType.RENEGOTIATE, ActionType.AUTOMATE


def past(kind: ActionType, shares: list[float]) -> list[PastAction]:
    return [PastAction(kind, 100.0, 100.0 * share) for share in shares]


def test_many_past_actions_speak_for_themselves() -> None:
    done = past(RENEGOTIATE, [0.5, 0.7] * 100) + past(AUTOMATE, [0.9, 1.1] * 100)
    first, second = realisation_rates(done, [RENEGOTIATE, AUTOMATE])
    assert first.rate == pytest.approx(0.6, abs=0.01)
    assert second.rate == pytest.approx(1.0, abs=0.01)


def test_few_past_actions_are_drawn_toward_the_others() -> None:
    others = past(RENEGOTIATE, [0.4, 0.6, 0.8, 0.5, 0.7] * 20)
    others += past(ActionType.RELOCATE, [0.6, 0.8, 1.0, 0.7, 0.9] * 20)
    (rate,) = realisation_rates([*others, *past(AUTOMATE, [1.5])], [AUTOMATE])
    assert rate.observed == 1.5
    assert 0.7 < rate.rate < 1.3


def test_without_a_past_the_reference_rate_answers_and_says_so() -> None:
    found = recommend_reductions(ReductionsQuery((CandidateAction("a", AUTOMATE, 100.0, 1.0),)))
    assert found.actions[0].expected_saving == pytest.approx(80.0)
    assert found.realisation is None
    assert "automate" in found.provenance.warnings[0]


def test_a_saving_lies_within_its_interval_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    done = past(RENEGOTIATE, rng.normal(0.7, 0.2, 400).tolist())
    asked = ReductionsQuery((CandidateAction("a", RENEGOTIATE, 100.0, 0.0),), tuple(done))
    (action,) = recommend_reductions(asked).actions
    fresh = 100 * rng.normal(0.7, 0.2, 4_000)
    inside = np.mean((fresh >= action.low) & (fresh <= action.high))
    assert inside == pytest.approx(0.8, abs=0.03)


actions = st.lists(
    st.tuples(st.floats(1, 100), st.integers(0, 100), st.sampled_from(["", "x", "y"])),
    min_size=1,
    max_size=7,
)


@settings(max_examples=60)
@given(actions, st.integers(0, 200))
def test_the_portfolio_is_the_best_of_all_that_are_allowed(
    drawn: list[tuple[float, int, str]], budget: int
) -> None:
    candidates = tuple(
        CandidateAction(f"a{at}", AUTOMATE, saving, effort, group)
        for at, (saving, effort, group) in enumerate(drawn)
    )
    found = recommend_reductions(ReductionsQuery(candidates, budget=budget))
    best = 0.0
    for taken in itertools.product((False, True), repeat=len(candidates)):
        some = [one for one, here in zip(candidates, taken, strict=True) if here]
        groups = [one.exclusive_group for one in some if one.exclusive_group]
        if sum(one.effort for one in some) <= budget and len(set(groups)) == len(groups):
            best = max(best, sum(0.8 * one.projected_saving - one.effort for one in some))
    assert found.effort <= budget * (1 + 1e-6) + 1e-6
    assert found.expected_saving - found.effort == pytest.approx(best, rel=1e-3, abs=1e-3)


@pytest.mark.parametrize(
    ("made", "field"),
    [
        (lambda: ReductionsQuery(()), "candidates"),
        (lambda: CandidateAction("", AUTOMATE, 1.0, 0.0), "action_id"),
        (lambda: CandidateAction("a", AUTOMATE, -1.0, 0.0), "projected_saving"),
        (lambda: CandidateAction("a", AUTOMATE, 1.0, float("inf")), "effort"),
        (lambda: PastAction(AUTOMATE, 1.0, float("nan")), "actual_saving"),
        (lambda: _asked(budget=-1.0), "budget"),
        (lambda: _asked(confidence=1.0), "confidence"),
        (lambda: replace(_asked(), candidates=_asked().candidates * 2), "candidates[1].action_id"),
    ],
)
def test_what_breaks_its_rule_is_named(made: Callable[[], object], field: str) -> None:
    with pytest.raises(InvalidField) as refused:
        made()
    assert refused.value.field == field


def _asked(budget: float | None = None, confidence: float = 0.8) -> ReductionsQuery:
    candidate = CandidateAction("a", AUTOMATE, 1.0, 0.0)
    return ReductionsQuery((candidate,), budget=budget, confidence=confidence)
