"""The OpenAPI document of the HTTP door, written from the contract and its comments.

``python -m serving.http.openapi CONTRACT`` prints it, CONTRACT being a descriptor set with source
information; the door serves the file it was printed to.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from serving.http.contract import messages, methods
from serving.http.errors import STATUSES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from google.protobuf.descriptor import Descriptor, EnumDescriptor, MethodDescriptor

    Schema = dict[str, Any]

TIMESTAMP = "google.protobuf.Timestamp"
_SCALARS: dict[int, Schema] = {
    FieldDescriptor.TYPE_STRING: {"type": "string"},
    FieldDescriptor.TYPE_BOOL: {"type": "boolean"},
    FieldDescriptor.TYPE_DOUBLE: {"type": "number", "format": "double"},
    FieldDescriptor.TYPE_INT32: {"type": "integer", "format": "int32"},
    FieldDescriptor.TYPE_INT64: {"type": "integer", "format": "int64"},
}
_STATUS: Schema = {
    "type": "object",
    "description": "google.rpc.Status, as on the gRPC door.",
    "required": ["code", "message"],
    "properties": {
        "code": {"type": "integer", "description": "Code of google.rpc.Code."},
        "message": {"type": "string", "description": "What is wrong and what to do."},
        "details": {
            "type": "array",
            "description": "google.rpc.ErrorInfo, and BadRequest or RetryInfo where they apply.",
            "items": {"type": "object", "required": ["@type"], "additionalProperties": True},
        },
    },
}
_TIMEOUT: Schema = {
    "name": "x-request-timeout-ms",
    "in": "header",
    "description": "Milliseconds after which the answer is of no use; 504 once they have passed.",
    "schema": {"type": "integer", "minimum": 1},
}
_REQUEST_ID: Schema = {
    "name": "x-request-id",
    "in": "header",
    "description": "Id of the request in logs and failures; made where absent, and echoed.",
    "schema": {"type": "string", "maxLength": 128},
}
_PAGES = {
    "/livez": ("The process lives.", "text/plain"),
    "/readyz": ("Both doors are open; 503 once the service drains.", "text/plain"),
    "/metrics": ("Metrics for Prometheus.", "text/plain"),
    "/openapi.json": ("This document.", "application/json"),
}


def document(described: FileDescriptorSet) -> Schema:
    """Return the OpenAPI 3.1 document.

    Args:
        described: The contract with source information, from which the comments are taken.
    """
    comments = dict(_comments(described))
    schemas = {"Status": _STATUS}
    for message in messages():
        _add_message(schemas, message, comments)
    paths = {path: {"post": _operation(method, comments)} for path, method in methods().items()}
    paths |= {path: {"get": _page(path, *page)} for path, page in _PAGES.items()}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Parlevel",
            "version": "1",
            "description": "Typed supply-chain decisions; the gRPC door gives the same answers.",
        },
        "paths": paths,
        "components": {"schemas": dict(sorted(schemas.items()))},
    }


def _operation(method: MethodDescriptor, comments: Mapping[str, str]) -> Schema:
    summary, _, rest = comments[method.full_name].partition("\n\n")
    failures = {str(status): _failure() for status in sorted(set(STATUSES.values()))}
    return {
        "operationId": method.name,
        "tags": [method.containing_service.name],
        "summary": summary,
        "description": rest,
        "parameters": [_TIMEOUT, _REQUEST_ID],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": _reference(method.input_type.name)}},
        },
        "responses": {
            "200": {
                "description": "The answer.",
                "content": {"application/json": {"schema": _reference(method.output_type.name)}},
            },
            **failures,
        },
    }


def _page(path: str, description: str, content_type: str) -> Schema:
    content = {content_type: {"schema": {"type": "string"}}}
    if content_type == "application/json":
        content = {content_type: {"schema": {"type": "object"}}}
    return {
        "operationId": path.strip("/").replace(".", "_"),
        "summary": description,
        "responses": {"200": {"description": description, "content": content}},
    }


def _failure() -> Schema:
    return {
        "description": "A failure; its reason is in the ErrorInfo.",
        "content": {"application/json": {"schema": _reference("Status")}},
    }


def _reference(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _add_message(
    schemas: dict[str, Schema], message: Descriptor, comments: Mapping[str, str]
) -> None:
    if message.name in schemas:
        return
    properties: Schema = {}
    schemas[message.name] = {
        "type": "object",
        "description": comments[message.full_name],
        "additionalProperties": False,
        "properties": properties,
    }
    for field in message.fields:
        schema = _field(schemas, field, comments)
        if field.is_repeated:
            schema = {"type": "array", "items": schema}
        properties[field.name] = {**schema, "description": comments[field.full_name]}


def _field(
    schemas: dict[str, Schema], field: FieldDescriptor, comments: Mapping[str, str]
) -> Schema:
    if field.enum_type is not None:
        schemas[field.enum_type.name] = _enum(field.enum_type, comments)
        return _reference(field.enum_type.name)
    if field.message_type is None:
        return _SCALARS[field.type]
    if field.message_type.full_name == TIMESTAMP:
        return {"type": "string", "format": "date-time"}
    _add_message(schemas, field.message_type, comments)
    return _reference(field.message_type.name)


def _enum(enum: EnumDescriptor, comments: Mapping[str, str]) -> Schema:
    told = [
        f"- {value.name}: {comments[f'{enum.full_name}.{value.name}']}" for value in enum.values
    ]
    return {
        "type": "string",
        "description": "\n".join((comments[enum.full_name], *told)),
        "enum": [value.name for value in enum.values],
    }


def _comments(described: FileDescriptorSet) -> Iterator[tuple[str, str]]:
    """Yield the full name and the comment of everything the contract names."""
    for file in described.file:
        for location in file.source_code_info.location:
            name = _named(file, list(location.path))
            if name:
                lines = location.leading_comments.strip().splitlines()
                paragraphs = "\n".join(line.strip() for line in lines).split("\n\n")
                text = "\n\n".join(part.replace("\n", " ") for part in paragraphs)
                yield f"{file.package}.{name}", text


def _named(file: Any, path: list[int]) -> str:  # noqa: ANN401 - a descriptor of any level
    """Return the dotted name at a path of field numbers and indices, or nothing at another."""
    names, node = [], file
    while path:
        number, path = path[0], path[1:]
        field = node.DESCRIPTOR.fields_by_number.get(number)
        if field is None or not field.is_repeated or not path:
            return ""
        node, path = getattr(node, field.name)[path[0]], path[1:]
        if not hasattr(node, "name"):
            return ""
        names.append(node.name)
    return ".".join(names)


def text(described: FileDescriptorSet) -> bytes:
    """Return the bytes of the document's file."""
    return orjson.dumps(document(described), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


if __name__ == "__main__":
    contract = FileDescriptorSet.FromString(Path(sys.argv[1]).read_bytes())
    sys.stdout.buffer.write(text(contract))
