"""Real experiments, read by the shipped recipes, through training to figures on held-out units."""

from __future__ import annotations

import datetime as dt
import functools
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lightgbm as lgb
import numpy as np
import polars as pl
import pytest
from econml.metalearners import SLearner, TLearner, XLearner
from sklearn.linear_model import LinearRegression

from serving import settings
from training.tables.importing import Order, Sender, import_file
from training.tables.recipes import load_recipe
from training.uplift.evaluation import (
    INTERVAL,
    Outcomes,
    Ranking,
    auuc,
    resamples,
    root_error,
)
from training.uplift.learners import STEADY, Assignment, assignment_of, fit_learner, folds_of
from training.uplift.selection import NO_SIGNAL, assess
from training.uplift.units import Units, read_experiment

if TYPE_CHECKING:
    from collections.abc import Callable

RECIPES = Path(__file__).parents[3] / "training" / "recipes"
_BOOSTED = functools.partial(lgb.LGBMRegressor, num_threads=1, verbose=-1)
DEFAULTS: dict[str, Callable[[], Any]] = {
    "linear S": lambda: SLearner(overall_model=LinearRegression()),
    "linear T": lambda: TLearner(models=LinearRegression()),
    "linear X": lambda: XLearner(models=LinearRegression()),
    "boosted S": lambda: SLearner(overall_model=_BOOSTED()),
    "boosted T": lambda: TLearner(models=_BOOSTED()),
    "boosted X": lambda: XLearner(models=_BOOSTED()),
}
DRAWS = 6  # of folds and of the treated that are kept
pytestmark = pytest.mark.real_data


@pytest.fixture
def real_data() -> Path:
    folder = settings.load().real_data
    if folder is None:
        pytest.skip("PARLEVEL_REAL_DATA names no folder")
    return folder


def brought(source: Path, recipe: Path, data: Path) -> Path:
    sender = Sender("test", dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
    order = Order(source, recipe=load_recipe(recipe))
    import_file(data, order, sender, tell=lambda _: None)
    return data


@pytest.mark.parametrize("replication", [1, 2, 3])
def test_effects_of_the_infant_program_are_found(
    replication: int, real_data: Path, tmp_path: Path
) -> None:
    source = real_data / "ihdp" / "dev.parquet"
    text = (RECIPES / "ihdp.toml").read_text(encoding="utf-8")
    recipe = tmp_path / "ihdp.toml"
    recipe.write_text(text.replace("^1$", f"^{replication}$"), encoding="utf-8")
    units = read_experiment(brought(source, recipe, tmp_path / "data"))
    known = pl.read_parquet(source).with_row_index("row", offset=1)
    effect = dict(zip(known["row"].cast(pl.String), known["mu1"] - known["mu0"], strict=True))
    assignment = assignment_of(units, 0)
    assert not assignment.random
    found = assess(units, assignment, 0, lambda _: None)
    truth = pl.Series([effect[unit] for unit in units.unit_ids]).to_numpy()
    error = root_error(found.effects[found.chosen], truth)
    sys.stdout.write(f"replication {replication}: {found.chosen}, root PEHE {error:.2f}\n")
    assert error < 1.0
    assert found.auuc[found.chosen].lower > 0.5


def areas_of_a_draw(units: Units, seed: int) -> dict[str, float]:
    """Return AUUC of the steady mean and of EconML's defaults, learned at a fifth treated."""
    draw = np.random.default_rng(seed)
    effects = {name: np.empty(len(units.treated)) for name in (STEADY, *DEFAULTS)}
    for held in folds_of(units.treated, seed):
        seen = np.setdiff1d(np.arange(len(units.treated)), held)
        control, treated = (seen[units.treated[seen] == arm] for arm in (False, True))
        few = draw.permutation(treated)[: len(control) // 4]
        learned, rows = units.take(np.sort(np.r_[control, few])), units.rows[held]
        fitted = fit_learner(STEADY, learned, Assignment(random=True, known=False), 7)
        effects[STEADY][held] = fitted.effects(rows)
        for name, make in DEFAULTS.items():
            other = make()
            other.fit(learned.outcomes, learned.treated.astype(int), X=learned.rows.astype(float))
            effects[name][held] = other.effect(rows.astype(float)).ravel()
    share = np.full(len(units.treated), units.treated.mean())
    outcomes = Outcomes(units.treated, units.outcomes, share, units.outcomes)
    rank = Ranking.of(effects[STEADY], outcomes)
    drawn = [rank.area(one) for one in resamples(len(share), seed=0)]
    areas = {name: auuc(found, outcomes) for name, found in effects.items()}
    return {**areas, "lower end": float(np.quantile(drawn, INTERVAL[0]))}


@pytest.mark.filterwarnings("ignore")  # third parties' notes on shapes, names and steps
def test_at_a_fifth_treated_the_steady_mean_ranks_no_worse_than_econml(
    real_data: Path, tmp_path: Path
) -> None:
    source = real_data / "hillstrom" / "dev.csv.gz"
    units = read_experiment(brought(source, RECIPES / "hillstrom.toml", tmp_path / "data"))
    draws = [areas_of_a_draw(units, seed) for seed in range(DRAWS)]
    best = np.array([max(one[name] for name in DEFAULTS) for one in draws])
    own, lower = (np.array([one[name] for one in draws]) for name in (STEADY, "lower end"))
    for row in zip(own, lower, best, strict=True):
        sys.stdout.write("steady {:.3f}, lower end {:.3f}, best of EconML {:.3f}\n".format(*row))
    means = own.mean(), lower.mean(), best.mean()
    sys.stdout.write("mean: {:.3f}, lower end {:.3f}, best of EconML {:.3f}\n".format(*means))
    assert own.mean() >= best.mean()
    assert (own >= best - 0.01).all()  # a third of the standard error
    assert (lower > 0.55).sum() > DRAWS / 2


def test_the_mens_mail_has_no_signal(real_data: Path, tmp_path: Path) -> None:
    text = (RECIPES / "hillstrom.toml").read_text(encoding="utf-8")
    recipe = tmp_path / "mens.toml"
    recipe.write_text(text.replace("Womens E-Mail", "Mens E-Mail"), encoding="utf-8")
    source = real_data / "hillstrom" / "dev.csv.gz"
    units = read_experiment(brought(source, recipe, tmp_path / "data"))
    found = assess(units, assignment_of(units, 0), 0, lambda _: None)
    sys.stdout.write(f"{found.chosen}, AUUC {found.headline}: {found.verdict}\n")
    assert found.verdict == NO_SIGNAL
