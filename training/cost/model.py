"""Train the cost model: estimators, spread and conformal factors, all judged on parts not seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import lightgbm as lgb
import numpy as np

from serving.errors import MissingInput
from training.conformal import conformal_quantile
from training.cost.graph import GROUPED_BY, CostFit
from training.cost.pairs import fit_pair

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from training.cost.pairs import PricePair

    Floats = NDArray[np.float64]
    Rows = NDArray[np.float32]
    Progress = Callable[[str], None]

LEVELS = (
    0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.075, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75,
    0.8, 0.85, 0.9, 0.925, 0.94, 0.95, 0.96, 0.97, 0.98, 0.99, 0.995,
)  # fmt: skip
MIN_PARTS = 40  # quoted parts below which nothing can be held out
MIN_GROUP = 400  # quotes of a calibration group
ERROR_FLOOR = 0.01  # log errors below it count as this: no estimate is better than one percent
SPREAD_SHARES = (0.002, 0.998)  # of the spreads seen, between which a new one is held
# Estimators whose mean is the estimate. At equal cost one of many trees errs less than two of few.
MEMBERS: tuple[Mapping[str, object], ...] = (
    {"num_leaves": 63, "min_data_in_leaf": 10, "feature_fraction": 0.5},
)


@dataclass(frozen=True, slots=True)
class CostRecipe:
    """How the cost model is trained.

    Attributes:
        folds: Groups of parts that are held out in turn. The more there are, the closer the models
            that are judged come to the one that serves, which is trained on all parts.
        trees: Trees of each output of an estimator.
        learning_rate: Shrinkage of each tree.
        spread_trees: Trees of the spread.
        seed: Seed of folds and boosting.
    """

    folds: int = 10
    trees: int = 1_000
    learning_rate: float = 0.03
    spread_trees: int = 150
    seed: int = 42


@dataclass(frozen=True, slots=True)
class HeldOut:
    """What models that had not seen a quote's part say of it, shape (n,) each.

    Attributes:
        estimate: Log of the unit price.
        spread: Expected absolute log error.
        group: Calibration group.
        fold: Fold the part was held out in.
    """

    estimate: Floats
    spread: Floats
    group: NDArray[np.int64]
    fold: NDArray[np.int64]


def train(
    rows: Rows, prices: Floats, parts: NDArray[np.int64], recipe: CostRecipe, progress: Progress
) -> tuple[CostFit, HeldOut]:
    """Train on quotes.

    Every part is held out once with all its quotes: the errors there train the spread, again held
    out by part, and error over spread gives the conformal factors. Coverage so calibrated holds as
    far as new parts are exchangeable with the quoted ones.

    Args:
        rows: What the model reads of each quote, shape (n, features).
        prices: Unit prices, above 0, shape (n,).
        parts: Number of the part of each quote, shape (n,).
        recipe: How to train.
        progress: Told the name of each step as it begins.

    Raises:
        MissingInput: If too few parts were quoted.
    """
    distinct = np.unique(parts).size
    if distinct < MIN_PARTS:
        raise MissingInput(f"quotes for {MIN_PARTS} parts or more (there are {distinct})", "quotes")
    target, fold = np.log(prices), folds_of(parts, recipe)
    quantities = rows[:, GROUPED_BY].astype(np.float64)
    estimate = np.zeros(len(rows))
    for held in range(recipe.folds):
        out = fold == held
        for number in range(len(MEMBERS)):
            progress(f"fold {held + 1} of {recipe.folds}, estimator {number + 1}")
            estimator = _estimator(rows[~out], target[~out], number, recipe)
            estimate[out] += estimator.log_price(rows[out], quantities[out]) / len(MEMBERS)
    progress("spread")
    error = target - estimate
    logs = np.log(np.maximum(np.abs(error), ERROR_FLOOR))
    spread = np.zeros(len(rows))
    for held in range(recipe.folds):
        out = fold == held
        spread[out] = _spread(rows[~out], logs[~out], recipe).predict(rows[out])
    low, high = np.quantile(np.exp(spread), SPREAD_SHARES).tolist()
    spread = np.clip(np.exp(spread), low, high)
    cuts = group_cuts(quantities)
    group = np.searchsorted(cuts, quantities, side="right")
    factors = conformal_factors(error / spread, group, len(cuts) + 1)
    estimators = []
    for number in range(len(MEMBERS)):
        progress(f"all parts, estimator {number + 1}")
        estimators.append(_estimator(rows, target, number, recipe))
    fit = CostFit(
        estimators=tuple(estimators),
        spread=_spread(rows, logs, recipe),
        spread_range=(low, high),
        levels=LEVELS,
        cuts=cuts,
        factors=factors,
    )
    return fit, HeldOut(estimate, spread, group.astype(np.int64), fold)


def folds_of(parts: NDArray[np.int64], recipe: CostRecipe) -> NDArray[np.int64]:
    """Return the fold of each quote, the same for all quotes of a part, shape (n,)."""
    _, place = np.unique(parts, return_inverse=True)
    order = np.random.default_rng(recipe.seed).permutation(int(place.max()) + 1)
    return np.asarray(order[place] % recipe.folds, dtype=np.int64)


def group_cuts(quantities: Floats) -> tuple[float, ...]:
    """Return the quantities at which a calibration group begins; each has MIN_GROUP quotes or more.

    Example:
        >>> group_cuts(np.repeat([1.0, 5.0, 10.0], [600, 100, 900]))
        (5.0,)
    """
    values, counts = np.unique(quantities, return_counts=True)
    cuts: list[float] = []
    below, left = 0, int(counts.sum())
    for value, count in zip(values.tolist(), counts.tolist(), strict=True):
        if below >= MIN_GROUP and left >= MIN_GROUP:
            cuts.append(value)
            below = 0
        below += count
        left -= count
    return tuple(cuts)


def conformal_factors(scores: Floats, group: NDArray[np.int64], groups: int) -> Floats:
    """Return the conformal quantiles of the scores of each group, shape (groups, levels)."""
    table = [
        [conformal_quantile(scores[group == one], level) for level in LEVELS]
        for one in range(groups)
    ]
    return np.maximum.accumulate(np.array(table), axis=1)


def _estimator(rows: Rows, target: Floats, number: int, recipe: CostRecipe) -> PricePair:
    parameters = {
        "learning_rate": recipe.learning_rate,
        "bagging_fraction": 0.7,
        "bagging_freq": 1,
        "lambda_l2": 3.0,
        "max_bin": 127,
        "seed": recipe.seed + number,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
        "verbose": -1,
        **MEMBERS[number],
    }
    quantities = rows[:, GROUPED_BY].astype(np.float64)
    return fit_pair(rows, quantities, target, parameters, recipe.trees)


def _spread(rows: Rows, logs: Floats, recipe: CostRecipe) -> lgb.Booster:
    parameters = {
        "objective": "regression",
        "learning_rate": 0.05,
        "num_leaves": 15,
        "min_data_in_leaf": 40,
        "feature_fraction": 0.5,
        "bagging_fraction": 0.7,
        "bagging_freq": 1,
        "max_bin": 127,
        "seed": recipe.seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
        "verbose": -1,
    }
    return lgb.train(parameters, lgb.Dataset(rows, label=logs), recipe.spread_trees)
