"""Figures of sums over series, and of the model against simple forecasts, with intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from training import metrics
from training.backtest.intervals import bootstrap_gain
from training.backtest.slices import horizons

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from training.backtest.scene import Scene

    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]
    Groups = NDArray[np.intp]

BOOTSTRAP_SEED = 7
SERIES, TOTAL = "sku_location", "total"


@dataclass(frozen=True, slots=True)
class Contest:
    """A forecast beside simple ones on the same cells.

    Attributes:
        scene: Where they are held against what came true.
        name: Name of the slice.
        rows: The cells, shape (n, horizon).
        median: Median forecast, units a day, shape (n, horizon).
        mean: Mean forecast, units a day, shape (n, horizon).
        rivals: Simple forecasts by name, shape (n, horizon) each.
    """

    scene: Scene
    name: str
    rows: Flags
    median: Floats
    mean: Floats
    rivals: Mapping[str, Floats]

    def figures(self) -> Iterator[tuple[str, float]]:
        """Yield the figures of every level, by day: of sums of the cells over series."""
        for level, group in groups(self.scene).items():
            if level != SERIES:  # its own figures come with its quantiles
                yield from self._own(level, group, self.rows, self.name)
                for stretch, ahead in horizons(self.scene.horizon):
                    name = stretch if self.name == "all" else f"{self.name}_{stretch}"
                    yield from self._own(level, group, self.rows & ahead, name)
            yield from self._against(level, group)

    def _own(
        self, level: str, group: Groups, rows: Flags, name: str
    ) -> Iterator[tuple[str, float]]:
        sold, median, mean = (
            _summed(values, rows, group)
            for values in (self.scene.truth.sold, self.median, self.mean)
        )
        some = _summed(np.ones(rows.shape), rows, group) > 0
        actual, middle, expected = sold[some], median[some], mean[some]
        yield f"rows/{level}/{name}", actual.size
        if actual.size:
            for metric, value in metrics.point_metrics(actual, middle, expected).items():
                yield f"{metric}/{level}/{name}", value
            yield f"wmape_mean/{level}/{name}", metrics.wmape(actual, expected)

    def _against(self, level: str, group: Groups) -> Iterator[tuple[str, float]]:
        """Yield the rivals' figures, the gain over the best of them, and intervals of both."""
        sold = _summed(self.scene.truth.sold, self.rows, group)
        if not sold.sum() > 0:
            return
        at = f"{level}/{self.name}"
        errors = {}
        for rival, forecast in self.rivals.items():
            summed = _summed(forecast, self.rows, group)
            errors[rival] = np.abs(sold - summed)
            yield f"wmape/{at}/{rival}", float(errors[rival].sum() / sold.sum())
            yield f"bias/{at}/{rival}", float(summed.sum() / sold.sum()) - 1.0
        best = min(errors.values(), key=np.sum)
        own = np.abs(sold - _summed(self.median, self.rows, group))
        if best.sum() > 0:
            yield f"gain/{at}", 1.0 - float(own.sum() / best.sum())
        if level == TOTAL:  # a sum over all locations has nothing to be drawn anew
            return
        place = _location_of(self.scene, group)
        mine, theirs, total = (
            np.bincount(place, one.sum(axis=1)).astype(np.float64) for one in (own, best, sold)
        )
        interval = bootstrap_gain(mine, theirs, total, seed=BOOTSTRAP_SEED)
        if interval is not None:
            for metric, ends in (("wmape", interval.wmape), ("gain", interval.gain)):
                yield f"{metric}_low/{at}", ends[0]
                yield f"{metric}_high/{at}", ends[1]


def by_day(contest: Contest) -> dict[str, Floats]:
    """Return the WMAPE of each day ahead at every level, shape (horizon,) each; NaN of nothing."""
    found = {}
    for level, group in groups(contest.scene).items():
        sold = _summed(contest.scene.truth.sold, contest.rows, group)
        error = np.abs(sold - _summed(contest.median, contest.rows, group)).sum(axis=0)
        total = sold.sum(axis=0)
        found[level] = np.divide(error, total, out=np.full(total.size, np.nan), where=total > 0)
    return found


def groups(scene: Scene) -> Mapping[str, Groups]:
    """Return each series' group at every level, shape (n,) each."""
    series, catalogue = scene.truth.series, scene.panel.catalogue
    location = scene.panel.series.location[series]
    category = catalogue.category[scene.panel.series.product[series]]
    pair = category * (location.max() + 1) + location
    return {
        SERIES: np.arange(series.size),
        "category_location": np.unique(pair, return_inverse=True)[1],
        "location": np.unique(location, return_inverse=True)[1],
        TOTAL: np.zeros(series.size, dtype=np.intp),
    }


def _location_of(scene: Scene, group: Groups) -> NDArray[np.int64]:
    """Return the location of each group, shape (groups,)."""
    place = np.zeros(int(group.max()) + 1, dtype=np.int64)
    place[group] = scene.panel.series.location[scene.truth.series]
    return place


def _summed(values: NDArray[np.floating], rows: Flags, group: Groups) -> Floats:
    """Sum the chosen cells over the series of each group, shape (groups, horizon)."""
    chosen = np.where(rows, values, 0.0)
    return np.stack([np.bincount(group, weights=day) for day in chosen.T], axis=1)
