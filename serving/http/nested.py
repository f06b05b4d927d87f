"""Requests with objects in objects: their shapes made from the contract, and read.

What a formula takes is written once, in the contract; a shape by hand would be its copy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from google.protobuf.descriptor import FieldDescriptor
from pydantic import create_model

from serving.http.fields import Int32
from serving.http.shape import Shape, enum_number

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor

_SCALARS: dict[int, tuple[Any, Any]] = {
    FieldDescriptor.CPPTYPE_DOUBLE: (float, 0.0),
    FieldDescriptor.CPPTYPE_INT32: (Int32, 0),
    FieldDescriptor.CPPTYPE_BOOL: (bool, False),
    FieldDescriptor.CPPTYPE_STRING: (str, ""),
}


def shape_of(message: Descriptor) -> type[Shape]:
    """Return the shape of the JSON object that stands for a message.

    Args:
        message: The message's descriptor.

    Returns:
        A shape with the fields of the message: absent is None where the field has presence, and
        the contract's default where it has not.
    """
    fields = {field.name: _member(field) for field in message.fields}
    shape: type[Shape] = create_model(
        message.name, __base__=Shape, __doc__=f"{message.name} of the contract.", **fields
    )
    return shape


def _member(field: FieldDescriptor) -> Any:  # noqa: ANN401 - what pydantic takes for a field
    if field.message_type is not None:
        kind: Any = shape_of(field.message_type)
        default = None
    elif field.enum_type is not None:
        kind, default = Annotated[int, enum_number(field.enum_type)], 0
    else:
        kind, default = _SCALARS[field.cpp_type]
    if field.is_repeated:
        return (tuple[kind, ...], ())
    return (kind | None, None) if field.has_presence else (kind, default)


def plain(shape: Shape) -> dict[str, Any]:
    """Return what a JSON object says, objects within it as dictionaries.

    Args:
        shape: The object.

    Returns:
        Fields by name; a field that may be absent only where it was sent.
    """
    return {name: _plain(value) for name, value in shape if value is not None}


def _plain(value: Any) -> Any:  # noqa: ANN401 - any field
    if isinstance(value, Shape):
        return plain(value)
    if isinstance(value, tuple):
        return tuple(_plain(one) for one in value)
    return value
