"""Boosters of a head: what each is fitted to, and how their answers become mean, median, spreads.

Days are told by three boosters. The first is fitted to the square root of the target, where sizes
err alike, by Huber's loss, under which a far-out sale pulls little; its square leans toward the
median. The second is fitted to the target itself, for the mean. The median is taken between the
two, which erred less on days to come than either, and than a booster of the .5 quantile: the sign
of an error, which is all such a booster sees, says less than its size. The third is fitted to
how far roots fell from the first, which is one spread for both sides.

Covers are told by boosters of three quantiles and one of the mean.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import lightgbm as lgb
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

CORES = 2
# Least spread in units of the series' scale: a series whose trees see no spread still gets the
# calibrated one.
MIN_SPREAD = 0.05
ROOT_SHARE = 0.7  # the median is so much of the squared root, the rest of the mean
_MEAN: dict[str, Any] = {"objective": "regression"}
_ROOT: dict[str, Any] = {"objective": "huber", "alpha": 0.5}
# A spread varies little beside a level: half the trees, of half the leaves, say as much of it.
_COARSER = 2
_COVER: tuple[dict[str, Any], ...] = (
    {"objective": "quantile", "alpha": 0.05},
    {"objective": "quantile", "alpha": 0.5},
    {"objective": "quantile", "alpha": 0.95},
    _MEAN,
)


class DayBoosters(NamedTuple):
    """Boosters of the daily head.

    Attributes:
        root: Of the square root of the target over the scale.
        spread: Of the distance of such roots from what `root` says.
        mean: Of the target over the scale.
    """

    root: lgb.Booster
    spread: lgb.Booster
    mean: lgb.Booster


class CoverBoosters(NamedTuple):
    """Boosters of the cover head, each of the target over the scale.

    Attributes:
        low: The .05 quantile.
        middle: The .5 quantile.
        high: The .95 quantile.
        mean: The mean.
    """

    low: lgb.Booster
    middle: lgb.Booster
    high: lgb.Booster
    mean: lgb.Booster


class Outline(NamedTuple):
    """What boosters say of rows, in units of the scale, each of shape (n,).

    Attributes:
        mean: The mean; may be below 0.
        middle: The median.
        below: Spread below the median, at least `MIN_SPREAD`.
        above: Spread above it, likewise.
    """

    mean: Floats
    middle: Floats
    below: Floats
    above: Floats


@dataclass(frozen=True, slots=True)
class FitRows:
    """What boosters are fitted to.

    Attributes:
        features: Shape (n, features).
        target: Units a day over the series' scale, shape (n,).
        weight: Shape (n,).
    """

    features: NDArray[np.float32]
    target: Floats
    weight: Floats


def outline(boosters: DayBoosters | CoverBoosters, features: NDArray[np.float32]) -> Outline:
    """Return what boosters say of rows of shape (n, features)."""
    said = [np.asarray(one.predict(features), dtype=np.float64) for one in boosters]
    if isinstance(boosters, CoverBoosters):
        low, middle, high, mean = said
        below, above = middle - low, high - middle
    else:
        root, spread, mean = said
        middle = np.maximum(root, 0.0) ** 2 * ROOT_SHARE
        middle += np.maximum(mean, 0.0) * (1.0 - ROOT_SHARE)
        # A root that is off by s is, squared, off by about 2 s times the root.
        below = above = 2.0 * np.sqrt(middle) * spread
    return Outline(mean, middle, np.maximum(below, MIN_SPREAD), np.maximum(above, MIN_SPREAD))


def fit_days(rows: FitRows, parameters: Mapping[str, Any], trees: int) -> DayBoosters:
    """Fit the boosters of the daily head.

    Args:
        rows: Rows of days.
        parameters: LightGBM's parameters but the objective.
        trees: Trees of the boosters of the root and the mean.
    """
    roots = np.sqrt(rows.target)
    plain = _dataset(rows, rows.target, parameters)
    rooted = _dataset(rows, roots, parameters, plain)
    # A booster a core: LightGBM's own threads wait for each other by spinning, which costs
    # several times the work wherever another process wants a core.
    with ThreadPoolExecutor(CORES) as pool:
        root_of = pool.submit(lgb.train, {**parameters, **_ROOT}, rooted, trees)
        mean = lgb.train({**parameters, **_MEAN}, plain, trees)
        root = root_of.result()
    distance = np.abs(roots - np.asarray(root.predict(rows.features)))
    coarse = {
        **parameters,
        **_MEAN,
        "num_leaves": max(2, parameters["num_leaves"] // _COARSER),
        "learning_rate": parameters["learning_rate"] * _COARSER,
    }
    spread = lgb.train(
        coarse, _dataset(rows, distance, parameters, plain), max(1, trees // _COARSER)
    )
    return DayBoosters(root, spread, mean)


def fit_covers(rows: FitRows, parameters: Mapping[str, Any], trees: int) -> CoverBoosters:
    """Fit the boosters of the cover head.

    Args:
        rows: Rows of covers.
        parameters: LightGBM's parameters but the objective.
        trees: Trees of each.
    """
    data = _dataset(rows, rows.target, parameters)
    with ThreadPoolExecutor(CORES) as pool:
        fitted = pool.map(lambda one: lgb.train({**parameters, **one}, data, trees), _COVER)
        return CoverBoosters(*fitted)


def _dataset(
    rows: FitRows,
    label: Floats,
    parameters: Mapping[str, Any],
    like: lgb.Dataset | None = None,
) -> lgb.Dataset:
    binning = {"max_bin": parameters["max_bin"], "verbose": -1}
    data = lgb.Dataset(
        rows.features, label=label, weight=rows.weight, reference=like, params=binning
    )
    return data.construct()
