"""A failure as both doors send it: one google.rpc.Status, whatever the transport."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from google.rpc import code_pb2, error_details_pb2, status_pb2

from serving import errors

if TYPE_CHECKING:
    from google.protobuf.message import Message

DOMAIN = "parlevel"

# Total over the leaves of the tree of failures; a test holds it to that.
CODES: dict[type[errors.ParlevelError], int] = {
    errors.InvalidField: code_pb2.INVALID_ARGUMENT,
    errors.BeyondTrained: code_pb2.OUT_OF_RANGE,
    errors.MalformedBody: code_pb2.INVALID_ARGUMENT,
    errors.UnsupportedMedia: code_pb2.INVALID_ARGUMENT,
    errors.TooLarge: code_pb2.RESOURCE_EXHAUSTED,
    errors.UnknownSeries: code_pb2.NOT_FOUND,
    errors.UnknownSupplier: code_pb2.NOT_FOUND,
    errors.UnknownUnit: code_pb2.NOT_FOUND,
    errors.UnknownModel: code_pb2.NOT_FOUND,
    errors.UnknownRoute: code_pb2.NOT_FOUND,
    errors.MissingInput: code_pb2.FAILED_PRECONDITION,
    errors.MissingRate: code_pb2.FAILED_PRECONDITION,
    errors.NoModel: code_pb2.FAILED_PRECONDITION,
    errors.NoFeatures: code_pb2.FAILED_PRECONDITION,
    errors.FeatureSetMismatch: code_pb2.FAILED_PRECONDITION,
    errors.BrokenRecord: code_pb2.FAILED_PRECONDITION,
    errors.StaleFeatures: code_pb2.FAILED_PRECONDITION,
    errors.TooFewObservations: code_pb2.FAILED_PRECONDITION,
    errors.NoSignal: code_pb2.FAILED_PRECONDITION,
    errors.SampleRatioMismatch: code_pb2.FAILED_PRECONDITION,
    errors.NothingMeasured: code_pb2.FAILED_PRECONDITION,
    errors.Overloaded: code_pb2.RESOURCE_EXHAUSTED,
    errors.Draining: code_pb2.UNAVAILABLE,
    errors.StoreUnavailable: code_pb2.UNAVAILABLE,
    errors.DeadlineExceeded: code_pb2.DEADLINE_EXCEEDED,
    errors.ReleaseRefused: code_pb2.INTERNAL,
}


def status_of(error: errors.ParlevelError) -> status_pb2.Status:
    """Return the status of a failure: code, sentence and what the failure knows as details.

    Args:
        error: Any leaf of the tree of failures.

    Returns:
        A status with an ErrorInfo; a BadRequest where one field is at fault, a RetryInfo where a
        later retry may succeed.
    """
    facts = {name: str(value) for name, value in vars(error).items()}
    details: list[Message] = [
        error_details_pb2.ErrorInfo(reason=_reason(type(error)), domain=DOMAIN, metadata=facts)
    ]
    if isinstance(error, errors.InvalidField | errors.BeyondTrained):
        violation = error_details_pb2.BadRequest.FieldViolation(
            field=error.field, description=str(error)
        )
        details.append(error_details_pb2.BadRequest(field_violations=[violation]))
    if isinstance(error, errors.Busy):
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromMilliseconds(round(error.retry_after_seconds * 1000))
        details.append(retry)
    return _status(CODES[type(error)], str(error), details)


def unexpected(request_id: str) -> status_pb2.Status:
    """Return the status of a defect: the id under which the log holds its trace, and no more."""
    info = error_details_pb2.ErrorInfo(
        reason="UNEXPECTED", domain=DOMAIN, metadata={"request_id": request_id}
    )
    sentence = f"the server failed unexpectedly; its log says more under request {request_id}"
    return _status(code_pb2.INTERNAL, sentence, [info])


def wrong_method(allowed: str) -> status_pb2.Status:
    """Return the status of an HTTP method that a path does not answer to."""
    info = error_details_pb2.ErrorInfo(
        reason="WRONG_METHOD", domain=DOMAIN, metadata={"allowed": allowed}
    )
    return _status(code_pb2.UNIMPLEMENTED, f"this path answers {allowed} only", [info])


def _status(code: int, message: str, details: list[Message]) -> status_pb2.Status:
    status = status_pb2.Status(code=code, message=message)
    for detail in details:
        status.details.add().Pack(detail, deterministic=True)
    return status


def _reason(kind: type[errors.ParlevelError]) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", kind.__name__).upper()
