"""An effect as one weighted sum of pieces a graph holds: bent lines, cubics of an index, and trees.

The stages of a learner add up linearly, so those of one kind are laid together: all lines in one
sum, all indices side by side, all trees in one ensemble. A row then costs a dozen operators rather
than a dozen a stage.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import singledispatch
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from training.trees import ROWS64, Parts, add_trees
from training.uplift.stages import (
    INDEX_LIMIT,
    Additive,
    Bends,
    Boosted,
    Chosen,
    Index,
    Ridge,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

STRAIGHT = -float(np.finfo(np.float64).max)  # a piece without a bend


class Piece(NamedTuple):
    """weight x max(row[column] - knot, floor)."""

    column: int
    knot: float
    floor: float
    weight: float


class Curve(NamedTuple):
    """weight x cubic of (row . direction + start), the argument held within limits."""

    direction: Floats
    start: float
    cubic: Floats


@dataclass(slots=True)
class Blend:
    """A weighted sum of pieces.

    Attributes:
        start: What is added whatever the row.
        pieces: Bent and straight lines.
        curves: Cubics of an index.
        trees: Trees in the form LightGBM dumps them, leaf values weighted.
    """

    start: float = 0.0
    pieces: list[Piece] = field(default_factory=list)
    curves: list[Curve] = field(default_factory=list)
    trees: list[dict[str, Any]] = field(default_factory=list)

    def __add__(self, other: Blend) -> Blend:
        """Return the sum of both."""
        return Blend(
            self.start + other.start,
            self.pieces + other.pieces,
            self.curves + other.curves,
            self.trees + other.trees,
        )

    def times(self, weight: float) -> Blend:
        """Return it times a weight."""
        return Blend(
            self.start * weight,
            [piece._replace(weight=piece.weight * weight) for piece in self.pieces],
            [curve._replace(cubic=curve.cubic * weight) for curve in self.curves],
            [_weighted(tree, weight, {}) for tree in self.trees],
        )


@singledispatch
def blend_of(stage: object) -> Blend:
    """Return a stage as a blend."""
    raise TypeError(f"no graph holds a {type(stage).__name__}")


@blend_of.register
def _of_chosen(stage: Chosen) -> Blend:
    return blend_of(stage.stage_)


@blend_of.register
def _of_ridge(stage: Ridge) -> Blend:
    slopes = stage.weights_ / stage.scale_
    pieces = [Piece(at, 0.0, STRAIGHT, float(slope)) for at, slope in enumerate(slopes) if slope]
    return Blend(stage.intercept_ - float(slopes @ stage.center_), pieces)


@blend_of.register
def _of_additive(stage: Additive) -> Blend:
    line = stage.line_
    slopes = line.weights_ / line.scale_
    start = line.intercept_ - float(slopes @ line.center_)
    return blend_of_bends(stage.bends_, slopes, start)


def blend_of_bends(bends: Bends, slopes: Floats, start: float) -> Blend:
    """Return the weighted sum of columns held within their range and of their hinges.

    Written as lines that bend up at one end and back at the other:
    min(max(x, low), high) = low + (x - low)+ - (x - high)+, and for a knot between them
    (that - knot)+ = (x - knot)+ - (x - high)+.

    Args:
        bends: The columns and hinges.
        slopes: Weight of each, shape (features + k,).
        start: What is added whatever the row.
    """
    wide = len(bends.low)
    rises = [(at, float(low), slopes[at]) for at, low in enumerate(bends.low)]
    rises += [
        (int(at), float(knot), slope)
        for at, knot, slope in zip(bends.columns, bends.knots, slopes[wide:], strict=True)
    ]
    pieces = [Piece(at, knot, 0.0, float(slope)) for at, knot, slope in rises]
    back = np.zeros(wide)
    for at, _, slope in rises:
        back[at] += slope
    pieces += [Piece(at, float(high), 0.0, -float(back[at])) for at, high in enumerate(bends.high)]
    start += float(slopes[:wide] @ bends.low)
    return Blend(start, [piece for piece in pieces if piece.weight])


@blend_of.register
def _of_index(stage: Index) -> Blend:
    direction = stage.direction_ / stage.scale_ / stage.spread_
    start = -float(direction @ stage.center_) - stage.middle_ / stage.spread_
    return Blend(curves=[Curve(direction, start, stage.cubic_)])


@blend_of.register
def _of_boosted(stage: Boosted) -> Blend:
    return Blend(trees=_trees(stage))


def blend_of_difference(
    stage: Boosted, held: tuple[Mapping[int, float], Mapping[int, float]]
) -> Blend:
    """Return trees at one set of held columns less the same trees at another.

    Args:
        stage: The trees.
        held: Values of the columns held fixed, by column: of the trees that count, and of those
            taken off.
    """
    trees = [
        _weighted(tree, sign, values)
        for tree in _trees(stage)
        if _splits_on(tree["tree_structure"], held[0])
        for sign, values in zip((1.0, -1.0), held, strict=True)
    ]
    return Blend(trees=trees)


def add_blend(parts: Parts, name: str, blend: Blend) -> str:
    """Add a blend to a graph, shape (n, 1)."""
    terms = []
    if blend.pieces:
        terms.append(_add_pieces(parts, f"{name}_lines", blend.pieces))
    if blend.curves:
        terms.append(_add_curves(parts, f"{name}_curves", blend.curves))
    if blend.trees or not terms:
        # A tree that is one leaf is a number; so the operator's own constant takes the start in.
        start = {"tree_structure": {"leaf_value": blend.start}}
        terms.append(add_trees(parts, f"{name}_trees", {"tree_info": [start, *blend.trees]}))
    else:
        terms.append(parts.constant(f"{name}_start", blend.start))
    total = terms[0]
    for number, term in enumerate(terms[1:]):
        total = parts.node("Add", [total, term], f"{name}_{number}")
    return total


def _add_pieces(parts: Parts, name: str, pieces: list[Piece]) -> str:
    """Add the sum of bent lines, shape (n, 1).

    Products are summed row by row rather than multiplied as a matrix: a matrix product adds up in
    another order for another number of rows, and a batch must have the bits of its parts.
    """
    index = parts.constant(f"{name}_columns", [piece.column for piece in pieces], np.int64)
    found = parts.node("Gather", [ROWS64, index], f"{name}_found", axis=1)
    if any(piece.knot for piece in pieces):
        knots = parts.constant(f"{name}_knots", [[piece.knot for piece in pieces]])
        found = parts.node("Sub", [found, knots], f"{name}_past")
    if any(piece.floor != STRAIGHT for piece in pieces):
        floors = parts.constant(f"{name}_floors", [[piece.floor for piece in pieces]])
        found = parts.node("Max", [found, floors], f"{name}_bent")
    weights = parts.constant(f"{name}_weights", [[piece.weight for piece in pieces]])
    found = parts.node("Mul", [found, weights], f"{name}_terms")
    axis = parts.constant(f"{name}_axis", [1], np.int64)
    return parts.node("ReduceSum", [found, axis], f"{name}_sum", keepdims=1)


def _add_curves(parts: Parts, name: str, curves: list[Curve]) -> str:
    """Add the sum of cubics, shape (n, 1)."""
    middle = parts.constant(f"{name}_middle", [1], np.int64)
    wide = parts.node("Unsqueeze", [ROWS64, middle], f"{name}_wide")
    directions = parts.constant(f"{name}_directions", np.stack([one.direction for one in curves]))
    terms = parts.node("Mul", [wide, directions], f"{name}_terms")
    last = parts.constant(f"{name}_last", [2], np.int64)
    index = parts.node("ReduceSum", [terms, last], f"{name}_index", keepdims=0)
    starts = parts.constant(f"{name}_starts", [[one.start for one in curves]])
    index = parts.node("Add", [index, starts], f"{name}_from")
    ends = [parts.constant(f"{name}_end{sign}", sign * INDEX_LIMIT) for sign in (-1, 1)]
    place = parts.node("Clip", [index, *ends], f"{name}_place")
    value = parts.constant(f"{name}_cubic3", [[one.cubic[3] for one in curves]])
    for power in (2, 1, 0):  # Horner's scheme
        value = parts.node("Mul", [value, place], f"{name}_times{power}")
        term = parts.constant(f"{name}_cubic{power}", [[one.cubic[power] for one in curves]])
        value = parts.node("Add", [value, term], f"{name}_plus{power}")
    axis = parts.constant(f"{name}_axis", [1], np.int64)
    return parts.node("ReduceSum", [value, axis], f"{name}_sum", keepdims=1)


def _trees(stage: Boosted) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = stage.booster_.dump_model()["tree_info"]
    return found


def _weighted(tree: dict[str, Any], weight: float, held: Mapping[int, float]) -> dict[str, Any]:
    return {"tree_structure": _weighted_node(tree["tree_structure"], weight, held)}


def _weighted_node(
    node: dict[str, Any], weight: float, held: Mapping[int, float]
) -> dict[str, Any]:
    """Return a subtree with weighted leaves, splits on held columns decided."""
    if "split_feature" not in node:
        return {"leaf_value": weight * float(node["leaf_value"])}
    value = held.get(int(node["split_feature"]))
    if value is not None:
        side = "left_child" if value <= float(node["threshold"]) else "right_child"
        return _weighted_node(node[side], weight, held)
    sides = {
        side: _weighted_node(node[side], weight, held) for side in ("left_child", "right_child")
    }
    return {**node, **sides}


def _splits_on(node: dict[str, Any], columns: Mapping[int, float]) -> bool:
    if "split_feature" not in node:
        return False
    return int(node["split_feature"]) in columns or any(
        _splits_on(node[side], columns) for side in ("left_child", "right_child")
    )
