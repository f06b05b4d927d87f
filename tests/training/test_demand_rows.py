"""Training rows: what they are targets of, and that they stay within the days allowed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from serving.domain.features import COLUMN
from serving.domain.history import demand_states
from training.demand_rows import (
    MIN_YEARLY_DAYS,
    NEAR_HOLIDAY_DAYS,
    NO_PLAN_SHARE,
    Rows,
    Sampling,
    days_per_series,
    fit_rows,
    sample_rows,
)

if TYPE_CHECKING:
    from training.panel import Panel

HORIZON, LAST = 20, 180
ORIGINS = [60, 100, 140, 170]


@pytest.fixture(scope="module")
def drawn(panel: Panel) -> tuple[Rows, Rows]:
    return sample_rows(panel, completed(panel), ORIGINS, Sampling(HORIZON, LAST, 2_000, seed=3))


def completed(panel: Panel) -> np.ndarray:
    ((_, _, done),) = demand_states(panel.history, [panel.history.days - 1])
    return done


def test_targets_lie_after_the_origin_and_not_beyond_the_last_day(
    drawn: tuple[Rows, Rows],
) -> None:
    for rows in drawn:
        ahead = rows.features[:, COLUMN["horizon"]].astype(int)
        assert (ahead >= 1).all()
        assert (ahead <= HORIZON).all()
        assert (rows.origin + ahead <= LAST).all()
        assert set(rows.origin.tolist()) == set(ORIGINS)


def test_a_daily_target_is_the_quantity_of_its_day_over_the_scale(
    panel: Panel, drawn: tuple[Rows, Rows]
) -> None:
    daily, _ = drawn
    day = daily.origin + daily.features[:, COLUMN["horizon"]].astype(int)
    sold = panel.history.quantity[day, daily.series]
    assert daily.target * daily.scale == pytest.approx(sold)
    assert np.array_equal(daily.scale.astype(np.float32), daily.features[:, COLUMN["scale"]])


def test_few_days_are_drawn_of_each_of_many_series_and_more_of_each_of_few() -> None:
    ask = Sampling(HORIZON, LAST, 10_000, seed=3)
    assert [days_per_series(ask, len(ORIGINS), series) for series in (10_000, 500, 50)] == [2, 5, 7]
    short = Sampling(1, LAST, 10_000, seed=3)
    assert days_per_series(short, len(ORIGINS), 10_000) == 1, "no more than there are"


def test_a_demand_target_is_a_day_in_stock(panel: Panel, drawn: tuple[Rows, Rows]) -> None:
    daily, _ = drawn
    day = daily.origin + daily.features[:, COLUMN["horizon"]].astype(int)
    demand = daily.features[:, COLUMN["sales_target"]] == 0
    available = panel.history.available[day, daily.series]
    assert (available[demand] >= 1.0 - 1e-9).all()
    assert (available[~demand] < 1.0).any(), "sales are what was sold, in stock or not"


def test_a_cover_target_is_the_mean_day_of_its_sum(panel: Panel, drawn: tuple[Rows, Rows]) -> None:
    _, cover = drawn
    done = completed(panel)
    for row in range(0, len(cover.target), 17):
        days = int(cover.features[row, COLUMN["horizon"]])
        sales = cover.features[row, COLUMN["sales_target"]] > 0
        values = panel.history.quantity if sales else done
        origin, series = cover.origin[row], cover.series[row]
        total = values[origin + 1 : origin + 1 + days, series].sum()
        assert cover.target[row] * cover.scale[row] * days == pytest.approx(total)


def test_some_rows_are_shown_no_plan(drawn: tuple[Rows, Rows]) -> None:
    daily, _ = drawn
    unplanned = float((daily.features[:, COLUMN["planned"]] == 0).mean())
    assert unplanned == pytest.approx(NO_PLAN_SHARE, abs=0.12)


def test_the_same_seed_draws_the_same_rows(panel: Panel, drawn: tuple[Rows, Rows]) -> None:
    ask = Sampling(HORIZON, LAST, 2_000, seed=3)
    again = sample_rows(panel, completed(panel), ORIGINS, ask)
    other = sample_rows(panel, completed(panel), ORIGINS, Sampling(HORIZON, LAST, 2_000, seed=4))
    for one, same, different in zip(drawn, again, other, strict=True):
        assert one.features.tobytes() == same.features.tobytes()
        assert one.features.tobytes() != different.features.tobytes()


def test_a_short_history_tells_only_near_holidays_apart(drawn: tuple[Rows, Rows]) -> None:
    daily, _ = drawn
    column = COLUMN["days_to_holiday"]
    before = daily.features[:, column]
    near = fit_rows(daily, MIN_YEARLY_DAYS - 1, near_holidays_only=True).features[:, column]
    assert before.max() > NEAR_HOLIDAY_DAYS == near.max()
    assert np.array_equal(near[before < NEAR_HOLIDAY_DAYS], before[before < NEAR_HOLIDAY_DAYS])
    long = fit_rows(daily, MIN_YEARLY_DAYS, near_holidays_only=True).features[:, column]
    assert np.array_equal(long, before)
