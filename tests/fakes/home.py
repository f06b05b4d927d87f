"""A home small enough for a test: a release whose graph stands for a model, and a few features."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import struct
from contextlib import closing
from typing import TYPE_CHECKING

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper

from serving.adapters.demand import COVER, ROWS, UNITS
from serving.adapters.features import CURRENT, DATABASE
from serving.adapters.onnx import open_session, signature
from serving.adapters.releases import CERTIFICATE, FORMAT, GRAPH, MANIFEST
from serving.domain.demand import QUANTILE_LEVELS
from serving.domain.features import FEATURES, VIEWS, WIDTHS, feature_set_hash
from serving.domain.series import SEPARATOR

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence
    from pathlib import Path

    from onnx import GraphProto

SKU, LOCATION = "SKU-1", "STORE-1"
LEVELS = {False: QUANTILE_LEVELS, True: (*QUANTILE_LEVELS, 0.99)}
DAYS = 28


def build_home(home: Path, last_day: dt.date) -> Path:
    """Write releases and features of one series up to a last day, and return the folder."""
    _write_release(home / "releases" / "forecast", last_day)
    _write_features(home / "features" / "online", last_day)
    return home


def _write_release(folder: Path, last_day: dt.date) -> None:
    graph = _graph()
    digest = hashlib.sha256(graph).hexdigest()
    certificate = {
        "graph_sha256": digest,
        "row_count": 1,
        "threshold_row_count": 1,
        "max_relative_difference": 0.0,
        "passed": True,
    }
    proof = json.dumps(certificate).encode()
    manifest = {
        "format": FORMAT,
        "name": folder.name,
        "version": "1",
        "graph_sha256": digest,
        "certificate_sha256": hashlib.sha256(proof).hexdigest(),
        "signature": signature(open_session(graph)),
        "feature_set_hash": feature_set_hash(),
        "features": FEATURES,
        "quantile_levels": LEVELS[False],
        "cover_quantile_levels": LEVELS[True],
        "max_horizon": DAYS,
        "max_cover": DAYS,
        "trained_time": f"{last_day}T00:00:00+00:00",
        "data_end": last_day.isoformat(),
        "metrics": {},
    }
    (folder / "1").mkdir(parents=True)
    (folder / "1" / GRAPH).write_bytes(graph)
    (folder / "1" / CERTIFICATE).write_bytes(proof)
    (folder / "1" / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    (folder / CURRENT).symlink_to("1")


def _graph() -> bytes:
    """Return a graph that answers the horizon times one plus the level, for each level."""
    cover, daily = _factors(cover=True), _factors(cover=False)
    nodes = [
        helper.make_node("If", [COVER], ["factors"], then_branch=cover, else_branch=daily),
        helper.make_node("Gather", [ROWS, "column"], ["horizon"], axis=1),
        helper.make_node("Mul", ["horizon", "factors"], [UNITS]),
    ]
    graph = helper.make_graph(
        nodes,
        "stand-in",
        [
            helper.make_tensor_value_info(ROWS, TensorProto.FLOAT, ["n", len(FEATURES)]),
            helper.make_tensor_value_info(COVER, TensorProto.BOOL, []),
        ],
        [helper.make_tensor_value_info(UNITS, TensorProto.FLOAT, ["n", None])],
        [numpy_helper.from_array(np.array([FEATURES.index("horizon")]), "column")],
    )
    opsets = [helper.make_opsetid("", 21)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    checker.check_model(model)
    content: bytes = model.SerializeToString()
    return content


def _factors(*, cover: bool) -> GraphProto:
    name = f"factors_{cover}"
    values = 1.0 + np.array([[0.5, *LEVELS[cover]]], dtype=np.float32)
    node = helper.make_node("Constant", [], [name], value=numpy_helper.from_array(values))
    output = helper.make_tensor_value_info(name, TensorProto.FLOAT, list(values.shape))
    return helper.make_graph([node], name, [], [output])


def _write_features(folder: Path, last_day: dt.date) -> None:
    time = int(np.datetime64(last_day, "s").astype(int)) + 86_400  # a day is known at its end
    (folder / "1").mkdir(parents=True)
    with closing(sqlite3.connect(folder / "1" / DATABASE)) as database:
        for view in VIEWS:
            key = SEPARATOR.join(_key(view))
            record = struct.pack("<q", time) + np.ones(WIDTHS[view], dtype="<f4").tobytes()
            database.execute(f"CREATE TABLE {view} (key TEXT PRIMARY KEY, record BLOB)")
            database.execute(f"INSERT INTO {view} VALUES (?, ?)", (key, record))  # noqa: S608 - ours
        database.execute("CREATE TABLE stock (key TEXT PRIMARY KEY, record BLOB)")
        database.execute("CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT)")
        times = json.dumps(dict.fromkeys(VIEWS, time))
        meta = {"feature_set_hash": feature_set_hash(), "event_times": times}
        database.executemany("INSERT INTO meta VALUES (?, ?)", meta.items())
        database.commit()
    (folder / CURRENT).symlink_to("1")


def _key(view: str) -> Sequence[str]:
    return {"product": (SKU,), "location": (LOCATION,)}.get(view, (SKU, LOCATION))
