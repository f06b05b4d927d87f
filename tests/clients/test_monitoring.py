"""What the client sends of drift and anomalies, and what it makes of the answers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from parlevel.client.asks.anomaly import AnomalyQuestions, AsyncAnomalyQuestions
from parlevel.client.asks.drift import AsyncDriftQuestions, DriftQuestions
from parlevel.client.errors import InvalidArgument
from parlevel.v1 import anomaly_pb2, drift_pb2

if TYPE_CHECKING:
    from parlevel.client.wire.question import Question


class Sent:
    """Keeps the question and answers it with bytes."""

    def __init__(self, answer: bytes = b"") -> None:
        self.question: Question[Any] | None = None
        self._answer = answer

    def __call__(self, question: Question[Any]) -> Any:  # noqa: ANN401 - any answer
        self.question = question
        return question.parse(self._answer)

    async def awaited(self, question: Question[Any]) -> Any:  # noqa: ANN401 - any answer
        return self(question)


def test_columns_are_sent_as_numbers_or_labels_with_what_is_missing() -> None:
    sent = Sent(
        drift_pb2.CheckDriftResponse(verdict=drift_pb2.DRIFT_VERDICT_DRIFTED).SerializeToString()
    )
    answer = DriftQuestions(sent).check(
        {"price": [1.0, None, float("nan")], "colour": ["red", None, "blue"]},
        model_name="forecast",
        window_days=3,
        importances={"price": 2.0},
        reference_blocks=[1, 1, 2],
    )
    assert answer.verdict == drift_pb2.DRIFT_VERDICT_DRIFTED
    assert sent.question is not None
    assert sent.question.path == "/parlevel.v1.DriftService/CheckDrift"
    request = drift_pb2.CheckDriftRequest.FromString(sent.question.payload)
    price, colour = request.reference.columns
    assert (list(price.values), list(price.missing_rows)) == ([1.0, 0.0, 0.0], [1, 2])
    assert (list(colour.labels), list(colour.missing_rows)) == (["red", "", "blue"], [1])
    assert list(request.reference.blocks) == [1, 1, 2]
    assert not request.HasField("current")
    assert (request.window_days, request.importances[0].name) == (3, "price")
    assert not request.HasField("false_alarm_rate")


def test_a_verdict_is_asked_of_the_forecast_unless_another_is_named() -> None:
    sent = Sent()
    asyncio.run(AsyncDriftQuestions(sent.awaited).retrain_verdict())
    assert sent.question is not None
    request = drift_pb2.GetRetrainVerdictRequest.FromString(sent.question.payload)
    assert request.model_name == "forecast"


def test_inputs_are_sent_row_by_row() -> None:
    sent = Sent(anomaly_pb2.ScoreAnomaliesResponse(row_count=2).SerializeToString())
    inputs: dict[str, list[float | None]] = {
        "unit_price": [1.0, None],
        "usual_unit_price": [3.0, 4.0],
    }
    assert AnomalyQuestions(sent).score("cost", inputs, false_alarm_rate=0.05).row_count == 2
    assert sent.question is not None
    request = anomaly_pb2.ScoreAnomaliesRequest.FromString(sent.question.payload)
    assert list(request.inputs) == list(inputs)
    assert list(request.values) == [1.0, 3.0, 0.0, 4.0]
    assert list(request.missing_places) == [2]
    assert request.kind == anomaly_pb2.ANOMALY_KIND_COST
    assert request.false_alarm_rate == 0.05


def test_what_cannot_be_sent_is_refused_before_it_is() -> None:
    ask = AsyncAnomalyQuestions(Sent().awaited)
    with pytest.raises(InvalidArgument, match="equal length"):
        asyncio.run(ask.score("cost", {"unit_price": [1.0], "quantity": []}))
    with pytest.raises(InvalidArgument, match="must be one of"):
        asyncio.run(ask.score("weather", {"unit_price": [1.0]}))
    with pytest.raises(TypeError):
        asyncio.run(ask.score("cost", {"unit_price": [1.0]}, rate=0.1))  # type: ignore[call-arg]
