"""One load run: the crowd against both doors, and what was measured of it."""

from __future__ import annotations

from loadtests import users  # isort: skip  # locust comes before anything that opens sockets

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gevent  # type: ignore[import-untyped]
from locust.env import Environment
from locust.html import get_html_report

from loadtests.slo import Measured

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence
    from pathlib import Path

    from loadtests.profiles import Stage
    from loadtests.stored_keys import Series

STOP_SECONDS = 2.0  # users get to finish what they asked
LATE_SECONDS = 30.0  # beyond the profile's end before the run is cut off


@dataclass(frozen=True, slots=True)
class Load:
    """A load run.

    Attributes:
        series: The series asked about.
        stages: How many users at which time.
        grpc_host: Address and port of the gRPC door; it is left alone where None.
        http_host: URL of the HTTP door; it is left alone where None.
        settle_seconds: Time from the start that does not count: all users ask at once when they
            come, and in a short run that would be most of what is measured.
    """

    series: Sequence[Series]
    stages: tuple[Stage, ...]
    grpc_host: str | None
    http_host: str | None
    settle_seconds: float = 0.0

    def run(self, html: Path | None = None) -> list[Measured]:
        """Run it to its end.

        Args:
            html: Where locust's report goes; none is written where None.

        Returns:
            What was measured of each question at each door.
        """
        kinds = users.crowd_at(self.series, grpc_host=self.grpc_host, http_host=self.http_host)
        shape = users.Staged(self.stages)
        environment = Environment(
            user_classes=kinds, shape_class=shape, stop_timeout=STOP_SECONDS, reset_stats=False
        )
        failures = Failures()
        environment.events.request.add_listener(failures.note)
        runner = environment.create_local_runner()
        runner.start_shape()
        if self.settle_seconds:
            gevent.spawn_later(self.settle_seconds, environment.stats.reset_all)
        gevent.wait([runner.shape_greenlet], timeout=self.stages[-1].until + LATE_SECONDS)
        runner.quit()
        if html is not None:
            html.parent.mkdir(parents=True, exist_ok=True)
            html.write_text(get_html_report(environment), encoding="utf-8")
        return _measured(environment, failures)


def report_name(profile: str, moment: dt.datetime) -> str:
    """Return the file name of a run's full report."""
    return f"{profile}-{moment:%Y-%m-%dT%H%M%SZ}.html"


class Failures:
    """What failed, by door and question."""

    def __init__(self) -> None:
        """Begin with none."""
        self._reasons: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
        self._unanswered: Counter[tuple[str, str]] = Counter()

    def note(self, request_type: str, name: str, exception: object, **_: Any) -> None:  # noqa: ANN401 - locust passes more
        """Note how a request went."""
        if exception is None:
            return
        self._reasons[request_type, name][str(exception)] += 1
        if not isinstance(exception, users.WrongAnswer):
            self._unanswered[request_type, name] += 1

    def unanswered(self, door: str, question: str) -> int:
        """Return how many requests got no answer at all."""
        return self._unanswered[door, question]

    def reason(self, door: str, question: str) -> str:
        """Return what failed most often; empty where nothing did."""
        return next((text for text, _ in self._reasons[door, question].most_common(1)), "")


def _measured(environment: Environment, failures: Failures) -> list[Measured]:
    return [
        Measured(
            door=entry.method,
            question=entry.name,
            requests=entry.num_requests,
            failures=entry.num_failures,
            unanswered=failures.unanswered(entry.method, entry.name),
            p50_ms=entry.get_response_time_percentile(0.50),
            p95_ms=entry.get_response_time_percentile(0.95),
            p99_ms=entry.get_response_time_percentile(0.99),
            reason=failures.reason(entry.method, entry.name),
        )
        for _, entry in sorted(environment.stats.entries.items(), key=lambda pair: pair[0][::-1])
    ]
