"""The options of each classical tier: what is read off the data, and what is chosen."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from serving.domain.features import LOCATION, PRODUCT
from serving.domain.history import STATE
from serving.domain.periods import Frequency, frequency_of
from serving.domain.routes import HISTORIES, PATTERNS, Cells, Routes
from serving.domain.tiers import (
    PRICE_CUTS,
    DemandPattern,
    DemandTier,
    LevelKind,
    Multiplicative,
    Similar,
    Sparse,
    SparseMethod,
    patterns,
)
from training.seasons import MIN_DAYS, season_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from serving.domain.features import SeriesRecords
    from training.panel import Panel
    from training.route_scenes import Scene

    Floats = NDArray[np.float64]

WINDOWS = (1, 7, 21)  # days over which a season may be smoothed
SHARES = (0.0, 0.5, 1.0)
MULTIPLICATIVE = tuple(product(LevelKind, SHARES, WINDOWS))
SPARSE = tuple(
    Sparse(method, alpha, share)
    for method, alpha, share in product(SparseMethod, (0.05, 0.1, 0.2), (0.0, 1.0))
)
SIMILAR = tuple(product((2.0, 7.0, 21.0), SHARES))  # days of strength, share of the location
MIN_PRICED = 30  # products of a price group below which it is taken to sell as its category
_LEAST = 1e-6  # units a day taken for none, where a logarithm or a division needs some


@dataclass(frozen=True, slots=True)
class Known:
    """What of the tiers is read off the data up to a day.

    Attributes:
        seasons: Weekday and season by window; empty where the history is too short.
        location_level: Level of the mean location, units a day.
        price_factors: Level over the category's by relative price, shape (3,).
        frequency: Length of a period.
    """

    seasons: Mapping[int, tuple[Floats, Floats]]
    location_level: float
    price_factors: Floats
    frequency: Frequency

    def multiplicative(self, option: tuple[LevelKind, float, int]) -> Multiplicative:
        """Return the tier with an option."""
        level, share, window = option
        return Multiplicative(level, share, *self.seasons[window])

    def similar(self, option: tuple[float, float]) -> Similar:
        """Return the tier with an option."""
        return Similar(*option, self.location_level, self.price_factors)


def known_at(panel: Panel, completed: Floats, origin: int, records: SeriesRecords) -> Known:
    """Read off the data up to a day what the tiers share.

    Args:
        panel: All series.
        completed: Demand with stock-out days completed, shape (days, series).
        origin: Index of the last known day.
        records: Records of series at that day.
    """
    seasons = {}
    frequency = frequency_of(panel.history.first_day)
    if frequency is Frequency.DAY and origin + 1 >= MIN_DAYS:
        total = np.nansum(completed[: origin + 1], axis=1)
        seasons = {window: season_of(total, panel.history.first_day, window) for window in WINDOWS}
    places = np.unique(records.location[:, LOCATION["location_level"].start])
    level = float(np.nanmean(places)) if np.isfinite(places).any() else 1.0
    return Known(seasons, level, _price_factors(records), frequency)


@dataclass(frozen=True, slots=True)
class Options:
    """The options of each tier that were best.

    Attributes:
        multiplicative: Level, share of the shared weekday, window; None without a season.
        sparse: The tier for sparse demand.
        similar: Days of strength and share of the location.
    """

    multiplicative: tuple[LevelKind, float, int] | None
    sparse: Sparse
    similar: tuple[float, float]

    def routes(self, known: Known, origins: int) -> Routes:
        """Return a table with these options, its shapes and cells still empty."""
        by = self.multiplicative
        empty = Cells(*np.zeros((4, PATTERNS, HISTORIES)))
        return Routes(
            origins=origins,
            frequency=known.frequency,
            cells=empty,
            cover_cells=empty,
            shapes={},
            multiplicative=None if by is None else known.multiplicative(by),
            sparse=self.sparse,
            similar=known.similar(self.similar),
        )


def choose_options(scenes: Sequence[Scene], known: Mapping[int, Known]) -> Options:
    """Choose the options of each tier on the series it is meant for."""
    seasonal = all(one.seasons for one in known.values())
    chosen = Options(MULTIPLICATIVE[0] if seasonal else None, SPARSE[0], SIMILAR[0])

    def best(tier: DemandTier, offered: Sequence[Options]) -> Options:
        if len(offered) == 1:
            return offered[0]
        deviance = [
            sum(
                _deviance(scene, tier, one.routes(known[scene.origin], 0))
                for scene in scenes
                if scene.whole is not (tier is DemandTier.SIMILAR)
            )
            for one in offered
        ]
        return offered[int(np.argmin(deviance))]

    if seasonal:
        chosen = best(
            DemandTier.MULTIPLICATIVE,
            [replace(chosen, multiplicative=option) for option in MULTIPLICATIVE],
        )
    chosen = best(DemandTier.SPARSE, [replace(chosen, sparse=option) for option in SPARSE])
    return best(DemandTier.SIMILAR, [replace(chosen, similar=option) for option in SIMILAR])


def _deviance(scene: Scene, tier: DemandTier, routes: Routes) -> float:
    """Return the Poisson deviance of what a tier expects, which the true mean alone makes least."""
    kind = patterns(scene.records.state)
    meant = {
        DemandTier.SPARSE: np.isin(kind, (DemandPattern.INTERMITTENT, DemandPattern.LUMPY)),
        DemandTier.MULTIPLICATIVE: np.isin(kind, (DemandPattern.SMOOTH, DemandPattern.ERRATIC)),
    }.get(tier, np.ones(len(kind), dtype=bool))
    expected = routes.expected(tier, scene.records, scene.effect.shape[1]) * scene.effect
    expected = expected[:, scene.days - 1]
    actual = np.where(meant[:, None], scene.demand, np.nan)
    expected = np.maximum(expected, _LEAST)
    return float(np.nansum(expected - actual * np.log(expected)))


def _price_factors(records: SeriesRecords) -> Floats:
    """Return level over the category's for products of low, like and high price in it."""
    first = PRODUCT["category_state"].start
    usual = records.product[:, first + STATE["price_level"].start]
    category = records.product[:, PRODUCT["category_level"].start].astype(np.float64)
    level = records.state[:, STATE["level"].start].astype(np.float64)
    ratio = records.product[:, PRODUCT["price"].start] / usual
    known = np.isfinite(ratio) & (category > 0) & np.isfinite(level)
    group = np.searchsorted(PRICE_CUTS, ratio[known])
    sums = [np.bincount(group, part[known], 3) for part in (level, category)]
    enough = np.bincount(group, minlength=3) >= MIN_PRICED
    return np.where(enough, sums[0] / np.maximum(sums[1], _LEAST), 1.0)
