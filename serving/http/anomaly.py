"""Anomalies at the HTTP door: JSON to query, answer to JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from serving.domain.anomaly import AnomalyKind, AnomalyQuery, read_rows
from serving.errors import InvalidField
from serving.http.fields import Int32, Int64, body_of, sent_fields
from serving.http.shape import AnomalyKindNumber, Shape
from serving.reading import member_of

if TYPE_CHECKING:
    from serving.gate import Flows


class ScoreAnomaliesRequest(Shape):
    """Asks how unusual rows are."""

    kind: AnomalyKindNumber = 0
    inputs: tuple[str, ...] = ()
    values: tuple[float, ...] = ()
    missing_places: tuple[Int64, ...] = ()
    false_alarm_rate: float | None = None
    driver_count: Int32 | None = None


def score(flows: Flows, request: ScoreAnomaliesRequest) -> dict[str, Any]:
    """Score rows of one kind."""
    answer = body_of(flows.anomaly.score(anomaly_query(request)))
    return {
        name: value.ravel() if hasattr(value, "ravel") else value for name, value in answer.items()
    }


def anomaly_query(request: ScoreAnomaliesRequest) -> AnomalyQuery:
    """Read the question how unusual rows are.

    Raises:
        InvalidField: If a field breaks its rule.
        TooLarge: If there are more rows than one call takes.
    """
    if not request.kind:
        raise InvalidField("kind", "is required")
    sent = sent_fields(request)
    kind = member_of("kind", AnomalyKind, sent.pop("kind"))
    rows = read_rows(kind, sent.pop("inputs"), sent.pop("values"), sent.pop("missing_places"))
    return AnomalyQuery(kind=kind, inputs=rows, **sent)
