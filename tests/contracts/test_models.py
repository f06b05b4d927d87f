"""The one list of checks every exported model must pass, whatever question it answers.

A model joins by one line in MODELS: how it is made, and what holds for its answers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pytest

from feature_repo.definitions import service, views
from serving.adapters.anomaly import CONTRIBUTIONS, ROWS, SCORE
from serving.adapters.cost_model import PRICES
from serving.adapters.cost_model import ROWS as QUOTES
from serving.adapters.demand import open_demand
from serving.adapters.onnx import open_session, signature
from serving.adapters.releases import CURRENT, GRAPH, open_release
from serving.adapters.uplift import OUTPUTS, run_effects
from serving.domain.anomaly import FEATURES as ANOMALY_FEATURES
from serving.domain.anomaly import AnomalyKind, columns_of
from serving.domain.features import FEATURES, VIEWS, daily_rows
from tests.contracts.test_uplift_model import LINE
from tests.fakes.exported import described, made_up_quotes, usual_rows
from training.anomaly_certificate import certify
from training.anomaly_forest import PartingForest, joined
from training.anomaly_graph import build_graph
from training.cost.certificate import certify as certify_cost
from training.cost.graph import GROUPED_BY
from training.features.records import records_at
from training.features.store import offline_folder
from training.uplift.certificate import certify as certify_uplift
from training.uplift.coverage import units_of
from training.uplift.graph import build_graph as build_effects
from training.uplift.learners import X_BOOSTED, Assignment, fit_learner
from training.world.actions import draw_experiment

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from serving.adapters.demand import OnnxDemandModel
    from serving.domain.model import ModelDescription
    from serving.settings import Settings
    from training.panel import Panel

    Rows = NDArray[np.float32]

TOLERANCE = 1e-6


@dataclass(frozen=True)
class Exported:
    """An exported model as serving runs it.

    Attributes:
        description: What its release says of it.
        graph: The serialised graph.
        rows: Rows it may be asked, shape (n, features).
        outputs: Values of an answer's row.
        run: Answers rows, shape (n, outputs).
        quantiles: The outputs that are quantiles, ascending in level.
        never_negative: Its answers are amounts.
        columns: Names of the columns it reads, in order, as serving builds them.
        always: Columns that every row has a value in.
        from_store: Its columns come from the feature store.
    """

    description: ModelDescription
    graph: bytes
    rows: Rows
    outputs: int
    run: Callable[[Rows], Rows]
    quantiles: slice
    never_negative: bool
    columns: tuple[str, ...] = FEATURES
    always: tuple[str, ...] = ("scale", "horizon", "sales_target")
    from_store: bool = True


def _rows(panel: Panel, horizon: int) -> Rows:
    ((_, records),) = records_at(panel, [panel.history.days - 1], future="planned")
    both = [daily_rows(records, horizon, sales_target=sales) for sales in (False, True)]
    rows: Rows = np.concatenate(both).reshape(-1, len(FEATURES))
    return rows


def _opened(home: Settings) -> tuple[OnnxDemandModel, bytes]:
    release = (home.releases / "forecast" / CURRENT).resolve()
    return open_release(release, open_demand), (release / GRAPH).read_bytes()


def demand(home: Settings, panel: Panel) -> Exported:
    model, graph = _opened(home)
    said = model.description
    return Exported(
        description=said,
        graph=graph,
        rows=_rows(panel, said.max_horizon),
        outputs=1 + len(said.quantile_levels),
        run=lambda rows: np.column_stack(model.daily(rows)),
        quantiles=slice(1, None),
        never_negative=True,
    )


def demand_over_a_cover(home: Settings, panel: Panel) -> Exported:
    model, graph = _opened(home)
    said = model.description
    return Exported(
        description=said,
        graph=graph,
        rows=_rows(panel, said.max_cover),
        outputs=1 + len(said.cover_quantile_levels),
        run=lambda rows: np.column_stack(model.cover(rows)),
        quantiles=slice(1, None),
        never_negative=True,
    )


def anomaly(home: Settings, panel: Panel) -> Exported:
    del home, panel  # it is made of rows of its own
    rng = np.random.default_rng(3)
    rows = {kind: usual_rows(kind, rng) for kind in AnomalyKind}
    parts = [
        (int(kind), columns_of(kind).start, PartingForest(20).fit(some[:, columns_of(kind)]))
        for kind, some in rows.items()
    ]
    forest = joined(parts, len(ANOMALY_FEATURES))
    graph = build_graph(forest)
    asked = np.concatenate([some[:200] for some in rows.values()])
    session = open_session(graph)
    return Exported(
        description=described("anomaly", certify(graph, forest, asked), ANOMALY_FEATURES),
        graph=graph,
        rows=asked,
        outputs=1 + len(ANOMALY_FEATURES),
        run=lambda rows: np.concatenate(session.run((SCORE, CONTRIBUTIONS), {ROWS: rows}), axis=1),
        quantiles=slice(0, 1),
        never_negative=False,
        columns=ANOMALY_FEATURES,
        always=("kind",),
        from_store=False,
    )


def cost(home: Settings, panel: Panel) -> Exported:
    del home, panel  # likewise
    fit, rows = made_up_quotes()
    graph = fit.graph()
    session = open_session(graph)
    columns = tuple(f"column {place}" for place in range(rows.shape[1]))
    return Exported(
        description=described("cost", certify_cost(graph, fit, rows[:400]), columns),
        graph=graph,
        rows=rows,
        outputs=1 + len(fit.levels),
        run=lambda rows: session.run((PRICES,), {QUOTES: rows})[0],
        quantiles=slice(1, None),
        never_negative=True,
        columns=columns,
        always=(columns[0], columns[GROUPED_BY]),
        from_store=False,
    )


def uplift(home: Settings, panel: Panel) -> Exported:
    del home, panel  # likewise
    units = units_of(draw_experiment(np.random.default_rng(1), 600, random=False)[0])
    fitted = fit_learner(X_BOOSTED, units, Assignment(random=False, known=False), seed=1)
    graph = build_effects(fitted, LINE, units.rows.shape[1])
    session = open_session(graph)
    columns = units.encoding.features
    return Exported(
        description=described("uplift", certify_uplift(graph, fitted, LINE, units.rows), columns),
        graph=graph,
        rows=units.rows,
        outputs=OUTPUTS,
        run=lambda rows: run_effects(session, rows),
        quantiles=slice(1, 3),  # the ends of its interval
        never_negative=False,
        columns=columns,
        always=columns,
        from_store=False,
    )


MODELS: dict[str, Callable[[Settings, Panel], Exported]] = {
    "demand": demand,
    "demand over a cover": demand_over_a_cover,
    "anomaly": anomaly,
    "cost": cost,
    "uplift": uplift,
}


@pytest.fixture(scope="module", params=MODELS)
def exported(request: pytest.FixtureRequest, home: Settings, panel: Panel) -> Exported:
    return MODELS[request.param](home, panel)


def test_answers_are_finite(exported: Exported) -> None:
    assert np.isfinite(exported.run(exported.rows)).all()


def test_answers_have_their_shape(exported: Exported) -> None:
    for count in (1, 2, 65):
        answer = exported.run(exported.rows[:count])
        assert answer.shape == (count, exported.outputs)
        assert answer.dtype == np.float32


def test_the_order_of_rows_does_not_matter(exported: Exported) -> None:
    order = np.random.default_rng(7).permutation(len(exported.rows))
    whole = exported.run(exported.rows)
    assert np.array_equal(exported.run(exported.rows[order]), whole[order])


@pytest.mark.parametrize("size", [1, 3, 64, 257])
def test_a_batch_has_the_bits_of_its_parts(exported: Exported, size: int) -> None:
    rows = exported.rows[:300]
    parts = [exported.run(rows[start : start + size]) for start in range(0, len(rows), size)]
    assert np.array_equal(np.concatenate(parts), exported.run(rows))


def test_the_same_rows_have_the_same_answer_again(exported: Exported) -> None:
    rows = exported.rows[:100]
    assert np.array_equal(exported.run(rows), exported.run(rows))


def test_unknown_values_still_have_an_answer(exported: Exported) -> None:
    rows = exported.rows[:100].copy()
    always = [exported.columns.index(name) for name in exported.always]
    unknown = np.setdiff1d(np.arange(len(exported.columns)), always)
    rows[:, unknown] = np.nan
    assert np.isfinite(exported.run(rows)).all()


def test_quantiles_never_cross(exported: Exported) -> None:
    quantiles = exported.run(exported.rows)[:, exported.quantiles]
    assert (np.diff(quantiles, axis=1) >= 0).all()


def test_amounts_are_never_negative(exported: Exported) -> None:
    if exported.never_negative:
        assert (exported.run(exported.rows) >= 0).all()


def test_columns_stand_in_the_order_of_the_feature_set(exported: Exported) -> None:
    assert exported.description.features == exported.columns
    said = signature(open_session(exported.graph))
    assert said["inputs"][0]["shape"] == ["n", len(exported.columns)]


def test_the_feature_service_holds_every_view_the_columns_come_from(
    exported: Exported, home: Settings
) -> None:
    if not exported.from_store:
        pytest.skip("its rows come with the question, not from the feature store")
    defined = service(views(offline_folder(home.features)))
    held = {
        projection.name: [field.name for field in projection.features]
        for projection in defined.feature_view_projections
    }
    assert defined.name.endswith(exported.description.feature_set_hash)
    assert held == {view: [name for name, _ in fields] for view, fields in VIEWS.items()}


def test_the_columns_are_told_apart(exported: Exported) -> None:
    rows = exported.rows[:500]
    answer = exported.run(rows)
    turned = np.ascontiguousarray(rows[:, ::-1])
    for name in exported.always[:1]:
        turned[:, exported.columns.index(name)] = rows[:, exported.columns.index(name)]
    assert not np.array_equal(exported.run(turned), answer)


def test_the_certificate_was_taken_on_thresholds_and_passed(exported: Exported) -> None:
    certificate = exported.description.certificate
    assert certificate.passed
    assert certificate.threshold_row_count > 0
    assert certificate.row_count > certificate.threshold_row_count
    assert certificate.max_relative_difference <= TOLERANCE
