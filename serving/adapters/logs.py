"""Logs as JSON lines: one a request, and one for everything else worth a line."""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, TextIO

import orjson

if TYPE_CHECKING:
    from serving.gate import Call

FLUSH_SECONDS = 0.1
MAX_WAITING = 100_000  # beyond it the oldest records go: memory is worth more than lines
LOGGER = "serving"


class RequestLog:
    """Writes a line a request.

    The request only leaves its record behind; a thread turns records into lines and writes them
    in one go, so that a slow disk or terminal holds up no answer.
    """

    def __init__(self, stream: TextIO) -> None:
        """Take the stream the lines go to."""
        self._stream = stream
        self._records: deque[tuple[float, Call, float]] = deque(maxlen=MAX_WAITING)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="request-log", daemon=True)
        self._thread.start()

    def record(self, call: Call, seconds: float) -> None:
        """Note a request and the time it took, in seconds."""
        self._records.append((time.time(), call, seconds))

    def close(self) -> None:
        """Write what is left and stop."""
        self._closing.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._closing.wait(FLUSH_SECONDS):
            self._flush()
        self._flush()

    def _flush(self) -> None:
        lines = [_line(*self._records.popleft()) for _ in range(len(self._records))]
        if lines:
            with contextlib.suppress(OSError):  # a full disk costs lines, never answers
                self._stream.write(b"".join(lines).decode())
                self._stream.flush()


def _line(at: float, call: Call, seconds: float) -> bytes:
    return orjson.dumps(
        {
            "time": dt.datetime.fromtimestamp(at, dt.UTC),
            "door": call.door,
            "method": call.method,
            "code": call.code,
            "latency_ms": round(seconds * 1000, 3),
            "rows": call.rows,
            "request_id": call.request_id,
            "model_version": call.model_version,
            "peer": call.peer,
        },
        option=orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE,
    )


class JsonFormatter(logging.Formatter):
    """Formats a record of the standard library's logging as one JSON line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record, its trace included where it has one."""
        line = {
            "time": dt.datetime.fromtimestamp(record.created, dt.UTC),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return orjson.dumps(line, option=orjson.OPT_UTC_Z).decode()


def configure(stream: TextIO, level: str) -> None:
    """Send what the serving rooms log to a stream, once, from a level on."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    logger = logging.getLogger(LOGGER)
    logger.handlers[:] = [handler]
    logger.setLevel(level.upper())
    logger.propagate = False
