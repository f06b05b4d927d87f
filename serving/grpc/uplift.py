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
from serving.grpc.fields import filled, sent_fields
from serving.reading import all_finite

if TYPE_CHECKING:
    from collections.abc import Mapping

    from serving.flows.uplift import UpliftFlow
    from serving.grpc.desk import Gathered

NO_ROWS = np.empty(0, dtype=np.int64)


class UpliftServicer:
    """Methods of parlevel.v1.UpliftService, free of the kind of server."""

    contract = uplift_pb2.DESCRIPTOR.services_by_name["UpliftService"]

    def __init__(self, flow: UpliftFlow) -> None:
        """Take the flow that answers."""
        self._flow = flow
        self.gathered: Mapping[str, Gathered] = {}

    def PredictUplift(
        self, request: uplift_pb2.PredictUpliftRequest
    ) -> uplift_pb2.PredictUpliftResponse:
        """Predict the effect of the action on each unit."""
        answer = self._flow.predict(units_query(request))
        return filled(uplift_pb2.PredictUpliftResponse(), answer)

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
    for index, column in enumerate(request.numeric):
        values = np.array(column.values, dtype=np.float64)
        if not np.isfinite(values).all():
            all_finite(f"numeric[{index}].values", column.values)
        rows = np.array(column.missing_rows, dtype=np.int64) if column.missing_rows else NO_ROWS
        numeric.append(NumericCovariate(column.name, values, rows))
    return UnitsQuery(
        tuple(request.unit_ids),
        tuple(numeric),
        tuple(CategoricalCovariate(one.name, tuple(one.values)) for one in request.categorical),
    )
