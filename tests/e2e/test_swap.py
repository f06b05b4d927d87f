"""Versions swapped under load on both doors: nothing fails, and no answer is of two versions."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import pytest

from loadtests.swap import Order, run
from tests.fakes.ports import free_port
from training.content import ForecastRun
from training.operations import upgrade
from training.runs import train_forecast

if TYPE_CHECKING:
    from serving.settings import Settings
    from training.content import Recipe

pytestmark = pytest.mark.e2e

SWAPS = 10


def test_swaps_under_load_drop_and_mix_nothing(own_home: Settings, recipe_of_home: Recipe) -> None:
    upgrade(own_home.home)  # it is a copy
    recipe = dataclasses.replace(recipe_of_home, seed=7)
    train_forecast(own_home, ForecastRun(own_home.tables, own_home.as_of, recipe), lambda _: None)
    settings = dataclasses.replace(own_home, http_port=free_port(), grpc_port=free_port())

    figures = run(settings, Order(swaps=SWAPS, steady_seconds=1.5))

    print("\n".join(figures.lines()))  # noqa: T201 - shown with -s
    assert figures.failed == []
    assert figures.mixed == 0
    assert set(figures.answers) == {"1", "2"}
    assert min(figures.answers.values()) > 20, "both versions were asked"
    # A loose bound: a swap must not stop the doors. The script reports the figures themselves.
    assert np.quantile(figures.swapping, 0.99) < 1.0
