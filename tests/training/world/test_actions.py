"""Actions of a generated world: what is seen follows from effects that are kept apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

from training.world.actions import PRE_CORRELATION, average_effect, draw_experiment

if TYPE_CHECKING:
    from training.world import WorldSummary


def test_both_arms_stand_in_folders_of_their_own_and_effects_apart(
    tiny_world: WorldSummary,
) -> None:
    for arm in ("", "confounded/"):
        seen = pl.read_parquet(tiny_world.out / f"{arm}experiment.parquet")
        known = pl.read_parquet(tiny_world.truth / f"{arm}experiment_effects.parquet")
        assert seen["unit_id"].to_list() == known["unit_id"].to_list()
        assert "effect" not in seen.columns


@pytest.mark.parametrize("random", [True, False])
def test_a_fifth_is_treated_and_the_pre_period_correlates_as_promised(*, random: bool) -> None:
    seen, known = draw_experiment(np.random.default_rng(0), 50_000, random=random)
    treated = seen["treated"].to_numpy()
    assert treated.mean() == pytest.approx(0.2, abs=0.01)
    correlation = np.corrcoef(seen["pre_outcome"], seen["outcome"])[0, 1]
    assert correlation == pytest.approx(PRE_CORRELATION, abs=0.01)
    expected = known["without_action"] + treated * known["effect"]
    assert np.allclose(seen["outcome"], expected, atol=1e-4)
    assert known["effect"].mean() == pytest.approx(average_effect(), rel=0.03)


def test_the_lottery_is_fair_and_buyers_are_not() -> None:
    rng = np.random.default_rng(1)
    for random in (True, False):
        seen, known = draw_experiment(rng, 50_000, random=random)
        treated, outcome = seen["treated"].to_numpy(), seen["outcome"].to_numpy()
        naive = outcome[treated].mean() - outcome[~treated].mean()
        bias = naive - known["effect"].mean()
        assert (abs(float(bias)) < 0.15) is random


def test_the_trained_buyers_act_more_often_and_nothing_else() -> None:
    seen, known = draw_experiment(np.random.default_rng(2), 50_000, random=False)
    trained = seen["instrument"].to_numpy() == 1
    treated = seen["treated"].to_numpy()
    assert treated[trained].mean() > treated[~trained].mean() + 0.1
    without = known["without_action"].to_numpy()
    assert abs(without[trained].mean() - without[~trained].mean()) < 0.1
