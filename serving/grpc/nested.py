"""Requests with messages in messages, read into plain values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from google.protobuf.descriptor import FieldDescriptor

from serving.reading import all_finite, finite

if TYPE_CHECKING:
    from google.protobuf.message import Message


def plain(message: Message, at: str = "") -> dict[str, Any]:
    """Return what a message says, messages within it as dictionaries and lists as tuples.

    Args:
        message: The message.
        at: Path of the message within the request, ending in a dot; empty for the request.

    Returns:
        Fields by name; a field with presence only where it was sent.

    Raises:
        InvalidField: If a number is infinite or none.
    """
    said: dict[str, Any] = {}
    for field in message.DESCRIPTOR.fields:
        name, value = field.name, getattr(message, field.name)
        doubles = field.cpp_type == FieldDescriptor.CPPTYPE_DOUBLE
        if field.is_repeated:
            if field.message_type is not None:
                said[name] = tuple(
                    plain(one, f"{at}{name}[{index}].") for index, one in enumerate(value)
                )
                continue
            if doubles:
                all_finite(f"{at}{name}", value)
            said[name] = tuple(value)
        elif not field.has_presence or message.HasField(name):
            if field.message_type is not None:
                said[name] = plain(value, f"{at}{name}.")
                continue
            said[name] = finite(f"{at}{name}", value) if doubles else value
    return said
