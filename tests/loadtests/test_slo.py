"""Service levels: read strictly, held to the letter."""

from __future__ import annotations

from pathlib import Path

import pytest

import loadtests
from loadtests.questions import QUESTIONS
from loadtests.slo import Bounds, Levels, Measured, breaches, read_levels
from serving.errors import InvalidField

SHIPPED = Path(loadtests.__file__).with_name("slo.toml")
LEVELS = Levels(0.999, {"forecast": Bounds(p95_ms=50, p99_ms=100, error_rate=0.01)})


def measured(
    *, failures: int = 0, unanswered: int = 0, p95_ms: float = 20, p99_ms: float = 40
) -> Measured:
    return Measured("grpc", "forecast", 10_000, failures, unanswered, 5, p95_ms, p99_ms)


def test_every_question_has_a_level_in_the_shipped_file() -> None:
    assert set(read_levels(SHIPPED).questions) == set(QUESTIONS)


def test_a_level_that_is_just_kept_is_kept() -> None:
    assert not breaches(LEVELS, [measured(failures=100, unanswered=10, p95_ms=50, p99_ms=100)])


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (measured(p95_ms=50.1), "forecast over grpc: p95 is 50.1 ms, at most 50 ms"),
        (measured(p99_ms=101), "forecast over grpc: p99 is 101.0 ms, at most 100 ms"),
        (measured(failures=101), "forecast over grpc: 1.010% of 10,000 requests were not answered"),
        (measured(unanswered=11), "availability: 99.890% of 10,000 requests were answered"),
    ],
)
def test_each_broken_level_is_named(found: Measured, sentence: str) -> None:
    (broken,) = breaches(LEVELS, [found])
    assert broken.startswith(sentence)


def test_a_fast_door_does_not_hide_a_slow_one() -> None:
    slow = Measured("http", "forecast", 1, 0, 0, 1, 1, 500)
    (broken,) = breaches(LEVELS, [measured(), slow])
    assert "over http" in broken


def test_a_question_never_asked_is_a_breach() -> None:
    broken = breaches(LEVELS, [])
    assert "forecast: it was never asked" in broken
    assert any(sentence.startswith("availability") for sentence in broken)


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("[question.weather]\np95_ms = 1", "question.weather is unknown; known are forecast"),
        ("[question.forecast]\np98_ms = 1", "question.forecast.p98_ms is unknown"),
        ("[question.forecast]\np95_ms = 1", "question.forecast.p99_ms must be a number"),
        ("[question.forecast]\np95_ms = 'x'", "question.forecast.p95_ms must be a number"),
        ("[question]\nforecast = 1", "question.forecast must be a table"),
        ("uptime = 1", "uptime is unknown"),
        ("[", "must be a readable TOML file"),
    ],
)
def test_a_level_that_means_nothing_is_refused(tmp_path: Path, text: str, field: str) -> None:
    path = tmp_path / "slo.toml"
    path.write_text(f"availability.least = 0.9\n{text}", encoding="utf-8")
    with pytest.raises(InvalidField) as caught:
        read_levels(path)
    assert field in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidField, match=r"absent\.toml must be a readable TOML file"):
        read_levels(tmp_path / "absent.toml")
