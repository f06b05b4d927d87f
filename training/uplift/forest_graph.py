"""A causal forest in a graph: which leaf each tree sends a row to, then the forest's own algebra.

One tree operator answers the number of the leaf in each tree, exact in double; a table holds each
leaf's moments (alpha and the Jacobian J of the treatment and the constant). Their means over trees
give theta = J^-1 alpha, whose first part is the effect; what the moments of single trees and of the
bags of trees leave over gives its variance.

Source: Athey, Tibshirani and Wager, "Generalized random forests", Annals of Statistics 47 (2019),
section 4 (bootstrap of little bags); the correction for few bags is EconML's.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.polynomial.chebyshev import Chebyshev, cheb2poly
from onnx import TensorProto, helper, numpy_helper
from scipy.special import log_ndtr

from training.trees import BRANCH_LEQ, ROWS64, SUM, Parts
from training.uplift.evaluation import HALF_WIDTH

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

LEAF = -1  # child of a leaf in the trees' arrays
LEAST = 1e-300  # where every tree says the same there is no error to divide by
MILLS_RANGE, MILLS_DEGREE = (-3.7, 9.0), 32


def forest_of(estimator: Any) -> Any:  # noqa: ANN401 - EconML is not typed
    """Return the forest inside EconML's estimator for one binary treatment."""
    (forest,) = estimator.model_cate.estimators_
    return forest


def add_forest(parts: Parts, estimator: Any) -> tuple[str, str]:  # noqa: ANN401 - as above
    """Add the effect and half the width of its 95 % interval, each of shape (n, 1)."""
    forest = forest_of(estimator)
    numbers, table = _leaf_numbers(parts, forest)
    index = parts.node("Cast", [numbers], "leaf_index", to=TensorProto.INT64)
    moments = parts.node("Gather", [parts.constant("leaf_table", table), index], "moments", axis=0)
    effect, factors, determinant = _add_effect(parts, moments)
    # One product a row, so a row has the same bits in any batch.
    left = parts.node("MatMul", [moments, factors], "left")
    shape = parts.constant("bags", [-1, len(forest.slices_), len(forest.slices_[0])], np.int64)
    bagged = parts.node("Reshape", [left, shape], "bagged")
    variance = _add_variance(parts, bagged, bags=len(forest.slices_), size=len(forest.slices_[0]))
    error = parts.node("Sqrt", [variance], "forest_error")
    width = parts.node("Mul", [error, parts.constant("forest_z", HALF_WIDTH)], "forest_width")
    return effect, parts.node("Div", [width, determinant], "half")


def leaf_table(forest: Any) -> tuple[list[Any], Floats]:  # noqa: ANN401 - as above
    """Return the trees of a forest and the moments of all their leaves, shape (leaves, 5).

    A leaf's moments are -alpha_0, alpha_1, J_00, J_01 and J_11, the last of which is 1: the mean of
    the constant's square.
    """
    trees = [one.tree_ for one in forest.estimators_]
    rows = []
    for tree in trees:
        leaves = np.flatnonzero(tree.children_left == LEAF)
        alpha, jacobian = tree.precond[leaves], tree.jac[leaves]
        ones = np.ones(len(leaves))
        rows.append(np.stack([-alpha[:, 0], alpha[:, 1], jacobian[:, 0], jacobian[:, 1], ones], 1))
    return trees, np.concatenate(rows)


def _leaf_numbers(parts: Parts, forest: Any) -> tuple[str, Floats]:  # noqa: ANN401 - as above
    """Add the number of the leaf each tree sends a row to, shape (n, trees)."""
    trees, table = leaf_table(forest)
    features: list[int] = []
    splits: list[float] = []
    true: list[tuple[int, int]] = []
    false: list[tuple[int, int]] = []
    targets: list[int] = []
    roots: list[int] = []
    for number, tree in enumerate(trees):
        inner = tree.children_left != LEAF
        places = np.where(inner, len(features) + np.cumsum(inner) - 1, 0)
        places[~inner] = len(targets) + np.arange((~inner).sum())
        targets += [number] * int((~inner).sum())
        roots.append(len(features))
        if not inner.any():  # the operator needs a split: both sides are the one leaf
            features, splits = [*features, 0], [*splits, 0.0]
            true, false = [*true, (places[0], 1)], [*false, (places[0], 1)]
            continue
        for node in np.flatnonzero(inner):
            features.append(int(tree.feature[node]))
            splits.append(float(tree.threshold[node]))
            for side, child in (
                (true, tree.children_left[node]),
                (false, tree.children_right[node]),
            ):
                side.append((int(places[child]), int(not inner[child])))
    weights = np.arange(len(targets), dtype=np.float64)
    name = parts.node(
        "TreeEnsemble",
        [ROWS64],
        "leaf_numbers",
        domain="ai.onnx.ml",
        n_targets=len(trees),
        aggregate_function=SUM,
        post_transform=0,
        nodes_featureids=features,
        nodes_splits=numpy_helper.from_array(np.array(splits)),
        nodes_modes=numpy_helper.from_array(np.full(len(features), BRANCH_LEQ, dtype=np.uint8)),
        nodes_truenodeids=[place for place, _ in true],
        nodes_trueleafs=[leaf for _, leaf in true],
        nodes_falsenodeids=[place for place, _ in false],
        nodes_falseleafs=[leaf for _, leaf in false],
        leaf_targetids=targets,
        leaf_weights=numpy_helper.from_array(weights),
        tree_roots=roots,
    )
    return name, table


