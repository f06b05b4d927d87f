"""Boosters of two outputs: the fixed charge of an order and the price of a unit.

    unit price = fixed / quantity + unit

The split is what suppliers quote by, and lets every bracket of a quote teach both. Both outputs are
logs and are boosted together by Gauss-Newton steps on the error of the log of the unit price.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import lightgbm as lgb
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Rows = NDArray[np.float32]

OUTPUTS = 2
CURVATURE = 0.02  # least curvature of an output the price hardly depends on
QUANTITIES = (1e-3, 1e12)  # within which a quantity is taken


@dataclass(frozen=True, slots=True)
class Side:
    """One output of a booster of two.

    Attributes:
        booster: The booster.
        output: Which of its outputs.
    """

    booster: lgb.Booster
    output: int

    def dump_model(self) -> dict[str, Any]:
        """Return the trees of this output as LightGBM dumps a model."""
        dumped: dict[str, Any] = self.booster.dump_model()
        return {**dumped, "tree_info": dumped["tree_info"][self.output :: OUTPUTS]}

    def predict(self, rows: Rows, *, pred_leaf: bool = False) -> NDArray[Any]:
        """Return what the trees of this output sum to, or the leaf each row reaches in each."""
        if pred_leaf:
            return np.asarray(self.booster.predict(rows, pred_leaf=True))[:, self.output :: OUTPUTS]
        return np.asarray(self.booster.predict(rows, raw_score=True))[:, self.output]


@dataclass(frozen=True, slots=True)
class PricePair:
    """An estimator of the log of the unit price.

    Attributes:
        booster: Its booster of two outputs.
        start: What both outputs are before the first tree.
    """

    booster: lgb.Booster
    start: tuple[float, float]

    @property
    def sides(self) -> tuple[Side, Side]:
        """Fixed charge and unit price."""
        return Side(self.booster, 0), Side(self.booster, 1)

    def log_price(self, rows: Rows, quantities: Floats) -> Floats:
        """Return the log of the unit price, shape (n,)."""
        fixed, unit = (
            side.predict(rows) + start for side, start in zip(self.sides, self.start, strict=True)
        )
        return np.asarray(np.log(np.exp(fixed) / np.clip(quantities, *QUANTITIES) + np.exp(unit)))


def fit_pair(
    rows: Rows,
    quantities: Floats,
    target: Floats,
    parameters: Mapping[str, object],
    trees: int,
) -> PricePair:
    """Fit an estimator.

    Args:
        rows: What the model reads of each quote, shape (n, features).
        quantities: Units of each quote, shape (n,).
        target: Log of each unit price, shape (n,).
        parameters: Parameters of LightGBM.
        trees: Trees an output.
    """
    per_unit = 1.0 / np.clip(quantities, *QUANTITIES)
    start = (float(np.median(target + np.log(np.maximum(quantities, 1.0)))), float(target.mean()))

    def step(scores: NDArray[Any], _: lgb.Dataset) -> tuple[Floats, Floats]:
        fixed = np.exp(scores[:, 0]) * per_unit
        unit = np.exp(scores[:, 1])
        price = fixed + unit
        error = np.log(price) - target
        shares = np.column_stack([fixed / price, unit / price])
        return error[:, None] * shares, shares**2 + CURVATURE

    count = len(rows)
    data = lgb.Dataset(rows, label=target, init_score=np.repeat(start, count))
    asked = {**parameters, "objective": step, "num_class": OUTPUTS}
    return PricePair(lgb.train(asked, data, trees), start)
