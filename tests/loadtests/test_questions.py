"""The crowd's questions: valid at both doors, or refused for the reason they name."""

from __future__ import annotations

import datetime as dt
import random
from collections import Counter

import orjson
import pytest
from google.rpc import code_pb2

from loadtests.questions import FORECAST, MIX, QUESTIONS, Crowd, Question, values_in
from loadtests.stored_keys import Series
from parlevel.v1 import demand_pb2
from serving.errors import InvalidRequest
from serving.grpc.demand import forecast_query

SERIES = [Series(f"P{number}", "S1", dt.date(2026, 3, 31)) for number in range(80)]


def crowd() -> Crowd:
    return Crowd(SERIES, random.Random(7))  # noqa: S311 - a repeatable draw


def draw(name: str) -> Question:
    questions = (crowd_question for crowd_question in iter(crowd().next, None))
    return next(question for question in questions if question.name == name)


def test_the_mix_is_the_one_that_is_asked_for() -> None:
    asking = crowd()
    found = Counter(asking.next().name for _ in range(5000))
    for ask, percent in MIX.items():
        assert found[ask.__name__] / 50 == pytest.approx(percent, abs=2)


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_question_fits_the_contract_and_json(name: str) -> None:
    question = draw(name)
    assert question.message()
    assert orjson.loads(orjson.dumps(question.body)) == question.body
    assert question.method.startswith("/parlevel.v1.")


def test_a_what_if_plans_the_days_after_the_origin() -> None:
    request = demand_pb2.ForecastDemandRequest.FromString(draw("what_if").message())
    query = forecast_query(request)
    assert [day.date.day for day in query.plan] == [1, 2, 3, 4, 5, 6, 7]
    assert query.plan[0].promoted


def test_the_right_answer_to_a_bad_request_is_its_refusal() -> None:
    asking = crowd()
    refused = [question for _ in range(3000) if (question := asking.next()).name == "refused"]
    assert {question.code for question in refused} == {
        code_pb2.INVALID_ARGUMENT,
        code_pb2.NOT_FOUND,
        code_pb2.OUT_OF_RANGE,
    }
    for question in refused:
        assert question.answered_by(question.code, None)
        assert not question.answered_by(code_pb2.OK, 7)
        if question.code == code_pb2.INVALID_ARGUMENT:
            request = demand_pb2.ForecastDemandRequest.FromString(question.message())
            with pytest.raises(InvalidRequest):
                forecast_query(request)


def test_an_answer_with_a_day_too_few_is_not_right() -> None:
    question = Question("forecast", FORECAST, {}, values=7)
    answer = demand_pb2.ForecastDemandResponse(mean=[1.0] * 6).SerializeToString()
    assert not question.answered_by(code_pb2.OK, values_in(FORECAST, answer))
