"""Prometheus: what the rules of the verdict saw last, and the verdict they make."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import GaugeMetricFamily

from serving.domain.retrain import RetrainVerdict, decide
from serving.errors import NothingMeasured

if TYPE_CHECKING:
    from collections.abc import Iterator

    from serving.ports import ReadingLog

MODEL = "forecast"


class VerdictMetrics:
    """Collects the verdict on the demand model, read anew for each page."""

    def __init__(self, log: ReadingLog) -> None:
        """Take the log of readings."""
        self._log = log

    def describe(self) -> list[GaugeMetricFamily]:
        """Return nothing: without this the registry would collect at registration."""
        return []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the verdict and every rule; nothing before anything was measured."""
        try:
            answer = decide(self._log.readings(MODEL))
        except NothingMeasured:
            return
        verdicts = GaugeMetricFamily(
            "parlevel_retrain_verdict",
            "1 for the verdict that stands.",
            labels=("model", "verdict"),
        )
        for verdict in RetrainVerdict:
            stands = float(verdict is answer.verdict)
            verdicts.add_metric((MODEL, verdict.name.lower()), stands)
        values, limits, fired, broken = (
            GaugeMetricFamily(f"parlevel_rule_{name}", text, labels=("model", "rule"))
            for name, text in (
                ("value", "What a rule of the verdict measured last."),
                ("limit", "What the value is held to."),
                ("fired", "1 where a rule decides."),
                ("days_broken", "Measured days in a row on which a rule was broken."),
            )
        )
        for one in answer.evidence:
            key = (MODEL, one.rule)
            fired.add_metric(key, float(one.fired))
            broken.add_metric(key, one.days_broken)
            if one.value is not None and one.limit is not None:
                values.add_metric(key, one.value)
                limits.add_metric(key, one.limit)
        yield from (verdicts, values, limits, fired, broken)
