"""Calibration: margins between weeks, groups too small to stand alone, and shrunken bias."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.domain.features import COLUMN
from tests.fakes.fits import made_up, made_up_rows
from training.conformal import (
    MIN_ORIGINS,
    RARE,
    calibrate,
    conformal_quantile,
    moved_level,
)
from training.demand_rows import Rows

if TYPE_CHECKING:
    from training.graph import Head

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
WEEKS, SERIES = 8, 400
NAMES = ("features", "target", "scale", "series", "origin")


def shocked(rng: np.random.Generator, spread: float, weeks: int = WEEKS) -> np.ndarray:
    """Draw scores of several weeks, each week's moved by a shock of its own."""
    shocks = rng.normal(0.0, spread, weeks)
    return (rng.normal(0.0, 1.0, (SERIES, weeks)) + shocks).T.ravel()


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60), st.floats(0.01, 0.99))
def test_a_conformal_quantile_is_one_of_the_scores_and_mirrors(
    scores: list[float], level: float
) -> None:
    values = np.array(scores)
    found = conformal_quantile(values, level)
    assert found in values
    if level > 0.5:
        assert conformal_quantile(-values, 1.0 - level) == pytest.approx(-found)


def test_conformal_quantiles_cover_what_they_promise() -> None:
    rng = np.random.default_rng(3)
    draws = rng.gamma(1.0, 2.0, (400, 41))
    for level in (0.1, 0.9, 0.98):
        bounds = [conformal_quantile(row[:-1], level) for row in draws]
        below = float((draws[:, -1] <= bounds).mean())
        assert below == pytest.approx(level, abs=0.05)


def test_shared_shocks_move_a_level_outward_so_that_a_new_week_is_covered() -> None:
    rng, origin = np.random.default_rng(4), np.repeat(np.arange(WEEKS), SERIES)
    plain, moved = [], []
    for _ in range(300):
        known, new = shocked(rng, 0.6), shocked(rng, 0.6, weeks=1)
        level = moved_level(known, origin, 0.9)
        assert 0.9 <= level <= 0.99
        plain.append((new <= conformal_quantile(known, 0.9)).mean())
        moved.append((new <= conformal_quantile(known, level)).mean())
    assert np.mean(plain) < 0.895
    assert np.mean(moved) == pytest.approx(0.9, abs=0.01)


def test_without_shocks_a_level_stays_about_where_it_is() -> None:
    rng, origin = np.random.default_rng(5), np.repeat(np.arange(WEEKS), SERIES)
    levels = [moved_level(shocked(rng, 0.0), origin, 0.9) for _ in range(20)]
    assert np.mean(levels) == pytest.approx(0.9, abs=0.01)


def test_the_mirror_image_is_moved_as_far() -> None:
    rng, origin = np.random.default_rng(6), np.repeat(np.arange(WEEKS), SERIES)
    scores = shocked(rng, 0.5)
    mirrored = moved_level(-scores, origin, 0.1)
    assert mirrored == pytest.approx(1.0 - moved_level(scores, origin, 0.9))


def test_too_few_weeks_leave_a_level_where_it_is() -> None:
    scores = np.concatenate([np.zeros(50), np.full(50, 9.0)])
    origin = np.repeat(np.arange(MIN_ORIGINS - 1), 50)
    assert moved_level(scores, origin, 0.9) == 0.9


def weeks_of(head: Head, *, lift: float, noise: float) -> Rows:
    """Draw weeks on which a head's mean is `lift` too high, give or take a shock a week."""
    rng = np.random.default_rng(1)
    features = made_up_rows(rng, WEEKS * SERIES)
    forecast = np.maximum(head.boosters.mean.predict(features), 0.0)
    shocks = np.repeat(np.exp(rng.normal(0.0, noise, WEEKS)), SERIES)
    return Rows(
        features=features,
        target=forecast / (1.0 + lift) * shocks,
        scale=features[:, COLUMN["scale"]].astype(np.float64),
        series=np.arange(len(features)),
        origin=np.repeat(np.arange(WEEKS), SERIES),
    )


def test_a_group_without_rows_takes_the_factors_of_a_wider_one() -> None:
    head = made_up().fit.daily
    rows = weeks_of(head, lift=0.1, noise=0.2)
    frequent = np.nan_to_num(rows.features[:, COLUMN["interval"]]) < RARE
    kept = Rows(*(getattr(rows, one)[frequent] for one in NAMES))
    found = calibrate(head.boosters, kept, LEVELS)
    pattern = [name for name, _ in found.cuts].index("interval")
    rare = np.asarray(found.factors.take(1, axis=pattern))
    assert (rare[..., -1] > 0).all()
    assert (rare == rare[:, :1]).all(), "the same for every scale"
    assert (np.diff(found.factors, axis=-1) >= 0).all()
