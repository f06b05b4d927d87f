"""The average effect: adjusted estimates hold the truth, naive ones miss it, refuters refute."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import pytest

from serving.errors import InvalidField
from training.uplift.causal import (
    CausalModel,
    Estimate,
    instrument_effect,
    naive_effect,
    robust_effect,
)
from training.uplift.coverage import covered, units_of
from training.uplift.learners import Assignment, assignment_of
from training.uplift.refutations import e_value, refute, sensitivity
from training.uplift.selection import assess
from training.world.actions import average_effect, draw_experiment

if TYPE_CHECKING:
    from training.uplift.units import Units

RANDOM, BY_COVARIATES = Assignment(random=True, known=True), Assignment(random=False, known=False)


def test_how_units_came_to_be_treated_is_told(lottery: Units, chosen_by_buyers: Units) -> None:
    assert assignment_of(lottery, 0) == RANDOM
    assert assignment_of(dataclasses.replace(lottery, propensity=None), 0).random
    assert assignment_of(chosen_by_buyers, 0) == BY_COVARIATES


def test_intervals_hold_the_truth_and_naive_ones_miss_it() -> None:
    found = list(covered(range(24), units=600))
    for random in (True, False):
        held = [one.adjusted for one in found if one.random is random]
        assert sum(held) >= 20  # of 24; 22.8 are expected
    assert sum(one.naive for one in found if not one.random) <= 8


def test_the_instrument_holds_the_truth_and_says_how_strong_it_is() -> None:
    rng = np.random.default_rng(0)
    size = 4_000
    hidden, push = rng.standard_normal(size), rng.random(size) < 0.5
    treated = rng.random(size) < 1 / (1 + np.exp(-(hidden + 1.5 * push - 1)))
    seen, _ = draw_experiment(rng, size, random=False)
    units = dataclasses.replace(
        units_of(seen), treated=treated, outcomes=2 * hidden + treated + rng.standard_normal(size)
    )
    by_instrument = instrument_effect(units, push.astype(float), 0)
    assert by_instrument.covers(1.0)
    assert "F = " in by_instrument.note
    assert not robust_effect(units, BY_COVARIATES, 0).covers(1.0)  # the hidden cause is not seen
    weak = instrument_effect(units, rng.standard_normal(size), 0)
    assert "weak" in weak.note


def test_units_without_a_counterpart_are_named(chosen_by_buyers: Units) -> None:
    gap = chosen_by_buyers.rows[:, 1]
    units = dataclasses.replace(chosen_by_buyers, treated=gap > np.quantile(gap, 0.8))
    with pytest.raises(InvalidField, match="no counterpart in the other arm, LINE-C"):
        robust_effect(units, BY_COVARIATES, 0)
    with pytest.raises(InvalidField, match="no counterpart"):
        assess(units, BY_COVARIATES, 0, lambda _: None)


def test_a_true_effect_survives_and_a_false_one_does_not(chosen_by_buyers: Units) -> None:
    steps: list[str] = []
    few = chosen_by_buyers.take(np.arange(600))
    estimate = robust_effect(few, BY_COVARIATES, 0)
    assert estimate.covers(average_effect())
    kept = refute(few, BY_COVARIATES, estimate, 0, steps.append)
    assert all(one.passed for one in kept)
    assert len(steps) == len(kept) == 3
    naive = naive_effect(few)
    caught = refute(few, BY_COVARIATES, naive, 0, steps.append)
    assert not all(one.passed for one in caught)


def test_a_stronger_effect_takes_a_stronger_unobserved_cause(lottery: Units) -> None:
    strong = sensitivity(lottery, Estimate("strong", 2.0, 0.1))
    faint = sensitivity(lottery, Estimate("faint", 0.1, 0.1))
    assert strong.robustness > faint.robustness > 0
    assert strong.e_value > strong.e_value_interval > 1
    assert faint.e_value_interval == 1
    at = np.interp(strong.robustness, strong.strengths, strong.estimates)
    assert at == pytest.approx(0.0, abs=0.02)
    assert e_value(-0.5) == e_value(0.5)


def test_the_model_says_what_identifies_the_effect() -> None:
    random = " ".join(CausalModel(("age",), random=True, instrument=False).sentences())
    assert "at random" in random
    chosen = " ".join(CausalModel(("age",), random=False, instrument=True).sentences())
    assert "back door" in chosen
    assert "instrument" in chosen
