"""Outcome models an uplift learner is put together of, each of a form that a graph can hold.

Every stage follows scikit-learn's habit (parameters in the constructor, what was learned ends in an
underscore), so that EconML can fit it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import lightgbm as lgb
import numpy as np
from scipy.special import expit
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.model_selection import KFold

if TYPE_CHECKING:
    from typing import Self

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

PENALTIES = np.logspace(-2, 5, 22).tolist()
KNOTS = (0.25, 0.5, 0.75)  # quantiles at which an additive stage may bend
FEW_VALUES = 5  # a column of fewer is no curve
INDEX_LIMIT = 3.5  # standard deviations of the index beyond which its curve is flat
INDEX_STEPS = 12
FOLDS = 4
MOST_ROWS = 6_000  # rows on which stages are compared
LEAST_ROWS = 60  # rows below which only the simplest stage is fitted


class Ridge(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """A line in standardised columns, its penalty found by leaving one out."""

    def fit(self, rows: Floats, target: Floats) -> Self:
        """Fit the line."""
        self.center_, scale = rows.mean(axis=0), rows.std(axis=0)
        self.scale_ = np.where(scale > 0, scale, 1.0)
        line = RidgeCV(PENALTIES).fit((rows - self.center_) / self.scale_, target)
        self.weights_, self.penalty_ = np.asarray(line.coef_), float(line.alpha_)
        self.intercept_ = float(line.intercept_)
        return self

    def predict(self, rows: Floats) -> Floats:
        """Return the line's value, shape (n,)."""
        found: Floats = ((rows - self.center_) / self.scale_) @ self.weights_ + self.intercept_
        return found


@dataclass(frozen=True, slots=True)
class Bends:
    """Columns held within the range seen, and hinges at quantiles of those that have a range.

    Attributes:
        low, high: Range of each column, shape (features,).
        columns: Column of each hinge, shape (k,).
        knots: Value at which each hinge begins to rise, shape (k,).
    """

    low: Floats
    high: Floats
    columns: NDArray[np.int64]
    knots: Floats

    @classmethod
    def of(cls, rows: Floats) -> Bends:
        """Place the hinges."""
        bends = [
            (column, knot)
            for column in range(rows.shape[1])
            if len(np.unique(rows[:, column])) >= FEW_VALUES
            for knot in np.unique(np.quantile(rows[:, column], KNOTS))
        ]
        return cls(
            rows.min(axis=0),
            rows.max(axis=0),
            np.array([column for column, _ in bends], dtype=np.int64),
            np.array([knot for _, knot in bends], dtype=np.float64),
        )

    def pieces(self, rows: Floats) -> Floats:
        """Return columns and hinges, shape (n, features + k)."""
        inside = np.clip(rows, self.low, self.high)
        return np.hstack([inside, np.maximum(inside[:, self.columns] - self.knots, 0.0)])


