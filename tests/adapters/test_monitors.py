"""What watches the service: traffic windows, the forecast log, profiles and readings."""

from __future__ import annotations

import datetime as dt
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

from serving.adapters.forecast_log import ForecastLog
from serving.adapters.profiles import PROFILE, StoredProfiles, read_profile, write_profile
from serving.adapters.readings import StoredReadings
from serving.adapters.traffic import FOLD_ROWS, MAX_WAITING, SampledTraffic, traffic_file
from serving.domain.demand import QUANTILE_LEVELS, BatchForecastQuery, ForecastBatch, ForecastQuery
from serving.domain.drift import MAX_WINDOW_DAYS, Column, Profile, Sample
from serving.domain.drift_check import profile_of
from serving.domain.retrain import Reading
from serving.domain.series import RowStatus
from serving.domain.sketch import NumberSketch
from serving.errors import NothingMeasured
from tests.fakes.doors import DESCRIPTION, FakeDemand

if TYPE_CHECKING:
    from pathlib import Path

    from serving.domain.demand import Forecast

FEATURES = ("a", "b")
MODEL = replace(DESCRIPTION, name="forecast", version="3", features=FEATURES)
DAY = dt.date(2026, 6, 1)


class Clock:
    def __init__(self) -> None:
        self.day = DAY

    def now(self) -> dt.datetime:
        return dt.datetime.combine(self.day, dt.time(12), dt.UTC)


def training_profile() -> Profile:
    rng = np.random.default_rng(0)
    columns = tuple(Column(name, rng.normal(size=400)) for name in FEATURES)
    made = profile_of(Sample(columns, np.repeat(np.arange(4), 100)))
    days = tuple(DAY - dt.timedelta(days=back) for back in (4, 3, 2, 1))
    return replace(made, days=days, importances={"a": 2.0, "b": 1.0})


def watching(tmp_path: Path, clock: Clock) -> SampledTraffic:
    release = tmp_path / "releases" / "forecast" / "3"
    if not (release / PROFILE).exists():
        write_profile(release / PROFILE, training_profile())
    profiles = StoredProfiles(tmp_path / "releases")
    return SampledTraffic(tmp_path / "monitoring", profiles, clock)


def rows(count: int, seed: int = 0) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    return np.random.default_rng(seed).normal(size=(count, 2)).astype(np.float32)


def test_a_profile_is_read_as_it_was_written(tmp_path: Path) -> None:
    made = training_profile()
    write_profile(tmp_path / "p.npz", made)
    found = read_profile(tmp_path / "p.npz")
    assert found is not None
    assert (found.days, found.blocked, found.importances) == (made.days, True, made.importances)
    for name in FEATURES:
        for one, other in zip(found.features[name], made.features[name], strict=True):
            assert isinstance(one, NumberSketch)
            assert isinstance(other, NumberSketch)
            assert one.rows == other.rows
            assert np.array_equal(one.counts, other.counts)


def test_a_profile_that_is_absent_or_damaged_is_none(tmp_path: Path) -> None:
    assert read_profile(tmp_path / "p.npz") is None
    (tmp_path / "p.npz").write_bytes(b"no archive")
    assert read_profile(tmp_path / "p.npz") is None
    with pytest.raises(NothingMeasured, match="parlevel train forecast"):
        StoredProfiles(tmp_path).training("forecast", "3")


def test_a_request_leaves_one_row_and_a_large_batch_one_in_many(tmp_path: Path) -> None:
    traffic = watching(tmp_path, Clock())
    for seed in range(50):
        traffic.note(MODEL, rows(7, seed))
    traffic.note(MODEL, rows(5_000))
    window = traffic.window("forecast", "3", DAY)
    assert 54 <= window.features["a"][0].rows <= 56
    assert window.days == (DAY,)


def test_a_window_survives_a_restart_and_goes_on(tmp_path: Path) -> None:
    clock = Clock()
    first = watching(tmp_path, clock)
    first.start()
    for seed in range(40):
        first.note(MODEL, rows(1, seed))
    first.close()
    assert traffic_file(tmp_path / "monitoring", "forecast", "3").exists()
    again = watching(tmp_path, clock)
    again.note(MODEL, rows(1))
    assert again.window("forecast", "3", DAY).features["b"][0].rows == 41
    clock.day += dt.timedelta(days=1)
    again.note(MODEL, rows(1))
    window = again.window("forecast", "3", DAY)
    assert [block.rows for block in window.features["a"]] == [41, 1]
    assert again.window("forecast", "3", clock.day).days == (clock.day,)


def test_memory_is_bounded_in_rows_and_in_days(tmp_path: Path) -> None:
    clock = Clock()
    traffic = watching(tmp_path, clock)
    for _ in range(MAX_WAITING + 500):
        traffic.note(MODEL, rows(1))
    assert len(traffic._waiting) == MAX_WAITING
    for _ in range(MAX_WINDOW_DAYS + 5):
        clock.day += dt.timedelta(days=1)
        traffic.note(MODEL, rows(1))
        window = traffic.window("forecast", "3", DAY)
    assert len(window.days) == MAX_WINDOW_DAYS
    assert len(window.features["a"]) == MAX_WINDOW_DAYS


def test_busy_traffic_is_sampled_evenly_and_holds_no_request(tmp_path: Path) -> None:
    traffic = watching(tmp_path, Clock())
    for _ in range(4 * FOLD_ROWS):
        traffic.note(MODEL, rows(9))
    assert all(row.base is None for _, row in traffic._waiting)
    assert traffic.window("forecast", "3", DAY).features["a"][0].rows == 4 * FOLD_ROWS
    for _ in range(400):
        traffic.note(MODEL, rows(1))
    assert len(traffic._waiting) == 100  # one in four, as many as the last fold was to find


