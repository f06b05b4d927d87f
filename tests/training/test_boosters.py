"""What boosters say of rows: the median between two of them, spreads that are never nothing."""

from __future__ import annotations

import numpy as np
import pytest

from tests.fakes.fits import MadeUp, made_up
from training.boosters import MIN_SPREAD, CoverBoosters, DayBoosters, FitRows, fit_days, outline

ASKED = {"num_leaves": 8, "learning_rate": 0.2, "max_bin": 63, "verbose": -1, "seed": 1}


@pytest.fixture(scope="module")
def made() -> MadeUp:
    return made_up()


def test_the_median_of_days_lies_between_squared_root_and_mean(made: MadeUp) -> None:
    boosters = made.fit.daily.boosters
    assert isinstance(boosters, DayBoosters)
    said = outline(boosters, made.rows)
    root = np.maximum(np.asarray(boosters.root.predict(made.rows)), 0.0)
    assert said.middle == pytest.approx(0.7 * root**2 + 0.3 * np.maximum(said.mean, 0.0))
    assert np.array_equal(said.below, said.above)


def test_the_median_of_covers_is_that_of_its_booster(made: MadeUp) -> None:
    boosters = made.fit.cover.boosters
    assert isinstance(boosters, CoverBoosters)
    said = outline(boosters, made.rows)
    assert np.array_equal(said.middle, np.asarray(boosters.middle.predict(made.rows)))


def test_a_target_without_spread_keeps_the_least_one() -> None:
    rows = np.random.default_rng(2).normal(size=(500, 3)).astype(np.float32)
    boosters = fit_days(FitRows(rows, np.ones(500), np.ones(500)), ASKED, 4)
    said = outline(boosters, rows)
    assert said.middle == pytest.approx(np.ones(500))
    assert (said.below == MIN_SPREAD).all()


def test_a_wider_target_has_a_wider_spread_and_a_median_below_its_mean() -> None:
    rng = np.random.default_rng(3)
    rows = rng.integers(0, 2, size=(20_000, 1)).astype(np.float32)
    shape = np.where(rows[:, 0] > 0, 0.7, 20.0)  # of gammas whose mean is 2 either way
    target = rng.gamma(shape, 2.0 / shape)
    boosters = fit_days(FitRows(rows, target, np.ones(len(rows))), ASKED, 40)
    said = outline(boosters, np.array([[0.0], [1.0]], dtype=np.float32))
    assert said.mean == pytest.approx([2.0, 2.0], rel=0.05)
    assert said.above[1] > 3.0 * said.above[0]
    assert said.middle[1] < said.middle[0]
