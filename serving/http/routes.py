"""The routes of the HTTP door; the contract's google.api.http options hold them to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from serving.http import demand, model, replenishment

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from serving.http.shape import Shape


class Route(NamedTuple):
    """What answers at a path.

    Attributes:
        request: Shape of the request's JSON object.
        answer: Turns the flows and a request into the JSON object of the response.
        gathered: Does the same together with others on the event loop; None where that is not
            to be had.
    """

    request: type[Shape]
    answer: Callable[..., dict[str, Any]]
    gathered: Callable[..., Awaitable[dict[str, Any]]] | None = None


ROUTES: dict[str, Route] = {
    "/v1/demand:forecast": Route(
        demand.ForecastDemandRequest, demand.forecast, demand.forecast_gathered
    ),
    "/v1/demand:batchForecast": Route(demand.BatchForecastDemandRequest, demand.batch_forecast),
    "/v1/reorder:recommend": Route(
        replenishment.RecommendReorderRequest,
        replenishment.recommend,
        replenishment.recommend_gathered,
    ),
    "/v1/reorder:batchRecommend": Route(
        replenishment.BatchRecommendReorderRequest, replenishment.batch_recommend
    ),
    "/v1/policy:compute": Route(replenishment.ComputePolicyRequest, replenishment.compute_policy),
    "/v1/models:list": Route(model.ListModelsRequest, model.list_models),
    "/v1/models:get": Route(model.GetModelRequest, model.get_model),
}
