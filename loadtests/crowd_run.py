"""One load run: the crowd against both doors, and what was measured of it."""

from __future__ import annotations

from loadtests import users  # isort: skip  # locust comes before anything that opens sockets

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gevent
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
    """

    series: Sequence[Series]
    stages: tuple[Stage, ...]
    grpc_host: str | None
    http_host: str | None

    def run(self, html: Path | None = None) -> list[Measured]:
        """Run it to its end.

        Args:
            html: Where locust's report goes; none is written where None.

        Returns:
            What was measured of each question at each door.
        """
        kinds = users.crowd_at(self.series, grpc_host=self.grpc_host, http_host=self.http_host)
        shape = users.Staged()
        shape.stages = self.stages
        environment = Environment(
            user_classes=kinds, shape_class=shape, stop_timeout=STOP_SECONDS, reset_stats=False
        )
        unanswered: Counter[tuple[str, str]] = Counter()

        def note(request_type: str, name: str, exception: object, **_: Any) -> None:  # noqa: ANN401 - locust passes more
            if exception is not None and not isinstance(exception, users.WrongAnswer):
                unanswered[request_type, name] += 1

        environment.events.request.add_listener(note)
        runner = environment.create_local_runner()
        runner.start_shape()
        with gevent.Timeout(self.stages[-1].until + LATE_SECONDS, exception=False):
            runner.shape_greenlet.join()
        runner.quit()
        if html is not None:
            html.parent.mkdir(parents=True, exist_ok=True)
            html.write_text(get_html_report(environment), encoding="utf-8")
        return _measured(environment, unanswered)


def report_name(profile: str, moment: dt.datetime) -> str:
    """Return the file name of a run's full report."""
    return f"{profile}-{moment:%Y-%m-%dT%H%M%SZ}.html"


def _measured(environment: Environment, unanswered: Counter[tuple[str, str]]) -> list[Measured]:
    return [
        Measured(
            door=entry.method,
            question=entry.name,
            requests=entry.num_requests,
            failures=entry.num_failures,
            unanswered=unanswered[entry.method, entry.name],
            p50_ms=entry.get_response_time_percentile(0.50),
            p95_ms=entry.get_response_time_percentile(0.95),
            p99_ms=entry.get_response_time_percentile(0.99),
        )
        for entry in sorted(environment.stats.entries.values(), key=lambda one: (one.method, one.name))
    ]
