"""Errors of a rival beside those a backtest reports."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from loadtests.mlforecast_errors import LEVEL, compare
from serving.errors import InvalidField
from training import metrics
from training.backtest.baselines import baselines, sales_states
from training.backtest.scene import set_scene

if TYPE_CHECKING:
    from training.backtest.scene import Scene
    from training.panel import Panel


@pytest.fixture(scope="module")
def scene(panel: Panel) -> Scene:
    return set_scene(panel, panel.history.days - 8, 7)


@pytest.fixture(scope="module")
def figures(scene: Scene) -> dict[str, float]:
    """Return what a backtest reports of a model that errs half as much as the level x weekday."""
    sold = sales_states(scene.panel.history.between(0, scene.origin + 1))[scene.truth.series]
    found = {}
    for name, rows, state in (
        ("sales", scene.truth.recorded, sold),
        ("all", scene.truth.in_stock, scene.records.state),
    ):
        level = baselines(state, 7)["weighted_level_weekday"]
        error = metrics.wmape(scene.truth.sold[rows], level[rows])
        found[f"wmape/sku_location/{name}/weighted_level_weekday"] = error
        found[f"wmape/sku_location/{name}"] = error / 2
    return found


def test_each_forecaster_is_told_by_its_error_and_what_it_gains(
    scene: Scene, figures: dict[str, float]
) -> None:
    perfect = scene.truth.sold
    found = compare(scene, figures, {"rival": perfect})
    assert [text.split("(")[1] for text in found["parlevel"]] == ["50.0)", "50.0)"]
    assert found["rival"] == ("0.00 % (100.0)", "0.00 % (100.0)")
    error = figures["wmape/sku_location/all/weighted_level_weekday"]
    assert found[LEVEL][1] == f"{100 * error:.2f} % (0.0)"


def test_a_report_of_other_rows_is_refused(scene: Scene, figures: dict[str, float]) -> None:
    key = "wmape/sku_location/all/weighted_level_weekday"
    with pytest.raises(InvalidField, match="of the same data"):
        compare(scene, {**figures, key: figures[key] + 0.01}, {})
