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
    from collections.abc import Iterator

    from google.protobuf.descriptor import Descriptor, MethodDescriptor

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
    """Return the methods of the contract by the path they are posted to; streams have none."""
    return {
        method.GetOptions().Extensions[annotations_pb2.http].post: method
        for file in FILES
        for service in file.services_by_name.values()
        for method in service.methods
        if not method.client_streaming
    }


def messages() -> Iterator[Descriptor]:
    """Yield the messages of the contract but those of its streams."""
    for file in FILES:
        streamed = {
            message.name
            for service in file.services_by_name.values()
            for method in service.methods
            if method.client_streaming
            for message in (method.input_type, method.output_type)
        }
        for name, message in file.message_types_by_name.items():
            if name not in streamed:
                yield message
