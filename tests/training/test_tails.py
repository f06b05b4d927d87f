"""Tails beyond the highest booster: apart where there is a spread, alone where they are."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from training.demand import COVER_LEVELS
from training.tails import HIGHEST, rising_tail

MEDIAN, TOP = COVER_LEVELS.index(0.5), COVER_LEVELS.index(HIGHEST)


@given(st.lists(st.floats(0.0, 5.0), min_size=len(COVER_LEVELS), max_size=len(COVER_LEVELS)))
def test_a_tail_rises_wherever_there_is_a_spread(drawn: list[float]) -> None:
    factors = np.sort(drawn)
    found = rising_tail(factors, COVER_LEVELS)
    assert (found[: TOP + 1] == factors[: TOP + 1]).all()
    assert (found >= factors).all()
    if factors[TOP] - factors[MEDIAN] > 1e-3:
        assert (np.diff(found[TOP:]) > 0).all()


def test_factors_that_rise_are_left_as_they_are() -> None:
    factors = np.linspace(-1.0, 3.0, len(COVER_LEVELS))
    assert (rising_tail(factors, COVER_LEVELS) == factors).all()


def test_demand_without_spread_keeps_equal_quantiles() -> None:
    factors = np.ones((3, len(COVER_LEVELS)))
    assert (rising_tail(factors, COVER_LEVELS) == 1.0).all()
