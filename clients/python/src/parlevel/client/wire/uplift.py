"""Wire form of the uplift questions."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from parlevel.client.errors import invalid
from parlevel.client.options import CallOptions, TargetingOptions, check_options
from parlevel.client.wire.question import Question, as_it_is, question
from parlevel.v1 import uplift_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PREDICT = "/parlevel.v1.UpliftService/PredictUplift"
PLAN = "/parlevel.v1.UpliftService/PlanTargeting"


def predict(
    unit_ids: Sequence[str],
    covariates: Mapping[str, Sequence[float | str | None]],
    options: CallOptions,
) -> Question[pb.PredictUpliftResponse]:
    """Ask for the effect on units.

    Args:
        unit_ids: Units.
        covariates: Values of each covariate, one a unit: texts for a category, else numbers; None
            where not known.
        options: Timeout and request id.

    Returns:
        The question.

    Raises:
        InvalidArgument: A covariate mixes texts and numbers.
    """
    check_options(options, CallOptions)
    numeric, categorical = _columns(covariates)
    request = pb.PredictUpliftRequest(unit_ids=unit_ids, numeric=numeric, categorical=categorical)
    return question(PREDICT, request, pb.PredictUpliftResponse, as_it_is, options)


def plan_targeting(
    unit_ids: Sequence[str],
    covariates: Mapping[str, Sequence[float | str | None]],
    options: TargetingOptions,
) -> Question[pb.PlanTargetingResponse]:
    """Ask which units to act on under a budget.

    Args:
        unit_ids: Units.
        covariates: As in `predict`.
        options: Budget, costs, and how the question is asked.

    Returns:
        The question.

    Raises:
        TypeError: An input is unknown or absent.
        InvalidArgument: A covariate mixes texts and numbers.
    """
    check_options(options, TargetingOptions)
    numeric, categorical = _columns(covariates)
    costs = options["action_costs"]
    request = pb.PlanTargetingRequest(
        unit_ids=unit_ids,
        numeric=numeric,
        categorical=categorical,
        budget=options["budget"],
        action_costs=[costs] if isinstance(costs, int | float) else costs,
        minimum_effect=options.get("minimum_effect", 0.0),
        value_per_effect=options.get("value_per_effect"),
    )
    return question(PLAN, request, pb.PlanTargetingResponse, as_it_is, options)


def _columns(
    covariates: Mapping[str, Sequence[float | str | None]],
) -> tuple[list[pb.NumericCovariate], list[pb.CategoricalCovariate]]:
    numeric, categorical = [], []
    for name, values in covariates.items():
        texts = [value for value in values if isinstance(value, str)]
        if not texts:
            numeric.append(_number(name, values))
        elif len(texts) == sum(value is not None for value in values):
            filled = [value if isinstance(value, str) else "" for value in values]
            categorical.append(pb.CategoricalCovariate(name=name, values=filled))
        else:
            raise invalid(f"covariates[{name!r}]", "must be all texts or all numbers")
    return numeric, categorical


def _number(name: str, values: Sequence[float | str | None]) -> pb.NumericCovariate:
    numbers = [float("nan") if value is None else float(value) for value in values]
    missing = [row for row, value in enumerate(numbers) if math.isnan(value)]
    for row in missing:
        numbers[row] = 0.0
    return pb.NumericCovariate(name=name, values=numbers, missing_rows=missing)