def _add_effect(parts: Parts, moments: str) -> tuple[str, str, str]:
    """Add the effect (n, 1), the factors of what a tree's moments leave over, and det J (n, 1).

    With J_11 = 1: theta_0 = (alpha_0 - J_01 alpha_1) / det, theta_1 = alpha_1 - J_01 theta_0, and
    what tree t leaves over is, times det, -alpha_0t + J_01 alpha_1t + theta_0 J_00t
    + (theta_1 - J_01 theta_0) J_01t - J_01 theta_1.
    """
    means = _reduce(parts, "ReduceMean", moments, 1)
    names = ["minus_alpha0", "alpha1", "j00", "j01", "one"]
    parts.nodes.append(helper.make_node("Split", [means], names, axis=1, num_outputs=len(names)))
    minus_alpha0, alpha1, j00, j01, one = names
    add, sub, mul, div = (_binary(parts, operator) for operator in ("Add", "Sub", "Mul", "Div"))
    determinant = sub(j00, mul(j01, j01))
    minus_effect = div(add(minus_alpha0, mul(j01, alpha1)), determinant)
    effect = parts.node("Neg", [minus_effect], "effect")
    slope = mul(j01, minus_effect)
    level = add(alpha1, slope)
    rest = parts.node("Neg", [mul(j01, level)], "rest")
    whole = parts.node("Concat", [one, j01, effect, add(level, slope), rest], "factors", axis=1)
    factors = parts.node("Unsqueeze", [whole, _axis(parts, 2)], "factors_tall")
    return effect, factors, determinant


def _add_variance(parts: Parts, bagged: str, *, bags: int, size: int) -> str:
    """Add the variance (n, 1) of the effect times det J, from what trees leave, (n, bags, size).

    The mean over all trees is 0, as theta is where they balance: it is left out.
    """
    add, sub, mul, div = (_binary(parts, operator) for operator in ("Add", "Sub", "Mul", "Div"))
    bag_means = _reduce(parts, "ReduceMean", bagged, 2)
    between = _reduce(parts, "ReduceMean", mul(bag_means, bag_means), 1, keep=1)
    squares = _reduce(parts, "ReduceMean", mul(bagged, bagged), 2)
    whole = _reduce(parts, "ReduceMean", squares, 1, keep=1)
    rest = parts.constant("bag_rest", 1.0 / (size - 1))
    within = mul(sub(whole, between), rest)
    naive = sub(between, within)
    larger = parts.node("Max", [between, within, parts.constant("least", LEAST)], "larger")
    error = mul(larger, parts.constant("bag_error", math.sqrt(2.0 / bags)))
    return add(naive, mul(error, _add_mills(parts, div(naive, error))))


def _add_mills(parts: Parts, place: str) -> str:
    """Add the density of the normal over its distribution function, shape (n, 1).

    It lifts a variance that came out low, or below 0, to the mean of what it can have been. The
    operators know no error function in double, so a polynomial stands in: within 1e-6 over the
    whole range, as a variance is never further below 0 than sqrt(bags / 2) of its errors.
    """
    low, high = MILLS_RANGE
    ends = [parts.constant(f"mills_end{number}", end) for number, end in enumerate((low, high))]
    held = parts.node("Clip", [place, *ends], "mills_held")
    factor, shift = 2.0 / (high - low), -(high + low) / (high - low)
    scaled = _binary(parts, "Mul")(held, parts.constant("mills_factor", factor))
    scaled = _binary(parts, "Add")(scaled, parts.constant("mills_shift", shift))
    wave = Chebyshev.interpolate(_mills, MILLS_DEGREE, domain=MILLS_RANGE)
    weights = cheb2poly(wave.coef)
    powers = parts.constant("mills_powers", [np.arange(len(weights), dtype=np.float64)])
    terms = parts.node("Pow", [scaled, powers], "mills_terms")
    terms = _binary(parts, "Mul")(terms, parts.constant("mills_weights", [weights]))
    return _reduce(parts, "ReduceSum", terms, 1, keep=1)


def _mills(place: Floats) -> Floats:
    found: Floats = np.exp(-0.5 * place**2 - 0.5 * math.log(2.0 * math.pi) - log_ndtr(place))
    return found


def _binary(parts: Parts, operator: str) -> Callable[[str, str], str]:
    def add(left: str, right: str) -> str:
        return parts.node(operator, [left, right], f"{operator.lower()}_{len(parts.nodes)}")

    return add


def _axis(parts: Parts, axis: int) -> str:
    return parts.constant(f"axis_{axis}_{len(parts.constants)}", [axis], np.int64)


def _reduce(parts: Parts, operator: str, values: str, axis: int, *, keep: int = 0) -> str:
    name = f"{operator.lower()}_{len(parts.nodes)}"
    return parts.node(operator, [values, _axis(parts, axis)], name, keepdims=keep)
