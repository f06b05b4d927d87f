"""A release that fails any check is refused with its reason, and the model that serves goes on."""

from __future__ import annotations

import gc
import json
import threading
import weakref
from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from serving.adapters.demand import COVER, ROWS, UNITS, open_demand
from serving.adapters.onnx import open_session, signature
from serving.adapters.releases import (
    CERTIFICATE,
    CURRENT,
    GRAPH,
    MANIFEST,
    Releases,
    open_release,
)
from serving.domain.features import FEATURES
from serving.domain.model import ModelDescription, RefusedModel
from serving.errors import NoModel, ReleaseRefused
from tests.fakes.releases import Sound, change, point, rewrite, sound, write

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Spoil = Callable[[Path], object]


@pytest.fixture(scope="module")
def first() -> Sound:
    return sound(0)


@pytest.fixture(scope="module")
def second() -> Sound:
    return sound(1)


@pytest.fixture
def folder(tmp_path: Path, first: Sound, second: Sound) -> Path:
    """Return a releases folder of two sound versions, the first of them current."""
    write(tmp_path, first, "1")
    write(tmp_path, second, "2")
    point(tmp_path, "1")
    return tmp_path


def flip_a_byte(release: Path) -> None:
    graph = bytearray((release / GRAPH).read_bytes())
    graph[len(graph) // 2] ^= 1
    (release / GRAPH).write_bytes(bytes(graph))


def edit_certificate(release: Path) -> None:
    text = (release / CERTIFICATE).read_text()
    (release / CERTIFICATE).write_text(text.replace('"tolerance"', '"Tolerance"'))


def certificate_of_another(release: Path) -> None:
    other = release.parent / "1" / CERTIFICATE
    rewrite(release, CERTIFICATE, other.read_bytes())


def certificate_not_passed(release: Path) -> None:
    certificate = json.loads((release / CERTIFICATE).read_bytes())
    rewrite(release, CERTIFICATE, json.dumps({**certificate, "passed": False}).encode())


def certificate_passed_in_words(release: Path) -> None:
    certificate = json.loads((release / CERTIFICATE).read_bytes())
    rewrite(release, CERTIFICATE, json.dumps({**certificate, "passed": "yes"}).encode())


def certificate_without_counts(release: Path) -> None:
    certificate = json.loads((release / CERTIFICATE).read_bytes())
    del certificate["row_count"]
    rewrite(release, CERTIFICATE, json.dumps(certificate).encode())


def graph_and_certificate_forged(release: Path, content: bytes) -> None:
    rewrite(release, GRAPH, content)
    certificate = json.loads((release / CERTIFICATE).read_bytes())
    digest = json.loads((release / MANIFEST).read_bytes())["graph_sha256"]
    certificate["graph_sha256"] = digest
    rewrite(release, CERTIFICATE, json.dumps(certificate).encode())


def narrow_graph(release: Path) -> None:
    model = onnx.load_model_from_string((release / GRAPH).read_bytes())
    width = model.graph.input[0].type.tensor_type.shape.dim[1]
    width.dim_value = len(FEATURES) - 1
    graph_and_certificate_forged(release, model.SerializeToString())
    said = json.loads((release / MANIFEST).read_bytes())["signature"]
    said["inputs"][0]["shape"][1] = len(FEATURES) - 1
    change(release, signature=said)


def failing_graph(release: Path) -> None:
    """Put a graph in place that opens, and reads beyond its rows when it is run."""
    rows = helper.make_tensor_value_info(ROWS, TensorProto.FLOAT, ["n", len(FEATURES)])
    graph = helper.make_graph(
        [helper.make_node("Gather", [ROWS, "column"], [UNITS], axis=1)],
        "beyond",
        [rows, helper.make_tensor_value_info(COVER, TensorProto.BOOL, [])],
        [helper.make_tensor_value_info(UNITS, TensorProto.FLOAT, ["n", 1])],
        [numpy_helper.from_array(np.array([len(FEATURES)]), "column")],
    )
    opsets = [helper.make_opsetid("", 21)]
    content = helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString()
    graph_and_certificate_forged(release, content)
    change(release, signature=signature(open_session(content)))


def folder_for_a_graph(release: Path) -> None:
    (release / GRAPH).unlink()
    (release / GRAPH).mkdir()


# What is done to version 2 -> words of the reason.
SPOILED: dict[str, tuple[Spoil, str]] = {
    "a byte of the graph": (flip_a_byte, "model.onnx is not the file its manifest"),
    "the certificate edited": (edit_certificate, "certificate.json is not the file its manifest"),
    "another model's certificate": (certificate_of_another, "taken on another graph"),
    "a certificate not passed": (certificate_not_passed, "did not pass"),
    "a certificate passed in words": (certificate_passed_in_words, "did not pass"),
    "a certificate without counts": (certificate_without_counts, "row_count"),
    "a certificate that is a list": (
        lambda release: rewrite(release, CERTIFICATE, b"[]"),
        "certificate.json is no JSON object",
    ),
    "no graph": (lambda release: (release / GRAPH).unlink(), "model.onnx is missing"),
    "no certificate": (lambda release: (release / CERTIFICATE).unlink(), "json is missing"),
    "no manifest": (lambda release: (release / MANIFEST).unlink(), "manifest.json is missing"),
    "half a manifest": (
        lambda release: (release / MANIFEST).write_bytes(b'{"format": 1,'),
        "manifest.json is no JSON",
    ),
    "a manifest that is a list": (
        lambda release: (release / MANIFEST).write_bytes(b"[]"),
        "manifest.json is no JSON object",
    ),
    "a folder for a graph": (
        folder_for_a_graph,
        "model.onnx cannot be read",
    ),
    "a newer format": (lambda release: change(release, format=2), "format is 2"),
    "no format": (lambda release: change(release, format=None), "format is None"),
    "an entry missing": (lambda release: change(release, max_cover=None), "lacks max_cover"),
    "another model's name": (lambda release: change(release, name="uplift"), "another model"),
    "another version": (lambda release: change(release, version="3"), "another model or version"),
    "another feature set": (
        lambda release: change(release, feature_set_hash="0" * 16),
        "it reads feature set 0000000000000000",
    ),
    "features in another order": (
        lambda release: change(release, features=list(FEATURES[::-1])),
        "its features are not those",
    ),
    "features that are a number": (lambda release: change(release, features=7), "features are not"),
    "another signature": (lambda release: change(release, signature={}), "another signature"),
    "a date that is none": (lambda release: change(release, data_end="soon"), "soon"),
    "levels that are none": (lambda release: change(release, quantile_levels=3), "manifest or"),
    "fewer levels than the graph": (
        lambda release: change(release, quantile_levels=[0.1, 0.5, 0.9]),
        "other quantiles than its manifest",
    ),
    "bytes that are no graph": (
        lambda release: graph_and_certificate_forged(release, b"no graph at all"),
        "onnxruntime cannot open it",
    ),
    "a graph of another width": (narrow_graph, "does not read"),
    "a graph that fails when it is run": (failing_graph, "a first run failed"),
}


@pytest.mark.parametrize("name", SPOILED)
def test_what_is_not_sound_is_refused_and_the_old_model_goes_on(folder: Path, name: str) -> None:
    spoil, words = SPOILED[name]
    releases = Releases(folder, "forecast", open_demand)
    assert releases.refresh()
    serving = releases.current()
    spoil(folder / "forecast" / "2")
    point(folder, "2")

    with pytest.raises(ReleaseRefused, match="forecast/2 is refused") as refused:
        releases.refresh()

    assert words in refused.value.reason
    assert releases.current() is serving
    (described,) = releases.descriptions()
    assert isinstance(described, ModelDescription)
    assert described.version == "1"
    assert words in described.refused_reason
    assert not releases.refresh(), "a release refused once is not opened each second"


def test_the_reason_clears_with_the_next_sound_release(folder: Path, second: Sound) -> None:
    releases = Releases(folder, "forecast", open_demand)
    releases.refresh()
    (folder / "forecast" / "2" / GRAPH).unlink()
    point(folder, "2")
    with pytest.raises(ReleaseRefused):
        releases.refresh()
    write(folder, second, "3")
    point(folder, "3")
    assert releases.refresh()
    assert releases.current().description.version == "3"
    assert releases.descriptions()[0].refused_reason == ""


def test_the_reason_clears_when_the_old_version_is_promoted_again(folder: Path) -> None:
    releases = Releases(folder, "forecast", open_demand)
    releases.refresh()
    (folder / "forecast" / "2" / GRAPH).unlink()
    point(folder, "2")
    with pytest.raises(ReleaseRefused):
        releases.refresh()
    point(folder, "1")
    releases.refresh()
    assert releases.descriptions()[0].refused_reason == ""
    assert releases.current().description.version == "1"


def test_a_release_that_was_mended_is_taken_up_when_it_is_promoted_again(
    folder: Path, second: Sound
) -> None:
    releases = Releases(folder, "forecast", open_demand)
    releases.refresh()
    (folder / "forecast" / "2" / GRAPH).unlink()
    point(folder, "2")
    with pytest.raises(ReleaseRefused):
        releases.refresh()
    (folder / "forecast" / "2" / GRAPH).write_bytes(second.graph)
    point(folder, "2")
    assert releases.refresh()
    assert releases.current().description.version == "2"


def test_before_the_first_promotion_the_command_to_run_is_named(tmp_path: Path) -> None:
    releases = Releases(tmp_path, "forecast", open_demand)
    assert not releases.refresh()
    assert releases.descriptions() == []
    with pytest.raises(NoModel, match="parlevel train forecast"):
        releases.current()


def test_a_first_release_that_is_refused_says_so_where_nothing_serves(folder: Path) -> None:
    flip_a_byte(folder / "forecast" / "1")
    releases = Releases(folder, "forecast", open_demand)
    with pytest.raises(ReleaseRefused):
        releases.refresh()
    (described,) = releases.descriptions()
    assert isinstance(described, RefusedModel)
    assert described.name == "forecast"
    assert "model.onnx is not the file its manifest" in described.refused_reason
    with pytest.raises(NoModel, match="no forecast model serves: release forecast/1 is refused"):
        releases.current()
    point(folder, "2")
    assert releases.refresh()
    assert releases.descriptions() == [releases.current().description]


def test_a_link_to_nothing_is_refused(folder: Path) -> None:
    releases = Releases(folder, "forecast", open_demand)
    releases.refresh()
    point(folder, "9")
    with pytest.raises(ReleaseRefused, match=r"manifest\.json is missing"):
        releases.refresh()
    assert releases.current().description.version == "1"


def test_an_unchanged_link_opens_nothing(folder: Path) -> None:
    releases = Releases(folder, "forecast", open_demand)
    assert releases.refresh()
    assert not releases.refresh()
    point(folder, "1")
    assert not releases.refresh(), "promoted again, the same version stays open"


def test_the_old_session_lives_as_long_as_a_request_holds_it(folder: Path) -> None:
    releases = Releases(folder, "forecast", open_demand)
    releases.refresh()
    held = releases.current()
    freed = weakref.ref(held)
    point(folder, "2")
    releases.refresh()
    rows = np.ones((1, len(FEATURES)), dtype=np.float32)
    assert np.isfinite(held.daily(rows)[0]).all()
    del held
    gc.collect()
    assert freed() is None


def test_a_reader_in_another_thread_sees_one_version_or_the_other(folder: Path) -> None:
    releases = Releases(folder, "forecast", open_demand)
    releases.refresh()
    rows = np.ones((3, len(FEATURES)), dtype=np.float32)
    answers = {
        version: open_release(folder / "forecast" / version, open_demand).daily(rows)[0].tolist()
        for version in ("1", "2")
    }
    wrong: list[str] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            model = releases.current()
            if model.daily(rows)[0].tolist() != answers[model.description.version]:
                wrong.append(model.description.version)

    reader = threading.Thread(target=read)
    reader.start()
    for swap in range(10):
        point(folder, "12"[swap % 2])
        releases.refresh()
    done.set()
    reader.join()
    assert wrong == []


def test_a_sound_release_says_what_its_certificate_says(folder: Path, first: Sound) -> None:
    described = open_release((folder / "forecast" / CURRENT).resolve(), open_demand).description
    assert described.certificate.row_count == first.certificate["row_count"]
    assert described.certificate.passed
    assert described.features == FEATURES
    assert described.live_time is not None
