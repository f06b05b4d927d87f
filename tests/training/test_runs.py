"""A training run does nothing twice."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from serving.adapters.releases import GRAPH
from serving.errors import MissingInput
from training import runs
from training.content import ForecastRun
from training.operations import upgrade
from training.registry import Registry
from training.runs import train_forecast

if TYPE_CHECKING:
    from pathlib import Path

    from serving.settings import Settings
    from training.content import Recipe


def nothing(_: str) -> None: ...


def test_a_second_identical_run_has_nothing_to_do(
    home: Settings, recipe_of_home: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "train", None)  # training would fail
    again = train_forecast(home, ForecastRun(home.tables, home.as_of, recipe_of_home), nothing)
    assert (again.version, again.skipped) == ("1", True)


def test_a_changed_recipe_or_day_is_another_run(home: Settings, recipe_of_home: Recipe) -> None:
    same = ForecastRun(home.tables, home.as_of, recipe_of_home)
    others = [
        dataclasses.replace(same, recipe=dataclasses.replace(recipe_of_home, seed=1)),
        dataclasses.replace(same, recipe=dataclasses.replace(recipe_of_home, horizon=5)),
        dataclasses.replace(same, as_of=None),
    ]
    known = Registry(home)
    assert known.find("forecast", same.tags()) == "1"
    assert [known.find("forecast", other.tags()) for other in others] == [None, None, None]


def test_a_changed_recipe_trains_anew_and_a_forced_run_repeats_its_graph(
    own_home: Settings, recipe_of_home: Recipe
) -> None:
    upgrade(own_home.home)  # it is a copy
    small = dataclasses.replace(recipe_of_home, trees=5, rows=2_000)
    run = ForecastRun(own_home.tables, own_home.as_of, small)
    told: list[str] = []
    result = train_forecast(own_home, run, told.append)
    assert (result.version, result.skipped) == ("2", False)
    assert len(told) <= runs.STEPS
    assert 0 < result.metrics["wmape/sku_location/all"] < 3
    assert result.table().row_count > 0
    again = train_forecast(own_home, dataclasses.replace(run, force=True), nothing)
    assert again.version == "3"
    graphs = [own_home.releases / "forecast" / version / GRAPH for version in ("2", "3")]
    assert graphs[0].read_bytes() == graphs[1].read_bytes(), "the same seed gives the same graph"
    (run_folder,) = {path.parent for path in _cards(own_home, again.version)}
    assert {path.name for path in run_folder.iterdir()} >= {
        "model_card.md",
        "accuracy.png",
        "importance.png",
        "certificate.json",
    }


def _cards(settings: Settings, version: str) -> list[Path]:
    (one,) = [one for one in Registry(settings).versions("forecast") if one.version == version]
    return list((settings.home / "mlflow" / "artifacts" / one.run_id).rglob("model_card.md"))


def test_without_sales_the_table_is_named(own_home: Settings, recipe_of_home: Recipe) -> None:
    (own_home.tables / "sales.parquet").unlink()
    run = ForecastRun(own_home.tables, own_home.as_of, recipe_of_home)
    with pytest.raises(MissingInput, match="sales"):
        train_forecast(own_home, run, nothing)
