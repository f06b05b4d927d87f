"""Log lines."""

from __future__ import annotations

import io
import logging
import time
from typing import TYPE_CHECKING

import orjson
import pytest

from serving.adapters import logs
from serving.gate import Call

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def restored() -> Iterator[None]:
    logger = logging.getLogger(logs.LOGGER)
    before = logger.handlers[:], logger.level, logger.propagate
    yield
    logger.handlers[:], logger.level, logger.propagate = before


def test_each_request_is_one_line_in_the_order_they_came() -> None:
    stream = io.StringIO()
    log = logs.RequestLog(stream)
    for number in range(100):
        log.record(Call("grpc", "ForecastDemand", f"r-{number}", "ipv4:127.0.0.1:1"), 0.0123456)
    log.close()
    lines = [orjson.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["request_id"] for line in lines] == [f"r-{number}" for number in range(100)]
    assert set(lines[0]) == {
        "time",
        "door",
        "method",
        "code",
        "latency_ms",
        "rows",
        "request_id",
        "model_version",
        "peer",
    }
    assert lines[0]["latency_ms"] == 12.346
    assert lines[0]["time"].endswith("Z")


def test_a_stream_that_fails_costs_lines_and_not_the_log() -> None:
    class Full(io.StringIO):
        full = True

        def write(self, text: str) -> int:
            if self.full:
                raise OSError("no space left on device")
            return super().write(text)

    stream = Full()
    log = logs.RequestLog(stream)
    log.record(Call("grpc", "ForecastDemand", "lost", "p"), 0.001)
    while log._records:
        time.sleep(0.01)
    time.sleep(0.05)
    stream.full = False
    log.record(Call("grpc", "ForecastDemand", "kept", "p"), 0.001)
    log.close()
    assert [orjson.loads(line)["request_id"] for line in stream.getvalue().splitlines()] == ["kept"]


@pytest.mark.usefixtures("restored")
def test_a_failure_is_one_line_with_its_trace() -> None:
    stream = io.StringIO()
    logs.configure(stream, "warning")
    logger = logging.getLogger("serving.somewhere")
    logger.info("unheard")
    try:
        int("seven")
    except ValueError:
        logger.exception("it failed for %s", "P1")
    (line,) = [orjson.loads(text) for text in stream.getvalue().splitlines()]
    assert (line["level"], line["message"]) == ("ERROR", "it failed for P1")
    assert "ValueError: invalid literal" in line["trace"]
