"""Backtests: figures with known values, no look ahead, and a second run from the cache."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest
from rich.console import Console

from serving.domain.demand import DemandTarget
from serving.domain.features import COLUMN
from serving.domain.history import STATE, STATE_WIDTH, TAIL, History
from serving.errors import InvalidField
from training.backtest import runs, score
from training.backtest.baselines import baselines, pooled_days, sales_states
from training.backtest.floor import noise_floor, true_median
from training.backtest.forecasts import forecast_daily
from training.backtest.graphs import kept_fit
from training.backtest.intervals import bootstrap_gain
from training.backtest.page import forecast_page
from training.backtest.report import report_tables
from training.backtest.reported import reported
from training.backtest.runs import BacktestJob, backtest, mean_figures
from training.backtest.scene import set_scene
from training.backtest.slices import patterns
from training.backtest.worst import worst_series
from training.content import Recipe
from training.panel import load_panel
from training.world import Profile, generate
from training.world.generation import default_truth

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from serving.domain.model import ModelDescription
    from training.panel import Panel

WORLD = Profile(name="backtest", skus=6, locations=3, days=120, plan_days=30, skus_per_part=6)
HORIZON = 10
RECIPE = Recipe(horizon=HORIZON, rows=4000, trees=10, leaves=7)
LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
COVER_LEVELS = (0.5, 0.8, 0.95)


class FakeModel:
    """Forecasts the same number for every day and level, and that many times the cover."""

    routes = boxes = totals = None

    def __init__(self, description: ModelDescription, value: float) -> None:
        self.description = description
        self._value = value

    def daily(self, rows: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        mean = np.full(len(rows), self._value, dtype=np.float32)
        return mean, np.repeat(mean[:, None], len(LEVELS), axis=1)

    def cover(self, rows: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        mean = self._value * rows[:, COLUMN["horizon"]]
        return mean, np.repeat(mean[:, None], len(COVER_LEVELS), axis=1)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generate(WORLD, 3, tmp_path_factory.mktemp("backtest") / "world" / "tables").out


@pytest.fixture(scope="module")
def panel(data: Path) -> Panel:
    return load_panel(data)


@pytest.fixture(scope="module")
def job(data: Path, tmp_path_factory: pytest.TempPathFactory) -> BacktestJob:
    last = load_panel(data).history.last_day.astype(object)
    origins = (last - dt.timedelta(days=HORIZON), last - dt.timedelta(days=4))
    return BacktestJob(data, tmp_path_factory.mktemp("cache"), origins, HORIZON, RECIPE)


@pytest.fixture(scope="module")
def scored(job: BacktestJob) -> list[runs.OriginScore]:
    return backtest(job, lambda _: None)


@pytest.fixture(scope="module")
def description(job: BacktestJob, scored: list[runs.OriginScore]) -> ModelDescription:
    fit = kept_fit(next((job.cache / "fits").iterdir()))
    assert scored
    assert fit is not None
    return dataclasses.replace(
        fit.open().description, quantile_levels=LEVELS, cover_quantile_levels=COVER_LEVELS
    )


def of(figures: dict[str, float], *names: str) -> list[float]:
    return [figures[name] for name in names]


def test_a_forecast_of_nothing_misses_everything(
    panel: Panel, description: ModelDescription
) -> None:
    origin = panel.history.days - 1 - HORIZON
    figures = score(panel, FakeModel(description, 0.0), origin, HORIZON)
    for cut in ("sku_location/all", "location/sales", "total/all", "cover/all"):
        assert of(figures, f"wmape/{cut}", f"bias/{cut}") == [1.0, -1.0]
    window = slice(origin + 1, None)
    sold, available = panel.history.quantity[window], panel.history.available[window]
    in_stock = ~np.isnan(sold) & (available >= 1.0)
    assert figures["rows/sku_location/all"] == in_stock.sum()
    assert figures["mae/sku_location/all"] == pytest.approx(sold[in_stock].mean())
    assert figures["pinball_0.95/sku_location/all"] == pytest.approx(0.95 * sold[in_stock].mean())
    assert figures["rows/sku_location/sales"] == (~np.isnan(sold)).sum()
    assert figures["gain/sku_location/all"] < 0
    assert figures["service_95/cover/sold"] == (sold[:7].sum(axis=0) == 0).mean()


def test_a_forecast_without_end_never_runs_out(panel: Panel, description: ModelDescription) -> None:
    figures = score(panel, FakeModel(description, 1e6), panel.history.days - 8, 7)
    for cut in ("full_stock", "all", "sold"):
        assert of(figures, f"service_80/cover/{cut}", f"service_95/cover/{cut}") == [1.0, 1.0]
    assert figures["coverage_90/sku_location/all"] == 0.0


def test_slices_share_out_the_rows(panel: Panel, description: ModelDescription) -> None:
    origin = panel.history.days - 1 - HORIZON
    figures = score(panel, FakeModel(description, 1.0), origin, HORIZON)
    every = figures["rows/sku_location/all"]
    for names in (
        ("h1-7", "h8-10"),
        tuple(f"volume_{number}" for number in range(1, 6)),
        ("smooth", "erratic", "intermittent", "lumpy"),
        ("new", "old"),
    ):
        assert sum(figures[f"rows/sku_location/{name}"] for name in names) == every


def test_levels_above_the_series_have_horizons_rivals_and_intervals(
    panel: Panel, description: ModelDescription
) -> None:
    origin = panel.history.days - 1 - HORIZON
    figures = score(panel, FakeModel(description, 1.0), origin, HORIZON)
    for level in ("category_location", "location", "total"):
        assert figures[f"rows/{level}/all"] == sum(
            figures[f"rows/{level}/{name}"] for name in ("h1-7", "h8-10")
        )
        assert f"wmape/{level}/all/mean_28" in figures
        assert f"wmape/{level}/sales_h1-7" in figures
    assert figures["wmape_low/location/all"] <= figures["wmape/location/all"]
    assert figures["wmape/location/all"] <= figures["wmape_high/location/all"]
    assert "wmape_low/total/all" not in figures


def test_the_share_below_a_quantile_is_counted(panel: Panel, description: ModelDescription) -> None:
    origin = panel.history.days - 1 - HORIZON
    figures = score(panel, FakeModel(description, 0.0), origin, HORIZON)
    sold = panel.history.quantity[origin + 1 :]
    assert figures["below_0.95/sku_location/sales"] == pytest.approx((sold == 0).mean())


def test_locations_not_trained_on_are_scored_beside_the_others(
    panel: Panel, description: ModelDescription
) -> None:
    origin = panel.history.days - 1 - HORIZON
    figures = score(panel, FakeModel(description, 1.0), origin, HORIZON, hold_out=3)
    seen, unseen = of(figures, "rows/location/seen", "rows/location/unseen")
    assert seen + unseen == figures["rows/location/all"]
    assert seen > unseen > 0
    assert "gain/sku_location/unseen" in figures


@pytest.mark.parametrize("wrong", [-1, 1])
def test_holding_out_all_locations_is_refused(job: BacktestJob, wrong: int) -> None:
    with pytest.raises(InvalidField, match="hold_out"):
        dataclasses.replace(job, hold_out=wrong)


def test_pooled_errors_widen_the_level_as_far_as_they_were_wide(
    panel: Panel, description: ModelDescription
) -> None:
    weeks = np.tile([9.0, 11.0], 56)[:, None]
    flat = np.ones_like(weeks)
    history = History(np.datetime64("2026-01-05"), weeks, flat, flat, 0 * flat, 0 * flat)
    low, high = pooled_days(history, 7, (0.05, 0.95))
    assert low == pytest.approx(0.9, abs=0.05)
    assert high == pytest.approx(1.1, abs=0.05)
    origin = panel.history.days - 1 - HORIZON
    figures = score(panel, FakeModel(description, 0.0), origin, HORIZON)
    nothing, pooled = of(
        figures,
        "pinball_0.95/sku_location/all",
        "pinball_0.95/sku_location/all/level_pooled",
    )
    assert 0 < pooled < nothing


def test_a_cover_over_a_day_planned_closed_is_judged(
    panel: Panel, description: ModelDescription
) -> None:
    origin = panel.history.days - 1 - HORIZON
    closed = np.zeros(panel.history.quantity.shape, dtype=bool)
    closed[origin + 1 :: 3] = True
    quantity = np.where(closed, np.nan, panel.history.quantity)
    history = dataclasses.replace(panel.history, quantity=quantity)
    unknown = dataclasses.replace(panel, series=dataclasses.replace(panel.series, history=history))
    shut = dataclasses.replace(unknown, series=dataclasses.replace(unknown.series, closed=closed))
    model = FakeModel(description, 1.0)
    missing, judged = (
        of(score(one, model, origin, HORIZON), "rows/cover/full_stock", "rows/sku_location/all")
        for one in (unknown, shut)
    )
    assert missing[0] == 0 < judged[0]
    assert missing[1] == judged[1], "a closed day is no day whose forecast is judged"


def test_nobody_errs_less_than_who_knows_the_truth(panel: Panel, data: Path) -> None:
    origin = panel.history.days - 1 - HORIZON
    floor = noise_floor(panel, origin, HORIZON, default_truth(data))
    scene = set_scene(panel, origin, HORIZON)
    sold = scene.truth.sold[scene.truth.in_stock]
    for rival in baselines(scene.records.state, HORIZON).values():
        assert 0 < floor < np.abs(rival[scene.truth.in_stock] - sold).sum() / sold.sum()


def test_the_true_median_is_that_of_many_draws() -> None:
    rng = np.random.default_rng(1)
    draws = rng.poisson(rng.gamma(20.0, 12.0 / 0.8 / 20.0, 100_000)) * (rng.random(100_000) < 0.8)
    found = true_median(np.array(12.0), np.array(0.8), np.array(20.0))
    assert found == pytest.approx(np.median(draws), abs=1.0)


def test_the_worst_series_come_first_with_what_there_is_to_say(
    panel: Panel, description: ModelDescription
) -> None:
    scene = set_scene(panel, panel.history.days - 1 - HORIZON, HORIZON)
    model = FakeModel(description, 0.0)
    daily = forecast_daily(model, scene.records, HORIZON, DemandTarget.DEMAND)
    found = worst_series(scene, daily, LEVELS)
    sold = np.where(scene.truth.in_stock, scene.truth.sold, 0.0).sum(axis=1)
    assert [one.error for one in found] == sorted(sold[sold > 0].tolist(), reverse=True)[:15]
    assert sum(one.share for one in found) <= 1.0 + 1e-9
    assert "0 % of days within the 90 % interval" in found[0].why


def test_a_new_series_that_moved_is_said_to_be_both(
    panel: Panel, description: ModelDescription
) -> None:
    scene = set_scene(panel, panel.history.days - 1 - HORIZON, HORIZON)
    state = scene.records.state.copy()
    state[:, STATE["observed_days"].start] = 5
    state[:, STATE["level"].start] = 1e-3
    records = dataclasses.replace(scene.records, state=state)
    scene = dataclasses.replace(scene, records=records)
    daily = forecast_daily(FakeModel(description, 0.0), records, HORIZON, DemandTarget.DEMAND)
    why = worst_series(scene, daily, LEVELS)[0].why
    assert why.startswith("only 5 days of history; ")
    assert "times its level of the weeks before" in why


def test_a_page_tells_all_and_loads_nothing(job: BacktestJob, tmp_path: Path) -> None:
    forecast_page(reported(job, lambda _: None)).write(tmp_path / "page.html")
    html = (tmp_path / "page.html").read_text(encoding="utf-8")
    for heading in ("level and horizon", "Calibration", "missed by most"):
        assert heading in html
    assert html.count("<img ") == 3
    assert "http" not in html.replace("http-equiv", "")


def test_the_last_origins_leave_a_whole_horizon(data: Path) -> None:
    last = load_panel(data).history.last_day.astype(object)
    week = dt.timedelta(days=7)
    assert runs.last_origins(data, 7) == (last - 2 * week, last - week)


def test_the_horizon_is_cut_to_the_days_that_are_there(
    panel: Panel, description: ModelDescription
) -> None:
    figures = score(panel, FakeModel(description, 1.0), panel.history.days - 4, HORIZON)
    assert figures["rows/total/sales"] == 3
    with pytest.raises(InvalidField, match="must have a day with sales after it"):
        score(panel, FakeModel(description, 1.0), panel.history.days - 1, HORIZON)


def test_demand_patterns_are_cut_at_the_published_values() -> None:
    state = np.zeros((5, STATE_WIDTH), dtype=np.float32)
    state[:, STATE["interval"].start] = [1.31, 1.31, 1.32, 1.32, np.nan]
    state[:, STATE["size_cv2"].start] = [0.48, 0.49, 0.48, 0.49, np.nan]
    found = {name: np.flatnonzero(members).tolist() for name, members in patterns(state).items()}
    assert found == {"smooth": [0], "erratic": [1], "intermittent": [2], "lumpy": [3]}


def test_baselines_repeat_the_week_the_mean_and_the_level() -> None:
    sold = np.tile(np.arange(1.0, 8.0), 8)[:, None]
    flat = np.ones_like(sold)
    history = History(np.datetime64("2026-01-05"), sold, 0.5 * flat, flat, 0 * flat, 0 * flat)
    state = sales_states(history)
    assert state[0, STATE["tail"]].tolist() == sold[-TAIL:, 0].tolist()
    found = baselines(state, 9)
    assert found["seasonal_naive"].tolist() == [[1, 2, 3, 4, 5, 6, 7, 1, 2]]
    assert found["mean_28"].tolist() == [[4.0] * 9]
    weighted = found["weighted_level_weekday"][0]
    assert (np.diff(weighted[:7]) > 0).all()
    assert weighted[7] == weighted[0]


def test_one_location_has_no_interval() -> None:
    assert bootstrap_gain(np.ones(1), np.ones(1), np.ones(1), seed=1) is None
    found = bootstrap_gain(np.array([1.0, 3.0]), np.array([2.0, 2.0]), np.array([4.0, 4.0]), seed=1)
    assert found is not None
    assert found.wmape == (0.25, 0.75)


def test_each_origin_is_fitted_exported_and_scored(
    scored: list[runs.OriginScore], job: BacktestJob
) -> None:
    assert [one.origin for one in scored] == list(job.origins)
    assert [one.horizon for one in scored] == [HORIZON, 4]
    for one in scored:
        assert not one.cached
        assert one.certified_rows > 1000
        assert 0 < one.figures["wmape/sku_location/all"] < 1.5
        assert 0 <= one.figures["coverage_90/sku_location/all"] <= 1
        assert all(np.isfinite(value) for value in one.figures.values())
    mean = mean_figures(scored)
    assert mean["rows/total/sales"] == HORIZON + 4
    assert json.loads(json.dumps(runs.report(job, scored)))["mean"] == mean


def test_the_report_reads_as_tables(scored: list[runs.OriginScore]) -> None:
    console = Console(width=100, record=True, quiet=False, file=None)
    with console.capture() as capture:
        for table in report_tables(mean_figures(scored), scored):
            console.print(table)
    text = capture.get()
    for word in ("category_location", "no_plan", "weighted_level_weekday", "full_stock"):
        assert word in text
    assert str(scored[0].origin) in text


def test_a_second_run_comes_from_the_cache(
    scored: list[runs.OriginScore], job: BacktestJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(runs, "load_panel", fail)
    again = backtest(job, fail)
    assert all(one.cached for one in again)
    assert [one.figures for one in again] == [one.figures for one in scored]


def test_scores_are_made_anew_from_the_kept_fit(
    scored: list[runs.OriginScore], job: BacktestJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise AssertionError

    for file in (job.cache / "scores").glob(f"*/{job.origins[1]}.json"):
        file.unlink()
    monkeypatch.setattr(runs, "fit_as_of", fail)
    again = backtest(job, lambda _: None)
    assert [one.cached for one in again] == [True, False]
    assert again[1].figures == scored[1].figures


def test_a_fit_sees_nothing_after_its_origin(
    scored: list[runs.OriginScore], job: BacktestJob, tmp_path: Path
) -> None:
    own = tmp_path / "own"
    own.mkdir()
    for path in job.data_dir.iterdir():
        if path.is_file():
            (own / path.name).write_bytes(path.read_bytes())
    after = pl.col("date") > job.origins[0]
    sales = pl.read_parquet(own / "sales.parquet")
    quantity = pl.when(after).then(pl.col("quantity") * 5 + 1).otherwise(pl.col("quantity"))
    sales.with_columns(quantity).write_parquet(own / "sales.parquet")
    changed = dataclasses.replace(
        job, data_dir=own, cache=tmp_path / "cache", origins=job.origins[:1]
    )
    (found,) = backtest(changed, lambda _: None)
    assert found.graph_sha256 == scored[0].graph_sha256
    assert found.figures != scored[0].figures


@pytest.mark.parametrize("moved", [-400, 0, 3])
def test_an_origin_without_days_on_both_sides_is_refused(job: BacktestJob, moved: int) -> None:
    last = load_panel(job.data_dir).history.last_day.astype(object)
    wrong = dataclasses.replace(job, origins=(last + dt.timedelta(days=moved),))
    with pytest.raises(InvalidField, match="origins must be from"):
        backtest(wrong, lambda _: None)


def test_origins_that_stand_twice_are_refused(job: BacktestJob) -> None:
    with pytest.raises(InvalidField, match="must each stand once"):
        dataclasses.replace(job, origins=job.origins[:1] * 2)
    with pytest.raises(InvalidField, match="one date at the least"):
        dataclasses.replace(job, origins=())
