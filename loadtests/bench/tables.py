"""Figures of the rounds: medians, ratios to the floors, and the targets held against them."""

from __future__ import annotations

import dataclasses
import itertools
from dataclasses import replace
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

from loadtests.bench.cases import AIO, GRPC, HTTP, IN_FLIGHT, OURS, STOCK, Case
from loadtests.bench.singles import BOUNDS
from loadtests.results import table

if TYPE_CHECKING:
    from collections.abc import Callable

    from loadtests.bench.rounds import Measurements, Sample

SINGLE, BATCH = 1, 256  # what the targets are set on


class Target(NamedTuple):
    """A target and what was measured.

    Attributes:
        name: What is asked.
        bound: The bound, ``>=`` or ``<=`` and a number.
        measured: The figure, a median over rounds.
        met: Whether it keeps the bound.
    """

    name: str
    bound: str
    measured: float
    met: bool


def middle(samples: list[Any], figure: str) -> float:
    """Return the median over rounds of a figure."""
    return float(median(getattr(one, figure) for one in samples))


def ratio(found: Measurements, ours: Case, floor: Case, figure: str) -> float:
    """Return the median over rounds of a figure of ours over the floor's in the same round."""
    pairs = zip(found.cases[ours], found.cases[floor], strict=True)
    return float(median(getattr(one, figure) / getattr(other, figure) for one, other in pairs))


def targets(found: Measurements) -> list[Target]:
    """Hold the targets against what was measured."""
    rows = []
    single = {name: Case(name, GRPC, SINGLE, IN_FLIGHT) for name in (*OURS, AIO)}
    http, stock = (Case(name, HTTP, SINGLE, IN_FLIGHT) for name in (OURS[0], STOCK))
    for name in OURS:
        rate = ratio(found, single[name], single[AIO], "calls_per_second")
        tail = ratio(found, single[name], single[AIO], "p99_ms")
        rows.append(_at_least(f"{name}: single gRPC calls/s over no-op grpc.aio", 0.8, rate))
        rows.append(_at_most(f"{name}: single gRPC p99 over no-op grpc.aio's", 2.0, tail))
    rate = ratio(found, http, stock, "calls_per_second")
    rows.append(_at_least("single HTTP calls/s over stock BentoML", 3.0, rate))
    spread = median(one.p99_ms / one.p50_ms for one in found.cases[http])
    rows.append(_at_most("single HTTP p99 over its p50", 4.0, float(spread)))
    for name, crossed in found.crossed.items():
        tail = middle(crossed, "p99_ms")
        rows.append(_at_most(f"{name}: HTTP p99 in ms while gRPC is saturated", 20.0, tail))
    return rows + _other_targets(found) + _batch_targets(found)


def _other_targets(found: Measurements) -> list[Target]:
    """Hold the single questions beside the forecast to their bounds, those that were asked."""
    rows = []
    for (path, bound), name in itertools.product(BOUNDS.items(), OURS):
        case, floor = (Case(server, GRPC, SINGLE, IN_FLIGHT, path) for server in (name, AIO))
        if case in found.cases:
            rate = ratio(found, case, floor, "calls_per_second")
            rows.append(_at_least(f"{name}: {path} calls/s over no-op grpc.aio", bound, rate))
    return rows


def _batch_targets(found: Measurements) -> list[Target]:
    rows: list[Target] = []
    if BATCH not in found.bare:
        return rows
    bare = [one.model_seconds + one.read_seconds for one in found.bare[BATCH]]
    for name in OURS:
        batch = Case(name, GRPC, BATCH, IN_FLIGHT)
        for calls, told in ((1, "one after another"), (IN_FLIGHT, f"{IN_FLIGHT} in flight")):
            single = Case(name, GRPC, SINGLE, calls)
            gain = ratio(found, replace(batch, concurrency=calls), single, "calls_per_second")
            asked = f"{name}: series/s in batches of 256 over single calls, {told}"
            rows.append(_at_least(asked, 25.0, gain * BATCH))
        samples = zip(found.cases[batch], bare, strict=True)
        share = float(median(one.calls_per_cpu_second * seconds for one, seconds in samples))
        rows.append(_at_least(f"{name}: batch of 256 over bare model and reads", 0.8, share))
    return rows


def _at_least(name: str, bound: float, measured: float) -> Target:
    return Target(name, f">= {bound:g}", measured, measured >= bound)


def _at_most(name: str, bound: float, measured: float) -> Target:
    return Target(name, f"<= {bound:g}", measured, measured <= bound)


def page(found: Measurements) -> str:
    """Return the figures as markdown."""
    kept = [
        (one.name, one.bound, one.measured, "met" if one.met else "MISSED")
        for one in targets(found)
    ]
    cases = [_case_row(found, case, samples) for case, samples in found.cases.items()]
    bare = [
        (series, middle(one, "model_seconds") * 1e6, middle(one, "read_seconds") * 1e6)
        for series, one in found.bare.items()
    ]
    crossed = [
        (name, middle(one, "p50_ms"), middle(one, "p99_ms"), middle(one, "grpc_calls_per_second"))
        for name, one in found.crossed.items()
    ]
    parts = (
        ("Targets", table(("target", "bound", "measured", ""), kept)),
        ("Doors and floors", table(_CASE_COLUMNS, cases)),
        ("Without a door", table(("series", "model us", "reads us"), bare)),
        (
            "HTTP while gRPC is saturated",
            table(("server", "p50 ms", "p99 ms", "gRPC calls/s"), crossed),
        ),
    )
    return "\n".join(f"## {title}\n\n{text}" for title, text in parts)


_CASE_COLUMNS = (
    "asked",
    "series",
    "in flight",
    "server",
    "door",
    "calls/s",
    "series/s",
    "x no-op aio",
    "by CPU",
    "p50 ms",
    "p99 ms",
    "server busy",
    "load busy",
    "failed",
)


def _case_row(found: Measurements, case: Case, samples: list[Sample]) -> tuple[object, ...]:
    of: Callable[[str], float] = lambda figure: middle(samples, figure)  # noqa: E731 - a short name for one argument
    floor = replace(case, server=AIO, door=GRPC)
    return (
        case.asked if case.series == SINGLE else "",
        case.series,
        case.concurrency,
        case.server,
        case.door,
        of("calls_per_second"),
        of("calls_per_second") * case.series,
        ratio(found, case, floor, "calls_per_second"),
        ratio(found, case, floor, "calls_per_cpu_second"),
        of("p50_ms"),
        of("p99_ms"),
        of("server_busy"),
        of("load_busy"),
        sum(one.failures for one in samples),
    )


def content(found: Measurements) -> dict[str, object]:
    """Return the figures as plain values, every round of them."""
    return {
        "targets": [one._asdict() for one in targets(found)],
        "cases": [
            {**dataclasses.asdict(case), "rounds": [dataclasses.asdict(one) for one in samples]}
            for case, samples in found.cases.items()
        ],
        "bare": [
            {"series": series, "rounds": [one._asdict() for one in samples]}
            for series, samples in found.bare.items()
        ],
        "crossed": [
            {"server": name, "rounds": [dataclasses.asdict(one) for one in samples]}
            for name, samples in found.crossed.items()
        ],
    }
