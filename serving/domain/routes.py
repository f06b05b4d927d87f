"""Who answers for which series: a table learned on past origins, carried inside the graph.

A series belongs to a cell, its demand pattern by the length of its history. Each cell names a
tier and its weight against the global model, for days and for sums apart, with what that was worth
on the origins it was learned on. A tier gives an expected demand; the shapes turn it into a
distribution: quantiles of past demand over past expectation, by target, length of history, pattern,
days ahead and size of the expectation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from serving.domain.features import open_days
from serving.domain.history import STATE
from serving.domain.tiers import (
    DemandPattern,
    DemandTier,
    Multiplicative,
    Parts,
    Similar,
    Sparse,
    multiplicative,
    patterns,
    seasonal_naive,
    similar,
    sparse,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from serving.domain.features import SeriesRecords
    from serving.domain.periods import Frequency

    Floats = NDArray[np.float64]
    Indices = NDArray[np.int64]

HISTORY_CUTS = (1, 14, 56, 364)  # days of own history at which another bucket begins
HISTORY_NAMES = (
    "no history",
    "1 to 13 {} of history",
    "14 to 55 {} of history",
    "56 to 363 {} of history",
    "364 {} of history or more",
)
PATTERNS, HISTORIES = len(DemandPattern), len(HISTORY_NAMES)
AHEAD_CUTS = (7, 28)  # days ahead above which another group begins
# Expected units at which another group begins: about two and a half times the one before.
SIZE_CUTS = (0.05, 0.125, 0.3, 0.8, 2.0, 5.0, 12.0, 30.0, 80.0, 200.0, 500.0)
# A tuple would become an array in every call.
_HISTORY_CUTS = np.array(HISTORY_CUTS, dtype=np.float32)
_AHEAD_CUTS, _SIZE_CUTS = np.array(AHEAD_CUTS), np.array(SIZE_CUTS)
SHAPE_GROUPS = (2, HISTORIES, PATTERNS, len(AHEAD_CUTS) + 1, len(SIZE_CUTS) + 1)
_TIER_NAMES = {
    DemandTier.MULTIPLICATIVE: "level x weekday x season",
    DemandTier.SPARSE: "a rate for sparse demand",
    DemandTier.SIMILAR: "what similar products sell",
    DemandTier.SEASONAL_NAIVE: "the last week repeated",
}


class Cells(NamedTuple):
    """What was learned of each pattern and history, each of shape (PATTERNS, HISTORIES).

    Attributes:
        tier: Who answers beside the global model, a DemandTier.
        weight: Its weight, 0..1; the global model has the rest.
        gain: Share of the global model's loss it saved on past origins.
        series: Series it was learned on, counted once an origin.
    """

    tier: Indices
    weight: Floats
    gain: Floats
    series: Indices


class Shapes(NamedTuple):
    """Distributions over expectation of one tier, the leading axes being SHAPE_GROUPS.

    Attributes:
        mean: Mean of demand over expectation.
        daily: Quantiles of a day's demand over its expectation, last axis the daily levels.
        cover_mean: Mean of a sum over its expectation.
        cover: Quantiles of a sum over its expectation, last axis the cover levels.
    """

    mean: Floats
    daily: Floats
    cover_mean: Floats
    cover: Floats


class Answered(NamedTuple):
    """Who answers for one series, and why.

    Attributes:
        tier: Who has the greatest weight.
        pattern: Demand pattern of the series.
        reason: Why, in a sentence; empty where the release carries no table of routes.
    """

    tier: DemandTier
    pattern: DemandPattern
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Routes:
    """The table of one release.

    Attributes:
        origins: Past origins it was learned on.
        frequency: Length of the periods that days stand for.
        cells: Who answers for days, where.
        cover_cells: Who answers for sums over covers, where.
        shapes: Distributions of each tier.
        multiplicative: The multiplicative tier; None where no season could be learned.
        sparse: The tier for sparse demand.
        similar: The tier for series with few days or none.
    """

    origins: int
    frequency: Frequency
    cells: Cells
    cover_cells: Cells
    shapes: dict[DemandTier, Shapes]
    multiplicative: Multiplicative | None
    sparse: Sparse
    similar: Similar

    def parts(self, tier: DemandTier, records: SeriesRecords, horizon: int) -> Parts | None:
        """Return what a tier's forecast is made of; None of one that is no product."""
        if tier is DemandTier.MULTIPLICATIVE and self.multiplicative is not None:
            return multiplicative(records, horizon, self.multiplicative)
        if tier is DemandTier.SPARSE:
            return sparse(records, horizon, self.sparse)
        return similar(records, horizon, self.similar) if tier is DemandTier.SIMILAR else None

    def expected(self, tier: DemandTier, records: SeriesRecords, horizon: int) -> Floats:
        """Return what a tier expects of each day, shape (n, horizon), units, 0 or more."""
        parts = self.parts(tier, records, horizon)
        opened = open_days(records, horizon)
        if parts is None:
            return seasonal_naive(records, horizon) * opened
        found = parts.expected
        unknown = np.isnan(found)
        if unknown.any():
            found = np.where(unknown, seasonal_naive(records, horizon), found)
        return found * opened

    def daily(
        self,
        tier: DemandTier,
        records: SeriesRecords,
        effect: Floats,
        *,
        sales: bool,
        cells: Indices | None = None,
    ) -> tuple[Floats, Floats]:
        """Answer for each day ahead.

        Args:
            tier: Who answers.
            records: Records of n series.
            effect: What the plan does to each day, as a factor, shape (n, horizon).
            sales: Whether sales are asked for rather than demand in stock.
            cells: What `cells_of` says of the series, where it is at hand.

        Returns:
            Mean, shape (n, horizon), and quantiles, shape (n, horizon, levels), units a day.
        """
        horizon = effect.shape[1]
        expected = self.expected(tier, records, horizon) * effect
        ahead = np.arange(1, horizon + 1)
        of = cells_of(records.state) if cells is None else cells
        group = shape_groups(of[:, None], ahead, expected, sales=sales)
        shapes = self.shapes[tier]
        return expected * shapes.mean[group], expected[:, :, None] * shapes.daily[group]

    def cover(
        self,
        tier: DemandTier,
        records: SeriesRecords,
        effect: Floats,
        covers: Indices,
        *,
        sales: bool,
    ) -> tuple[Floats, Floats]:
        """Answer for the sums over the covers of each series, as `daily` does for its days.

        Args:
            tier: Who answers.
            records: Records of n series.
            effect: What the plan does to each day, as a factor, shape (n, horizon).
            covers: Days of each cover, shape (n, covers), each 1 to horizon.
            sales: Whether sales are asked for rather than demand in stock.

        Returns:
            Mean, shape (n, covers), and quantiles, shape (n, covers, levels), units over each.
        """
        expected = self.expected(tier, records, effect.shape[1]) * effect
        total = np.column_stack([cover_sums(expected, asked) for asked in covers.T])
        cells = np.repeat(cells_of(records.state), covers.shape[1])
        group = shape_groups(cells, covers.reshape(-1), total.reshape(-1), sales=sales)
        shapes = self.shapes[tier]
        factors = shapes.cover[group].reshape(*covers.shape, -1)
        return total * shapes.cover_mean[group].reshape(covers.shape), total[:, :, None] * factors

    def reason(self, cell: int) -> str:
        """Say in a sentence why a cell is answered as it is."""
        pattern, history = divmod(cell, HISTORIES)
        name = DemandPattern(pattern + 1).name.lower().replace("_", " ")
        length = HISTORY_NAMES[history].format(f"{self.frequency.name.lower()}s")
        what = f"{name} demand with {length}"
        tier, weight, gain, series = (part[pattern, history] for part in self.cells)
        if not series:
            return f"{what}: no such series on the past origins, the global model answers"
        if not weight:
            return f"{what}: nothing beat the global model on {self.origins} past origins"
        other = _TIER_NAMES[DemandTier(int(tier))]
        shared = "" if weight == 1 else f", weighing {weight:.0%} beside the global model,"
        return (
            f"{what}: {other}{shared} had {gain:.1%} less loss than the global model "
            f"on {self.origins} past origins"
        )


