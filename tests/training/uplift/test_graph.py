"""Every learner as one graph: the same effects as EconML, to the rounding of the answer."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import pytest

from serving.adapters.onnx import open_session
from serving.adapters.uplift import run_effects
from training.uplift.certificate import certify, oracle
from training.uplift.evaluation import Line
from training.uplift.forest_graph import floor32
from training.uplift.graph import build_graph
from training.uplift.learners import LEARNERS, Assignment, Fitted, fit_learner
from training.uplift.stages import Additive, Boosted, Index, Ridge

if TYPE_CHECKING:
    from typing import Any

    from training.uplift.units import Units

LINE = Line(center=1.0, level=1.2, slope=0.8, level_variance=1e-4, slope_variance=1e-2)


def fitted(name: str, units: Units, *, random: bool) -> Fitted:
    return fit_learner(name, units, Assignment(random=random, known=False), seed=5)


@pytest.mark.parametrize("name", LEARNERS)
@pytest.mark.parametrize("random", [True, False], ids=["lottery", "chosen"])
def test_the_graph_of_a_learner_passes_its_certificate(
    name: str,
    random: bool,  # noqa: FBT001 - a case
    lottery: Units,
    chosen_by_buyers: Units,
) -> None:
    units = lottery if random else chosen_by_buyers
    model = fitted(name, units, random=random)
    graph = build_graph(model, LINE, units.rows.shape[1])
    certificate = certify(graph, model, LINE, units.rows[:300])
    assert certificate["passed"], certificate["checks"]
    assert certificate["max_relative_difference"] <= 1e-6
    assert certificate["row_count"] > 300


@pytest.mark.parametrize("stage", [Ridge(), Additive(), Index(), Boosted()])
def test_every_stage_has_a_graph(stage: Any, lottery: Units) -> None:  # noqa: ANN401 - any stage
    model = fitted("t", lottery, random=True)
    rows = lottery.rows.astype(np.float64)
    for chosen, arm in zip(
        model.estimator.models, (~lottery.treated, lottery.treated), strict=True
    ):
        chosen.stage_ = type(stage)().fit(rows[arm], lottery.outcomes[arm])
    graph = build_graph(model, LINE, rows.shape[1])
    got = run_effects(open_session(graph), lottery.rows)
    expected = oracle(model, LINE, lottery.rows)
    assert np.abs(got - expected).max() <= 1e-6 * max(1.0, np.abs(expected).max())


def test_a_graph_of_another_model_fails_the_certificate(lottery: Units) -> None:
    model = fitted("x_boosted", lottery, random=True)
    other = dataclasses.replace(LINE, slope=0.81)
    graph = build_graph(model, other, lottery.rows.shape[1])
    certificate = certify(graph, model, LINE, lottery.rows[:100])
    failed = {check["name"].split(":")[0] for check in certificate["checks"] if not check["passed"]}
    assert failed == {"lower", "upper"}


def test_a_row_on_a_threshold_goes_the_way_it_goes_in_double() -> None:
    rng = np.random.default_rng(4)
    thresholds = np.r_[rng.standard_normal(500), 0.1, -0.1, 0.0, 1e-40]
    near = thresholds.astype(np.float32)
    down, up = (np.nextafter(near, np.float32(end)) for end in (-np.inf, np.inf))
    for rows in (near, down, up):
        assert np.array_equal(rows <= floor32(thresholds), rows.astype(np.float64) <= thresholds)


@pytest.mark.parametrize("name", ["s", "t", "x_stumps", "steady", "forest"])
@pytest.mark.parametrize("slope", [0.0, 0.8, 3.0])
def test_the_interval_holds_the_effect_it_stands_beside(
    name: str, slope: float, chosen_by_buyers: Units
) -> None:
    rng = np.random.default_rng(6)
    model = fitted(name, chosen_by_buyers, random=False)
    # A band so narrow that it misses nearly every predicted effect.
    line = dataclasses.replace(LINE, slope=slope, level_variance=1e-9, slope_variance=1e-9)
    features = chosen_by_buyers.rows.shape[1]
    session = open_session(build_graph(model, line, features))
    seen = chosen_by_buyers.rows
    far = rng.choice([0.0, 1.0, -1e6, 1e6, 1e12, -1e12, 1e-40], size=(500, features))
    near = seen[:500] + rng.standard_normal((500, features)) * seen.std(axis=0)
    for rows in (seen, near.astype(np.float32), far.astype(np.float32)):
        effect, lower, upper, propensity = run_effects(session, rows).T
        assert (lower <= effect).all()
        assert (effect <= upper).all()
        assert ((propensity > 0) & (propensity < 1)).all()


@pytest.mark.parametrize("name", ["steady", "forest"])
def test_a_number_nobody_knows_gives_no_number_or_an_interval_that_holds(
    name: str, lottery: Units
) -> None:
    model = fitted(name, lottery, random=True)
    rows = lottery.rows[:50].copy()
    rows[np.arange(50), np.arange(50) % rows.shape[1]] = np.nan
    session = open_session(build_graph(model, LINE, rows.shape[1]))
    effect, lower, upper, _ = run_effects(session, rows).T
    held = (lower <= effect) & (effect <= upper)
    assert (held | np.isnan(effect)).all()


def test_the_forest_says_what_effects_of_equal_units_vary_by(lottery: Units) -> None:
    model = fitted("forest", lottery, random=True)
    answers = run_effects(
        open_session(build_graph(model, LINE, lottery.rows.shape[1])), lottery.rows
    )
    assert ((answers[:, 1] < answers[:, 0]) & (answers[:, 0] < answers[:, 2])).all()
    assert np.ptp(answers[:, 2] - answers[:, 1]) > 0
