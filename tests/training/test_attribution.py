"""Attribution computed as serving does, beside LightGBM's own."""

from __future__ import annotations

import lightgbm as lgb
import numpy as np
import pytest

from serving.domain.attribution import by_driver, decode, driver_of
from serving.domain.features import FEATURES
from training.attribution import boxes


@pytest.fixture(scope="module")
def rows() -> np.ndarray:
    """Return rows with ties, zeros and missing values, as features have them."""
    rng = np.random.default_rng(3)
    found = rng.normal(size=(600, len(FEATURES))).round(1)
    found[rng.random(found.shape) < 0.1] = np.nan
    found[:, 5] = rng.integers(0, 3, 600)  # a column that misses nothing
    return found.astype(np.float32)


@pytest.fixture(scope="module")
def booster(rows: np.ndarray) -> lgb.Booster:
    """Return a booster whose target mixes columns."""
    known = np.nan_to_num(rows)
    target = known[:, 0] * (known[:, 5] > 1) + known[:, 9] ** 2 + np.isnan(rows[:, 20])
    options = {"num_leaves": 31, "min_data_in_leaf": 5, "verbose": -1, "num_threads": 1, "seed": 1}
    return lgb.train(options, lgb.Dataset(rows, target), 40)


def test_contributions_are_those_of_lightgbm(booster: lgb.Booster, rows: np.ndarray) -> None:
    theirs = np.asarray(booster.predict(rows, pred_contrib=True))
    mine = boxes(booster)
    assert mine.base == pytest.approx(theirs[0, -1], rel=1e-9)
    assert np.allclose(mine.contributions(rows), theirs[:, :-1], atol=1e-9)


def test_contributions_and_base_add_up_to_the_answer(
    booster: lgb.Booster, rows: np.ndarray
) -> None:
    mine = boxes(booster)
    total = mine.base + mine.contributions(rows).sum(axis=1)
    assert np.allclose(total, booster.predict(rows), atol=1e-9)


def test_leaves_read_back_as_they_were_written(booster: lgb.Booster, rows: np.ndarray) -> None:
    mine = boxes(booster)
    again = decode(mine.encode())
    assert np.array_equal(again.contributions(rows[:9]), mine.contributions(rows[:9]))


def test_a_row_has_the_bits_it_has_alone(booster: lgb.Booster, rows: np.ndarray) -> None:
    mine = boxes(booster)
    together = mine.contributions(rows[:20])
    for index in range(20):
        assert np.array_equal(mine.contributions(rows[index : index + 1])[0], together[index])


def test_a_booster_without_a_split_is_all_base(rows: np.ndarray) -> None:
    flat = lgb.train(
        {"min_data_in_leaf": 10_000, "verbose": -1}, lgb.Dataset(rows, rows[:, 5].copy()), 3
    )
    mine = boxes(flat)
    assert mine.base == pytest.approx(rows[:, 5].mean(), rel=1e-5)
    assert not mine.contributions(rows).any()


def test_drivers_take_up_every_feature() -> None:
    contributions = np.arange(2.0 * len(FEATURES)).reshape(2, -1)
    assert by_driver(contributions).sum(axis=1) == pytest.approx(contributions.sum(axis=1))
    assert len({driver_of(name) for name in FEATURES}) == 6  # all but the calibration
