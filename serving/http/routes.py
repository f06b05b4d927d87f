"""The routes of the HTTP door; the contract's google.api.http options hold them to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from serving.http import demand, model, replenishment

if TYPE_CHECKING:
    from collections.abc import Callable

    from serving.http.shape import Shape


class Route(NamedTuple):
    """What answers at a path.

    Attributes:
        request: Shape of the request's JSON object.
        answer: Turns the flows and a request into the JSON object of the response.
    """

    request: type[Shape]
    answer: Callable[..., dict[str, Any]]


ROUTES: dict[str, Route] = {
    "/v1/demand:forecast": Route(demand.ForecastDemandRequest, demand.forecast),
    "/v1/demand:batchForecast": Route(demand.BatchForecastDemandRequest, demand.batch_forecast),
    "/v1/reorder:recommend": Route(replenishment.RecommendReorderRequest, replenishment.recommend),
    "/v1/reorder:batchRecommend": Route(
        replenishment.BatchRecommendReorderRequest, replenishment.batch_recommend
    ),
    "/v1/policy:compute": Route(replenishment.ComputePolicyRequest, replenishment.compute_policy),
    "/v1/models:list": Route(model.ListModelsRequest, model.list_models),
    "/v1/models:get": Route(model.GetModelRequest, model.get_model),
}
