"""Models at the gRPC door: message to name, description to message."""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.protobuf import timestamp_pb2

from parlevel.v1 import model_pb2
from serving.domain.model import ModelDescription, RefusedModel

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    from serving.flows.model import ModelFlow
    from serving.grpc.desk import Gathered


class ModelServicer:
    """Methods of parlevel.v1.ModelService, free of the kind of server."""

    contract = model_pb2.DESCRIPTOR.services_by_name["ModelService"]

    def __init__(self, flow: ModelFlow) -> None:
        """Take the flow that answers."""
        self._flow = flow
        self.gathered: Mapping[str, Gathered] = {}  # its answers are at hand

    def ListModels(self, request: model_pb2.ListModelsRequest) -> model_pb2.ListModelsResponse:
        """List every model that serves or was refused."""
        del request
        return model_pb2.ListModelsResponse(
            models=[description_message(one) for one in self._flow.list_models()]
        )

    def GetModel(self, request: model_pb2.GetModelRequest) -> model_pb2.GetModelResponse:
        """Describe one model."""
        description = self._flow.get_model(request.name)
        return model_pb2.GetModelResponse(model=description_message(description))


def description_message(one: ModelDescription | RefusedModel) -> model_pb2.ModelDescription:
    """Return the message of a model as it is served, or of one that was refused."""
    if isinstance(one, RefusedModel):
        return model_pb2.ModelDescription(name=one.name, refused_reason=one.refused_reason)
    certificate = one.certificate
    return model_pb2.ModelDescription(
        name=one.name,
        version=one.version,
        digest=one.digest,
        feature_set_hash=one.feature_set_hash,
        features=one.features,
        quantile_levels=one.quantile_levels,
        cover_quantile_levels=one.cover_quantile_levels,
        max_horizon_days=one.max_horizon,
        max_cover_days=one.max_cover,
        trained_time=_timestamp(one.trained_time),
        data_end_date=one.data_end.isoformat(),
        certificate=model_pb2.CertificateSummary(
            row_count=certificate.row_count,
            threshold_row_count=certificate.threshold_row_count,
            max_relative_difference=certificate.max_relative_difference,
            passed=certificate.passed,
        ),
        metrics=[model_pb2.Metric(name=name, value=value) for name, value in sorted(one.metrics)],
        live_time=_timestamp(one.live_time) if one.live_time else None,
        refused_reason=one.refused_reason,
    )


def _timestamp(moment: dt.datetime) -> timestamp_pb2.Timestamp:
    stamp = timestamp_pb2.Timestamp()
    stamp.FromDatetime(moment)
    return stamp
