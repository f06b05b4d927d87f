"""The OpenAPI document: whole, of this contract, and served as it was written."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import orjson
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from serving.http import openapi
from serving.http.routes import ROUTES

ROOT = Path(__file__).resolve().parents[2]
STORED = (ROOT / "serving/http/openapi.json").read_bytes()
DOCUMENT = orjson.loads(STORED)
NOUNS = sorted(path.stem for path in (ROOT / "protos/parlevel/v1").glob("*.proto"))


def references(node: Any) -> list[str]:  # noqa: ANN401 - any JSON
    if isinstance(node, dict):
        own = [node["$ref"]] if "$ref" in node else []
        return own + [found for value in node.values() for found in references(value)]
    return (
        [found for value in node for found in references(value)] if isinstance(node, list) else []
    )


def test_the_stored_document_is_that_of_the_contract(tmp_path: Path) -> None:
    described = tmp_path / "contract.binpb"
    subprocess.run(
        [
            sys.executable,
            "-m",
            "grpc_tools.protoc",
            "-Iprotos",
            f"-I{sysconfig.get_path('purelib')}",
            "--include_imports",
            "--include_source_info",
            f"--descriptor_set_out={described}",
            *(f"parlevel/v1/{name}.proto" for name in NOUNS),
        ],
        cwd=ROOT,
        check=True,
    )
    contract = FileDescriptorSet.FromString(described.read_bytes())
    assert openapi.text(contract) == STORED, "print it anew: python -m serving.http.openapi"


def test_every_route_is_in_it() -> None:
    pages = {"/livez", "/readyz", "/metrics", "/openapi.json"}
    assert set(DOCUMENT["paths"]) == set(ROUTES) | pages


def test_every_reference_leads_somewhere() -> None:
    known = {f"#/components/schemas/{name}" for name in DOCUMENT["components"]["schemas"]}
    assert set(references(DOCUMENT)) <= known


@pytest.mark.parametrize("path", sorted(ROUTES))
def test_the_fields_of_a_request_are_those_the_door_reads(path: str) -> None:
    content = DOCUMENT["paths"][path]["post"]["requestBody"]["content"]
    name = content["application/json"]["schema"]["$ref"].rpartition("/")[2]
    schema = DOCUMENT["components"]["schemas"][name]
    assert set(schema["properties"]) == set(ROUTES[path].request.model_fields)


def test_everything_in_it_is_described() -> None:
    for name, schema in DOCUMENT["components"]["schemas"].items():
        assert schema["description"], name
        for field, told in schema.get("properties", {}).items():
            assert told["description"], f"{name}.{field}"
