"""onnxruntime: a released demand graph as a model."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

os.putenv("ORT_DISABLE_TELEMETRY", "true")  # read at import; its own switch comes too late
import onnxruntime as ort

from serving.errors import ReleaseRefused

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from serving.domain.model import ModelDescription

    Floats = NDArray[np.float32]

Session = ort.InferenceSession
ROWS, COVER, UNITS = "rows", "cover", "units"
_HEADS = {False: np.array(False), True: np.array(True)}  # noqa: FBT003 - tensors, not flags


def open_session(graph: bytes) -> ort.InferenceSession:
    """Open a graph for one worker: one thread, no spinning, no memory pattern per shape.

    Raises:
        ReleaseRefused: If onnxruntime cannot load the graph.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.enable_mem_pattern = False  # batch sizes vary; patterns would pile up one by one
    options.log_severity_level = 3
    try:
        return ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors share no base class but Exception
        raise ReleaseRefused("graph", f"onnxruntime cannot open it: {error}") from error


def signature(session: ort.InferenceSession) -> dict[str, list[dict[str, object]]]:
    """Return names, types and shapes of a session's inputs and outputs, fit for JSON."""
    return {
        side: [{"name": v.name, "type": v.type, "shape": list(v.shape)} for v in values]
        for side, values in (
            ("inputs", session.get_inputs()),
            ("outputs", session.get_outputs()),
        )
    }


class OnnxDemandModel:
    """A demand graph with a daily and a cover head; safe to call from several threads."""

    def __init__(self, session: ort.InferenceSession, description: ModelDescription) -> None:
        """Take an open session and what the release says of it."""
        self._session = session
        self._description = description

    @property
    def description(self) -> ModelDescription:
        """What the registry and the certificate say of it."""
        return self._description

    def daily(self, rows: Floats) -> tuple[Floats, Floats]:
        """Return mean (n,) and trained quantiles (n, levels) of daily rows (n, features)."""
        units = run_head(self._session, rows, cover=False)
        return units[:, 0], units[:, 1:]

    def cover(self, rows: Floats) -> tuple[Floats, Floats]:
        """Return mean (n,) and trained quantiles (n, levels) of cover rows (n, features)."""
        units = run_head(self._session, rows, cover=True)
        return units[:, 0], units[:, 1:]


def run_head(session: ort.InferenceSession, rows: Floats, *, cover: bool) -> Floats:
    """Run one head of a demand graph: mean and quantiles, shape (n, 1 + levels)."""
    units: Floats = session.run((UNITS,), {ROWS: rows, COVER: _HEADS[cover]})[0]
    return units
