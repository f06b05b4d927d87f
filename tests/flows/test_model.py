"""Questions about models."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from serving.domain.model import RefusedModel
from serving.errors import InvalidField, UnknownModel
from serving.flows.model import ModelFlow
from tests.fakes.doors import DESCRIPTION

if TYPE_CHECKING:
    from serving.domain.model import ModelDescription


class Served:
    def descriptions(self) -> list[ModelDescription]:
        return [replace(DESCRIPTION, name=name) for name in ("uplift", "forecast")]


class Refused:
    def descriptions(self) -> list[RefusedModel]:
        return [RefusedModel("anomaly", "release anomaly/1 is refused: it is half there")]


FLOW = ModelFlow([Served()])


def test_models_are_listed_by_name() -> None:
    assert [one.name for one in FLOW.list_models()] == ["forecast", "uplift"]


def test_a_model_is_found_by_its_name() -> None:
    assert FLOW.get_model("uplift").name == "uplift"


def test_a_model_whose_first_release_was_refused_is_listed_with_the_reason() -> None:
    flow = ModelFlow([Served(), Refused()])
    assert [one.name for one in flow.list_models()] == ["anomaly", "forecast", "uplift"]
    assert "half there" in flow.get_model("anomaly").refused_reason


def test_a_name_without_a_release_is_unknown() -> None:
    with pytest.raises(UnknownModel, match="anomaly"):
        FLOW.get_model("anomaly")


def test_an_empty_name_is_refused() -> None:
    with pytest.raises(InvalidField, match="name is required"):
        FLOW.get_model("")
