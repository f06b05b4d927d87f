"""A table of routes in which every tier answers somewhere."""

from __future__ import annotations

import numpy as np

from serving.domain.demand import QUANTILE_LEVELS
from serving.domain.periods import Frequency
from serving.domain.routes import HISTORIES, PATTERNS, SHAPE_GROUPS, Cells, Routes, Shapes
from serving.domain.tiers import (
    YEAR_SLOTS,
    DemandTier,
    LevelKind,
    Multiplicative,
    Similar,
    Sparse,
    SparseMethod,
)
from tests.fakes.demand import COVER_LEVELS


def routes(frequency: Frequency = Frequency.DAY) -> Routes:
    """Return a table drawn from a fixed seed: cells, weights and distributions all differ."""
    rng = np.random.default_rng(5)
    cells = (PATTERNS, HISTORIES)
    return Routes(
        origins=4,
        frequency=frequency,
        cells=Cells(
            tier=rng.integers(2, 6, cells),
            weight=rng.choice([0.0, 0.25, 0.5, 1.0], cells),
            gain=rng.random(cells),
            series=rng.integers(1, 90, cells),
        ),
        cover_cells=Cells(
            tier=rng.integers(2, 6, cells),
            weight=rng.choice([0.0, 0.25, 0.5, 1.0], cells),
            gain=rng.random(cells),
            series=rng.integers(1, 90, cells),
        ),
        shapes={
            tier: Shapes(
                mean=rng.random(SHAPE_GROUPS) + 0.5,
                daily=np.sort(rng.random((*SHAPE_GROUPS, len(QUANTILE_LEVELS))) * 3.0, axis=-1),
                cover_mean=rng.random(SHAPE_GROUPS) + 0.5,
                cover=np.sort(rng.random((*SHAPE_GROUPS, len(COVER_LEVELS))) * 3.0, axis=-1),
            )
            for tier in DemandTier
            if tier is not DemandTier.GLOBAL_MODEL
        },
        multiplicative=Multiplicative(
            LevelKind.PEERS, 0.5, np.linspace(0.7, 1.3, 7), 1.0 + 0.3 * rng.random(YEAR_SLOTS)
        ),
        sparse=Sparse(SparseMethod.TSB, 0.1, 1.0),
        similar=Similar(7.0, 0.5, 3.0, np.array([1.4, 1.0, 0.6])),
    )
