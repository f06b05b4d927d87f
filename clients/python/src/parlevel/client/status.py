"""The one boundary where a gRPC status becomes a typed failure."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, cast

import grpc
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from parlevel.client import errors

if TYPE_CHECKING:
    from google.rpc.status_pb2 import Status

DetailT = TypeVar("DetailT", bound=Message)

# Total over grpc.StatusCode but OK, which no failure carries; a test holds it to that.
FAILURES: dict[grpc.StatusCode, type[errors.CallFailed]] = {
    grpc.StatusCode.CANCELLED: errors.Cancelled,
    grpc.StatusCode.UNKNOWN: errors.UnknownFailure,
    grpc.StatusCode.INVALID_ARGUMENT: errors.InvalidArgument,
    grpc.StatusCode.DEADLINE_EXCEEDED: errors.DeadlineExceeded,
    grpc.StatusCode.NOT_FOUND: errors.NotFound,
    grpc.StatusCode.ALREADY_EXISTS: errors.AlreadyExists,
    grpc.StatusCode.PERMISSION_DENIED: errors.PermissionDenied,
    grpc.StatusCode.UNAUTHENTICATED: errors.Unauthenticated,
    grpc.StatusCode.RESOURCE_EXHAUSTED: errors.ResourceExhausted,
    grpc.StatusCode.FAILED_PRECONDITION: errors.FailedPrecondition,
    grpc.StatusCode.ABORTED: errors.Aborted,
    grpc.StatusCode.OUT_OF_RANGE: errors.OutOfRange,
    grpc.StatusCode.UNIMPLEMENTED: errors.Unimplemented,
    grpc.StatusCode.INTERNAL: errors.Internal,
    grpc.StatusCode.UNAVAILABLE: errors.Unavailable,
    grpc.StatusCode.DATA_LOSS: errors.DataLoss,
}

_CODES = {code.value[0]: code for code in grpc.StatusCode}


def failure_of(error: grpc.RpcError, request_id: str) -> errors.CallFailed:
    """Turn a gRPC error into the failure of its code, with the details it carries.

    Args:
        error: What the channel raised, of the synchronous or the asyncio API.
        request_id: Id the call was sent with.

    Returns:
        The typed failure; details that cannot be read are left out, the code and message stay.
    """
    code = error.code()
    return _failed(code, error.details(), _rich_status(error), request_id)


def failure_in(status: Status, request_id: str) -> errors.CallFailed:
    """Turn a status that stands in an answer into the failure of its code.

    Args:
        status: As it came.
        request_id: Id the call was sent with.

    Returns:
        The typed failure.
    """
    code = _CODES.get(status.code, grpc.StatusCode.UNKNOWN)
    return _failed(code, status.message, status, request_id)


def _failed(
    code: grpc.StatusCode, message: str | None, status: Status | None, request_id: str
) -> errors.CallFailed:
    """Make the failure of a code, with the details of its status."""
    bad_request = _detail(status, error_details_pb2.BadRequest)
    info = _detail(status, error_details_pb2.ErrorInfo)
    retry = _detail(status, error_details_pb2.RetryInfo)
    violations = bad_request.field_violations if bad_request else ()
    failure = errors.Failure(
        code=code.name,
        message=message or "the server gave no message",
        violations=tuple(errors.FieldViolation(v.field, v.description) for v in violations),
        reason=info.reason if info else "",
        domain=info.domain if info else "",
        facts=dict(info.metadata) if info else {},
        retry_after_seconds=retry.retry_delay.ToMicroseconds() / 1e6 if retry else None,
        request_id=request_id,
    )
    return FAILURES.get(code, errors.UnknownFailure)(failure)


def _rich_status(error: grpc.RpcError) -> Status | None:
    """Read the rich status, or None where there is none or a proxy garbled it."""
    try:
        # The error of a call is a grpc.Call too, which its stub does not say.
        return rpc_status.from_call(cast("grpc.Call", error))
    except (ValueError, DecodeError):
        return None


def _detail(status: Status | None, kind: type[DetailT]) -> DetailT | None:
    """Read the first detail of one kind, or None where there is none that can be read."""
    for packed in status.details if status else ():
        detail = kind()
        try:
            if packed.Unpack(detail):
                return detail
        except DecodeError:
            continue
    return None
