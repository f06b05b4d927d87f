"""The exported graph as a whole; its trees are compared by the certificate."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from serving.adapters.demand import run_head
from serving.adapters.onnx import open_session
from serving.domain.features import COLUMN
from tests.fakes.fits import HORIZON_CUTS, LEVELS, SCALE_CUTS, MadeUp, made_up


@pytest.fixture(scope="module")
def made() -> MadeUp:
    return made_up()


def test_the_graph_is_of_the_versions_the_runtime_reads(made: MadeUp) -> None:
    model = onnx.load_model_from_string(made.fit.graph())
    assert model.ir_version == 10
    assert {one.domain: one.version for one in model.opset_import} == {"": 21, "ai.onnx.ml": 5}


def test_the_same_fit_gives_the_same_bytes(made: MadeUp) -> None:
    assert made.fit.graph() == made.fit.graph()


def test_groups_begin_where_their_cuts_say(made: MadeUp) -> None:
    calibration = made.fit.daily.calibration
    row = made.rows[:1].copy()
    row[:, COLUMN["sales_target"]] = 0.0

    def group(scale: float, horizon: float) -> int:
        row[:, COLUMN["scale"]], row[:, COLUMN["horizon"]] = scale, horizon
        return int(calibration.groups(row)[0])

    width = len(HORIZON_CUTS) + 1
    assert group(SCALE_CUTS[0], 1.0) == width, "a scale on its cut belongs above"
    assert group(np.nextafter(np.float32(SCALE_CUTS[0]), np.float32(0)), 1.0) == 0
    assert group(0.1, HORIZON_CUTS[0] - 1) == 0
    assert group(0.1, HORIZON_CUTS[0]) == 1
    assert group(np.nan, 1.0) == 0, "what is not known belongs to the first group"


def test_each_head_has_its_own_quantiles(made: MadeUp) -> None:
    session = open_session(made.fit.graph())
    for cover in (False, True):
        assert run_head(session, made.rows, cover=cover).shape[1] == 1 + len(LEVELS)
