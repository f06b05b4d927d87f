"""A learner is chosen on units it did not see, and noise is called noise."""

from __future__ import annotations

import numpy as np
import pytest

from training.uplift.evaluation import Outcomes
from training.uplift.selection import NO_SIGNAL, SIGNAL, judge

SIZE = 2_000


def outcomes(spread: float, mean: float = 1.0, seed: int = 0) -> tuple[np.ndarray, Outcomes]:
    rng = np.random.default_rng(seed)
    effect = mean + spread * rng.standard_normal(SIZE)
    treated = np.arange(SIZE) % 5 == 0
    happened = rng.standard_normal(SIZE) + treated * effect
    on = np.full(SIZE, 0.2)
    left = np.where(treated, (happened - mean) / on, -happened / (1 - on))
    return effect, Outcomes(treated, happened, on, mean + left)


def test_the_learner_that_knows_is_chosen() -> None:
    effect, happened = outcomes(spread=1.0)
    rng = np.random.default_rng(1)
    noise = rng.standard_normal(SIZE)
    found = judge({"noise": noise, "knows": effect, "half": effect + noise}, happened, seed=0)
    assert found.chosen == "knows"
    assert found.verdict == SIGNAL
    assert found.auuc["knows"].lower > 0.5


def test_a_steady_mean_is_taken_while_its_risk_is_near_the_least() -> None:
    effect, happened = outcomes(spread=1.0)
    rng = np.random.default_rng(2)

    def blurred(noise: float) -> np.ndarray:
        return effect + noise * rng.standard_normal(SIZE)

    alike = {name: blurred(0.1) for name in ("s", "mean", "steady")}
    assert judge(alike, happened, seed=0).chosen == "steady"
    worse = {"s": effect, "mean": blurred(0.1), "steady": blurred(2.0)}
    assert judge(worse, happened, seed=0).chosen == "mean"
    assert judge({**worse, "mean": blurred(2.0)}, happened, seed=0).chosen == "s"


def test_rankings_by_chance_have_no_signal() -> None:
    verdicts, optimism = [], []
    for seed in range(8):
        _, happened = outcomes(spread=0.0, seed=seed)
        rng = np.random.default_rng(100 + seed)
        found = judge(
            {str(number): 1 + 0.1 * rng.standard_normal(SIZE) for number in range(6)},
            happened,
            seed=seed,
        )
        verdicts.append(found.verdict)
        optimism.append(found.optimism)
    assert verdicts.count(SIGNAL) <= 1
    assert np.mean(optimism) > 0.005  # the best of six by chance flatters


def test_an_average_effect_of_no_sign_has_no_signal() -> None:
    effect, happened = outcomes(spread=1.0, mean=0.0)
    assert judge({"knows": effect}, happened, seed=0).verdict == NO_SIGNAL


def test_what_the_choice_adds_is_taken_off() -> None:
    effect, happened = outcomes(spread=0.3)
    found = judge({"knows": effect, "other": effect[::-1]}, happened, seed=0)
    assert found.headline.value == pytest.approx(found.auuc[found.chosen].value - found.optimism)
