"""What training holds to: targets out of time, calibrated tails, and the same model again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.domain.demand import QUANTILE_LEVELS
from serving.domain.features import COLUMN, YEARLY
from serving.errors import InvalidField, MissingInput
from training.content import Recipe
from training.demand import (
    COVER_LEVELS,
    MAX_ORIGINS,
    MIN_DAYS,
    calibration_origins,
    train,
    training_origins,
)
from training.demand_rows import MIN_YEARLY_DAYS, hidden_columns
from training.panel import load_panel

if TYPE_CHECKING:
    from serving.settings import Settings
    from training.demand import Training
    from training.panel import Panel

SMALL = Recipe(rows=3_000, trees=5, leaves=7)


@pytest.fixture(scope="module")
def trained(panel: Panel) -> Training:
    return train(panel, SMALL, lambda _: None)


@given(days=st.integers(MIN_DAYS, 3_000), horizon=st.integers(1, 90))
def test_calibration_leaves_days_to_fit_on_and_days_to_score(days: int, horizon: int) -> None:
    origins, first = calibration_origins(days, min(horizon, max(7, days // 4)))
    assert origins == sorted(set(origins))
    assert origins[0] == first
    assert first >= days // 2
    assert origins[-1] < days - 1


@given(days=st.integers(20, 3_000))
def test_training_origins_are_spread_and_leave_a_day_ahead(days: int) -> None:
    origins = training_origins(days)
    assert origins == sorted(set(origins))
    assert 1 <= len(origins) <= MAX_ORIGINS
    assert origins[0] >= 0
    assert origins[-1] <= days - 2
    assert origins[0] >= days - 1 - 2 * 365 - 1


def test_the_heads_have_the_levels_that_are_promised(trained: Training) -> None:
    assert trained.final.daily.calibration.levels == QUANTILE_LEVELS
    assert trained.final.cover.calibration.levels == COVER_LEVELS
    assert (trained.final.daily.summed, trained.final.cover.summed) == (False, True)
    assert trained.final.horizon == SMALL.horizon_for(200) == 50


@pytest.mark.parametrize("head", ["daily", "cover"])
def test_factors_ascend_and_change_sign_at_the_median(trained: Training, head: str) -> None:
    calibration = getattr(trained.final, head).calibration
    half = calibration.levels.index(0.5)
    assert (np.diff(calibration.factors, axis=-1) >= 0).all()
    assert (calibration.factors[..., half] == 0).all()


def test_the_same_seed_gives_the_same_graph(panel: Panel, trained: Training) -> None:
    again = train(panel, SMALL, lambda _: None)
    assert again.final.graph() == trained.final.graph()


def test_the_holdout_model_is_another_one_that_leaves_days_to_score(
    panel: Panel, trained: Training
) -> None:
    assert trained.holdout_origin < panel.history.days - 1
    assert trained.holdout.graph() != trained.final.graph()


@pytest.mark.parametrize("days", [5, MIN_DAYS - 1])
def test_too_short_a_history_is_refused_with_what_is_needed(home: Settings, days: int) -> None:
    first = load_panel(home.tables).history.first_day
    last = (first + np.timedelta64(days - 1, "D")).astype(object)
    short = load_panel(home.tables, as_of=last)
    with pytest.raises(MissingInput, match="28 days or more"):
        train(short, SMALL, lambda _: None)


def test_yearly_columns_are_hidden_from_less_than_a_year() -> None:
    hidden = hidden_columns(MIN_YEARLY_DAYS - 1, YEARLY)
    assert [index for index, is_hidden in enumerate(hidden) if is_hidden] == sorted(
        COLUMN[name] for name in YEARLY
    )
    assert not hidden_columns(MIN_YEARLY_DAYS, YEARLY).any()


@pytest.mark.parametrize(
    "wrong", [{"horizon": 0}, {"horizon": 91}, {"rows": 0}, {"trees": 0}, {"leaves": 0}]
)
def test_a_recipe_that_cannot_be_trained_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(InvalidField, match=next(iter(wrong))):
        Recipe(**wrong)
