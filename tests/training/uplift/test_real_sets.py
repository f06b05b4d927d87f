"""Real experiments, read by the shipped recipes, through training to figures on held-out units."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import polars as pl
import pytest

from serving import settings
from training.tables.importing import Order, Sender, import_file
from training.tables.recipes import load_recipe
from training.uplift.evaluation import root_error
from training.uplift.learners import assignment_of
from training.uplift.selection import NO_SIGNAL, assess
from training.uplift.units import read_experiment

RECIPES = Path(__file__).parents[3] / "training" / "recipes"
pytestmark = pytest.mark.real_data


@pytest.fixture
def real_data() -> Path:
    folder = settings.load().real_data
    if folder is None:
        pytest.skip("PARLEVEL_REAL_DATA names no folder")
    return folder


def brought(source: Path, recipe: str, data: Path) -> Path:
    sender = Sender("test", dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
    order = Order(source, recipe=load_recipe(RECIPES / recipe))
    import_file(data, order, sender, tell=lambda _: None)
    return data


def test_effects_of_the_infant_program_are_found(real_data: Path, tmp_path: Path) -> None:
    source = real_data / "ihdp" / "dev.parquet"
    units = read_experiment(brought(source, "ihdp.toml", tmp_path / "data"))
    known = pl.read_parquet(source).with_row_index("row", offset=1)
    effect = dict(zip(known["row"].cast(pl.String), known["mu1"] - known["mu0"], strict=True))
    assignment = assignment_of(units, 0)
    assert not assignment.random
    found = assess(units, assignment, 0, lambda _: None)
    truth = pl.Series([effect[unit] for unit in units.unit_ids]).to_numpy()
    assert root_error(found.effects[found.chosen], truth) < 1.0
    assert found.auuc[found.chosen].lower > 0.5


def test_the_mens_mail_has_no_signal(real_data: Path, tmp_path: Path) -> None:
    text = (RECIPES / "hillstrom.toml").read_text(encoding="utf-8")
    recipe = tmp_path / "mens.toml"
    recipe.write_text(text.replace("Womens E-Mail", "Mens E-Mail"), encoding="utf-8")
    sender = Sender("test", dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
    order = Order(real_data / "hillstrom" / "dev.csv.gz", recipe=load_recipe(recipe))
    import_file(tmp_path / "data", order, sender, tell=lambda _: None)
    units = read_experiment(tmp_path / "data")
    found = assess(units, assignment_of(units, 0), 0, lambda _: None)
    assert found.verdict == NO_SIGNAL
