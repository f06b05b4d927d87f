"""The rules of the contract that buf does not know, and the HTTP door held to it."""

from __future__ import annotations

import importlib
import types
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Union, get_args, get_origin

import pytest
from google.api import annotations_pb2
from google.protobuf.descriptor import FieldDescriptor
from google.rpc import status_pb2

from serving.http.routes import ROUTES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.protobuf.descriptor import Descriptor, FileDescriptor, MethodDescriptor

ROOT = Path(__file__).resolve().parents[2]
FILES: list[FileDescriptor] = [
    importlib.import_module(f"parlevel.v1.{path.stem}_pb2").DESCRIPTOR
    for path in sorted((ROOT / "protos/parlevel/v1").glob("*.proto"))
]
METHODS: list[MethodDescriptor] = [
    method
    for file in FILES
    for service in file.services_by_name.values()
    for method in service.methods
]
# HTTP has no stream in both directions: there, callers send single questions or the batch.
STREAMS = [method for method in METHODS if method.client_streaming]
UNARY = [method for method in METHODS if not method.client_streaming]
UNSIGNED = {
    FieldDescriptor.TYPE_UINT32,
    FieldDescriptor.TYPE_UINT64,
    FieldDescriptor.TYPE_FIXED32,
    FieldDescriptor.TYPE_FIXED64,
}


def fields() -> Iterator[FieldDescriptor]:
    for file in FILES:
        for message in file.message_types_by_name.values():
            yield from message.fields


def route(method: MethodDescriptor) -> str:
    path: str = method.GetOptions().Extensions[annotations_pb2.http].post
    return path


def members(annotation: object) -> list[object]:
    """Return the alternatives of a union but None, or the annotation alone, constraints apart."""
    if get_origin(annotation) in {Union, types.UnionType}:
        parts = [part for part in get_args(annotation) if part is not type(None)]
        return [member for part in parts for member in members(part)]
    return [get_args(annotation)[0]] if get_origin(annotation) is Annotated else [annotation]


def differences(model: Any, message: Descriptor) -> list[str]:  # noqa: ANN401 - a pydantic class
    """Return in sentences where a pydantic model differs from a message, nested ones included."""
    names = {field.name for field in message.fields}
    found = [
        f"{message.name}.{name} stands on one door only"
        for name in sorted(names ^ set(model.model_fields))
    ]
    for field in message.fields:
        if field.name not in model.model_fields:
            continue
        (annotation,) = members(model.model_fields[field.name].annotation)
        repeated = get_origin(annotation) in {list, tuple}
        if repeated != field.is_repeated:
            found.append(f"{message.name}.{field.name} repeats on one door only")
        (inner,) = members(get_args(annotation)[0]) if repeated else (annotation,)
        if field.message_type is not None:
            found += differences(inner, field.message_type)
    return found


def test_every_method_has_its_own_http_route() -> None:
    routes = [route(method) for method in UNARY]
    assert all(path.startswith("/v1/") for path in routes)
    assert len(set(routes)) == len(UNARY)


@pytest.mark.parametrize("method", STREAMS, ids=lambda method: method.name)
def test_a_stream_has_no_route_and_answers_the_questions_of_a_method_that_has_one(
    method: MethodDescriptor,
) -> None:
    single = method.containing_service.methods_by_name[method.name.removeprefix("Stream")]
    outcomes = method.output_type.oneofs_by_name["outcome"].fields
    assert (route(method), method.server_streaming, single in UNARY) == ("", True, True)
    assert method.input_type.fields_by_name["question"].message_type is single.input_type
    assert {field.name: field.message_type for field in outcomes} == {
        "answer": single.output_type,
        "error": status_pb2.Status.DESCRIPTOR,
    }
    assert "correlation_id" in method.input_type.fields_by_name
    assert "correlation_id" in method.output_type.fields_by_name


def test_requests_and_responses_stand_first_in_the_order_of_their_methods() -> None:
    for file in FILES:
        expected = [
            message.name
            for service in file.services_by_name.values()
            for method in service.methods
            for message in (method.input_type, method.output_type)
        ]
        assert list(file.message_types_by_name)[: len(expected)] == expected


def test_no_integer_is_unsigned() -> None:
    assert [field.full_name for field in fields() if field.type in UNSIGNED] == []


def test_a_boolean_is_not_called_is() -> None:
    assert [field.full_name for field in fields() if field.name.startswith("is_")] == []


def test_a_timestamp_ends_in_time() -> None:
    stamps = [
        field
        for field in fields()
        if field.message_type is not None
        and field.message_type.full_name == "google.protobuf.Timestamp"
    ]
    assert [field.full_name for field in stamps if not field.name.endswith("_time")] == []


def test_every_answer_says_where_it_came_from_or_describes_models() -> None:
    silent = [
        method.output_type.name
        for method in UNARY
        if "provenance" not in method.output_type.fields_by_name
        and method.containing_service.name != "ModelService"
    ]
    assert silent == []


def test_the_http_door_has_the_routes_of_the_contract_and_no_others() -> None:
    ours = {path for path in ROUTES if path.startswith("/v1/")}
    assert ours == {route(method) for method in UNARY}


@pytest.mark.parametrize("method", UNARY, ids=lambda method: method.name)
def test_http_fields_are_the_fields_of_the_contract(method: MethodDescriptor) -> None:
    assert differences(ROUTES[route(method)].request, method.input_type) == []