def test_a_clock_set_back_opens_no_day_anew(tmp_path: Path) -> None:
    clock = Clock()
    traffic = watching(tmp_path, clock)
    for back in (0, 3, 1):
        clock.day = DAY - dt.timedelta(days=back)
        traffic.note(MODEL, rows(1))
        window = traffic.window("forecast", "3", DAY)
    assert window.days == (DAY,)
    assert window.features["a"][0].rows == 3


def test_traffic_of_a_version_without_a_profile_is_not_kept(tmp_path: Path) -> None:
    traffic = watching(tmp_path, Clock())
    traffic.note(replace(MODEL, version="9"), rows(1))
    with pytest.raises(NothingMeasured, match="has answered nothing"):
        traffic.window("forecast", "9", DAY)


def forecast(sku: str, horizon: int = 3, **asked: object) -> Forecast:
    query = ForecastQuery(sku, "S1", horizon, **asked)  # type: ignore[arg-type]
    values = np.arange(horizon * len(QUANTILE_LEVELS), dtype=float).reshape(horizon, -1)
    return replace(FakeDemand().forecast(query), mean=values[:, 4], quantiles=values)


def logged(folder: Path) -> pl.DataFrame:
    return pl.read_parquet(folder / "day=*" / "*.parquet", hive_partitioning=True)


def test_a_forecast_is_logged_once_a_day_by_day_and_horizon(tmp_path: Path) -> None:
    log = ForecastLog(tmp_path, Clock(), 16)
    log.start()
    log.note([forecast("P1"), forecast("P1"), forecast("P2")])
    log.close()
    found = logged(tmp_path)
    assert found.height == 6
    assert found["day"].unique().to_list() == [DAY]
    first = found.filter(pl.col("sku") == "P1").sort("horizon").row(0, named=True)
    one = forecast("P1")
    assert first["date"] == one.origin + dt.timedelta(days=1)
    assert first["mean"] == pytest.approx(one.mean[0], rel=1e-6)
    assert first["q0.50"] == pytest.approx(one.quantiles[0, one.query.levels.index(0.5)], rel=1e-6)


def test_a_longer_horizon_and_another_day_are_logged_again(tmp_path: Path) -> None:
    clock = Clock()
    log = ForecastLog(tmp_path, clock, 16)
    log.note([forecast("P1", 3), forecast("P1", 5), forecast("P1", 2)])
    log._flush()
    assert logged(tmp_path).height == 8
    clock.day += dt.timedelta(days=1)
    log._flush()  # as the thread does every two seconds
    log.note([forecast("P1", 2)])
    log._flush()
    assert logged(tmp_path).height == 10


def test_a_question_of_what_if_and_a_failure_are_not_logged(tmp_path: Path) -> None:
    from serving.domain.series import PlanDay
    from serving.errors import UnknownSeries

    log = ForecastLog(tmp_path, Clock(), 16)
    log.note([forecast("P1", plan=(PlanDay(DAY, price=2.0),)), UnknownSeries("sku", "P9")])
    log._flush()
    assert list(tmp_path.iterdir()) == []


def test_a_batch_is_logged_where_its_rows_have_values(tmp_path: Path) -> None:
    log = ForecastLog(tmp_path, Clock(), 16)
    query = BatchForecastQuery(("P1", "nobody", "P2"), ("S1", "S1", "S1"), 2)
    answer = FakeDemand().forecast_batch(query)
    statuses = (RowStatus.OK, RowStatus.UNKNOWN_SERIES, RowStatus.OK)
    valued: ForecastBatch = replace(
        answer,
        statuses=statuses,
        origins=answer.origins[:1] * 2,
        routes=answer.routes[:1] * 2,
        mean=np.ones((2, 2)),
        quantiles=np.ones((2, 2, len(QUANTILE_LEVELS))),
    )
    log.note_batch(valued)
    log._flush()
    assert sorted(logged(tmp_path)["sku"].cast(pl.String).unique()) == ["P1", "P2"]


def test_the_log_gives_up_its_oldest_days_for_room(tmp_path: Path) -> None:
    clock = Clock()
    log = ForecastLog(tmp_path, clock, 16)
    log._limit = 12_000  # bytes: about two days of these
    for _ in range(5):
        log._flush()
        log.note([forecast("P1")])
        log._flush()
        clock.day += dt.timedelta(days=1)
    kept = sorted(path.name for path in tmp_path.iterdir())
    assert 1 <= len(kept) < 5
    assert kept[-1] == f"day={DAY + dt.timedelta(days=4)}"


def test_a_log_of_no_room_writes_nothing(tmp_path: Path) -> None:
    log = ForecastLog(tmp_path / "log", Clock(), 0)
    log.start()
    log.note([forecast("P1")])
    log.close()
    assert not (tmp_path / "log").exists()
    assert "forecast-log" not in {thread.name for thread in threading.enumerate()}


def test_readings_are_kept_by_day_and_rule(tmp_path: Path) -> None:
    store = StoredReadings(tmp_path)
    with pytest.raises(NothingMeasured, match="parlevel actuals"):
        store.readings("forecast")
    one = Reading(DAY, "coverage", 0.8, 0.9, broken=True, detail="low")
    store.keep("forecast", [one, replace(one, rule="missing_data", value=float("nan"))])
    store.keep("forecast", [replace(one, value=0.95, broken=False)])
    found = {reading.rule: reading for reading in store.readings("forecast")}
    assert found["coverage"].value == 0.95
    assert found["missing_data"].value is None
    store.keep("forecast", [replace(one, date=DAY + dt.timedelta(days=500))])
    assert len(store.readings("forecast")) == 1  # what is older than a year is left out
