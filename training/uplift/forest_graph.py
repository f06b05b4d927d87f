"""A causal forest in a graph: which leaf each tree sends a row to, then the forest's own algebra.

One tree operator answers the number of the leaf in each tree; a table holds each leaf's moments
(alpha and the Jacobian J of the treatment and the constant). Their means over trees give
theta = J^-1 alpha, whose first part is the effect; what the moments of single trees and of the bags
of trees leave over gives its variance. A row costs by the number of operators, hardly by their
work: so terms are weighed and added whole vectors at a time. Products in double have the same bits
for any number of rows, which the certificate holds them to.

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
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

LEAF = -1  # child of a leaf in the trees' arrays
ENDS = (0.0, -1.0, 1.0, 0.0)  # half a width among effect, lower and upper end and propensity
WIDTH_DEGREE = 16  # within 2e-8 of the corrected width for 16 bags
# Columns of the leaf table: moments, and numbers that sums over them are weighted by.
ALPHA0, ALPHA1, J00, J01, ONE, MINUS_ONE, MINUS_ALPHA1, MINUS_J01, NONE = range(9)
# Sums of a tree's moments, each moment weighted by a mean over all trees. With J_11 = 1, the mean
# of DETERMINANT is det J = J_00 - J_01^2, and theta_0 that of NUMERATOR over it.
NUMERATOR, DETERMINANT, MINUS_NUMERATOR, SLOPE, AWAY = range(5)
SUMS = {
    (ALPHA0, NUMERATOR): ONE,
    (ALPHA1, NUMERATOR): MINUS_J01,
    (J00, DETERMINANT): ONE,
    (J01, DETERMINANT): MINUS_J01,
    (ALPHA0, MINUS_NUMERATOR): MINUS_ONE,
    (ALPHA1, MINUS_NUMERATOR): J01,
    (ALPHA0, SLOPE): J01,
    (J00, SLOPE): MINUS_ALPHA1,
    (J01, AWAY): ONE,
    (ONE, AWAY): MINUS_J01,
}
# Which mean over all trees weighs each of a tree's sums in what the tree leaves over: J^-1 (alpha -
# J theta) of the tree, times det J^2. The mean of AWAY is 0: sums that count as means only.
CROSSED = ((DETERMINANT,), (MINUS_NUMERATOR,), (AWAY,), (AWAY,), (SLOPE,))
LEAST = 1e-300  # where every tree says the same there is no error to divide by


def forest_of(estimator: Any) -> Any:  # noqa: ANN401 - EconML is not typed
    """Return the forest inside EconML's estimator for one binary treatment."""
    (forest,) = estimator.model_cate.estimators_
    return forest


def add_forest(parts: Parts, estimator: Any, beside: str) -> str:  # noqa: ANN401 - as above
    """Add effect, lower and upper end of its 95 % interval, and the propensity, shape (n, 4).

    Args:
        parts: The graph.
        estimator: EconML's.
        beside: Three zeros and the propensity, shape (1, 4) or (n, 4).
    """
    forest = forest_of(estimator)
    numbers, table = _leaf_numbers(parts, forest)
    index = parts.node("Cast", [numbers], "leaf_index", to=TensorProto.INT64)
    moments = parts.node("Gather", [parts.constant("leaf_table", table), index], "moments", axis=0)
    ratios, left = _add_balance(parts, moments)
    width = _add_width(parts, left, forest.slices_, beside)
    places = np.zeros((AWAY + 1, len(ENDS)))
    places[NUMERATOR, :3] = 1.0
    return parts.node("Gemm", [ratios, parts.constant("effect_places", places), width], "answers")


