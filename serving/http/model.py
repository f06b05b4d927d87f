"""Models at the HTTP door: JSON to name, description to JSON."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from serving.domain.model import ModelDescription, RefusedModel
from serving.http.shape import Shape

if TYPE_CHECKING:
    from serving.gate import Flows


class ListModelsRequest(Shape):
    """Asks for all models."""


class GetModelRequest(Shape):
    """Asks for one model."""

    name: str = ""


def list_models(flows: Flows, request: ListModelsRequest) -> dict[str, Any]:
    """List every model that serves or was refused."""
    del request
    return {"models": [description_body(one) for one in flows.model.list_models()]}


def get_model(flows: Flows, request: GetModelRequest) -> dict[str, Any]:
    """Describe one model."""
    return {"model": description_body(flows.model.get_model(request.name))}


def description_body(one: ModelDescription | RefusedModel) -> dict[str, Any]:
    """Return the JSON object of a model as it is served; what is absent is left out."""
    if isinstance(one, RefusedModel):
        return {"name": one.name, "version": "", "refused_reason": one.refused_reason}
    body: dict[str, Any] = {
        "name": one.name,
        "version": one.version,
        "digest": one.digest,
        "feature_set_hash": one.feature_set_hash,
        "features": one.features,
        "quantile_levels": one.quantile_levels,
        "cover_quantile_levels": one.cover_quantile_levels,
        "max_horizon_days": one.max_horizon,
        "max_cover_days": one.max_cover,
        "trained_time": _stamp(one.trained_time),
        "data_end_date": one.data_end.isoformat(),
        "certificate": {
            "row_count": one.certificate.row_count,
            "threshold_row_count": one.certificate.threshold_row_count,
            "max_relative_difference": one.certificate.max_relative_difference,
            "passed": one.certificate.passed,
        },
        "metrics": [{"name": name, "value": value} for name, value in sorted(one.metrics)],
        "refused_reason": one.refused_reason,
    }
    if one.live_time is not None:
        body["live_time"] = _stamp(one.live_time)
    return body


def _stamp(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
