"""Wire form of the model and health questions and answers."""

from __future__ import annotations

from grpc_health.v1 import health_pb2

from parlevel.client.options import CallOptions, check_options
from parlevel.client.values.model import Certificate, Health, Model
from parlevel.client.wire.question import Question, date_of, question, time_of
from parlevel.v1 import model_pb2 as pb

LIST_MODELS = "/parlevel.v1.ModelService/ListModels"
GET_MODEL = "/parlevel.v1.ModelService/GetModel"
CHECK_HEALTH = "/grpc.health.v1.Health/Check"


def list_models(options: CallOptions) -> Question[tuple[Model, ...]]:
    """Ask for every served model.

    Args:
        options: Keyword options of the question.

    Returns:
        The question.

    Raises:
        TypeError: An option is unknown.
    """
    check_options(options, CallOptions)
    return question(LIST_MODELS, pb.ListModelsRequest(), pb.ListModelsResponse, _models, options)


def get_model(name: str, options: CallOptions) -> Question[Model]:
    """Ask for one served model.

    Args:
        name: Registered name.
        options: Keyword options of the question.

    Returns:
        The question.

    Raises:
        TypeError: An option is unknown.
    """
    check_options(options, CallOptions)
    request = pb.GetModelRequest(name=name)
    return question(GET_MODEL, request, pb.GetModelResponse, _answered_model, options)


def health(service: str, options: CallOptions) -> Question[Health]:
    """Ask whether a server, or one of its services, takes calls.

    Args:
        service: Full name of the service; empty is the whole server.
        options: Keyword options of the question.

    Returns:
        The question.

    Raises:
        TypeError: An option is unknown.
    """
    check_options(options, CallOptions)
    request = health_pb2.HealthCheckRequest(service=service)
    return question(CHECK_HEALTH, request, health_pb2.HealthCheckResponse, _health, options)


def _models(answer: pb.ListModelsResponse) -> tuple[Model, ...]:
    """Read every served model."""
    return tuple(_model(description) for description in answer.models)


def _answered_model(answer: pb.GetModelResponse) -> Model:
    """Read the one model asked for."""
    return _model(answer.model)


def _model(description: pb.ModelDescription) -> Model:
    """Read a model as it is served."""
    has = description.HasField
    return Model(
        name=description.name,
        version=description.version,
        digest=description.digest,
        feature_set_hash=description.feature_set_hash,
        features=tuple(description.features),
        quantile_levels=tuple(description.quantile_levels),
        cover_quantile_levels=tuple(description.cover_quantile_levels),
        max_horizon_days=description.max_horizon_days,
        max_cover_days=description.max_cover_days,
        trained_time=time_of(description.trained_time) if has("trained_time") else None,
        data_end_date=date_of(description.data_end_date) if description.data_end_date else None,
        certificate=_certificate(description.certificate) if has("certificate") else None,
        metrics={metric.name: metric.value for metric in description.metrics},
        live_time=time_of(description.live_time) if has("live_time") else None,
        refused_reason=description.refused_reason,
    )


def _certificate(summary: pb.CertificateSummary) -> Certificate:
    """Read what a parity certificate says."""
    return Certificate(
        row_count=summary.row_count,
        threshold_row_count=summary.threshold_row_count,
        max_relative_difference=summary.max_relative_difference,
        passed=summary.passed,
    )


def _health(answer: health_pb2.HealthCheckResponse) -> Health:
    """Read whether calls are taken."""
    statuses = {
        health_pb2.HealthCheckResponse.SERVING: Health.SERVING,
        health_pb2.HealthCheckResponse.NOT_SERVING: Health.NOT_SERVING,
    }
    return statuses.get(answer.status, Health.UNKNOWN)