def leaf_table(forest: Any) -> tuple[list[Any], Floats]:  # noqa: ANN401 - as above
    """Return the trees of a forest and what stands for all their leaves, shape (leaves, 9).

    The last moment of a leaf, J_11, is 1: the mean of the constant's square.
    """
    trees = [one.tree_ for one in forest.estimators_]
    rows = []
    for tree in trees:
        leaves = np.flatnonzero(tree.children_left == LEAF)
        alpha, jacobian = tree.precond[leaves], tree.jac[leaves]
        table = np.zeros((len(leaves), NONE + 1))
        table[:, [ALPHA0, ALPHA1]], table[:, [J00, J01]] = alpha[:, :2], jacobian[:, :2]
        table[:, [ONE, MINUS_ONE]] = 1.0, -1.0
        table[:, MINUS_ALPHA1], table[:, MINUS_J01] = -alpha[:, 1], -jacobian[:, 1]
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
    """Add the means of SUMS over det J, shape (n, 5), and what each tree leaves over, (n, trees).

    The mean over all trees of what they leave over is 0, as theta is where they balance.
    """
    means = _reduce(parts, "ReduceMean", moments)
    weights = np.full((NONE + 1, AWAY + 1), NONE)
    for place, column in SUMS.items():
        weights[place] = column
    sums = parts.node("MatMul", [moments, _gather(parts, means, weights)], "sums")
    whole = _reduce(parts, "ReduceMean", sums)
    determinant = _column(parts, whole, DETERMINANT, AWAY + 1)
    ratios = parts.node("Div", [whole, determinant], "ratios")
    crossed = _gather(parts, parts.node("Div", [ratios, determinant], "smaller"), CROSSED)
    left = parts.node("MatMul", [sums, crossed], "left_over_each")
    return ratios, parts.node("Squeeze", [left, parts.constant("last", [2], np.int64)], "left_over")


def _add_width(parts: Parts, left: str, bags: list[Any], beside: str) -> str:
    """Add half the interval's width among ENDS, and what is beside, of what trees leave over.

    What counts are the variance between bags and the part of it that single trees bring about. In
    units of the greater of the two, the corrected variance depends on their difference alone: a
    polynomial of a number from -1 to 1.
    """
    count, size = len(bags), len(bags[0])
    trees = count * size
    scale = 1.0 / math.sqrt(trees * (size - 1.0))
    bag = np.zeros((trees, count))
    for number, members in enumerate(bags):
        bag[members, number] = scale / math.sqrt(size)
    bagged = parts.node("MatMul", [left, parts.constant("bags", bag)], "bagged")
    # Variance between bags, that of single trees, and the first less the second.
    of_trees = parts.constant("of_trees", [[0.0, scale**2, -(scale**2)]] * trees)
    of_bags = parts.constant("of_bags", [[size - 1.0, -1.0, float(size)]] * count)
    least = parts.constant("least", [LEAST, LEAST, 0.0])
    found = parts.node("Gemm", [_square(parts, left), of_trees, least], "of_single_trees")
    found = parts.node("Gemm", [_square(parts, bagged), of_bags, found], "variances")
    greater = _reduce(parts, "ReduceMax", found, keep=1)
    place = parts.node("Div", [_column(parts, found, 2, 3), greater], "place")
    weights = _width_weights(count)
    powers = parts.constant("powers", [np.arange(len(weights))])
    terms = parts.node("Pow", [place, powers], "terms")
    scaled = parts.node("Mul", [terms, parts.node("Sqrt", [greater], "root")], "scaled_terms")
    halves = parts.constant("width_weights", HALF_WIDTH * np.outer(weights, ENDS))
    return parts.node("Gemm", [scaled, halves, beside], "half_widths")


def _width_weights(bags: int) -> Floats:
    """Return the polynomial of the corrected deviation by the difference, both in the greater.

    The variance is the mean of one known with a normal error but not below 0: the difference, plus
    the error times the normal's density over its distribution function.
    """
    error = math.sqrt(2.0 / bags)

    def deviation(place: Floats) -> Floats:
        off = place / error
        above = np.exp(-0.5 * off**2 - 0.5 * math.log(2.0 * math.pi) - log_ndtr(off))
        found: Floats = np.sqrt(place + error * above)
        return found

    return np.asarray(cheb2poly(Chebyshev.interpolate(deviation, WIDTH_DEGREE).coef))


def _gather(parts: Parts, values: str, columns: object) -> str:
    number = len(parts.nodes)
    index = parts.constant(f"columns_{number}", columns, np.int64)
    return parts.node("Gather", [values, index], f"gathered_{number}", axis=1)


def _square(parts: Parts, values: str) -> str:
    return parts.node("Mul", [values, values], f"squared_{len(parts.nodes)}")


def _column(parts: Parts, values: str, column: int, width: int) -> str:
    """Add one column of (n, width), shape (n, 1): a product takes half the time of a gather."""
    number = len(parts.nodes)
    one = parts.constant(f"column_{number}", np.eye(width)[:, [column]])
    return parts.node("MatMul", [values, one], f"taken_{number}")


def _reduce(parts: Parts, operator: str, values: str, *, keep: int = 0) -> str:
    """Add what an operator makes of each row's axis 1."""
    number = len(parts.nodes)
    axis = parts.constant(f"axis_{number}", [1], np.int64)
    return parts.node(operator, [values, axis], f"{operator.lower()}_{number}", keepdims=keep)
