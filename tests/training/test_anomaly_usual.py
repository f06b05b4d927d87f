"""Rows that are set aside before a model learns what is usual, and what that does for its flags."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from serving.domain.anomaly import p_values
from serving.domain.two_sample import adjusted
from training.anomaly_forest import PartingForest
from training.anomaly_usual import MOST_ASIDE, set_aside

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Rows = NDArray[np.float32]

TAILS: dict[str, Callable[[np.random.Generator, int], NDArray[np.float64]]] = {
    "normal": lambda rng, size: rng.normal(size=size),
    "Student's with 3 degrees": lambda rng, size: rng.standard_t(3, size),
    "Student's with 2 degrees": lambda rng, size: rng.standard_t(2, size),
    "log-normal": lambda rng, size: rng.lognormal(size=size),
    "exponential": lambda rng, size: rng.exponential(size=size),
    "counts": lambda rng, size: rng.poisson(3.0, size).astype(float),
    "mostly zero": lambda rng, size: np.where(
        rng.random(size) < 0.6, 0.0, rng.lognormal(size=size)
    ),
}
USUAL, ODD = 10_000, 100


@pytest.mark.parametrize("tail", TAILS)
def test_of_rows_without_anomalies_next_to_none_are_set_aside(tail: str) -> None:
    rng = np.random.default_rng(0)
    shares = [
        set_aside(TAILS[tail](rng, 4 * USUAL).reshape(USUAL, 4).astype(np.float32)).mean()
        for _ in range(5)
    ]
    assert np.mean(shares) <= 0.003


def rows_with_anomalies(seed: int) -> tuple[Rows, NDArray[np.bool_]]:
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(USUAL + ODD, 4)).astype(np.float32)
    odd = np.arange(len(rows)) < ODD
    rows[odd, rng.integers(0, 4, ODD)] += rng.choice([-1, 1], ODD) * rng.uniform(6, 15, ODD)
    return rows, odd


def test_rows_far_beyond_a_tail_are_set_aside_and_no_other() -> None:
    rows, odd = rows_with_anomalies(1)
    aside = set_aside(rows)
    assert aside[odd].mean() > 0.9
    assert aside[~odd].sum() <= 10


def test_missing_constant_and_few_values_set_nothing_aside() -> None:
    rng = np.random.default_rng(2)
    rows = np.column_stack(
        [np.full(1_000, np.nan), np.ones(1_000), np.r_[rng.normal(size=50), np.full(950, np.nan)]]
    )
    assert not set_aside(rows.astype(np.float32)).any()


def test_a_second_cloud_of_rows_is_no_anomaly() -> None:
    rng = np.random.default_rng(3)
    rows = rng.normal(size=(2_000, 2)).astype(np.float32)
    rows[: int(2_000 * (MOST_ASIDE + 0.005)), 0] += 30.0
    assert not set_aside(rows).any()


@pytest.mark.parametrize(
    "tail", ["normal", "Student's with 3 degrees", "log-normal", "mostly zero"]
)
def test_usual_rows_are_flagged_as_often_as_asked_with_what_is_odd_set_aside(tail: str) -> None:
    rng = np.random.default_rng(4)
    train, calibrate, test = (
        TAILS[tail](rng, 4 * USUAL).reshape(USUAL, 4).astype(np.float32) for _ in range(3)
    )
    forest = PartingForest(25).fit(train[~set_aside(train)])
    usual = np.sort(-forest.score_samples(calibrate[~set_aside(calibrate)]))
    flagged = p_values(-forest.score_samples(test), usual) <= 0.01
    assert 0.007 <= flagged.mean() <= 0.013


def test_anomalies_in_the_history_are_found_in_it_and_false_ones_are_as_few_as_promised() -> None:
    false, found, blind = [], [], []
    for seed in range(2):
        rows, odd = rows_with_anomalies(10 + seed)
        half = np.random.default_rng(seed).random(len(rows)) < 0.5
        for aside in (set_aside(rows), np.zeros(len(rows), dtype=bool)):
            forest = PartingForest(25, seed=seed).fit(rows[half & ~aside])
            usual = np.sort(-forest.score_samples(rows[~half & ~aside]))
            p_value = p_values(-forest.score_samples(rows), usual)
            flagged = adjusted(p_value, np.ones(p_value.size)) <= 0.1
            if not aside.any():
                blind.append((flagged & odd).sum() / ODD)
                continue
            false.append((flagged & ~odd).sum() / max(flagged.sum(), 1))
            found.append((flagged & odd).sum() / ODD)
    assert np.mean(false) <= 0.1
    assert np.mean(found) >= 0.6
    assert np.mean(blind) < 0.1
