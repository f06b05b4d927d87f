"""Days of sales as rows to score: what nobody reported, and what one day does to its week."""

from __future__ import annotations

import numpy as np

from serving.domain.anomaly import WEEK
from training.anomaly_days import (
    LEAST_SERIES,
    REACH,
    _past_launch,
    _unreported,
    _usual_sale,
    _within_reach,
)
from training.gaps import LEAST_DAYS

PLACES = np.repeat(["east", "west"], LEAST_SERIES)


def test_weeks_without_any_sale_of_a_location_are_missing_data() -> None:
    sold = np.ones((60, PLACES.size))
    sold[10 : 10 + LEAST_DAYS, PLACES == "east"] = 0.0
    sold[40:50, PLACES == "west"] = 0.0  # a holiday is no gap
    found = _unreported(sold, PLACES)
    assert found[10 : 10 + LEAST_DAYS, PLACES == "east"].all()
    assert found.sum() == LEAST_DAYS * LEAST_SERIES


def test_a_few_parts_that_sell_nothing_are_no_silent_location() -> None:
    assert not _unreported(np.zeros((60, 2)), np.array(["east", "east"])).any()


def test_the_first_week_of_a_part_that_is_launched_is_not_held_against_its_forecast() -> None:
    sold = np.ones((30, 2))
    sold[:10, 0] = np.nan  # launched on the eleventh day
    sold[12, 0] = np.nan
    found = _past_launch(sold)
    assert np.flatnonzero(found[:, 0])[0] == 10 + 1 + WEEK
    assert np.flatnonzero(found[:, 1])[0] == WEEK


def test_a_usual_sale_is_the_mean_of_earlier_days_that_sold() -> None:
    sold = np.array([[0.0], [4.0], [np.nan], [0.0], [8.0], [1.0]])
    assert _usual_sale(sold)[:, 0].tolist()[2:] == [4.0, 4.0, 4.0, 6.0]
    assert np.isnan(_usual_sale(sold)[:2]).all()


def test_a_day_far_above_its_forecast_counts_in_the_week_up_to_its_reach() -> None:
    quantiles = np.array([[[2.0, 10.0, 15.0]]])
    for sold, counted in ((12.0, 12.0), (500.0, 10.0 + REACH * 5.0), (0.0, 0.0)):
        assert _within_reach(np.array([[sold]]), quantiles, np.array([[np.nan]])) == counted
