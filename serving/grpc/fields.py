"""Messages and domain values whose fields have the same names, read and written field by field."""

from __future__ import annotations

import dataclasses
import enum
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from google.protobuf.descriptor import FieldDescriptor

from serving.domain.series import Provenance
from serving.grpc.packed import put_doubles
from serving.grpc.provenance import provenance_message
from serving.reading import all_finite, finite

if TYPE_CHECKING:
    from google.protobuf.message import Message
    from numpy.typing import NDArray

    M = TypeVar("M", bound=Message)

_DTYPES: dict[int, type] = {
    FieldDescriptor.CPPTYPE_DOUBLE: np.float64,
    FieldDescriptor.CPPTYPE_INT32: np.int64,
    FieldDescriptor.CPPTYPE_INT64: np.int64,
    FieldDescriptor.CPPTYPE_BOOL: np.bool_,
}


def sent_fields(message: Message, at: str = "") -> dict[str, Any]:
    """Return the fields of a request that were sent, messages within it apart.

    Args:
        message: The request, or a message within it.
        at: Path of the message within the request, ending in a dot; empty for the request.

    Returns:
        Numbers and flags of repeated fields as arrays, texts as a tuple, others as they are; a
        field with presence only where it was sent.

    Raises:
        InvalidField: If a number is infinite or none.
    """
    sent: dict[str, Any] = {}
    for field in message.DESCRIPTOR.fields:
        value = getattr(message, field.name)
        if field.message_type is not None:
            continue
        if field.is_repeated:
            sent[field.name] = _array(field, value, at)
        elif not field.has_presence or message.HasField(field.name):
            if field.cpp_type == FieldDescriptor.CPPTYPE_DOUBLE:
                finite(f"{at}{field.name}", value)
            sent[field.name] = value
    return sent


def _array(field: Any, values: Any, at: str) -> Any:  # noqa: ANN401 - of any kind
    dtype = _DTYPES.get(field.cpp_type)
    if dtype is None:
        return tuple(values)
    found: NDArray[Any] = np.array(values[:], dtype=dtype)  # of a list: five times as fast
    if dtype is np.float64 and not np.isfinite(found).all():
        all_finite(f"{at}{field.name}", values)
    return found


def filled(message: M, value: Any) -> M:  # noqa: ANN401 - any dataclass of the domain
    """Fill a message from a value whose fields have the names of its own; None is left out."""
    for part in dataclasses.fields(value):
        _put(message, part.name, getattr(value, part.name))
    return message


def _put(message: Message, name: str, value: Any) -> None:  # noqa: ANN401 - any field
    if value is None:
        return
    if isinstance(value, Provenance):
        getattr(message, name).CopyFrom(provenance_message(value))
    elif isinstance(value, np.ndarray) and value.dtype == np.float64:
        put_doubles(message, **{name: value})
    elif isinstance(value, np.ndarray):
        getattr(message, name).extend(value.ravel().tolist())
    elif isinstance(value, tuple):
        for member in value:
            if dataclasses.is_dataclass(member):
                filled(getattr(message, name).add(), member)
            else:
                getattr(message, name).append(int(member) if _is_enum(member) else member)
    elif dataclasses.is_dataclass(value):
        getattr(message, name).SetInParent()
        filled(getattr(message, name), value)
    else:
        setattr(message, name, int(value) if _is_enum(value) else value)


def _is_enum(value: object) -> bool:
    return isinstance(value, enum.IntEnum)
