"""A causal forest in a graph: which leaf each tree sends a row to, then the forest's own algebra.

One tree operator answers the number of the leaf in each tree; a table holds each leaf's moments
(alpha and the Jacobian J of the treatment and the constant). Their means over trees give
theta = J^-1 alpha, whose first part is the effect; what the moments of single trees and of the bags
of trees leave over gives its variance. A row costs by the number of operators, hardly by their
work: so terms are gathered and multiplied whole vectors at a time.

Source: Athey, Tibshirani and Wager, "Generalized random forests", Annals of Statistics 47 (2019),
section 4 (bootstrap of little bags); the correction for few bags is EconML's.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.polynomial.chebyshev import Chebyshev, cheb2poly
from onnx import TensorProto, numpy_helper
from scipy.special import log_ndtr

from serving.adapters.uplift import ROWS
from training.trees import BRANCH_LEQ, SUM, Parts
from training.uplift.evaluation import HALF_WIDTH

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

LEAF = -1  # child of a leaf in the trees' arrays
VARIANCE_DEGREE = 28  # within 3e-10 of the correction for up to 25 bags
ENDS = ((0.0, -1.0, 1.0, 0.0),)  # half a width among effect, lower and upper end and propensity
# Columns of the leaf table: moments, and numbers that products of their means are made of.
ALPHA0, ALPHA1, J00, J01, MINUS_J01, ONE, MINUS_ONE, MINUS_TWO, NONE = range(9)
# Stands for 0: powers of it are still numbers, so nothing is divided by 0 where all trees agree.
NOTHING = 1e-35
# What a tree leaves over is p - theta_0 q, over det J: the sums p, q, -p and 0 (columns) of its
# moments (rows), each weight a product of two means over all trees.
SUMS = {
    (ALPHA0, 0): (ONE, ONE),
    (ALPHA1, 0): (MINUS_ONE, J01),
    (J01, 0): (MINUS_ONE, ALPHA1),
    (ONE, 0): (J01, ALPHA1),
    (J00, 1): (ONE, ONE),
    (J01, 1): (MINUS_TWO, J01),
    (ONE, 1): (J01, J01),
    (ALPHA0, 2): (MINUS_ONE, ONE),
    (ALPHA1, 2): (ONE, J01),
    (J01, 2): (ONE, ALPHA1),
    (ONE, 2): (MINUS_J01, ALPHA1),
}


def forest_of(estimator: Any) -> Any:  # noqa: ANN401 - EconML is not typed
    """Return the forest inside EconML's estimator for one binary treatment."""
    (forest,) = estimator.model_cate.estimators_
    return forest


def add_forest(parts: Parts, estimator: Any) -> str:  # noqa: ANN401 - as above
    """Add effect, lower and upper end of its 95 % interval, and a 0, shape (n, 4)."""
    forest = forest_of(estimator)
    numbers, table = _leaf_numbers(parts, forest)
    index = parts.node("Cast", [numbers], "leaf_index", to=TensorProto.INT64)
    moments = parts.node("Gather", [parts.constant("leaf_table", table), index], "moments", axis=0)
    whole, left = _add_balance(parts, moments)
    half = parts.node("Sqrt", [_add_variance(parts, left, forest.slices_)], "half")
    add, mul, div = (_binary(parts, operator) for operator in ("Add", "Mul", "Div"))
    determinant = _gather(parts, whole, [1])
    width = mul(div(half, determinant), parts.constant("ends", ENDS))
    return div(add(_gather(parts, whole, [0, 0, 0, 3]), width), determinant)


