"""Service levels: read from a file, and held against what a run measured."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from loadtests.questions import QUESTIONS
from serving.errors import InvalidField

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

BREACHED = 3  # exit code of a run that broke a service level


@dataclass(frozen=True, slots=True)
class Measured:
    """What a run measured of one question at one door.

    Attributes:
        door: ``grpc`` or ``http``.
        question: Kind of question.
        requests: Requests that were sent.
        failures: Of these, requests not answered rightly.
        unanswered: Of these, requests not answered at all: no connection, in vain, or too late.
        p50_ms, p95_ms, p99_ms: Latency seen by the caller, in milliseconds.
        reason: What failed most often; empty where nothing did.
    """

    door: str
    question: str
    requests: int
    failures: int
    unanswered: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What is promised of one question.

    Attributes:
        p95_ms, p99_ms: Greatest latency, in milliseconds.
        error_rate: Greatest share of requests not answered rightly, 0 to 1.
    """

    p95_ms: float
    p99_ms: float
    error_rate: float


@dataclass(frozen=True, slots=True)
class Levels:
    """What is promised of a run.

    Attributes:
        availability: Least share of requests answered at all, 0 to 1.
        questions: What is promised of each question.
    """

    availability: float
    questions: Mapping[str, Bounds]


def read_levels(path: Path) -> Levels:
    """Read a file of service levels.

    Raises:
        InvalidField: If the file is no TOML, or a level is unknown, missing or no number.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise InvalidField(str(path), f"must be a readable TOML file: {error}") from error
    _check_names("", content, ("availability", "question"))
    overall, questions = content.get("availability", {}), content.get("question", {})
    _check_names("availability.", overall, ("least",))
    _check_names("question.", questions, QUESTIONS)
    return Levels(
        _number("availability.least", overall.get("least")),
        {name: _bounds(name, table) for name, table in questions.items()},
    )


def _bounds(question: str, table: dict[str, Any]) -> Bounds:
    names = tuple(field.name for field in fields(Bounds))
    _check_names(f"question.{question}.", table, names)
    return Bounds(
        **{name: _number(f"question.{question}.{name}", table.get(name)) for name in names}
    )


def _check_names(at: str, table: object, known: Sequence[str]) -> None:
    if not isinstance(table, dict):
        raise InvalidField(at.rstrip("."), "must be a table")
    for name in table:
        if name not in known:
            raise InvalidField(f"{at}{name}", f"is unknown; known are {', '.join(known)}")


def _number(field: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidField(field, "must be a number")
    return float(value)


def breaches(levels: Levels, measured: Sequence[Measured]) -> list[str]:
    """Return a sentence for each service level a run broke; none is a pass.

    A question with a promise that was never asked is a breach: nothing shows that it holds.
    """
    found = []
    sent, lost = sum(one.requests for one in measured), sum(one.unanswered for one in measured)
    availability = 1 - lost / sent if sent else 0.0
    if availability < levels.availability:
        found.append(
            f"availability: {availability:.3%} of {sent:,} requests were answered, "
            f"{levels.availability:.3%} is promised"
        )
    for question, bounds in levels.questions.items():
        asked = [one for one in measured if one.question == question and one.requests]
        if not asked:
            found.append(f"{question}: it was never asked")
        for one in asked:
            found += _broken(one, bounds)
    return found


def _broken(one: Measured, bounds: Bounds) -> list[str]:
    at = f"{one.question} over {one.door}"
    found = [
        f"{at}: {name[:3]} is {value:.1f} ms, at most {bound:g} ms is promised"
        for name, value, bound in (
            ("p95_ms", one.p95_ms, bounds.p95_ms),
            ("p99_ms", one.p99_ms, bounds.p99_ms),
        )
        if value > bound
    ]
    rate = one.failures / one.requests
    if rate > bounds.error_rate:
        found.append(
            f"{at}: {rate:.3%} of {one.requests:,} requests were not answered rightly, "
            f"at most {bounds.error_rate:.3%} is promised; most often: {one.reason}"
        )
    return found
