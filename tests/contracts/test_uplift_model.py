"""The checks every exported uplift model must pass, whichever learner it came from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pytest

from serving.adapters.onnx import open_session, signature
from serving.adapters.uplift import OUTPUTS, run_effects
from training.uplift.coverage import units_of
from training.uplift.evaluation import Line
from training.uplift.graph import build_graph
from training.uplift.learners import LEARNERS, Assignment, fit_learner
from training.world.actions import draw_experiment

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from serving.adapters.onnx import Session

    Rows = NDArray[np.float32]

LINE = Line(center=1.0, level=1.0, slope=0.9, level_variance=1e-4, slope_variance=1e-2)


@dataclass(frozen=True)
class Exported:
    """An exported learner and rows it may be asked."""

    session: Session
    rows: Rows
    features: tuple[str, ...]

    def run(self, rows: Rows) -> Rows:
        return run_effects(self.session, rows)


@pytest.fixture(scope="module", params=LEARNERS)
def exported(request: pytest.FixtureRequest) -> Exported:
    units = units_of(draw_experiment(np.random.default_rng(1), 600, random=False)[0])
    fitted = fit_learner(request.param, units, Assignment(random=False, known=False), seed=1)
    graph = build_graph(fitted, LINE, units.rows.shape[1])
    return Exported(open_session(graph), units.rows, units.encoding.features)


def test_answers_are_finite_and_have_their_shape(exported: Exported) -> None:
    for count in (1, 2, 65, 600):
        answer = exported.run(exported.rows[:count])
        assert answer.shape == (count, OUTPUTS)
        assert answer.dtype == np.float32
        assert np.isfinite(answer).all()


def test_the_order_of_rows_does_not_matter(exported: Exported) -> None:
    order = np.random.default_rng(7).permutation(len(exported.rows))
    whole = exported.run(exported.rows)
    assert np.array_equal(exported.run(np.ascontiguousarray(exported.rows[order])), whole[order])


@pytest.mark.parametrize("size", [1, 3, 64, 257])
def test_a_batch_has_the_bits_of_its_parts(exported: Exported, size: int) -> None:
    rows = exported.rows
    parts = [exported.run(rows[start : start + size]) for start in range(0, len(rows), size)]
    assert np.array_equal(np.concatenate(parts), exported.run(rows))


def test_intervals_hold_the_effect_and_propensities_are_probabilities(exported: Exported) -> None:
    answer = exported.run(exported.rows)
    assert (answer[:, 1] <= answer[:, 0]).all()
    assert (answer[:, 0] <= answer[:, 2]).all()
    assert ((answer[:, 3] > 0) & (answer[:, 3] < 1)).all()


def test_the_columns_are_told_apart(exported: Exported) -> None:
    turned = np.ascontiguousarray(exported.rows[:, ::-1])
    assert not np.array_equal(exported.run(turned), exported.run(exported.rows))


def test_columns_stand_in_the_order_of_the_encoding(exported: Exported) -> None:
    said = signature(exported.session)
    assert said["inputs"][0]["shape"] == ["n", len(exported.features)]
