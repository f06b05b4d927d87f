"""Sketches: exact counts on a grid, which add up over shards."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.domain.sketch import (
    MAX_CATEGORIES,
    OTHER,
    NumberSketch,
    lay_grid,
    sketch_categories,
    sketch_numbers,
    summed,
)
from serving.errors import InvalidField

VALUES = st.lists(
    st.one_of(st.floats(-1e6, 1e6), st.just(np.nan), st.just(np.inf), st.just(0.0)), max_size=60
)


@given(VALUES, VALUES)
def test_the_sketch_of_two_shards_is_that_of_one_pass(
    first: list[float], second: list[float]
) -> None:
    grid = lay_grid(np.array([*first, 1.0]))
    parts = summed([sketch_numbers(np.array(one, dtype=float), grid) for one in (first, second)])
    whole = sketch_numbers(np.array([*first, *second], dtype=float), grid)
    assert isinstance(parts, NumberSketch)
    assert np.array_equal(parts.counts, whole.counts)
    assert (parts.missing, parts.infinite, parts.rows) == (
        whole.missing,
        whole.infinite,
        whole.rows,
    )
    for name in ("low", "high", "mean", "std"):
        assert getattr(parts, name) == pytest.approx(getattr(whole, name), nan_ok=True, abs=1e-6)


def test_infinite_and_missing_values_are_in_no_cell() -> None:
    sketch = sketch_numbers(np.array([np.inf, -np.inf, np.nan, 1.0]), np.array([0.0]))
    assert (sketch.size, sketch.infinite, sketch.missing) == (1, 2, 1)
    assert sketch.counts.tolist() == [0, 0, 1]


def test_a_grid_holds_the_ends_and_every_value_that_repeats() -> None:
    rng = np.random.default_rng(0)
    values = np.concatenate([np.zeros(5_000), rng.exponential(size=5_000)])
    grid = lay_grid(values)
    assert grid.size <= 511
    assert {0.0, values.max()} <= set(grid.tolist())


def test_a_grid_of_nothing_is_empty_and_still_counts() -> None:
    grid = lay_grid(np.array([np.nan, np.inf]))
    assert grid.size == 0
    assert sketch_numbers(np.array([1.0, 2.0]), grid).counts.tolist() == [2]


def test_sketches_on_other_grids_do_not_add() -> None:
    one, other = (sketch_numbers(np.ones(3), np.array([point])) for point in (1.0, 2.0))
    with pytest.raises(InvalidField, match="grid"):
        one.plus(other)


def test_the_rarest_of_too_many_categories_are_kept_together() -> None:
    labels = [f"c{place}" for place in range(MAX_CATEGORIES + 50)]
    sketch = sketch_categories([*labels, "c0"])
    assert len(sketch.counts) == MAX_CATEGORIES + 1
    assert sketch.counts["c0"] == 2
    assert sketch.counts[OTHER] == 50
    assert sketch.size == MAX_CATEGORIES + 51
