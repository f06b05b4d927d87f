"""The model and health questions, through both clients."""

from __future__ import annotations

import datetime as dt

import pytest

from parlevel.client import Certificate, Health, errors
from tests.clients.conftest import Asker, call


def test_models_are_listed(ask: Asker) -> None:
    bare, demand = ask.one(call("list_models"))
    assert (bare.name, bare.certificate, bare.trained_time, bare.data_end_date) == (
        "bare",
        None,
        None,
        None,
    )
    assert demand.max_horizon_days == 90


def test_a_model_is_described(ask: Asker) -> None:
    model = ask.one(call("get_model", "demand"))
    assert model.trained_time == dt.datetime(2025, 6, 15, 15, 6, 40, tzinfo=dt.UTC)
    assert model.data_end_date == dt.date(2025, 6, 30)
    assert model.metrics == {"wmape": 0.31}
    assert model.certificate == Certificate(
        row_count=1000, threshold_row_count=0, max_relative_difference=0.0, passed=True
    )


def test_a_model_that_is_not_there_is_not_found(ask: Asker) -> None:
    with pytest.raises(errors.NotFound):
        ask.one(call("get_model", "weather"))


def test_health_is_asked_of_the_server_or_a_service(ask: Asker) -> None:
    assert ask.all([call("health"), call("health", "closing")]) == [
        Health.SERVING,
        Health.NOT_SERVING,
    ]