def cells_of(state: NDArray[np.float32]) -> Indices:
    """Return the cell of each series, shape (n,): its pattern by the length of its history."""
    observed = state[:, STATE["observed_days"].start]
    history = _HISTORY_CUTS.searchsorted(observed, side="right")
    return (patterns(state) - 1) * HISTORIES + history


def shape_groups(
    cell: Indices, ahead: Indices, expected: Floats, *, sales: bool
) -> tuple[Indices, ...]:
    """Return the place of each expectation in the shapes, one index array an axis.

    Args:
        cell: Cell of each series.
        ahead: Days ahead, or days of the cover.
        expected: Expected units of the day or over the cover.
        sales: Whether sales are asked for rather than demand in stock.

    Returns:
        Indices that broadcast to the shape of ``expected``.
    """
    pattern, history = np.divmod(cell, HISTORIES)
    return (
        np.asarray(int(sales)),
        history,
        pattern,
        _AHEAD_CUTS.searchsorted(ahead, side="left"),
        _SIZE_CUTS.searchsorted(expected, side="right"),
    )


def cover_sums(daily: Floats, covers: Indices) -> Floats:
    """Return the sum of each series' first days, as many as its cover, shape (n,)."""
    total, out = np.zeros(daily.shape[0]), np.empty(daily.shape[0])
    for day in range(daily.shape[1]):  # day by day: the same bits in any batch
        total = total + daily[:, day]
        ends = covers == day + 1
        out[ends] = total[ends]
    return out
