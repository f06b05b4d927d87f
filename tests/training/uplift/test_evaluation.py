"""Curves and areas by which effects are judged."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.uplift.evaluation import (
    Outcomes,
    Ranking,
    auuc,
    calibration,
    calibration_line,
    gain_curve,
    qini,
    resamples,
    robust_scores,
    uplift_at,
)


def drawn(size: int = 20_000, share: float = 0.5) -> tuple[np.ndarray, Outcomes]:
    rng = np.random.default_rng(1)
    effect = rng.normal(1.0, 1.0, size)
    treated = rng.random(size) < share
    outcome = rng.standard_normal(size) + treated * effect
    on = np.full(size, share)
    scores = robust_scores(treated, outcome, on, (np.zeros(size), np.full(size, 1.0)))
    return effect, Outcomes(treated, outcome, on, scores)


def test_a_ranking_by_chance_has_one_half() -> None:
    effect, outcomes = drawn()
    by_chance = np.random.default_rng(2).standard_normal(len(effect))
    assert auuc(by_chance, outcomes) == pytest.approx(0.5, abs=0.03)
    assert auuc(np.ones(len(effect)), outcomes) == pytest.approx(0.5, abs=0.001)


def test_the_true_ranking_has_the_area_of_its_sorted_effects() -> None:
    effect, outcomes = drawn()
    best = np.sort(effect)[::-1]
    expected = best.cumsum().mean() / best.sum()
    assert auuc(effect, outcomes) == pytest.approx(expected, abs=0.03)
    once = np.ones(len(effect), dtype=np.int64)
    robust = Ranking.of(effect, outcomes).robust_area(once)
    assert robust == pytest.approx(expected, abs=0.03)
    assert auuc(-effect, outcomes) == pytest.approx(1 - expected, abs=0.03)


@given(st.floats(0.01, 100.0), st.floats(-5.0, 5.0))
def test_only_the_order_of_effects_counts(factor: float, shift: float) -> None:
    effect, outcomes = drawn(500)
    rounded = effect.round(3)
    assert auuc(rounded * factor + shift, outcomes) == pytest.approx(
        auuc(rounded, outcomes), abs=0.01
    )


def test_the_order_of_equal_units_does_not_count() -> None:
    effect, outcomes = drawn(1_000)
    coarse = effect.round()
    turned = np.random.default_rng(0).permutation(1_000)
    other = Outcomes(
        outcomes.treated[turned],
        outcomes.outcomes[turned],
        outcomes.propensities[turned],
        outcomes.scores[turned],
    )
    assert auuc(coarse[turned], other) == pytest.approx(auuc(coarse, outcomes))


def test_the_curve_ends_at_the_effect_on_all() -> None:
    effect, outcomes = drawn()
    end = gain_curve(effect, outcomes)[-1] / len(effect)
    assert end == pytest.approx(effect.mean(), abs=0.05)
    assert uplift_at(effect, outcomes, 0.1) > end
    assert qini(effect, outcomes) > 0 > qini(-effect, outcomes)


def test_unequal_chances_of_treatment_are_weighed_out() -> None:
    rng = np.random.default_rng(4)
    size = 60_000
    x = rng.standard_normal(size)
    on = 1 / (1 + np.exp(-x))
    treated = rng.random(size) < on
    outcome = 2 * x + treated * 1.0 + rng.standard_normal(size)
    outcomes = Outcomes(treated, outcome, on, np.zeros(size))
    end = gain_curve(rng.standard_normal(size), outcomes)[-1] / size
    assert end == pytest.approx(1.0, abs=0.1)
    assert outcome[treated].mean() - outcome[~treated].mean() > 2


def test_resamples_count_each_unit_as_often_as_drawn() -> None:
    effect, outcomes = drawn(2_000)
    drawn_counts = resamples(2_000, seed=0, times=60)
    assert all(one.sum() == 2_000 for one in drawn_counts)
    rank = Ranking.of(effect, outcomes)
    areas = [rank.area(one) for one in drawn_counts]
    assert np.mean(areas) == pytest.approx(auuc(effect, outcomes), abs=0.03)
    repeated = np.repeat(np.arange(2_000), drawn_counts[0])
    same = Outcomes(
        outcomes.treated[repeated],
        outcomes.outcomes[repeated],
        outcomes.propensities[repeated],
        outcomes.scores[repeated],
    )
    assert areas[0] == pytest.approx(auuc(effect[repeated], same), abs=1e-3)


def test_calibration_of_true_effects_is_a_line_of_slope_one() -> None:
    effect, outcomes = drawn()
    line = calibration_line(effect, outcomes.scores)
    assert line.slope == pytest.approx(1.0, abs=0.1)
    low, high = line.ends(np.array([line.center]))
    assert low[0] < 1.0 < high[0]
    low, high = line.interval(np.array([line.center - 9.0, line.center, line.center + 9.0]))
    assert (low <= line.center + np.array([-9.0, 0.0, 9.0])).all()
    assert (high >= line.center + np.array([-9.0, 0.0, 9.0])).all()
    groups = calibration(effect, outcomes)
    held = [one.observed.lower <= one.predicted <= one.observed.upper for one in groups]
    assert sum(held) >= 8
