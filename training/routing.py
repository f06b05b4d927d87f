"""Learn who answers for which series: every tier and the global model on the same past origins.

The options of each tier are chosen by the deviance of what it expects; its distribution is fitted
to half of the origins and judged on the other half, and the other way round. A cell leaves the
global model only where another answer, alone or beside it, had clearly less pinball loss. Days and
sums are judged apart: who errs less on single days of sparse demand need not on their sum.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from serving.domain.routes import (
    HISTORIES,
    PATTERNS,
    Cells,
    Routes,
    Shapes,
    cells_of,
    cover_sums,
    shape_groups,
)
from serving.domain.tiers import (
    DemandTier,
)
from training.shapes import fit_shape
from training.tails import rising_tail
from training.tier_options import Known, choose_options

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from training.route_scenes import Scene

    Floats = NDArray[np.float64]
    Candidate = tuple[DemandTier, float]  # who answers beside the global model, with what weight
    Laid = tuple[NDArray[np.int64], Floats, Floats]  # places in the shapes, expected, actual

WEIGHTS = (0.25, 0.5, 0.75, 1.0)
MIN_GAIN = 0.01  # less is not worth leaving the global model for
MIN_SERIES = 30  # series, counted once an origin, below which a cell stays with the global model
_LEAST = 1e-6  # units a day taken for none, where a logarithm or a division needs some


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """What every tier expects of a scene.

    Attributes:
        scene: The series and what became of them.
        daily: Units expected of each scored day by tier, each of shape (n, d).
        covers: Units expected over each cover by tier, each of shape (n, c).
    """

    scene: Scene
    daily: Mapping[DemandTier, Floats]
    covers: Mapping[DemandTier, Floats]


@dataclass(frozen=True, slots=True)
class Levels:
    """Probability levels of the two heads."""

    daily: tuple[float, ...]
    cover: tuple[float, ...]


def learn(
    scenes: Sequence[Scene], known: Mapping[int, Known], last: Known, levels: Levels
) -> Routes:
    """Choose tiers, options and weights on past origins.

    Args:
        scenes: The origins, with the answers of the global model.
        known: What was known at each origin.
        last: What is known at the day the table serves from.
        levels: Probability levels of the daily and the cover head.
    """
    options = choose_options(scenes, known)
    tiers: list[DemandTier] = [tier for tier in DemandTier if tier != DemandTier.GLOBAL_MODEL]
    if options.multiplicative is None:
        tiers.remove(DemandTier.MULTIPLICATIVE)
    origins = len({scene.origin for scene in scenes})
    answers = [_answers(scene, options.routes(known[scene.origin], 0), tiers) for scene in scenes]
    shapes = {tier: _shapes(answers, tier, levels) for tier in tiers}
    cells, cover_cells = choose_cells(answers, tiers, levels)
    return replace(
        options.routes(last, origins), shapes=shapes, cells=cells, cover_cells=cover_cells
    )


def choose_cells(
    answers: Sequence[Answers], tiers: Sequence[DemandTier], levels: Levels
) -> tuple[Cells, Cells]:
    """Choose who answers for each pattern and history, shapes fitted to the other half of origins.

    Args:
        answers: What the tiers expect of each scene.
        tiers: The tiers that may answer.
        levels: Probability levels of the two heads.

    Returns:
        Who answers for days, and who for sums.
    """
    origins = sorted({one.scene.origin for one in answers})
    candidates = list(product(tiers, WEIGHTS))
    losses = np.zeros((2, len(origins), 1 + len(candidates), PATTERNS * HISTORIES))
    series = np.zeros(PATTERNS * HISTORIES, dtype=np.int64)
    for half in range(min(2, len(origins))):
        judged = set(origins[half::2])
        mine = [one for one in answers if one.scene.origin in judged]
        others = [one for one in answers if one.scene.origin not in judged] or mine
        shapes = {tier: _shapes(others, tier, levels) for tier in tiers}
        for one in mine:
            cells = cells_of(one.scene.records.state)
            series += np.bincount(cells, minlength=series.size)
            at = origins.index(one.scene.origin)
            for index, both in enumerate(_losses(one, shapes, candidates, levels)):
                for head, loss in enumerate(both):
                    losses[head, at, index] += np.bincount(cells, loss, series.size)
    of_days, of_sums = (_chosen(one, candidates, series) for one in losses)
    return of_days, of_sums


def _chosen(losses: Floats, candidates: Sequence[Candidate], series: NDArray[np.int64]) -> Cells:
    """Return the best candidate of each cell; losses of shape (origins, 1 + candidates, cells)."""
    total = losses.sum(axis=0)
    best = np.argmin(total[1:], axis=0)
    columns = np.arange(series.size)
    usual = total[0]
    gain = 1.0 - total[1 + best, columns] / np.where(usual > 0, usual, np.inf)
    won = (losses[:, 1 + best, columns] < losses[:, 0]).sum(axis=0) * 2 > len(losses)
    taken = won & (gain >= MIN_GAIN) & (series >= MIN_SERIES)
    tier = np.array([int(who) for who, _ in candidates])[best]
    weight = np.array([share for _, share in candidates])[best]
    shape = (PATTERNS, HISTORIES)
    return Cells(
        tier=np.where(taken, tier, int(DemandTier.GLOBAL_MODEL)).reshape(shape),
        weight=np.where(taken, weight, 0.0).reshape(shape),
        gain=np.where(taken, gain, 0.0).reshape(shape),
        series=series.reshape(shape),
    )


def _answers(scene: Scene, routes: Routes, tiers: Sequence[DemandTier]) -> Answers:
    daily: dict[DemandTier, Floats] = {}
    covers: dict[DemandTier, Floats] = {}
    for tier in tiers:
        expected = routes.expected(tier, scene.records, scene.effect.shape[1]) * scene.effect
        daily[tier] = expected[:, scene.days - 1]
        sums = [cover_sums(expected, np.full(len(expected), days)) for days in scene.covers]
        covers[tier] = np.stack(sums, axis=1)
    return Answers(scene, daily, covers)


def _shapes(answers: Sequence[Answers], tier: DemandTier, levels: Levels) -> Shapes:
    daily: list[Laid] = []
    covers: list[Laid] = []
    for one in answers:
        scene = one.scene
        for sales, actual, sums in (
            (False, scene.demand, scene.demand_sums),
            (True, scene.sales, scene.sales_sums),
        ):
            daily.append(_laid(scene, scene.days, one.daily[tier], actual, sales=sales))
            covers.append(_laid(scene, scene.covers, one.covers[tier], sums, sales=sales))
    cover_mean, cover = _fitted(covers, levels.cover)
    return Shapes(*_fitted(daily, levels.daily), cover_mean, rising_tail(cover, levels.cover))


def _laid(
    scene: Scene, ahead: NDArray[np.int64], expected: Floats, actual: Floats, *, sales: bool
) -> Laid:
    """Lay expectations, and what came, out as rows with their places in the shapes."""
    cells = cells_of(scene.records.state)[:, None]
    group = np.broadcast_arrays(*shape_groups(cells, ahead[None], expected, sales=sales))
    places = np.stack([part.reshape(-1) for part in group])
    return places, expected.reshape(-1), actual.reshape(-1)


def _fitted(rows: Sequence[Laid], levels: Sequence[float]) -> tuple[Floats, Floats]:
    groups, expected, actual = (np.concatenate(part, axis=-1) for part in zip(*rows, strict=True))
    return fit_shape(groups, expected, actual, levels)


def _losses(
    one: Answers,
    shapes: Mapping[DemandTier, Shapes],
    candidates: Sequence[Candidate],
    levels: Levels,
) -> Iterator[tuple[Floats, Floats]]:
    """Yield each series' pinball loss of days and of sums: the global model's, each candidate's."""
    scene = one.scene
    cells = cells_of(scene.records.state)[:, None]

    def loss(days: Floats, sums: Floats) -> tuple[Floats, Floats]:
        return (
            _pinball(scene.demand, days, levels.daily),
            _pinball(scene.demand_sums, sums, levels.cover),
        )

    def spread_out(expected: Floats, ahead: NDArray[np.int64], shape: Floats) -> Floats:
        group = shape_groups(cells, ahead[None], expected, sales=False)
        return np.asarray(expected[:, :, None] * shape[group])

    yield loss(scene.model, scene.model_sums)
    for tier, weight in candidates:
        by, rest = shapes[tier], 1.0 - weight
        days = spread_out(one.daily[tier], scene.days, by.daily)
        sums = spread_out(one.covers[tier], scene.covers, by.cover)
        yield loss(weight * days + rest * scene.model, weight * sums + rest * scene.model_sums)


def _pinball(actual: Floats, quantiles: Floats, levels: Sequence[float]) -> Floats:
    gap = actual[:, :, None] - quantiles
    level = np.asarray(levels)
    return np.asarray(np.nansum(np.maximum(level * gap, (level - 1.0) * gap), axis=(1, 2)))
