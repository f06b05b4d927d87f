"""Totals that add up, and whether reconciling would have helped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from serving.domain.totals import TotalLevel
from tests.fakes.demand import FakeModel
from training.backtest.coherence import reconcile, score_totals, sum_by
from training.backtest.scene import set_scene
from training.totals import learn_totals, sums, total_codes

if TYPE_CHECKING:
    from training.backtest.scene import Scene
    from training.panel import Panel

ORIGIN, HORIZON = 170, 10


@pytest.fixture(scope="module")
def scene(panel: Panel) -> Scene:
    """Return the scene of one origin."""
    return set_scene(panel, ORIGIN, HORIZON)


def test_a_forecast_that_agrees_with_its_totals_is_left_alone(scene: Scene) -> None:
    codes = total_codes(scene.panel, scene.truth.series)
    any_mean = np.ones((scene.truth.series.size, HORIZON))
    moved = reconcile(scene, any_mean, codes)
    again = reconcile(scene, moved, codes)
    # Least squares lands where the totals pull no further than the series pull back.
    assert np.abs(again - moved).mean() < 0.5 * np.abs(moved - any_mean).mean()


def test_reconciling_brings_the_total_nearer_to_its_own_forecast(scene: Scene) -> None:
    codes = total_codes(scene.panel, scene.truth.series)
    low = np.zeros((scene.truth.series.size, HORIZON))
    moved = reconcile(scene, low, codes)
    assert (moved >= 0).all()
    assert moved.sum() > 0


def test_every_level_is_scored_beside_its_reconciled_form(scene: Scene, panel: Panel) -> None:
    completed = np.nan_to_num(panel.history.quantity)
    shapes = learn_totals(panel, FakeModel(), (150, 160), completed)
    mean = np.nan_to_num(scene.truth.sold)
    figures = dict(score_totals(scene, mean, shapes, FakeModel().description.quantile_levels))
    for level in TotalLevel:
        name = level.name.lower()
        assert figures[f"wmape_sum/{name}/all"] == 0.0
        assert figures[f"wmape_sum/{name}/all/mint"] > 0.0
        assert 0.0 <= figures[f"coverage_sum_90/{name}/all"] <= 1.0


def test_sums_by_group_take_every_row_once() -> None:
    values = np.arange(8.0).reshape(4, 2)
    assert sums(values, np.array([0, 1, 0, 1])).tolist() == [[4.0, 6.0], [8.0, 10.0]]
    both = sum_by([np.array([0, 0, 1, 1]), np.full(4, 2)], values, 3)
    assert both[2].tolist() == values.sum(axis=0).tolist()


def test_few_weeks_widen_what_weeks_share(panel: Panel) -> None:
    completed = np.nan_to_num(panel.history.quantity)
    few, many = (
        learn_totals(panel, FakeModel(), origins, completed).factors[0]
        for origins in ((150, 160), (130, 135, 140, 145, 150, 155, 160))
    )
    assert (np.diff(few, axis=-1) >= 0).all()
    assert (few >= 0).all()
    width = [
        (one[TotalLevel.TOTAL, ..., -1] - one[TotalLevel.TOTAL, ..., 0]).max()
        for one in (few, many)
    ]
    assert width[0] > width[1]