class Additive(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """A sum of lines with bends, one a column, within the range seen."""

    def fit(self, rows: Floats, target: Floats) -> Self:
        """Place the bends at quantiles and fit the pieces together."""
        self.bends_ = Bends.of(rows)
        self.line_ = Ridge().fit(self.bends_.pieces(rows), target)
        return self

    def predict(self, rows: Floats) -> Floats:
        """Return the sum, shape (n,)."""
        return self.line_.predict(self.bends_.pieces(rows))


class Index(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """A cubic of one weighted sum of the columns, direction and cubic fitted in turns.

    Source: Ichimura, "Semiparametric least squares estimation of single-index models", Journal of
    Econometrics 58 (1993); the steps are Gauss-Newton's.
    """

    def fit(self, rows: Floats, target: Floats) -> Self:
        """Begin with the direction of the line, and turn it while the error falls."""
        line = Ridge().fit(rows, target)
        self.center_, self.scale_ = line.center_, line.scale_
        standard = (rows - self.center_) / self.scale_
        direction, least = _unit(line.weights_), np.inf
        for _ in range(INDEX_STEPS):
            index = standard @ direction
            middle, spread = float(index.mean()), float(index.std()) or 1.0
            powers = _powers(index, middle, spread)
            cubic = np.linalg.solve(powers.T @ powers + 1e-3 * np.eye(4), powers.T @ target)
            error = float(np.mean((target - powers @ cubic) ** 2))
            if error >= least * (1 - 1e-6):
                break
            least = error
            self.direction_, self.cubic_ = direction, np.asarray(cubic, dtype=np.float64)
            self.middle_, self.spread_ = middle, spread
            slope = _slopes(index, middle, spread) @ cubic
            direction = _turned(standard * slope[:, None], direction, target - powers @ cubic, line)
        return self

    def predict(self, rows: Floats) -> Floats:
        """Return the cubic of the index, shape (n,)."""
        index = ((rows - self.center_) / self.scale_) @ self.direction_
        found: Floats = _powers(index, self.middle_, self.spread_) @ self.cubic_
        return found


def _unit(direction: NDArray[np.floating[Any]]) -> Floats:
    length = float(np.linalg.norm(direction)) or 1.0
    return np.asarray(direction / length, dtype=np.float64)


def _powers(index: Floats, middle: float, spread: float) -> Floats:
    place = np.clip((index - middle) / spread, -INDEX_LIMIT, INDEX_LIMIT)
    return np.stack([np.ones_like(place), place, place**2, place**3], axis=1)


def _slopes(index: Floats, middle: float, spread: float) -> Floats:
    place = np.clip((index - middle) / spread, -INDEX_LIMIT, INDEX_LIMIT)
    return np.stack([0 * place, np.ones_like(place), 2 * place, 3 * place**2], axis=1) / spread


def _turned(jacobian: Floats, direction: Floats, left: Floats, line: Ridge) -> Floats:
    """Return the direction one penalised Gauss-Newton step on."""
    penalty = line.penalty_ * float(np.mean(jacobian**2)) + 1e-12
    square = jacobian.T @ jacobian + penalty * np.eye(len(direction))
    return _unit(np.linalg.solve(square, jacobian.T @ (left + jacobian @ direction)))


class Boosted(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Small boosted trees, their leaves no smaller than the data bears."""

    def __init__(self, seed: int = 0, leaves: int = 4, trees: int = 100) -> None:
        """Take the seed, the leaves of a tree and the number of trees."""
        self.seed = seed
        self.leaves = leaves
        self.trees = trees

    def fit(self, rows: Floats, target: Floats) -> Self:
        """Boost; the learning rate is higher where there is more than noise to learn."""
        small = len(rows) < MOST_ROWS
        parameters: dict[str, Any] = {
            "objective": "regression",
            "learning_rate": 0.08 if small else 0.04,
            "num_leaves": self.leaves,
            "min_data_in_leaf": int(np.clip(len(rows) // 60, 10, 200)),
            "min_data_in_bin": 3,
            "seed": self.seed,
            "num_threads": 1,
            "verbosity": -1,
            "deterministic": True,
        }
        data = lgb.Dataset(np.asarray(rows, dtype=np.float64), np.asarray(target, dtype=np.float64))
        self.booster_ = lgb.train(parameters, data, num_boost_round=self.trees)
        return self

    def predict(self, rows: Floats) -> Floats:
        """Return the sum of the trees, shape (n,)."""
        found: Floats = np.asarray(self.booster_.predict(np.asarray(rows, dtype=np.float64)))
        return found


class Chosen(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """The stage of least cross-validated error."""

    def __init__(self, seed: int = 0) -> None:
        """Take the seed of the folds and of the boosted trees."""
        self.seed = seed

    def fit(self, rows: Floats, target: Floats) -> Self:
        """Compare the stages on folds and fit the best on all rows."""
        stages = [Ridge(), Additive(), Index(), Boosted(self.seed)]
        if len(rows) < LEAST_ROWS:
            stages = stages[:1]
        self.errors_ = {}
        if len(stages) > 1:
            draw = np.random.default_rng(self.seed)
            some = draw.permutation(len(rows))[:MOST_ROWS]
            self.errors_ = {
                type(stage).__name__.lower(): self._error(stage, rows[some], target[some])
                for stage in stages
            }
        best = int(np.argmin(list(self.errors_.values()))) if self.errors_ else 0
        self.stage_ = clone(stages[best]).fit(rows, target)
        return self

    def predict(self, rows: Floats) -> Floats:
        """Return the chosen stage's value, shape (n,)."""
        found: Floats = self.stage_.predict(rows)
        return found

    def _error(self, stage: Any, rows: Floats, target: Floats) -> float:  # noqa: ANN401 - any stage
        folds = KFold(FOLDS, shuffle=True, random_state=self.seed)
        left = np.empty(len(target))
        for fitted, held in folds.split(rows):
            model = clone(stage).fit(rows[fitted], target[fitted])
            left[held] = target[held] - model.predict(rows[held])
        return float(np.mean(left**2))


class Propensity(BaseEstimator):  # type: ignore[misc]
    """Probability of being treated: logistic in bent lines, or one share where it was random."""

    def __init__(self, *, constant: bool = False) -> None:
        """Say whether it is one share for all."""
        self.constant = constant

    def fit(self, rows: Floats, treated: NDArray[np.int64] | NDArray[np.bool_]) -> Self:
        """Fit the lines, or take the share of the treated."""
        on = np.asarray(treated).astype(np.float64)
        share = float(on.mean())
        self.start_ = float(np.log(share / (1.0 - share)))
        self.classes_ = np.array([0, 1])
        if self.constant:
            return self
        self.bends_ = Bends.of(rows)
        pieces = self.bends_.pieces(rows)
        center, scale = pieces.mean(axis=0), pieces.std(axis=0)
        scale = np.where(scale > 0, scale, 1.0)
        line = LogisticRegression(C=1.0, max_iter=1_000).fit((pieces - center) / scale, on > 0)
        self.slopes_ = line.coef_[0] / scale
        self.start_ = float(line.intercept_[0] - self.slopes_ @ center)
        return self

    def predict(self, rows: Floats) -> NDArray[np.int64]:
        """Return the more probable arm, shape (n,)."""
        return (self.predict_proba(rows)[:, 1] >= 0.5).astype(np.int64)  # noqa: PLR2004 - more probable

    def predict_proba(self, rows: Floats) -> Floats:
        """Return the probabilities of not being and of being treated, shape (n, 2)."""
        score = np.full(len(rows), self.start_)
        if not self.constant:
            score += self.bends_.pieces(rows) @ self.slopes_
        on = expit(score)
        return np.stack([1.0 - on, on], axis=1)
