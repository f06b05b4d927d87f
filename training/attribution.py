"""The leaves of a booster as boxes, for the attribution that serving computes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from serving.domain.attribution import Boxes
from training.trees import as_split

if TYPE_CHECKING:
    from collections.abc import Iterator

    import lightgbm as lgb

_NO_STEP = (0, -math.inf, math.inf, True, 1.0)


class _Step(NamedTuple):
    """The values of one feature that lead along a path, and the rows that took it."""

    low: float
    high: float
    missing: bool
    share: float


def boxes(booster: lgb.Booster) -> Boxes:
    """Return the leaves of a booster."""
    constant, leaves = 0.0, []
    for tree in booster.dump_model()["tree_info"]:
        root = tree["tree_structure"]
        if "split_feature" in root:
            leaves += list(_walk(root, {}))
        else:
            constant += float(root["leaf_value"])
    longest = max((len(path) for _, path in leaves), default=1)
    laid = [
        [(feature, *step) for feature, step in path.items()] + [_NO_STEP] * (longest - len(path))
        for _, path in leaves
    ]
    columns = [np.array([[step[part] for step in path] for path in laid]) for part in range(5)]
    shape = (len(leaves), longest)
    feature, low, high, missing, share = (column.reshape(shape) for column in columns)
    return Boxes(
        value=np.array([value for value, _ in leaves], dtype=np.float64),
        feature=feature.astype(np.int64),
        low=low.astype(np.float64),
        high=high.astype(np.float64),
        missing=missing.astype(bool),
        share=share.astype(np.float64),
        constant=constant,
    )


def _walk(node: dict[str, Any], path: dict[int, _Step]) -> Iterator[tuple[float, dict[int, _Step]]]:
    """Yield the value and the path of each leaf below a node."""
    if "split_feature" not in node:
        yield float(node["leaf_value"]), path
        return
    feature, threshold = int(node["split_feature"]), as_split(float(node["threshold"]))
    # NaN is read as 0 where a feature had none in training.
    as_zero = node["missing_type"] != "NaN"
    missing_left = threshold >= 0 if as_zero else bool(node["default_left"])
    before = path.get(feature, _Step(-math.inf, math.inf, missing=True, share=1.0))
    rows = _rows(node)
    for child, left in ((node["left_child"], True), (node["right_child"], False)):
        step = _Step(
            low=before.low if left else max(before.low, threshold),
            high=min(before.high, threshold) if left else before.high,
            missing=before.missing and missing_left is left,
            share=before.share * _rows(child) / rows,
        )
        yield from _walk(child, {**path, feature: step})


def _rows(node: dict[str, Any]) -> float:
    """Return the training rows that reached a node."""
    return float(node["internal_count" if "split_feature" in node else "leaf_count"])
