"""Anomaly questions: inputs to features, p-values that keep their promise, what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from serving.domain.anomaly import (
    FEATURES,
    INPUTS,
    OWN_FEATURES,
    AnomalyKind,
    AnomalyQuery,
    columns_of,
    feature_rows,
    p_values,
    read_rows,
)
from serving.errors import InvalidField

NONE = np.empty(0, dtype=np.int64)


@pytest.mark.parametrize("kind", AnomalyKind)
def test_each_kind_fills_its_own_columns_only(kind: AnomalyKind) -> None:
    rows = feature_rows(kind, np.ones((2, len(INPUTS[kind]))))
    own = np.zeros(len(FEATURES), dtype=bool)
    own[columns_of(kind)] = own[0] = True
    assert np.isfinite(rows[:, own]).all()
    assert np.isnan(rows[:, ~own]).all()
    assert rows[0, 0] == int(kind)


def test_features_do_not_change_with_the_unit_of_money_or_quantity() -> None:
    sent = np.array([[12.0, 10, 11, 5, 4, 0.02, 0.03]])
    dear = sent * np.array([100, 100, 100, 7, 7, 1, 1])
    assert np.allclose(
        feature_rows(AnomalyKind.COST, sent),
        feature_rows(AnomalyKind.COST, dear),
        equal_nan=True,
        atol=1e-6,
    )


def test_a_missing_or_impossible_input_leaves_its_features_missing() -> None:
    sent = np.array([[np.nan, 10, 11, 5, 4, 0.02, 0.03], [0.0, 10, 11, 5, 4, 0.02, 0.03]])
    rows = feature_rows(AnomalyKind.COST, sent)[:, columns_of(AnomalyKind.COST)]
    assert np.isnan(rows[:, :2]).all()
    assert np.isfinite(rows[:, 2:]).all()


def test_a_day_within_its_forecast_is_less_than_one_spread_away() -> None:
    forecast = [2.0, 10.0, 30.0]
    sent = np.array(
        [[quantity, *forecast, 70, 70, 0, np.nan] for quantity in (2.0, 10.0, 30.0, 70.0)]
    )
    gap = feature_rows(AnomalyKind.DEMAND, sent)[:, columns_of(AnomalyKind.DEMAND)][:, 0]
    assert gap.tolist() == [-1.0, 0.0, 1.0, 3.0]


def test_a_price_that_is_back_where_it_was_did_not_jump() -> None:
    def jump(price: float, usual: float, last: float) -> float:
        sent = np.array([[price, usual, last, 5, 4, 0.02, 0.03]])
        own = feature_rows(AnomalyKind.COST, sent)[:, columns_of(AnomalyKind.COST)]
        return float(own[0, OWN_FEATURES[AnomalyKind.COST].index("price_jump")])

    assert jump(20.0, 10.0, 10.0) == pytest.approx(np.log(2))
    assert jump(10.0, 10.0, 20.0) == 0.0
    assert jump(20.0, 10.0, 19.0) == pytest.approx(np.log(20 / 19))
    assert np.isnan(jump(20.0, 10.0, np.nan))


def test_silence_counts_in_spreads_so_that_great_and_small_sellers_compare() -> None:
    def silence(scale: float, days: float) -> float:
        sent = np.array([[0.0, 20 * scale, 100 * scale, 300 * scale, 0, 700, days, np.nan]])
        own = feature_rows(AnomalyKind.DEMAND, sent)[:, columns_of(AnomalyKind.DEMAND)]
        return float(own[0, OWN_FEATURES[AnomalyKind.DEMAND].index("silent_spreads")])

    assert silence(1.0, 4.0) == pytest.approx(np.log1p(4 * 100 / 80))
    assert silence(100.0, 4.0) == silence(1.0, 4.0) > silence(1.0, 1.0)


def test_a_usual_sale_of_a_part_that_seldom_sells_is_one_spread_away() -> None:
    sent = np.array([[8.0, 0.0, 0.0, 0.0, 8.0, 1.0, 0, 8.0]])
    rows = feature_rows(AnomalyKind.DEMAND, sent)[:, columns_of(AnomalyKind.DEMAND)]
    assert rows[0, 0] == 1.0


def test_p_values_of_usual_rows_are_uniform() -> None:
    rng = np.random.default_rng(0)
    found = p_values(rng.random(10_000), np.sort(rng.random(10_000)))
    for rate in (0.01, 0.05, 0.5):
        assert (found <= rate).mean() == pytest.approx(rate, rel=0.3)
    assert p_values(np.array([0.5]), np.full(9, 0.5)).tolist() == [1.0]  # ties count as great


def test_inputs_are_laid_out_by_name() -> None:
    rows = read_rows(
        AnomalyKind.SUPPLIER_DELAY,
        ("promised_days", "days_taken"),
        np.array([3.0, 4.0, 5.0, 6.0]),
        np.array([3]),
    )
    names = INPUTS[AnomalyKind.SUPPLIER_DELAY]
    assert rows[:, names.index("promised_days")].tolist() == [3.0, 5.0]
    assert rows[0, names.index("days_taken")] == 4.0
    assert np.isnan(rows[1, names.index("days_taken")])
    assert np.isnan(rows[:, names.index("quantity")]).all()


@pytest.mark.parametrize(
    ("inputs", "values", "missing"),
    [
        (("late",), [1.0], NONE),
        (("quantity", "quantity"), [1.0, 2.0], NONE),
        (("quantity", "usual_quantity"), [1.0], NONE),
        (("quantity",), [1.0], np.array([1])),
        (("quantity",), [1.0], np.array([-1])),
    ],
)
def test_what_fills_no_rows_of_a_kind_is_refused(
    inputs: tuple[str, ...],
    values: list[float],
    missing: np.ndarray[tuple[int], np.dtype[np.int64]],
) -> None:
    with pytest.raises(InvalidField):
        read_rows(AnomalyKind.COST, inputs, np.array(values), missing)


def test_more_drivers_than_features_are_refused() -> None:
    most = len(OWN_FEATURES[AnomalyKind.COST])
    row = np.ones((1, len(INPUTS[AnomalyKind.COST])))
    assert AnomalyQuery(AnomalyKind.COST, row, driver_count=most).driver_count == most
    with pytest.raises(InvalidField, match="driver_count"):
        AnomalyQuery(AnomalyKind.COST, row, driver_count=most + 1)
