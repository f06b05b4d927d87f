from __future__ import annotations

import numpy as np
import pytest

from serving.adapters.demand import OnnxDemandModel, run_head
from serving.adapters.onnx import open_session, signature
from serving.domain.features import FEATURES
from serving.errors import ReleaseRefused
from tests.fakes.doors import DESCRIPTION
from tests.fakes.fits import LEVELS, MadeUp, made_up


@pytest.fixture(scope="module")
def made() -> MadeUp:
    return made_up()


@pytest.fixture(scope="module")
def model(made: MadeUp) -> OnnxDemandModel:
    return OnnxDemandModel(open_session(made.fit.graph()), DESCRIPTION)


@pytest.mark.parametrize("content", [b"", b"no graph", b"\x08\x0a"])
def test_what_is_no_graph_is_refused(content: bytes) -> None:
    with pytest.raises(ReleaseRefused, match="onnxruntime cannot open it"):
        open_session(content)


def test_a_signature_names_inputs_and_outputs(made: MadeUp) -> None:
    said = signature(open_session(made.fit.graph()))
    assert [one["name"] for one in said["inputs"]] == ["rows", "cover"]
    assert said["inputs"][0]["shape"] == ["n", len(FEATURES)]
    assert [one["name"] for one in said["outputs"]] == ["units"]


def test_each_head_answers_with_its_mean_and_its_quantiles(
    made: MadeUp, model: OnnxDemandModel
) -> None:
    session = open_session(made.fit.graph())
    for head, cover in ((model.daily, False), (model.cover, True)):
        mean, quantiles = head(made.rows)
        units = run_head(session, made.rows, cover=cover)
        assert mean.shape == (len(made.rows),)
        assert quantiles.shape == (len(made.rows), len(LEVELS))
        assert np.array_equal(np.column_stack([mean, quantiles]), units)


def test_the_heads_differ(made: MadeUp, model: OnnxDemandModel) -> None:
    assert not np.array_equal(model.daily(made.rows)[0], model.cover(made.rows)[0])