def leaf_table(forest: Any) -> tuple[list[Any], Floats]:  # noqa: ANN401 - as above
    """Return the trees of a forest and what stands for all their leaves, shape (leaves, 9).

    The last moment of a leaf, J_11, is 1: the mean of the constant's square.
    """
    trees = [one.tree_ for one in forest.estimators_]
    rows = []
    for tree in trees:
        leaves = np.flatnonzero(tree.children_left == LEAF)
        alpha, jacobian = tree.precond[leaves], tree.jac[leaves]
        table = np.full((len(leaves), NONE + 1), NOTHING)
        table[:, [ALPHA0, ALPHA1]], table[:, [J00, J01]] = alpha[:, :2], jacobian[:, :2]
        table[:, MINUS_J01] = -jacobian[:, 1]
        table[:, [ONE, MINUS_ONE, MINUS_TWO]] = 1.0, -1.0, -2.0
        rows.append(table)
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
    weights = np.arange(len(targets), dtype=np.float32)  # whole numbers up to 2^24 are exact
    name = parts.node(
        "TreeEnsemble",
        [ROWS],
        "leaf_numbers",
        domain="ai.onnx.ml",
        n_targets=len(trees),
        aggregate_function=SUM,
        post_transform=0,
        nodes_featureids=features,
        nodes_splits=numpy_helper.from_array(floor32(np.array(splits))),
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


def floor32(thresholds: Floats) -> NDArray[np.float32]:
    """Return the greatest float32 not above each threshold: no float32 lies between the two.

    Example:
        >>> floor32(np.array([0.1, 0.5])).tolist()
        [0.09999999403953552, 0.5]
    """
    near = thresholds.astype(np.float32)
    return np.where(near > thresholds, np.nextafter(near, np.float32(-np.inf)), near)


def _add_balance(parts: Parts, moments: str) -> tuple[str, str]:
    """Add the means of SUMS (n, 4), and what each tree leaves over times det J^2 (n, trees, 1).

    With J_11 = 1, det J = J_00 - J_01^2 is the mean of q, and theta_0 = (alpha_0 - J_01 alpha_1)
    / det J that of p over it; theta_1 = alpha_1 - J_01 theta_0 is put in.
    """
    means = _reduce(parts, "ReduceMean", moments)
    factors = [np.full((NONE + 1, 4), NONE) for _ in range(2)]
    for place, pair in SUMS.items():
        for factor, column in zip(factors, pair, strict=True):
            factor[place] = column
    left, right = (_gather(parts, means, columns) for columns in factors)
    # One product a row, so a row has the same bits in any batch.
    sums = parts.node("MatMul", [moments, _binary(parts, "Mul")(left, right)], "sums")
    whole = _reduce(parts, "ReduceMean", sums)
    crossed = _gather(parts, whole, [[1], [2], [3], [3]])
    return whole, parts.node("MatMul", [sums, crossed], "left_over")


def _add_variance(parts: Parts, left: str, bags: list[Any]) -> str:
    """Add the square of half the interval's width (n, 1) of what trees leave over, (n, trees, 1).

    The mean over all trees is 0, as theta is where they balance: it is left out. What counts are
    the variance between bags and the part of it that single trees bring about; times the greater of
    the two, the corrected variance depends on their difference alone, in units of the greater: a
    polynomial of a number from -1 to 1.
    """
    count, size = len(bags), len(bags[0])
    bag = np.zeros((count, count * size))
    for number, members in enumerate(bags):
        bag[number, members] = 1.0 / math.sqrt(size)
    bagged = parts.node("MatMul", [parts.constant("bags", bag), left], "bagged")
    of_bags = _reduce(parts, "ReduceSumSquare", bagged)
    of_trees = _reduce(parts, "ReduceSumSquare", left)
    sub, mul, div = (_binary(parts, operator) for operator in ("Sub", "Mul", "Div"))
    within = sub(of_trees, of_bags)
    between = mul(of_bags, parts.constant("bag_size", size - 1.0))
    greater = parts.node("Max", [between, within], "greater")
    place = div(sub(between, within), greater)
    weights = _variance_weights(count) * HALF_WIDTH**2 / (count * size * (size - 1.0))
    powers = parts.constant("powers", [np.arange(len(weights), dtype=np.float64)])
    terms = parts.node("Pow", [place, powers], "terms")
    weighted = mul(terms, parts.constant("variance_weights", [weights]))
    return mul(_reduce(parts, "ReduceSum", weighted, keep=1), greater)


def _variance_weights(bags: int) -> Floats:
    """Return the polynomial of the corrected variance by the difference, both in the greater.

    The mean of a variance known with a normal error but not below 0: the difference, plus the error
    times the normal's density over its distribution function.
    """
    error = math.sqrt(2.0 / bags)

    def variance(place: Floats) -> Floats:
        off = place / error
        found: Floats = np.exp(-0.5 * off**2 - 0.5 * math.log(2.0 * math.pi) - log_ndtr(off))
        return place + error * found

    return np.asarray(cheb2poly(Chebyshev.interpolate(variance, VARIANCE_DEGREE).coef))


def _binary(parts: Parts, operator: str) -> Callable[[str, str], str]:
    def add(left: str, right: str) -> str:
        return parts.node(operator, [left, right], f"{operator.lower()}_{len(parts.nodes)}")

    return add


def _gather(parts: Parts, values: str, columns: object) -> str:
    number = len(parts.nodes)
    index = parts.constant(f"columns_{number}", columns, np.int64)
    return parts.node("Gather", [values, index], f"gathered_{number}", axis=1)


def _reduce(parts: Parts, operator: str, values: str, *, keep: int = 0) -> str:
    """Add what an operator makes of each row's axis 1."""
    number = len(parts.nodes)
    axis = parts.constant(f"axis_{number}", [1], np.int64)
    return parts.node(operator, [values, axis], f"{operator.lower()}_{number}", keepdims=keep)
