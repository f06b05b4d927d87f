"""JSON objects and domain values whose fields have the same names, read and written by field."""

from __future__ import annotations

import dataclasses
import enum
import re
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_origin

import numpy as np
from pydantic import Field

from serving.domain.series import Provenance
from serving.http.provenance import provenance_body

if TYPE_CHECKING:
    from serving.http.shape import Shape

Int32 = Annotated[int, Field(ge=-(2**31), lt=2**31)]
Int64 = Annotated[int, Field(ge=-(2**63), lt=2**63)]
_DTYPES: dict[object, type] = {float: np.float64, int: np.int64, bool: np.bool_}


def sent_fields(request: Shape) -> dict[str, Any]:
    """Return the fields of a request that were sent, objects within it apart.

    Returns:
        Numbers and flags of lists as arrays, texts as a tuple, others as they are; a field that
        may be absent only where it was sent.
    """
    sent: dict[str, Any] = {}
    for name, field in type(request).model_fields.items():
        value = getattr(request, name)
        if value is None:
            continue
        if get_origin(field.annotation) is not tuple:
            sent[name] = value
            continue
        kind = get_args(field.annotation)[0]
        if get_origin(kind) is Annotated:
            kind = get_args(kind)[0]
        if kind is str:
            sent[name] = value
        elif kind in _DTYPES:
            sent[name] = np.array(value, dtype=_DTYPES[kind])
    return sent


def body_of(value: Any) -> dict[str, Any]:  # noqa: ANN401 - any dataclass of the domain
    """Return the JSON object of a value; None is left out, enums go by their contract's names."""
    body = {}
    for part in dataclasses.fields(value):
        member = getattr(value, part.name)
        if member is not None:
            body[part.name] = _plain(member)
    return body


def _plain(value: Any) -> Any:  # noqa: ANN401 - any field
    if isinstance(value, Provenance):
        return provenance_body(value)
    if isinstance(value, enum.IntEnum):
        prefix = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(value).__name__).upper()
        return f"{prefix}_{value.name}"
    if isinstance(value, tuple):
        return [_plain(member) for member in value]
    return body_of(value) if dataclasses.is_dataclass(value) else value
