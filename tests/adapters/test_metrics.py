"""The page Prometheus reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families

from serving.adapters.metrics import Metrics
from serving.domain.model import RefusedModel
from serving.gate import Call, Gate
from tests.fakes.doors import DESCRIPTION

if TYPE_CHECKING:
    from serving.domain.model import ModelDescription


def values(metrics: Metrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(metrics.page().decode())
        for sample in family.samples
    }


def test_a_request_is_timed_by_question_door_and_model() -> None:
    metrics = Metrics()
    call = Call("http", "ForecastDemand", "r", "p", model_version="7", features_age=60)
    metrics.record(call, 0.25)
    labels = (("door", "http"), ("model_version", "7"), ("question", "ForecastDemand"))
    found = values(metrics)
    assert found[("parlevel_request_seconds_count", labels)] == 1
    assert found[("parlevel_request_seconds_sum", labels)] == pytest.approx(0.25)
    assert found[("parlevel_features_age_seconds", ())] == 60


def test_a_failure_is_counted_by_code() -> None:
    metrics = Metrics()
    metrics.record(Call("grpc", "ForecastDemand", "r", "p", code="NOT_FOUND"), 0.001)
    labels = (("code", "NOT_FOUND"), ("door", "grpc"), ("question", "ForecastDemand"))
    assert values(metrics)[("parlevel_failures_total", labels)] == 1


def test_a_model_that_was_refused_before_any_served_stands_at_zero_with_its_reason() -> None:
    metrics = Metrics()
    metrics.watch_models(lambda: [DESCRIPTION, RefusedModel("uplift", "half there")])
    found = {
        dict(labels)["name"]: (value, dict(labels)["refused_reason"])
        for (name, labels), value in values(metrics).items()
        if name == "parlevel_model_info"
    }
    assert found == {"forecast": (1.0, ""), "uplift": (0.0, "half there")}


def test_what_goes_on_now_is_read_for_each_page() -> None:
    metrics, gate = Metrics(), Gate("grpc", 5, ())
    served: list[ModelDescription] = []
    metrics.watch_gate(gate)
    metrics.watch_models(lambda: served)
    served.append(DESCRIPTION)
    with gate.admit():
        found = values(metrics)
    assert found[("parlevel_requests_in_flight", (("door", "grpc"),))] == 1
    assert [key for key in found if key[0] == "parlevel_model_info"]
    assert values(metrics)[("parlevel_requests_in_flight", (("door", "grpc"),))] == 0
