"""One ONNX graph for the demand model: boosters, calibration and non-crossing, both heads.

Thresholds and leaf values are kept in double, as LightGBM holds them, and the float32 rows are
cast up inside the graph; every row therefore reaches the leaf LightGBM sends it to, rows that sit
on a threshold included, and the sums agree to the last bit before the final cast.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import onnx
from onnx import TensorProto, helper

from serving.adapters.demand import COVER, ROWS, UNITS
from serving.domain.features import COLUMN, FEATURES
from training.boosters import MIN_SPREAD, ROOT_SHARE, CoverBoosters, DayBoosters
from training.trees import ROWS64, Parts, add_trees, model_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

HALF = 0.5


@dataclass(frozen=True, slots=True)
class Calibration:
    """Conformal factors by group of rows: of target, demand pattern, series scale and horizon.

    A quantile is median + factor x spread, where the spread is what the boosters say of the side
    above the median (levels above a half) or below it. Factors ascend with the level and change
    sign at the median, so quantiles never cross.

    Attributes:
        levels: Probability levels, ascending, .5 among them.
        cuts: Columns that tell groups apart, each with the values at which its groups begin,
            ascending; NaN belongs to the first group.
        factors: Factors, an axis of groups for each column and then the levels; 0 at the median.
    """

    levels: tuple[float, ...]
    cuts: tuple[tuple[str, tuple[float, ...]], ...]
    factors: NDArray[np.float64]

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of groups of each column."""
        return self.factors.shape[:-1]

    @property
    def strides(self) -> tuple[int, ...]:
        """What the next group of each column adds to the number of the flat group."""
        return tuple(int(np.prod(self.shape[place + 1 :])) for place in range(len(self.shape)))

    def groups(self, rows: NDArray[np.float32]) -> NDArray[np.int64]:
        """Return the flat group of each row, shape (n,), rows of shape (n, features)."""
        flat = np.zeros(len(rows), dtype=np.int64)
        for (feature, values), stride in zip(self.cuts, self.strides, strict=True):
            column = rows[:, COLUMN[feature]].astype(np.float64)
            flat += stride * (column[:, None] >= np.array(values)).sum(axis=1)
        return flat


@dataclass(frozen=True, slots=True)
class Head:
    """Boosters and their calibration.

    Attributes:
        boosters: What days are told by, or sums over covers.
        calibration: Conformal factors.
    """

    boosters: DayBoosters | CoverBoosters
    calibration: Calibration

    @property
    def summed(self) -> bool:
        """Whether the target is a sum over a cover, and so multiplied by the horizon."""
        return isinstance(self.boosters, CoverBoosters)


class _Centre(NamedTuple):
    """Names of what the boosters of a head say of rows, in units of the scale."""

    mean: str
    middle: str
    below: str
    above: str


def build_graph(daily: Head, cover: Head) -> bytes:
    """Build the graph of both heads; a run computes the one it asks for.

    Returns:
        The serialised model. Inputs: ``rows`` float32 (n, features), ``cover`` bool (), whether the
        cover head is asked. Output: ``units`` float32 (n, 1 + levels of the head), the mean and
        then the quantiles.
    """
    parts = Parts()
    parts.node("Cast", [ROWS], ROWS64, to=TensorProto.DOUBLE)
    parts.node("If", [COVER], UNITS, then_branch=_branch(cover), else_branch=_branch(daily))
    graph = helper.make_graph(
        parts.nodes,
        "demand",
        [
            helper.make_tensor_value_info(ROWS, TensorProto.FLOAT, ["n", len(FEATURES)]),
            helper.make_tensor_value_info(COVER, TensorProto.BOOL, []),
        ],
        [helper.make_tensor_value_info(UNITS, TensorProto.FLOAT, ["n", None])],
    )
    return model_bytes(graph)


def _columns(parts: Parts, name: str, features: Sequence[str]) -> str:
    """Add the columns of some features, shape (n, features)."""
    index = parts.constant(f"{name}_index", [COLUMN[one] for one in features], np.int64)
    return parts.node("Gather", [ROWS64, index], name, axis=1)


