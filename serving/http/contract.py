"""The contract as the HTTP door needs it: which method a path stands for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.api import annotations_pb2

from parlevel.v1 import (
    anomaly_pb2,
    cost_pb2,
    demand_pb2,
    drift_pb2,
    experiment_pb2,
    model_pb2,
    network_pb2,
    policy_pb2,
    replenishment_pb2,
    supplier_pb2,
    supply_pb2,
    uplift_pb2,
)

if TYPE_CHECKING:
    from google.protobuf.descriptor import MethodDescriptor

FILES = (
    anomaly_pb2.DESCRIPTOR,
    drift_pb2.DESCRIPTOR,
    demand_pb2.DESCRIPTOR,
    replenishment_pb2.DESCRIPTOR,
    network_pb2.DESCRIPTOR,
    policy_pb2.DESCRIPTOR,
    supply_pb2.DESCRIPTOR,
    experiment_pb2.DESCRIPTOR,
    uplift_pb2.DESCRIPTOR,
    cost_pb2.DESCRIPTOR,
    supplier_pb2.DESCRIPTOR,
    model_pb2.DESCRIPTOR,
)


def methods() -> dict[str, MethodDescriptor]:
    """Return the methods of the contract by the path they are posted to."""
    return {
        method.GetOptions().Extensions[annotations_pb2.http].post: method
        for file in FILES
        for service in file.services_by_name.values()
        for method in service.methods
    }
