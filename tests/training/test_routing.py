"""Learning who answers for which series."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import pytest

from serving.adapters.demand import OnnxDemandModel
from serving.adapters.onnx import open_session
from serving.domain.demand import QUANTILE_LEVELS
from serving.domain.history import demand_states
from serving.domain.periods import Frequency
from serving.domain.route_text import KEY, decode, encode
from serving.domain.routes import HISTORIES, SHAPE_GROUPS
from serving.domain.tiers import DemandPattern, DemandTier
from tests.fakes.demand import COVER_LEVELS, FakeModel
from training.features.records import records_at
from training.route_scenes import Scene, scenes
from training.routed import carrying
from training.routing import Levels, learn
from training.seasons import MIN_DAYS, season_of
from training.shapes import MIN_ROWS, fit_shape
from training.tier_options import Known, known_at

if TYPE_CHECKING:
    from serving.settings import Settings
    from training.panel import Panel

LEVELS = Levels(QUANTILE_LEVELS, COVER_LEVELS)
ORIGINS = (150, 160, 170, 180)


@pytest.fixture(scope="module")
def known(panel: Panel) -> tuple[list[Scene], dict[int, Known]]:
    """Return scenes of the panel, answered by a model that is wrong, and what was known."""
    ((_, _, completed),) = demand_states(panel.history, [panel.history.days - 1])
    model = FakeModel()
    at = {
        origin: known_at(panel, completed, origin, records)
        for origin, records in records_at(panel, ORIGINS)
    }
    return list(scenes(panel, model, ORIGINS, completed)), at


def best_on_days(scene: Scene) -> Scene:
    """Return a scene whose model knew what came on each day."""
    came = np.nan_to_num(scene.demand)
    return dataclasses.replace(scene, model=np.repeat(came[:, :, None], len(QUANTILE_LEVELS), 2))


def best_on_sums(scene: Scene) -> Scene:
    """Return a scene whose model knew what came over each cover."""
    came = np.nan_to_num(scene.demand_sums)
    return dataclasses.replace(scene, model_sums=np.repeat(came[:, :, None], len(COVER_LEVELS), 2))


def test_cells_leave_a_model_that_is_wrong_and_keep_one_that_is_right(
    known: tuple[list[Scene], dict[int, Known]],
) -> None:
    found, at = known
    wrong = learn(found, at, at[ORIGINS[-1]], LEVELS).cells
    common = wrong.series >= 30
    assert common.any()
    assert (wrong.weight[common] > 0).all()
    assert (wrong.gain[common] > 0).all()
    right = learn([best_on_days(scene) for scene in found], at, at[ORIGINS[-1]], LEVELS).cells
    assert not right.weight.any()


def test_who_answers_for_days_need_not_answer_for_sums(
    known: tuple[list[Scene], dict[int, Known]],
) -> None:
    found, at = known
    days = learn([best_on_days(scene) for scene in found], at, at[ORIGINS[-1]], LEVELS)
    sums = learn([best_on_sums(scene) for scene in found], at, at[ORIGINS[-1]], LEVELS)
    assert not days.cells.weight.any()
    assert days.cover_cells.weight.any()
    assert sums.cells.weight.any()
    assert not sums.cover_cells.weight.any()


def test_the_table_is_the_same_when_it_is_learned_again(
    known: tuple[list[Scene], dict[int, Known]],
) -> None:
    found, at = known
    once, again = (encode(learn(found, at, at[ORIGINS[-1]], LEVELS)) for _ in range(2))
    assert once == again


def test_short_histories_are_learned_from_series_cut_short(
    known: tuple[list[Scene], dict[int, Known]],
) -> None:
    found, at = known
    series = learn(found, at, at[ORIGINS[-1]], LEVELS).cells.series
    assert (series.sum(axis=0)[:4] > 0).all()


def test_distributions_cover_what_they_say(known: tuple[list[Scene], dict[int, Known]]) -> None:
    found, at = known
    table = learn(found, at, at[ORIGINS[-1]], LEVELS)
    inside = []
    for scene in (one for one in found if one.whole):
        _, quantiles = table.daily(DemandTier.SIMILAR, scene.records, scene.effect, sales=False)
        chosen = quantiles[:, scene.days - 1]
        known_days = ~np.isnan(scene.demand)
        within = (scene.demand >= chosen[:, :, 1]) & (scene.demand <= chosen[:, :, -2])
        inside.append(within[known_days])
    assert 0.87 < np.concatenate(inside).mean() < 0.97


def test_a_graph_carries_its_table_and_answers_as_before(home: Settings) -> None:
    graph = (home.releases / "forecast" / "current" / "model.onnx").read_bytes()
    session = open_session(graph)
    table = decode(session.get_modelmeta().custom_metadata_map[KEY])
    assert table.frequency is Frequency.DAY
    again = carrying(graph, {KEY: encode(table)})
    model = OnnxDemandModel(open_session(again), FakeModel().description)
    assert model.routes is not None
    assert encode(model.routes) == encode(table)


def test_the_season_is_found_under_growth() -> None:
    days = np.datetime64("2020-01-01", "D") + np.arange(3 * 366)
    wave = 1.0 + 0.3 * np.sin(2 * np.pi * np.arange(days.size) / 365.25)
    growth = 1.001 ** np.arange(days.size)
    _, season = season_of(100 * wave * growth, days[0], 7)
    truth = wave[:366] / wave[:366].mean()
    assert np.abs(season / truth - 1.0).max() < 0.05
    assert days.size >= MIN_DAYS


def test_few_rows_take_the_shape_of_many() -> None:
    rng = np.random.default_rng(1)
    groups = np.zeros((len(SHAPE_GROUPS), MIN_ROWS * 10), dtype=np.int64)
    groups[4, : MIN_ROWS * 9] = 3
    groups[4, -5:] = 7  # five rows alone in theirs
    expected = np.ones(groups.shape[1])
    actual = rng.gamma(2.0, 0.5, expected.size)
    mean, factors = fit_shape(groups, expected, actual, (0.1, 0.5, 0.9))
    own, few = factors[0, 0, 0, 0, 3], factors[0, 0, 0, 0, 7]
    assert (np.diff(factors, axis=-1) >= 0).all()
    assert own == pytest.approx(np.quantile(actual[: MIN_ROWS * 9], (0.1, 0.5, 0.9)), rel=0.05)
    assert few == pytest.approx(np.quantile(actual, (0.1, 0.5, 0.9)), rel=0.05)
    assert mean[0, 0, 0, 0, 3] == pytest.approx(actual[: MIN_ROWS * 9].mean())


def test_a_cell_counts_patterns_apart(known: tuple[list[Scene], dict[int, Known]]) -> None:
    found, at = known
    series = learn(found, at, at[ORIGINS[-1]], LEVELS).cells.series
    assert series.shape == (len(DemandPattern), HISTORIES)
    assert (series.sum(axis=1) > 0).sum() > 1
