"""Failures at the HTTP door: status, body and headers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from google.protobuf import json_format

from serving import errors
from serving.errors import InvalidField, MalformedBody

if TYPE_CHECKING:
    from google.rpc import status_pb2
    from pydantic import ValidationError

INTERNAL = 500
WRONG_METHOD = 405

# Total over the leaves of the tree of failures; a test holds it to that.
STATUSES: dict[type[errors.ParlevelError], int] = {
    errors.InvalidField: 400,
    errors.BeyondTrained: 400,
    errors.MalformedBody: 400,
    errors.UnsupportedMedia: 415,
    errors.TooLarge: 413,
    errors.UnknownSeries: 404,
    errors.UnknownSupplier: 404,
    errors.UnknownUnit: 404,
    errors.UnknownModel: 404,
    errors.UnknownRoute: 404,
    errors.MissingInput: 409,
    errors.MissingRate: 409,
    errors.NoModel: 409,
    errors.NoFeatures: 409,
    errors.FeatureSetMismatch: 409,
    errors.BrokenRecord: 409,
    errors.StaleFeatures: 409,
    errors.TooFewObservations: 409,
    errors.NoSignal: 409,
    errors.SampleRatioMismatch: 409,
    errors.NothingMeasured: 409,
    errors.Overloaded: 429,
    errors.Draining: 503,
    errors.StoreUnavailable: 503,
    errors.DeadlineExceeded: 504,
    errors.ReleaseRefused: 500,
}


def headers_of(error: errors.ParlevelError) -> list[tuple[bytes, bytes]]:
    """Return the headers a failure adds: when to retry, and whether the connection ends."""
    if isinstance(error, errors.Busy):
        return [(b"retry-after", str(math.ceil(error.retry_after_seconds)).encode())]
    if isinstance(error, errors.TooLarge):
        return [(b"connection", b"close")]  # the rest of the body is not read
    return []


def body_of(status: status_pb2.Status) -> dict[str, object]:
    """Return the JSON object of a status, in snake_case as every other body."""
    body: dict[str, object] = json_format.MessageToDict(status, preserving_proto_field_name=True)
    return body


def failure_of(error: ValidationError) -> errors.InvalidRequest:
    """Return the failure behind a body that has not the shape of its request."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    if first["type"] == "json_invalid":
        return MalformedBody(first["msg"].replace("Invalid JSON", "the body is no JSON", 1))
    if not first["loc"]:
        return MalformedBody("the body must be a JSON object")
    return InvalidField(_path(first["loc"]), _requirement(first["type"], first["msg"]))


def _path(parts: tuple[int | str, ...]) -> str:
    path = ""
    for part in parts:
        path += f"[{part}]" if isinstance(part, int) else f".{part}"
    return path.removeprefix(".")


def _requirement(kind: str, message: str) -> str:
    if kind == "extra_forbidden":
        return "is no field of this request"
    if kind == "finite_number":
        return "must be a finite number"
    message = message.removeprefix("Value error, ")
    return message.replace("Input should be", "must be", 1)
