"""Anomalies at the gRPC door: message to query, answer to message."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlevel.v1 import anomaly_pb2
from serving.domain.anomaly import AnomalyKind, AnomalyQuery, read_rows
from serving.errors import InvalidField
from serving.grpc.fields import filled, sent_fields
from serving.reading import member_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from serving.flows.anomaly import AnomalyFlow
    from serving.grpc.desk import Gathered


class AnomalyServicer:
    """Methods of parlevel.v1.AnomalyService, free of the kind of server."""

    contract = anomaly_pb2.DESCRIPTOR.services_by_name["AnomalyService"]

    def __init__(self, flow: AnomalyFlow) -> None:
        """Take the flow that answers."""
        self._flow = flow
        self.gathered: Mapping[str, Gathered] = {}

    def ScoreAnomalies(
        self, request: anomaly_pb2.ScoreAnomaliesRequest
    ) -> anomaly_pb2.ScoreAnomaliesResponse:
        """Score rows of one kind."""
        answer = self._flow.score(anomaly_query(request))
        return filled(anomaly_pb2.ScoreAnomaliesResponse(), answer)


def anomaly_query(request: anomaly_pb2.ScoreAnomaliesRequest) -> AnomalyQuery:
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
