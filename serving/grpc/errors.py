"""Failures at the gRPC door: the status code of each."""

from __future__ import annotations

import grpc

from serving import errors, wire

_BY_NUMBER = {code.value[0]: code for code in grpc.StatusCode}

# Total over the leaves of the tree of failures, because the codes they come from are.
CODES: dict[type[errors.ParlevelError], grpc.StatusCode] = {
    kind: _BY_NUMBER[number] for kind, number in wire.CODES.items()
}
