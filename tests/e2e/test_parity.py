"""Both doors give the same answer to the last bit, and the same refusal to the last word."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from google.protobuf import json_format
from google.protobuf.message_factory import GetMessageClass
from google.rpc import status_pb2

from parlevel.v1 import model_pb2
from serving.domain.model import RefusedModel
from serving.errors import ParlevelError
from serving.grpc import desk
from serving.grpc.desk import methods as methods_of
from serving.grpc.model import description_message
from serving.http.contract import methods
from serving.http.model import description_body
from serving.wire import status_of
from tests.fakes.doors import ODD, Rig
from tests.fakes.questions import ANSWERED, ONE, REFUSED

if TYPE_CHECKING:
    from google.protobuf.message import Message

ALL = {
    **{f"answer {name}": question for name, question in ANSWERED.items()},
    **{f"refuse {name}": question for name, question in REFUSED.items()},
}


def ask_grpc(rig: Rig, path: str, question: dict[str, Any]) -> Message:
    """Ask as the gRPC door does, from the bytes of a message on; a failure is its status."""
    found = {name: one for servicer in rig.servicers for name, one in methods_of(servicer).items()}
    method = methods()[path]
    request: Message = GetMessageClass(method.input_type)()
    json_format.ParseDict(question, request)
    call = rig.grpc_gate.call(method.name, "", None)
    try:
        sent = desk.answer(found[method.name], call, request.SerializeToString())
    except ParlevelError as error:
        failed: Message = status_of(error)
        return failed
    response: Message = GetMessageClass(method.output_type).FromString(sent)
    return response


def ask_http(rig: Rig, path: str, question: dict[str, Any]) -> Message:
    """Ask as the HTTP door does, and read the JSON with proto's own reader."""
    answer = rig.post(path, question)
    kind = methods()[path].output_type
    message = GetMessageClass(kind)() if answer.status == 200 else status_pb2.Status()
    json_format.ParseDict(answer.json, message)
    return message


def plain(message: Message) -> dict[str, Any]:
    """Return a message as plain values, defaults included."""
    values: dict[str, Any] = json_format.MessageToDict(
        message, always_print_fields_with_no_presence=True, preserving_proto_field_name=True
    )
    return values


@pytest.mark.parametrize("name", ALL)
def test_both_doors_say_the_same(name: str) -> None:
    path, question = ALL[name]
    grpc_answer = ask_grpc(Rig(), path, question)
    http_answer = ask_http(Rig(), path, question)
    assert isinstance(grpc_answer, status_pb2.Status) is name.startswith("refuse")
    assert plain(http_answer) == plain(grpc_answer)


@pytest.mark.parametrize("name", ANSWERED)
def test_a_json_answer_has_exactly_the_fields_of_the_message(name: str) -> None:
    path, question = ANSWERED[name]
    rig = Rig()
    body = rig.post(path, question).json
    assert_same_keys(body, plain(ask_grpc(rig, path, question)))


def assert_same_keys(body: Any, message: Any) -> None:  # noqa: ANN401 - any JSON
    if isinstance(message, dict):
        assert set(body) == set(message)
        for key, value in message.items():
            assert_same_keys(body[key], value)
    elif isinstance(message, list) and message and isinstance(message[0], dict):
        for one, other in zip(body, message, strict=True):
            assert_same_keys(one, other)


def test_doubles_arrive_with_their_last_bit() -> None:
    rig = Rig()
    question = {**ONE, "horizon_days": len(ODD)}
    body = orjson.loads(rig.post("/v1/demand:forecast", question).body)
    assert body["mean"] == list(ODD)
    assert math.copysign(1, body["mean"][-1]) == 1


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(
    ("path", "field", "question"),
    [
        ("/v1/demand:forecast", "quantile_levels[0]", {**ONE, "quantile_levels": [0.5]}),
        ("/v1/demand:forecast", "plan[0].price", {**ONE, "plan": [{"price": 0.5}]}),
        ("/v1/demand:forecast", "history[0].quantity", {**ONE, "history": [{"quantity": 0.5}]}),
        ("/v1/demand:forecast", "product.price", {**ONE, "product": {"price": 0.5}}),
        ("/v1/reorder:recommend", "on_hand", {"on_hand": 0.5}),
        ("/v1/reorder:batchRecommend", "on_hand[0]", {"on_hand": [0.5]}),
        ("/v1/policy:compute", "newsvendor.demand_std", {"newsvendor": {"demand_std": 0.5}}),
        (
            "/v1/policy:compute",
            "season.demand.normal.mean",
            {"season": {"demand": {"normal": {"mean": 0.5}}}},
        ),
        (
            "/v1/reorder:recommend",
            "lead_time.gamma.mean_days",
            {"lead_time": {"gamma": {"mean_days": 0.5}}},
        ),
        ("/v1/lane:assess", "service_levels[0]", {"service_levels": [0.5]}),
        ("/v1/stockout-risk:score", "unit_values[0]", {"unit_values": [0.5]}),
    ],
)
def test_both_doors_refuse_what_is_no_number(
    path: str, field: str, question: dict[str, Any], number: float
) -> None:
    text = {math.inf: "Infinity", -math.inf: "-Infinity"}.get(number, "NaN")
    dated = orjson.dumps(question).replace(b'[{"', b'[{"date":"2026-04-01","')
    refusal = Rig().post(path, dated.replace(b"0.5", text.encode())).json
    sent = orjson.loads(dated.replace(b"0.5", f'"{text}"'.encode()))
    status = ask_grpc(Rig(), path, sent)
    assert isinstance(status, status_pb2.Status)
    assert refusal["message"] == status.message == f"{field} must be a finite number"


def test_a_model_whose_first_release_was_refused_reads_alike_at_both_doors() -> None:
    refused = RefusedModel("uplift", "release uplift/1 is refused: model.onnx is missing")
    body = orjson.dumps(description_body(refused))
    assert json_format.Parse(body, model_pb2.ModelDescription()) == description_message(refused)
