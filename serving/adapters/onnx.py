"""onnxruntime: a graph opened for one worker, and what it says it takes and gives."""

from __future__ import annotations

import os

os.putenv("ORT_DISABLE_TELEMETRY", "true")  # read at import; its own switch comes too late
import onnxruntime as ort
from onnxruntime.capi import onnxruntime_pybind11_state as _failures

from serving.errors import ReleaseRefused

Session = ort.InferenceSession
# What a run of an opened graph may fail with; onnxruntime gives them no base class of their own.
RUN_FAILURES: tuple[type[Exception], ...] = (
    _failures.EPFail,
    _failures.Fail,
    _failures.InvalidArgument,
    _failures.NotImplemented,
    _failures.RuntimeException,
)


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
