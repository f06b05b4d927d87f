"""Levels of the policies against figures worked by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy import stats

from serving.domain.cover_demand import CoverDemand, CoverForecast
from serving.domain.reorder_levels import ReorderTerms
from serving.errors import InvalidField
from training.simulate.policies import POLICIES, Review, check_policies, weighted_levels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


def review(past: Floats, *, level: float = 0.95, demand: CoverDemand | None = None) -> Review:
    series = past.shape[1]
    zero = np.zeros(series)
    terms = ReorderTerms(
        on_hand=zero,
        on_order=zero,
        backorders=zero,
        lead_time_days=zero + 3,
        lead_time_std_days=zero + 1,
        review_days=zero + 1,
        service_level=zero + level,
        minimum_order_quantity=zero,
        pack_size=zero,
        target_kind=zero + 1,
    )
    return Review(terms, past, demand)


def test_the_textbook_counts_both_variances_and_demand_only_one() -> None:
    past = np.tile([[8.0], [12.0]], (10, 1))
    deviation = past.std(ddof=1)
    z = stats.norm.ppf(0.95)
    both = 10 * 4 + z * np.sqrt(4 * deviation**2 + 10**2)
    one = 10 * 4 + z * 2 * deviation
    assert POLICIES["textbook"](review(past))[0] == pytest.approx(both)
    assert POLICIES["demand-only"](review(past))[0] == pytest.approx(one)


def test_the_empirical_level_is_the_quantile_of_sums_that_were_recorded_throughout() -> None:
    past = np.array([np.nan, 1, 2, 3, 4, 5, np.nan, 1, 1, 1, 1], dtype=float)[:, None]
    sums = [1 + 2 + 3 + 4, 2 + 3 + 4 + 5, 4]
    wanted = np.quantile(sums, 0.6)
    assert POLICIES["empirical"](review(past, level=0.6))[0] == pytest.approx(wanted)


def test_the_pooled_level_scales_what_all_series_did_to_their_levels() -> None:
    # Steady demand is what its level says, whatever its size: the factor is 1.
    past = np.tile([[2.0, 20.0]], (30, 1))
    assert POLICIES["pooled"](review(past)) == pytest.approx([8.0, 80.0])


def test_base_stock_covers_the_lead_time_and_a_day() -> None:
    past = np.tile([[2.0]], (30, 1))
    assert POLICIES["base-stock"](review(past))[0] == stats.poisson.ppf(0.95, 8)


def test_the_weighted_level_halves_its_weights_every_twelve_days() -> None:
    past = np.zeros((13, 1))
    past[0] = 1.0
    weights = 0.5 ** (np.arange(12, -1, -1) / 12.0)
    assert weighted_levels(past)[-1, 0] == pytest.approx(weights[0] / weights.sum())


def test_the_forecast_policy_takes_the_quantile_serving_takes() -> None:
    past = np.zeros((3, 1))
    quantiles = np.array([[[10.0, 20.0, 36.0]]])
    demand = CoverDemand.of(
        CoverForecast(
            levels=(0.5, 0.9, 0.98),
            quantiles=quantiles,
            means=np.array([[11.0]]),
            lead_quantiles=np.zeros_like(quantiles),
            weights=np.ones((1, 1)),
            daily_mean=np.array([2.75]),
            daily_std=np.array([1.0]),
        )
    )
    assert POLICIES["forecast"](review(past, level=0.94, demand=demand))[0] == pytest.approx(28.0)


def test_the_forecast_policy_needs_a_model() -> None:
    with pytest.raises(InvalidField):
        POLICIES["forecast"](review(np.zeros((3, 1))))


@pytest.mark.parametrize("name", [name for name in POLICIES if name != "forecast"])
def test_a_series_that_never_sold_is_not_stocked(name: str) -> None:
    assert POLICIES[name](review(np.zeros((40, 1))))[0] == 0


@pytest.mark.parametrize("names", [(), ("forecast", "forecast"), ("guess",)])
def test_policies_nobody_knows_are_refused(names: tuple[str, ...]) -> None:
    with pytest.raises(InvalidField, match="policies"):
        check_policies(names)
