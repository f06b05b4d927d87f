"""One ONNX graph for the cost model: estimate, spread, and price quantiles by conformal factors.

    log price  = the mean over the estimators of log(fixed charge / quantity + price of a unit)
    spread     = exp of the spread booster, held within what calibration saw
    quantile   = exp(log price + factor of the quote's group and level x spread)

Thresholds and leaf values are kept in double as in the demand graph, so every row reaches the leaf
LightGBM sends it to.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from onnx import TensorProto, helper

from serving.adapters.cost_model import PRICES, ROWS
from serving.domain.part_features import QUOTE_FEATURES
from training.cost.pairs import QUANTITIES
from training.trees import ROWS64, Parts, add_trees, model_bytes

if TYPE_CHECKING:
    import lightgbm as lgb
    from numpy.typing import NDArray

    from training.cost.pairs import PricePair

    Floats = NDArray[np.float64]

PARTS = ("fixed", "unit")  # of an estimator, as the graph names them
GROUPED_BY = QUOTE_FEATURES.index("effective_quantity")


@dataclass(frozen=True, slots=True)
class CostFit:
    """A trained cost model, not yet exported.

    Attributes:
        estimators: Estimators of the log of the unit price; their mean is the estimate.
        spread: Booster of the log of the absolute error of the estimate.
        spread_range: Least and greatest spread, as seen in calibration.
        levels: Probability levels of the price quantiles, ascending.
        cuts: Effective quantities at which a calibration group begins, ascending, shape (g - 1,).
        factors: Quantiles of error over spread by group, shape (g, levels), ascending by level.
    """

    estimators: tuple[PricePair, ...]
    spread: lgb.Booster
    spread_range: tuple[float, float]
    levels: tuple[float, ...]
    cuts: tuple[float, ...]
    factors: Floats

    def groups(self, rows: NDArray[np.float32]) -> NDArray[np.int64]:
        """Return the calibration group of each row, shape (n,)."""
        return np.searchsorted(self.cuts, rows[:, GROUPED_BY], side="right").astype(np.int64)

    def graph(self) -> bytes:
        """Return the graph.

        Input ``rows`` float32 (n, features). Output ``prices`` float32 (n, 1 + levels): the
        estimate and the price quantiles.
        """
        parts = Parts()
        parts.node("Cast", [ROWS], ROWS64, to=TensorProto.DOUBLE)
        quantity = self._add_quantity(parts)
        logs = [
            self._add_estimator(parts, number, quantity) for number in range(len(self.estimators))
        ]
        stacked = parts.node("Concat", logs, "estimates", axis=1)
        columns = parts.constant("columns", [1], np.int64)
        estimate = parts.node("ReduceMean", [stacked, columns], "estimate", keepdims=1)
        spread = parts.node(
            "Exp", [add_trees(parts, "spread_log", self.spread.dump_model())], "spread_free"
        )
        low, high = (
            parts.constant(name, value)
            for name, value in zip(("spread_low", "spread_high"), self.spread_range, strict=True)
        )
        spread = parts.node("Clip", [spread, low, high], "spread")
        table = parts.constant("factors", self.factors)
        group = self._add_group(parts, quantity)
        factor = parts.node("Gather", [table, group], "factor", axis=0)
        shift = parts.node("Mul", [spread, factor], "shift")
        quantiles = parts.node("Add", [estimate, shift], "quantile_logs")
        together = parts.node("Concat", [estimate, quantiles], "logs", axis=1)
        prices = parts.node("Exp", [together], "prices64")
        parts.node("Cast", [prices], PRICES, to=TensorProto.FLOAT)
        return self._model(parts)

    def _add_quantity(self, parts: Parts) -> str:
        """Add the effective quantity of each row, shape (n, 1)."""
        index = parts.constant("quantity_index", [GROUPED_BY], np.int64)
        return parts.node("Gather", [ROWS64, index], "quantity", axis=1)

    def _add_estimator(self, parts: Parts, number: int, quantity: str) -> str:
        """Add the log price of one estimator, shape (n, 1)."""
        estimator, at = self.estimators[number], f"estimate_{number}"
        sides = []
        for name, side, start in zip(PARTS, estimator.sides, estimator.start, strict=True):
            trees = add_trees(parts, f"{at}_{name}", side.dump_model())
            logs = parts.node(
                "Add", [trees, parts.constant(f"{at}_{name}_start", start)], f"{at}_{name}_log"
            )
            sides.append(parts.node("Exp", [logs], f"{at}_{name}_money"))
        bounds = [
            parts.constant(f"{at}_quantity_{name}", value)
            for name, value in zip(("low", "high"), QUANTITIES, strict=True)
        ]
        units = parts.node("Clip", [quantity, *bounds], f"{at}_quantity")
        share = parts.node("Div", [sides[0], units], f"{at}_share")
        price = parts.node("Add", [share, sides[1]], f"{at}_price")
        return parts.node("Log", [price], f"{at}_log")

    def _add_group(self, parts: Parts, quantity: str) -> str:
        """Add the calibration group of each row, shape (n,)."""
        # A cut no quantity reaches stands where there is none: comparing needs one.
        cuts = parts.constant("cuts", [list(self.cuts) or [np.inf]])
        passed = parts.node("GreaterOrEqual", [quantity, cuts], "passed")
        numbers = parts.node("Cast", [passed], "passed_as_numbers", to=TensorProto.INT64)
        axis = parts.constant("last", [1], np.int64)
        return parts.node("ReduceSum", [numbers, axis], "group", keepdims=0)

    def _model(self, parts: Parts) -> bytes:
        width = self.spread.num_feature()
        graph = helper.make_graph(
            parts.nodes,
            "cost",
            [helper.make_tensor_value_info(ROWS, TensorProto.FLOAT, ["n", width])],
            [helper.make_tensor_value_info(PRICES, TensorProto.FLOAT, ["n", 1 + len(self.levels)])],
            parts.constants,
        )
        return model_bytes(graph)

    def answer(self, rows: NDArray[np.float32]) -> Floats:
        """Compute what the graph computes by LightGBM and numpy alone, shape (n, 1 + levels)."""
        quantities = rows[:, GROUPED_BY].astype(np.float64)
        logs = [estimator.log_price(rows, quantities) for estimator in self.estimators]
        estimate = np.mean(logs, axis=0)
        spread = np.clip(np.exp(np.asarray(self.spread.predict(rows))), *self.spread_range)
        quantiles = estimate[:, None] + self.factors[self.groups(rows)] * spread[:, None]
        return np.asarray(np.exp(np.column_stack([estimate, quantiles])))
