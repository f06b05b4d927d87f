from __future__ import annotations

import numpy as np
import pytest

from training.metrics import bias, coverage, pinball, point_metrics, rmsse, wmape

ACTUAL = np.array([0.0, 10.0, 20.0, 5.0, 0.0, 15.0])
FORECAST = np.array([1.0, 8.0, 25.0, 5.0, 2.0, 12.0])


def test_wmape_and_bias_are_undefined_where_nothing_sold() -> None:
    assert np.isnan(wmape(np.zeros(3), np.ones(3)))
    assert np.isnan(bias(np.zeros(3), np.ones(3)))


def test_a_positive_bias_means_too_much() -> None:
    assert bias(ACTUAL, FORECAST + 1) > bias(ACTUAL, FORECAST) > 0


@pytest.mark.parametrize("factor", [0.01, 7.0])
def test_shares_do_not_depend_on_the_unit(factor: float) -> None:
    for metric in (wmape, bias):
        scaled = metric(ACTUAL * factor, FORECAST * factor)
        assert scaled == pytest.approx(metric(ACTUAL, FORECAST))


def test_the_median_minimises_the_pinball_loss_at_a_half() -> None:
    losses = [pinball(ACTUAL, np.full((6, 1), at), (0.5,))[0] for at in np.arange(0.0, 21.0)]
    assert int(np.argmin(losses)) in range(5, 11)
    mean_absolute = np.abs(ACTUAL - 7.0).mean()
    assert pinball(ACTUAL, np.full((6, 1), 7.0), (0.5,))[0] == pytest.approx(mean_absolute / 2)


def test_coverage_counts_both_ends() -> None:
    assert coverage(ACTUAL, ACTUAL, ACTUAL) == 1.0
    assert coverage(ACTUAL, FORECAST, FORECAST) == pytest.approx(1 / 6)
    assert np.isnan(coverage(np.empty(0), np.empty(0), np.empty(0)))


def test_accuracy_is_of_the_median_and_bias_of_the_mean() -> None:
    found = point_metrics(ACTUAL, FORECAST, ACTUAL)
    assert found["bias"] == 0.0
    assert found["wmape"] == pytest.approx(wmape(ACTUAL, FORECAST))
    assert found["mae"] == pytest.approx(13 / 6)


def test_a_percentage_error_is_of_the_days_on_which_anything_sold() -> None:
    found = point_metrics(ACTUAL, ACTUAL * 1.1 + 0.0, ACTUAL)
    assert found["rmspe"] == pytest.approx(0.1)
    assert np.isnan(point_metrics(np.zeros(2), np.ones(2), np.ones(2))["rmspe"])


def test_the_naive_forecast_has_a_scaled_error_of_one() -> None:
    history = np.array([[1.0, 3.0], [2.0, 3.0], [1.0, 3.0]])
    found = rmsse(np.array([[2.0, 3.0]]), np.array([[1.0, 3.0]]), history)
    assert found[0] == pytest.approx(1.0)
    assert np.isnan(found[1]), "a history that never changes scales nothing"
