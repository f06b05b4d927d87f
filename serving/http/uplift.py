"""Uplift at the HTTP door: JSON to query, answer to JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from serving.domain.uplift import CategoricalCovariate as Category
from serving.domain.uplift import NumericCovariate as Number
from serving.domain.uplift import TargetingQuery, UnitsQuery
from serving.http.fields import Int32, body_of, sent_fields
from serving.http.shape import Shape

if TYPE_CHECKING:
    from serving.gate import Call, Flows


class NumericCovariate(Shape):
    """A covariate that is a number."""

    name: str = ""
    values: tuple[float, ...] = ()
    missing_rows: tuple[Int32, ...] = ()


class CategoricalCovariate(Shape):
    """A covariate that is a category."""

    name: str = ""
    values: tuple[str, ...] = ()


class PredictUpliftRequest(Shape):
    """Asks for the effect on units."""

    unit_ids: tuple[str, ...] = ()
    numeric: tuple[NumericCovariate, ...] = ()
    categorical: tuple[CategoricalCovariate, ...] = ()


class PlanTargetingRequest(PredictUpliftRequest):
    """Asks which units to act on."""

    budget: float = 0.0
    action_costs: tuple[float, ...] = ()
    minimum_effect: float = 0.0
    value_per_effect: float | None = None


def predict(flows: Flows, request: PredictUpliftRequest) -> dict[str, Any]:
    """Predict the effect of the action on each unit."""
    return body_of(flows.uplift.predict(units_query(request)))


async def predict_gathered(
    flows: Flows, request: PredictUpliftRequest, call: Call
) -> dict[str, Any]:
    """Predict the effect of the action on each unit together with other questions."""
    return body_of(await flows.uplifts.ask(units_query(request), call.check_deadline))


def plan_targeting(flows: Flows, request: PlanTargetingRequest) -> dict[str, Any]:
    """Choose the units to act on under a budget."""
    sent = sent_fields(request)
    del sent["unit_ids"]
    return body_of(flows.uplift.plan_targeting(TargetingQuery(units_query(request), **sent)))


def units_query(request: PredictUpliftRequest) -> UnitsQuery:
    """Read the units and their covariates.

    Raises:
        InvalidField: If a field breaks its rule.
        TooLarge: If there are more units than one call takes.
    """
    return UnitsQuery(
        request.unit_ids,
        tuple(Number(**sent_fields(column)) for column in request.numeric),
        tuple(Category(**sent_fields(column)) for column in request.categorical),
    )
