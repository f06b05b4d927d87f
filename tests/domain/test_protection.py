"""Demand over a protection interval: completed quantiles, mixtures and what follows from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from serving.domain import lead_times
from serving.domain.protection import (
    Protection,
    at_most,
    complete,
    fill_rate,
    level_for_fill_rate,
    loss,
    mean,
    nothing,
    quantile,
)
from serving.errors import InvalidField

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

LEVELS = (0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
ladders = st.lists(
    st.lists(st.integers(0, 10**4), min_size=8, max_size=8).map(sorted), min_size=1, max_size=4
)


def mixture(ladder: list[list[int]] | Floats, weights: list[float] | None = None) -> Protection:
    quantiles = np.asarray(ladder, dtype=np.float64)[None]
    shares = np.ones(quantiles.shape[1]) if weights is None else np.array(weights)
    return complete(LEVELS, quantiles, (shares / shares.sum())[None])


def drawn(demand: Protection, count: int = 400_001) -> Floats:
    """Return paths of each cover at evenly spread probabilities, and their weights."""
    paths = np.linspace(0, 1, count)
    return np.stack([np.interp(paths, demand.levels, one) for one in demand.quantiles[0]])


@pytest.mark.parametrize("level", [0.02, 0.3, 0.5, 0.8, 0.95, 0.985, 0.99])
def test_a_mixture_over_lead_times_is_exact(level: float) -> None:
    ladder = np.stack([stats.gamma.ppf(LEVELS, a=2.0 * days) for days in (3, 5, 9)])
    weights = [0.5, 0.3, 0.2]
    demand = mixture(ladder, weights)
    paths = drawn(demand)
    units = np.sort(paths.ravel())
    shares = np.repeat(weights, paths.shape[1])[np.argsort(paths.ravel(), kind="stable")]
    expected = units[np.searchsorted(shares.cumsum() / shares.sum(), level)]
    found = quantile(demand, np.array([level]))
    assert found[0] == pytest.approx(expected, rel=1e-4)
    assert at_most(demand, found)[0] == pytest.approx(level, abs=1e-9)
    short = np.average(np.maximum(paths - expected, 0).mean(axis=1), weights=weights)
    assert loss(demand, np.array([expected]))[0] == pytest.approx(short, rel=1e-3, abs=1e-6)


def test_the_tail_beyond_the_quantiles_is_that_of_an_exponential_law() -> None:
    ladder = np.array([stats.expon.ppf(LEVELS, scale=3.0)])
    demand = mixture(ladder)
    far = stats.expon.ppf(0.998, scale=3.0)
    assert quantile(demand, np.array([0.998]))[0] == pytest.approx(far, rel=1e-9)
    assert loss(demand, np.array([far]))[0] == pytest.approx(3.0 * 0.002, rel=0.1)


@given(ladder=ladders, low=st.floats(0.02, 0.99), high=st.floats(0.02, 0.99))
def test_a_higher_level_never_has_a_lower_quantile(
    ladder: list[list[int]], low: float, high: float
) -> None:
    low, high = sorted((low, high))
    demand = mixture(ladder)
    few, many = (quantile(demand, np.array([level]))[0] for level in (low, high))
    assert few <= many + 1e-9
    assert at_most(demand, np.array([many]))[0] >= high - 1e-9


@given(ladder=ladders, scale=st.floats(0.1, 10), level=st.floats(0.02, 0.99))
def test_quantiles_and_losses_follow_the_unit_of_measure(
    ladder: list[list[int]], scale: float, level: float
) -> None:
    once = mixture(ladder)
    scaled = Protection(once.levels, once.quantiles * scale, once.weights)
    at = quantile(once, np.array([level]))
    assert quantile(scaled, np.array([level]))[0] == pytest.approx(at[0] * scale, abs=1e-6)
    assert loss(scaled, at * scale)[0] == pytest.approx(loss(once, at)[0] * scale, abs=1e-6)


@given(ladder=ladders, pads=st.integers(1, 3), level=st.floats(0.02, 0.99))
def test_covers_of_no_probability_change_no_bit(
    ladder: list[list[int]], pads: int, level: float
) -> None:
    bare = mixture(ladder)
    padded = Protection(
        bare.levels,
        np.concatenate([bare.quantiles, np.zeros((1, pads, bare.levels.size))], axis=1),
        np.concatenate([bare.weights, np.zeros((1, pads))], axis=1),
    )
    at = quantile(bare, np.array([level]))
    assert quantile(padded, np.array([level])).tobytes() == at.tobytes()
    assert loss(padded, at).tobytes() == loss(bare, at).tobytes()
    assert at_most(padded, at).tobytes() == at_most(bare, at).tobytes()


@given(ladder=ladders, wanted=st.floats(0.5, 0.99))
def test_the_level_for_a_fill_rate_is_the_least_that_has_it(
    ladder: list[list[int]], wanted: float
) -> None:
    demand, lead = mixture(ladder), nothing(1)
    level = level_for_fill_rate(demand, lead, np.array([wanted]))
    assert fill_rate(demand, lead, level)[0] >= wanted - 1e-9
    if level[0] > 1e-6:
        assert fill_rate(demand, lead, level * (1 - 1e-6))[0] < wanted + 1e-9


def test_the_fill_rate_counts_what_the_lead_time_lost_before() -> None:
    cover, lead = mixture([[0, 2, 4, 6, 8, 10, 12, 20]]), mixture([[0, 1, 2, 3, 4, 5, 6, 10]])
    at = np.array([9.0])
    asked = mean(cover) - mean(lead)
    expected = 1 - (loss(cover, at) - loss(lead, at)) / asked
    assert fill_rate(cover, lead, at) == pytest.approx(expected)
    assert fill_rate(cover, lead, np.array([0.0]))[0] == pytest.approx(0.0)
    assert fill_rate(cover, lead, np.array([1e6]))[0] == 1.0


def test_without_a_review_period_the_fill_rate_is_that_of_single_units() -> None:
    cover = mixture([[0, 2, 4, 6, 8, 10, 12, 20]])
    at = np.array([9.0])
    assert fill_rate(cover, cover, at)[0] == pytest.approx(at_most(cover, at)[0])


@pytest.mark.parametrize("bounds", [lead_times.FINE, lead_times.FEW])
@given(mean_days=st.floats(1, 60), spread=st.floats(0.05, 0.6))
def test_a_gamma_lead_time_keeps_its_mean_and_nearly_its_deviation(
    bounds: tuple[float, ...], mean_days: float, spread: float
) -> None:
    found = lead_times.gamma(mean_days, spread * mean_days, bounds)
    assert sum(found.weights) == pytest.approx(1.0)
    assert len(found.days) <= len(bounds) + 1
    assert found.mean == pytest.approx(mean_days, rel=0.05, abs=0.5)
    assert found.std == pytest.approx(spread * mean_days, rel=0.15, abs=0.6)


def test_a_lead_time_without_spread_is_certain_and_not_rounded() -> None:
    assert lead_times.gamma(3.5, 0.0) == lead_times.fixed(3.5)
    assert lead_times.gamma(0.0, 2.0) == lead_times.fixed(0.0)


@pytest.mark.parametrize("std", [np.inf, np.nan, -1.0, 1e9])
def test_a_lead_time_of_infinite_or_absurd_variance_is_refused(std: float) -> None:
    with pytest.raises(InvalidField) as refused:
        lead_times.gamma(10.0, std)
    assert refused.value.field == "std_days"


@pytest.mark.parametrize(
    ("days", "weights", "field"),
    [
        ((), (), "weights"),
        ((1.0, 2.0), (1.0,), "weights"),
        ((2.0, 1.0), (0.5, 0.5), "days[1]"),
        ((-1.0,), (1.0,), "days[0]"),
        ((1.0, 2.0), (0.5, 0.4), "weights"),
        ((1.0, 2.0), (1.0, 0.0), "weights[1]"),
    ],
)
def test_a_lead_time_that_is_no_distribution_is_refused(
    days: tuple[float, ...], weights: tuple[float, ...], field: str
) -> None:
    with pytest.raises(InvalidField) as refused:
        lead_times.LeadTime(days, weights)
    assert refused.value.field == field
