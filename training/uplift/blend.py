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
    from collections.abc import Mapping, Sequence

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

    @property
    def empty(self) -> bool:
        """Whether it is 0 whatever the row."""
        return not (self.start or self.pieces or self.curves or self.trees)

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


def add_blends(parts: Parts, name: str, blends: Sequence[Blend], features: int) -> str:
    """Add blends of rows with so many features side by side, shape (n, blends)."""
    total = parts.constant(f"{name}_starts", [[blend.start for blend in blends]])
    alone = not any(blend.start for blend in blends) and len(blends) == 1
    if any(blend.pieces for blend in blends):
        pieces = [blend.pieces for blend in blends]
        total, alone = add_pieces(parts, f"{name}_lines", pieces, total, features), False
    if any(blend.curves for blend in blends):
        curves = [blend.curves for blend in blends]
        total, alone = _add_curves(parts, f"{name}_curves", curves, total), False
    bare = not any(blend.pieces or blend.curves or blend.trees for blend in blends)
    for at, blend in enumerate(blends):
        if not blend.trees and not bare:
            continue
        trees = add_trees(parts, f"{name}_trees{at}", {"tree_info": blend.trees})
        if alone:
            return trees
        place = parts.constant(f"{name}_place{at}", np.eye(len(blends))[[at]])
        total = parts.node("Gemm", [trees, place, total], f"{name}_with_trees{at}")
    return total


def add_pieces(
    parts: Parts, name: str, columns: Sequence[list[Piece]], starts: str, features: int
) -> str:
    """Add sums of bent lines side by side to what they begin with, shape (n, columns)."""
    pieces = [piece for column in columns for piece in column]
    taken = np.zeros((features, len(pieces)))
    taken[[piece.column for piece in pieces], np.arange(len(pieces))] = 1.0
    selected = parts.constant(f"{name}_columns", taken)
    knots = parts.constant(f"{name}_knots", [[-piece.knot for piece in pieces]])
    found = parts.node("Gemm", [ROWS64, selected, knots], f"{name}_past")
    if all(piece.floor == 0.0 for piece in pieces):
        found = parts.node("Relu", [found], f"{name}_bent")
    elif any(piece.floor != STRAIGHT for piece in pieces):
        floors = parts.constant(f"{name}_floors", [[piece.floor for piece in pieces]])
        found = parts.node("Max", [found, floors], f"{name}_bent")
    weights = _side_by_side([[piece.weight for piece in column] for column in columns])
    added = [found, parts.constant(f"{name}_weights", weights), starts]
    return parts.node("Gemm", added, f"{name}_sum")


def _add_curves(parts: Parts, name: str, columns: Sequence[list[Curve]], starts: str) -> str:
    """Add sums of cubics side by side to what they begin with, shape (n, columns)."""
    curves = [curve for column in columns for curve in column]
    directions = parts.constant(f"{name}_directions", np.stack([c.direction for c in curves]).T)
    begin = parts.constant(f"{name}_begin", [[curve.start for curve in curves]])
    index = parts.node("Gemm", [ROWS64, directions, begin], f"{name}_index")
    ends = [parts.constant(f"{name}_end{sign}", sign * INDEX_LIMIT) for sign in (-1, 1)]
    place = parts.node("Clip", [index, *ends], f"{name}_place")
    powers = [place]
    for number in (2, 3):
        powers.append(parts.node("Mul", [powers[-1], place], f"{name}_power{number}"))
    levels = [[sum(float(curve.cubic[0]) for curve in column) for column in columns]]
    total = parts.node("Add", [starts, parts.constant(f"{name}_levels", levels)], f"{name}_from")
    for number, power in enumerate(powers, start=1):
        cubic = _side_by_side([[float(c.cubic[number]) for c in column] for column in columns])
        weights = parts.constant(f"{name}_cubic{number}", cubic)
        total = parts.node("Gemm", [power, weights, total], f"{name}_up_to{number}")
    return total


def _side_by_side(columns: Sequence[Sequence[float]]) -> Floats:
    """Return weights with those of each column in rows and a column of their own."""
    rows = [
        [weight if at == place else 0.0 for place in range(len(columns))]
        for at, column in enumerate(columns)
        for weight in column
    ]
    return np.array(rows, dtype=np.float64)


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
