"""Rounds: every case once a round, so that what disturbs the machine disturbs all alike."""

from __future__ import annotations

import asyncio
import functools
import gc
import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from loadtests.bench.bare import Bare, BareWork
from loadtests.bench.callers import (
    GrpcCaller,
    HttpCaller,
    Tally,
    call_until_done,
    request_headers,
)
from loadtests.bench.cases import GRPC, HTTP, OURS, Bodies, Case, all_cases
from loadtests.bench.processes import HOST, Fleet
from loadtests.bench.singles import single_questions
from loadtests.questions import FORECAST

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loadtests.bench.processes import Cores, Server
    from loadtests.bench.series import BenchHome

WARM_SECONDS = 0.3
SATURATED = 64  # gRPC calls in flight while HTTP is watched
PAUSE_SECONDS = 0.01  # between two HTTP requests then


@dataclass(frozen=True, slots=True)
class Sample:
    """What one case gave in one round.

    Attributes:
        calls_per_second: Calls answered a second.
        calls_per_cpu_second: Calls answered in a second of the server's processor time, which
            tells more than the clock where others use the machine.
        p50_ms, p99_ms: Latency seen by the caller, in milliseconds.
        failures: Calls without a right answer.
        server_busy: Share of a core the server used.
        load_busy: Share of a core the load generator used.
    """

    calls_per_second: float
    calls_per_cpu_second: float
    p50_ms: float
    p99_ms: float
    failures: int
    server_busy: float
    load_busy: float


@dataclass(frozen=True, slots=True)
class Crossed:
    """HTTP latency while the gRPC door of the same process is saturated.

    Attributes:
        p50_ms, p99_ms: Latency of HTTP requests, in milliseconds.
        grpc_calls_per_second: Calls answered at the gRPC door meanwhile.
    """

    p50_ms: float
    p99_ms: float
    grpc_calls_per_second: float


@dataclass(frozen=True, slots=True)
class Measurements:
    """All samples, a list with one entry a round each.

    Attributes:
        cases: By case.
        bare: The work without a door, by series at a time.
        crossed: HTTP under saturated gRPC, by server.
    """

    cases: dict[Case, list[Sample]]
    bare: dict[int, list[Bare]]
    crossed: dict[str, list[Crossed]]


class Bench:
    """Servers that run, requests made for them, and rounds over both."""

    def __init__(self, fleet: Fleet, home: BenchHome, cores: Cores, sizes: Sequence[int]) -> None:
        """Take running servers, the home behind them, the cores and the batch sizes."""
        self._fleet = fleet
        self._cores = cores
        self._sizes = sizes
        self._keys = random.Random(1).sample(home.keys, len(home.keys))  # noqa: S311 - no secret
        others = single_questions(home)
        self._others = tuple(others)
        self._bodies = {
            (FORECAST, series): Bodies.of_series(self._keys, series) for series in sizes
        } | {(path, 1): Bodies.of_questions(asked) for path, asked in others.items()}
        self._bare = BareWork(home)
        self._answer_bytes: dict[tuple[str, int], int] = {}

    def run(self, rounds: int, seconds: float) -> Measurements:
        """Measure every case once a round, for so many seconds."""
        found = Measurements({}, {}, {})
        for asked, series in self._bodies:
            tally = asyncio.run(self.load(Case(OURS[0], GRPC, series, 1, asked), WARM_SECONDS))
            self._answer_bytes[asked, series] = tally.answer_bytes
        gc.collect()
        gc.freeze()
        for _ in range(rounds):
            for case in all_cases(self._sizes, self._others):
                found.cases.setdefault(case, []).append(self._sample(case, seconds))
            for series in self._sizes:
                with self._cores.as_server():
                    bare = self._bare.measure(self._keys, series, seconds / 2)
                found.bare.setdefault(series, []).append(bare)
            for name in OURS:
                found.crossed.setdefault(name, []).append(self._cross(name, seconds))
        return found

    def _sample(self, case: Case, seconds: float) -> Sample:
        server = self._fleet.servers[case.server]
        wall, server_cpu, own_cpu = time.perf_counter(), server.cpu_seconds(), time.process_time()
        tally = asyncio.run(self.load(case, seconds))
        wall, server_cpu = time.perf_counter() - wall, server.cpu_seconds() - server_cpu
        return Sample(
            calls_per_second=(len(tally.latencies) - tally.failures) / tally.seconds,
            calls_per_cpu_second=tally.answered / max(server_cpu, 1e-9),
            p50_ms=_percentile(tally, 50),
            p99_ms=_percentile(tally, 99),
            failures=tally.failures,
            server_busy=server_cpu / wall,
            load_busy=(time.process_time() - own_cpu) / wall,
        )

    async def load(self, case: Case, seconds: float) -> Tally:
        """Put the load of a case on its server for so many seconds, after a short warm-up."""
        bodies = self._bodies[case.subject].of(case.door)
        tally = Tally(bodies, warm_seconds=WARM_SECONDS, seconds=seconds)
        await self._call(case, tally)
        return tally

    async def _call(self, case: Case, tally: Tally, pause: float = 0.0) -> None:
        server = self._fleet.servers[case.server]
        if case.door == HTTP:
            address = HOST, server.http_port
            make = functools.partial(HttpCaller, _authority(address), case.path, tally, pause)
            await call_until_done(address, make, case.concurrency)
            return
        address = HOST, server.grpc_port
        method = case.method(self._answer_bytes.get(case.subject, 0))
        headers = request_headers(_authority(address), method)
        await call_until_done(
            address, functools.partial(GrpcCaller, headers, tally, case.concurrency)
        )

    def _cross(self, name: str, seconds: float) -> Crossed:
        tallies = [
            Tally(self._bodies[FORECAST, 1].of(door), warm_seconds=WARM_SECONDS, seconds=seconds)
            for door in (GRPC, HTTP)
        ]

        async def both() -> None:
            await asyncio.gather(
                self._call(Case(name, GRPC, 1, SATURATED), tallies[0]),
                self._call(Case(name, HTTP, 1, 1), tallies[1], PAUSE_SECONDS),
            )

        asyncio.run(both())
        grpc, http = tallies
        return Crossed(
            _percentile(http, 50), _percentile(http, 99), len(grpc.latencies) / grpc.seconds
        )


def _authority(address: tuple[str, int]) -> str:
    return f"{address[0]}:{address[1]}"


def _percentile(tally: Tally, percent: float) -> float:
    return float(np.percentile(tally.latencies or [np.nan], percent)) * 1000


def servers_of(fleet: Fleet) -> list[Server]:
    """Start every server the cases name."""
    return [
        fleet.start_floor("aio"),
        fleet.start_floor("threads"),
        *(fleet.start_ours(name) for name in OURS),
        fleet.start_stock(),
    ]