def _branch(head: Head) -> onnx.GraphProto:
    """Return the graph of one head, its answers in units."""
    parts = Parts("cover_" if head.summed else "daily_")
    zero = parts.constant("zero", 0.0)
    trees = {
        name: add_trees(parts, name, booster.dump_model())
        for name, booster in zip(head.boosters._fields, head.boosters, strict=True)
    }
    centre = (_add_cover if head.summed else _add_day)(parts, trees, zero)
    below, above = _add_sides(parts, centre, head.calibration)
    ratios = parts.node("Concat", [centre.mean, below, centre.middle, above], "ratios", axis=1)
    unit = _columns(parts, "scale", ["scale"])
    if head.summed:
        unit = parts.node("Mul", [unit, _columns(parts, "days", ["horizon"])], "unit")
    units = parts.node("Mul", [ratios, unit], "signed")
    units = parts.node("Max", [units, zero], "floored")
    units = parts.node("Cast", [units], "units", to=TensorProto.FLOAT)
    shape: list[str | int | None] = ["n", 1 + len(head.calibration.levels)]
    output = helper.make_tensor_value_info(units, TensorProto.FLOAT, shape)
    return helper.make_graph(parts.nodes, parts.prefix + "head", [], [output], parts.constants)


def _add_day(parts: Parts, trees: Mapping[str, str], zero: str) -> _Centre:
    """Add what the boosters of days say; see training.boosters."""
    root = parts.node("Max", [trees["root"], zero], "root_floored")
    mean = parts.node("Max", [trees["mean"], zero], "mean_floored")
    square = parts.node("Mul", [root, root], "square")
    of_root = parts.node("Mul", [square, parts.constant("root_share", ROOT_SHARE)], "of_root")
    share = parts.constant("mean_share", 1.0 - ROOT_SHARE)
    middle = parts.node("Add", [of_root, parts.node("Mul", [mean, share], "of_mean")], "middle")
    twice = parts.node("Mul", [trees["spread"], parts.constant("two", 2.0)], "twice_spread")
    gap = parts.node("Mul", [parts.node("Sqrt", [middle], "middle_root"), twice], "gap")
    spread = parts.node("Max", [gap, parts.constant("min_spread", MIN_SPREAD)], "sides")
    return _Centre(trees["mean"], middle, spread, spread)


def _add_cover(parts: Parts, trees: Mapping[str, str], _: str) -> _Centre:
    """Add what the boosters of covers say; see training.boosters."""
    floor = parts.constant("min_spread", MIN_SPREAD)
    spreads = [
        parts.node(
            "Max",
            [parts.node("Sub", [trees[more], trees[less]], f"{name}_gap"), floor],
            f"{name}_spread",
        )
        for name, more, less in (("below", "middle", "low"), ("above", "high", "middle"))
    ]
    return _Centre(trees["mean"], trees["middle"], *spreads)


def _add_sides(parts: Parts, centre: _Centre, calibration: Calibration) -> tuple[str, str]:
    """Add the quantiles below and above the median in units of the scale."""
    group = _add_group(parts, calibration)
    levels = len(calibration.levels)
    half = calibration.levels.index(HALF)
    flat = calibration.factors.reshape(-1, levels)
    sides = []
    for name, spread, factors in (
        ("below", centre.below, flat[:, :half]),
        ("above", centre.above, flat[:, half + 1 :]),
    ):
        table = parts.constant(f"{name}_factors", factors)
        factor = parts.node("Gather", [table, group], f"{name}_factor", axis=0)
        shift = parts.node("Mul", [spread, factor], f"{name}_shift")
        sides.append(parts.node("Add", [centre.middle, shift], name))
    return sides[0], sides[1]


def _add_group(parts: Parts, calibration: Calibration) -> str:
    """Add the flat group of each row, shape (n,): the sum of the strides of the cuts it passed."""
    cuts = [
        (feature, value, stride)
        for (feature, values), stride in zip(calibration.cuts, calibration.strides, strict=True)
        for value in values
    ]
    columns = _columns(parts, "group_columns", [feature for feature, _, _ in cuts])
    bounds = parts.constant("cuts", [[cut for _, cut, _ in cuts]])
    passed = parts.node("GreaterOrEqual", [columns, bounds], "passed")
    passed = parts.node("Cast", [passed], "passed_as_numbers", to=TensorProto.DOUBLE)
    strides = parts.constant("strides", [float(stride) for _, _, stride in cuts])
    total = parts.node("MatMul", [passed, strides], "group_number")
    return parts.node("Cast", [total], "group", to=TensorProto.INT64)
