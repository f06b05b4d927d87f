"""The routes of the HTTP door; the contract's google.api.http options hold them to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from serving.http import (
    anomaly,
    cost,
    cost_analysis,
    demand,
    drift,
    experiment,
    model,
    replenishment,
    supplier,
    uplift,
)

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
    "/v1/demand:explain": Route(demand.ExplainForecastRequest, demand.explain),
    "/v1/reorder:recommend": Route(
        replenishment.RecommendReorderRequest,
        replenishment.recommend,
        replenishment.recommend_gathered,
    ),
    "/v1/reorder:batchRecommend": Route(
        replenishment.BatchRecommendReorderRequest, replenishment.batch_recommend
    ),
    "/v1/policy:compute": Route(replenishment.ComputePolicyRequest, replenishment.compute_policy),
    "/v1/stockout-risk:score": Route(
        replenishment.ScoreStockoutRiskRequest, replenishment.score_risk
    ),
    "/v1/echelons:allocate": Route(
        replenishment.AllocateEchelonsRequest, replenishment.allocate_echelons
    ),
    "/v1/lane:assess": Route(replenishment.AssessLaneRequest, replenishment.assess_lane),
    "/v1/experiment:planSample": Route(experiment.PlanSampleRequest, experiment.plan_sample),
    "/v1/experiment:assignBucket": Route(experiment.AssignBucketRequest, experiment.assign_bucket),
    "/v1/experiment:checkSampleRatio": Route(
        experiment.CheckSampleRatioRequest, experiment.check_sample_ratio
    ),
    "/v1/experiment:analyzeCuped": Route(experiment.AnalyzeCupedRequest, experiment.analyze_cuped),
    "/v1/experiment:testSequentially": Route(
        experiment.TestSequentiallyRequest, experiment.test_sequentially
    ),
    "/v1/experiment:interleave": Route(experiment.InterleaveRankingsRequest, experiment.interleave),
    "/v1/uplift:predict": Route(
        uplift.PredictUpliftRequest, uplift.predict, uplift.predict_gathered
    ),
    "/v1/uplift:planTargeting": Route(uplift.PlanTargetingRequest, uplift.plan_targeting),
    "/v1/anomalies:score": Route(anomaly.ScoreAnomaliesRequest, anomaly.score),
    "/v1/drift:check": Route(drift.CheckDriftRequest, drift.check),
    "/v1/drift:verdict": Route(drift.GetRetrainVerdictRequest, drift.retrain_verdict),
    "/v1/should-cost:estimate": Route(cost.EstimateShouldCostRequest, cost.estimate),
    "/v1/should-cost:batchEstimate": Route(
        cost.BatchEstimateShouldCostRequest, cost.batch_estimate
    ),
    "/v1/variance:explain": Route(
        cost_analysis.ExplainVarianceRequest, cost_analysis.explain_variance
    ),
    "/v1/make-or-buy:compare": Route(
        cost_analysis.CompareMakeOrBuyRequest, cost_analysis.compare_make_or_buy
    ),
    "/v1/reductions:recommend": Route(
        cost_analysis.RecommendReductionsRequest, cost_analysis.recommend_reductions
    ),
    "/v1/elasticity:estimate": Route(
        cost_analysis.EstimateElasticityRequest, cost_analysis.estimate_elasticity
    ),
    "/v1/supplier:getPerformance": Route(supplier.GetPerformanceRequest, supplier.get_performance),
    "/v1/supplier:predictLeadTime": Route(
        supplier.PredictLeadTimeRequest, supplier.predict_lead_time
    ),
    "/v1/supplier:rank": Route(supplier.RankSuppliersRequest, supplier.rank_suppliers),
    "/v1/models:list": Route(model.ListModelsRequest, model.list_models),
    "/v1/models:get": Route(model.GetModelRequest, model.get_model),
}
