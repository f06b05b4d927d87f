"""Uplift at the gRPC door: message to query, answer to message."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from parlevel.v1 import uplift_pb2
from serving.domain.uplift import (
    CategoricalCovariate,
    NumericCovariate,
    TargetingQuery,
    UnitsQuery,
)
from serving.grpc.desk import Gathered
from serving.grpc.enums import number, numbers
from serving.grpc.fields import filled, sent_fields
from serving.grpc.packed import put_doubles
from serving.grpc.provenance import provenance_message

if TYPE_CHECKING:
    from collections.abc import Mapping

    from serving.domain.uplift import Uplift
    from serving.flows.uplift import UpliftFlow
    from serving.gather import Gather

NO_ROWS = np.empty(0, dtype=np.int64)


class UpliftServicer:
    """Methods of parlevel.v1.UpliftService, free of the kind of server."""

    contract = uplift_pb2.DESCRIPTOR.services_by_name["UpliftService"]

    def __init__(self, flow: UpliftFlow, gather: Gather[UnitsQuery, Uplift]) -> None:
        """Take the flow that answers, and what gathers questions about effects."""
        self._flow = flow
        self.gathered: Mapping[str, Gathered] = {
            "PredictUplift": Gathered(units_query, gather, uplift_message)
        }

    def PredictUplift(
        self, request: uplift_pb2.PredictUpliftRequest
    ) -> uplift_pb2.PredictUpliftResponse:
        """Predict the effect of the action on each unit."""
        return uplift_message(self._flow.predict(units_query(request)))

    def PlanTargeting(
        self, request: uplift_pb2.PlanTargetingRequest
    ) -> uplift_pb2.PlanTargetingResponse:
        """Choose the units to act on under a budget."""
        sent = sent_fields(request)
        del sent["unit_ids"]
        answer = self._flow.plan_targeting(TargetingQuery(units_query(request), **sent))
        return filled(uplift_pb2.PlanTargetingResponse(), answer)


def units_query(
    request: uplift_pb2.PredictUpliftRequest | uplift_pb2.PlanTargetingRequest,
) -> UnitsQuery:
    """Read the units and their covariates.

    Raises:
        InvalidField: If a field breaks its rule.
        TooLarge: If there are more units than one call takes.
    """
    numeric = []
    for column in request.numeric:
        values = np.array(column.values[:], dtype=np.float64)  # of a list: five times as fast
        rows = np.array(column.missing_rows[:], dtype=np.int64) if column.missing_rows else NO_ROWS
        numeric.append(NumericCovariate(column.name, values, rows))
    return UnitsQuery(
        tuple(request.unit_ids),
        tuple(numeric),
        tuple(CategoricalCovariate(one.name, tuple(one.values)) for one in request.categorical),
    )


def uplift_message(answer: Uplift) -> uplift_pb2.PredictUpliftResponse:
    """Return the message of effects; by hand, as field by field takes three times as long."""
    message = uplift_pb2.PredictUpliftResponse(
        provenance=provenance_message(answer.provenance),
        row_count=answer.row_count,
        overlap_flags=numbers(answer.overlap_flags),
        interval=number(answer.interval),
        row_statuses=numbers(answer.row_statuses),
    )
    put_doubles(
        message,
        effects=answer.effects,
        lower=answer.lower,
        upper=answer.upper,
        propensities=answer.propensities,
    )
    return message
