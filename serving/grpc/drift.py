"""Drift at the gRPC door: message to query, report to message."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlevel.v1 import drift_pb2
from serving.domain.drift import DriftQuery
from serving.domain.drift_rows import importances_of, sample_of
from serving.grpc.fields import filled, sent_fields

if TYPE_CHECKING:
    from collections.abc import Mapping

    from serving.domain.drift import Sample
    from serving.flows.drift import DriftFlow
    from serving.grpc.desk import Gathered


class DriftServicer:
    """Methods of parlevel.v1.DriftService, free of the kind of server."""

    contract = drift_pb2.DESCRIPTOR.services_by_name["DriftService"]

    def __init__(self, flow: DriftFlow) -> None:
        """Take the flow that answers."""
        self._flow = flow
        self.gathered: Mapping[str, Gathered] = {}

    def CheckDrift(self, request: drift_pb2.CheckDriftRequest) -> drift_pb2.CheckDriftResponse:
        """Check current rows against reference rows."""
        return filled(drift_pb2.CheckDriftResponse(), self._flow.check(drift_query(request)))

    def GetRetrainVerdict(
        self, request: drift_pb2.GetRetrainVerdictRequest
    ) -> drift_pb2.GetRetrainVerdictResponse:
        """Say what to do about a model."""
        answer = self._flow.verdict(request.model_name)
        return filled(drift_pb2.GetRetrainVerdictResponse(), answer)


def drift_query(request: drift_pb2.CheckDriftRequest) -> DriftQuery:
    """Read the question whether rows differ.

    Raises:
        InvalidField: If a field breaks its rule.
        TooLarge: If a side has more values than one call takes.
    """
    return DriftQuery(
        reference=_sample("reference", request),
        current=_sample("current", request),
        importances=importances_of([sent_fields(one) for one in request.importances]),
        **sent_fields(request),
    )


def _sample(side: str, request: drift_pb2.CheckDriftRequest) -> Sample | None:
    if not request.HasField(side):  # type: ignore[arg-type]  # one of the two names of sides
        return None
    sent = getattr(request, side)
    columns = [
        sent_fields(column, f"{side}.columns[{index}].")
        for index, column in enumerate(sent.columns)
    ]
    return sample_of(side, columns, sent_fields(sent)["blocks"])
