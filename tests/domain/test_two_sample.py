"""Two-sample tests: exact where they say so, and never more alarms than they promise."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import pytest

from serving.domain.sketch import lay_grid, sketch_numbers
from serving.domain.two_sample import (
    adjusted,
    block_p_value,
    category_p_value,
    ks_p_value,
    ks_statistic,
    numeric_p_value,
    table_p_value,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

KNOWN: list[tuple[list[int], list[int], float, float]] = [
    ([1, 2, 3, 4, 5], [1, 2, 3, 4, 5], 0.0, 1.0),
    ([1, 2, 3, 4, 5], [6, 7, 8, 9, 10], 1.0, 0.0079365),
]


def cells(first: NDArray[np.float64], second: NDArray[np.float64]) -> list[NDArray[np.int64]]:
    grid = lay_grid(first)
    return [sketch_numbers(one, grid).counts for one in (first, second)]


@pytest.mark.parametrize(("first", "second", "gap", "p_value"), KNOWN)
def test_known_gaps_have_their_known_p_values(
    first: list[int], second: list[int], gap: float, p_value: float
) -> None:
    both = cells(np.array(first, dtype=float), np.array(second, dtype=float))
    assert ks_statistic(*both) == pytest.approx(gap)
    assert ks_p_value(*both) == pytest.approx(p_value, rel=1e-4)


def test_the_exact_null_counts_ties_as_a_permutation_does() -> None:
    first, second = np.array([0.0, 0, 0, 1, 2]), np.array([0.0, 1, 1, 2, 2, 3])
    both = cells(first, second)
    grid = np.unique(np.concatenate([first, second]))
    pooled = np.concatenate([first, second])
    counts = [sketch_numbers(one, grid).counts for one in (first, second)]
    seen, greater, deals = ks_statistic(*counts), 0, 0
    for chosen in combinations(range(pooled.size), first.size):
        mine = np.isin(np.arange(pooled.size), chosen)
        dealt = [sketch_numbers(pooled[side], grid).counts for side in (mine, ~mine)]
        greater += ks_statistic(*dealt) >= seen - 1e-12
        deals += 1
    assert ks_p_value(*counts) == pytest.approx(greater / deals, rel=1e-9)
    assert ks_p_value(*both) >= greater / deals - 1e-12  # a grid that lacks a value is no bolder


def test_fishers_table_is_that_of_the_lady_tasting_tea() -> None:
    assert table_p_value(3, 4, 1, 4) == pytest.approx(34 / 70)
    assert table_p_value(0, 10, 0, 10) == 1.0
    assert table_p_value(0, 0, 5, 10) == 1.0


DRAWS: dict[str, Callable[[np.random.Generator, int], NDArray[np.float64]]] = {
    "continuous": lambda rng, size: rng.normal(size=size),
    "heavy": lambda rng, size: rng.standard_t(2, size=size),
    "zero-inflated": lambda rng, size: np.where(rng.random(size) < 0.6, 0.0, rng.random(size)),
    "integer": lambda rng, size: rng.poisson(2.0, size).astype(float),
}


@pytest.mark.parametrize("kind", DRAWS)
@pytest.mark.parametrize("size", [30, 300])
def test_unchanged_data_are_called_changed_no_oftener_than_promised(kind: str, size: int) -> None:
    rng = np.random.default_rng(size)
    pairs = 300
    alarms = sum(
        numeric_p_value(*cells(DRAWS[kind](rng, size), DRAWS[kind](rng, size))) <= 0.05
        for _ in range(pairs)
    )
    assert alarms <= 26  # 5 % of 300 are 15; more than 26 have probability .004


@pytest.mark.parametrize(("size", "shift"), [(1_000, 0.3), (10_000, 0.1)])
def test_a_shift_is_found(size: int, shift: float) -> None:
    rng = np.random.default_rng(size)
    found = sum(
        numeric_p_value(*cells(rng.normal(size=size), rng.normal(size=size) + shift)) <= 0.05
        for _ in range(40)
    )
    assert found >= 39


def test_three_points_of_zeros_are_found_at_ten_thousand() -> None:
    rng = np.random.default_rng(1)

    def sparse(share: float) -> NDArray[np.float64]:
        return np.where(rng.random(10_000) < share, 0.0, rng.exponential(size=10_000))

    assert sum(numeric_p_value(*cells(sparse(0.6), sparse(0.63))) <= 0.05 for _ in range(40)) >= 38


def test_categories_are_tested_at_every_size() -> None:
    rng = np.random.default_rng(2)
    shares = np.array([0.5, 0.3, 0.15, 0.03, 0.02])
    for size in (30, 2_000):
        alarms = sum(
            category_p_value(rng.multinomial(size, shares), rng.multinomial(size, shares)) <= 0.05
            for _ in range(300)
        )
        assert alarms <= 26
    moved = shares + np.array([-0.03, 0.03, 0, 0, 0])
    assert category_p_value(rng.multinomial(10_000, shares), rng.multinomial(10_000, moved)) < 0.05
    assert category_p_value(np.array([7]), np.array([9])) == 1.0


def test_rows_that_move_by_days_are_no_drift_but_a_change_of_days_is() -> None:
    rng = np.random.default_rng(3)

    def days(count: int, shift: float) -> NDArray[np.int64]:
        level = rng.normal(size=count) + shift
        values = level[:, None] + 0.1 * rng.normal(size=(count, 200))
        grid = np.linspace(-4, 6, 60)
        return np.stack([sketch_numbers(day, grid).counts for day in values])

    alarms = sum(block_p_value(days(28, 0.0), days(7, 0.0)) <= 0.05 for _ in range(60))
    assert alarms <= 9
    rows = numeric_p_value(days(28, 0.0).sum(axis=0), days(7, 0.0).sum(axis=0))
    assert rows < 1e-6  # rows taken for independent cry wolf
    assert block_p_value(days(28, 0.0), days(7, 3.0)) <= 0.01


def test_important_features_are_found_first() -> None:
    p_values = np.array([0.03, 0.03, 0.9, 0.9])
    plain, favoured = adjusted(p_values, np.ones(4)), adjusted(p_values, np.array([8.0, 1, 1, 1]))
    assert favoured[0] < plain[0]
    assert favoured[1] > plain[1]
    assert adjusted(p_values, np.zeros(4)).tolist() == plain.tolist()
    assert adjusted(np.empty(0), np.empty(0)).size == 0
