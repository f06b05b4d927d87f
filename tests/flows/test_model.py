"""Questions about models."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from serving.errors import InvalidField, UnknownModel
from serving.flows.model import ModelFlow
from tests.fakes.doors import DESCRIPTION

if TYPE_CHECKING:
    from serving.domain.model import ModelDescription


class Served:
    def descriptions(self) -> list[ModelDescription]:
        return [replace(DESCRIPTION, name=name) for name in ("uplift", "forecast")]


FLOW = ModelFlow([Served()])


def test_models_are_listed_by_name() -> None:
    assert [one.name for one in FLOW.list_models()] == ["forecast", "uplift"]


def test_a_model_is_found_by_its_name() -> None:
    assert FLOW.get_model("uplift").name == "uplift"


def test_a_name_without_a_release_is_unknown() -> None:
    with pytest.raises(UnknownModel, match="anomaly"):
        FLOW.get_model("anomaly")


def test_an_empty_name_is_refused() -> None:
    with pytest.raises(InvalidField, match="name is required"):
        FLOW.get_model("")
