"""Sales held against served forecasts, the alerts they raise, and gaps in reporting."""

from __future__ import annotations

import datetime as dt
import json
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

from serving.adapters.forecast_log import column_of
from serving.domain.demand import QUANTILE_LEVELS
from serving.domain.retrain import Reading, decide
from serving.errors import InvalidField, MissingInput, NothingMeasured
from training.accuracy import daily, figures, join, latest, read_actuals
from training.alerts import REPEAT_DAYS, Alert, Webhook, alerts_of
from training.gaps import reporting_gaps
from training.judgement import _bias, _merged, _missing, _worst_level, unfair_locations

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DAY = dt.date(2026, 6, 1)
CATEGORIES = pl.DataFrame({"sku": ["P1", "P2"], "category": ["a", "b"]})


def log(
    folder: Path, *, origins: int = 1, skus: tuple[str, ...] = ("P1", "P2"), days: int = 3
) -> Path:
    """Write a forecast log whose median is 10, whose mean is 11 and whose 95 % quantile is 19."""
    rows = [
        {
            "sku": sku,
            "location": "S1",
            "target": "demand",
            "route": "global_model",
            "model_version": "1",
            "origin_date": DAY + dt.timedelta(days=back - 1),
            "date": DAY + dt.timedelta(days=back + ahead),
            "horizon": ahead + 1,
            "mean": 11.0,
            **{column_of(level): 20.0 * level for level in QUANTILE_LEVELS},
        }
        for back in range(origins)
        for sku in skus
        for ahead in range(days)
    ]
    (folder / f"day={DAY}").mkdir(parents=True)
    pl.DataFrame(rows).write_parquet(folder / f"day={DAY}" / "part-1.parquet")
    return folder


def sold(*quantities: float, sku: str = "P1") -> pl.DataFrame:
    days = [DAY + dt.timedelta(days=place) for place in range(len(quantities))]
    return pl.DataFrame(
        {
            "date": days,
            "sku": [sku] * len(days),
            "location": ["S1"] * len(days),
            "quantity": [float(one) for one in quantities],
            "available_fraction": [1.0] * len(days),
        }
    )


def test_accuracy_has_its_known_figures(tmp_path: Path) -> None:
    joined = join(sold(0, 10, 25), log(tmp_path), CATEGORIES, DAY + dt.timedelta(days=9))
    (row,) = figures(latest(joined.rows)).to_dicts()
    assert row["rows"] == 3
    assert row["wmape"] == pytest.approx(25 / 35)
    assert row["bias"] == pytest.approx(33 / 35 - 1)
    assert row["coverage_90"] == pytest.approx(1 / 3)
    assert row["service_level"] == pytest.approx(2 / 3)
    assert daily(joined.rows, "total")["wmape"].to_list() == [0.0, pytest.approx(0.6)]
    assert set(joined.rows["category"]) == {"a"}
    assert set(joined.rows["horizon_days"]) == {"1-1", "2-7"}


def test_levels_sum_before_they_compare(tmp_path: Path) -> None:
    both = pl.concat([sold(5), sold(15, sku="P2")])
    rows = join(both, log(tmp_path), CATEGORIES, DAY).rows
    assert daily(rows, "sku_location")["wmape"].to_list() == [pytest.approx(0.5)]
    assert daily(rows, "total")["wmape"].to_list() == [0.0]


def test_the_youngest_forecast_of_a_day_counts_and_every_horizon_is_kept(tmp_path: Path) -> None:
    rows = join(
        sold(1, 1, 1), log(tmp_path, origins=2), CATEGORIES, DAY + dt.timedelta(days=5)
    ).rows
    assert rows.height == 5
    assert latest(rows)["horizon"].to_list() == [1, 1, 2]


def test_days_out_of_stock_are_not_held_against_demand(tmp_path: Path) -> None:
    short = sold(1, 1).with_columns(available_fraction=pl.Series([1.0, 0.4]))
    rows = join(short, log(tmp_path), CATEGORIES, DAY + dt.timedelta(days=5)).rows
    assert rows["date"].to_list() == [DAY]


def test_sales_nobody_forecast_and_sales_of_tomorrow_are_counted_apart(tmp_path: Path) -> None:
    actuals = pl.concat([sold(1, 1, 1, 1), sold(1, sku="P9")])
    joined = join(actuals, log(tmp_path), CATEGORIES, DAY + dt.timedelta(days=1))
    assert (joined.unknown, joined.ahead, joined.rows.height) == (1, 2, 2)
    with pytest.raises(MissingInput):
        join(sold(1), tmp_path, CATEGORIES, DAY - dt.timedelta(days=1))


def test_without_a_log_nothing_is_measured(tmp_path: Path) -> None:
    with pytest.raises(NothingMeasured, match="no forecast has been logged"):
        join(sold(1), tmp_path, CATEGORIES, DAY)


HEAD = "date,sku,location,quantity\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("date,sku,quantity\n2026-06-01,P1,1\n", "must have the columns location"),
        (HEAD + "2026-06-01,P1,S1,-1\n", "rows 1 "),
        (HEAD + "2026-06-01,P1,S1,\n", "rows 1 "),
        (HEAD + "2026-06-01,P1,S1,nan\n", "rows 1 "),
        (HEAD + "yesterday,P1,S1,1\n", "does not read"),
        (HEAD + "2026-06-01,P1,S1,1\n2026-06-01,P1,S1,2\n", "rows 1, 2 are of one series"),
    ],
)
def test_sales_that_break_a_rule_are_refused_by_row(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "actuals.csv"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidField, match=said):
        read_actuals(file)


def test_sales_that_stand_twice_alike_count_once(tmp_path: Path) -> None:
    file = tmp_path / "actuals.csv"
    file.write_text(HEAD + "2026-06-01,P1,S1,1\n" * 2, encoding="utf-8")
    assert read_actuals(file).height == 1
    with pytest.raises(InvalidField, match="cannot be read"):
        read_actuals(tmp_path / "absent.csv")


def test_a_later_file_replaces_what_an_earlier_one_said(tmp_path: Path) -> None:
    store = tmp_path / "actuals.parquet"
    sold(1, 2).write_parquet(store)
    merged, replaced = _merged(store, sold(1, 5, 7))
    assert replaced == 1
    assert merged["quantity"].to_list() == [1.0, 5.0, 7.0]


def test_series_without_a_row_are_missing_data() -> None:
    days = [DAY]
    expected = pl.DataFrame({"date": [DAY] * 10, "sku": [f"P{n}" for n in range(10)]})
    expected = expected.with_columns(location=pl.lit("S1"))
    known = expected.head(9)
    (reading,) = _missing(expected, known, days)
    assert reading.broken
    assert reading.value == pytest.approx(0.1)
    (reading,) = _missing(expected, expected, days)
    assert (reading.value, reading.broken) == (0.0, False)


def test_bias_is_read_once_there_are_four_weeks() -> None:
    days = [DAY + dt.timedelta(days=place) for place in range(30)]
    rows = pl.DataFrame({"date": days, "mean": [12.0] * 30, "quantity": [10.0] * 30})
    readings = list(_bias(rows, days))
    assert [reading.date for reading in readings] == days[27:]
    assert all(reading.broken for reading in readings)
    assert readings[0].value == pytest.approx(0.2)


def test_the_level_farthest_above_its_band_is_the_one_that_is_told() -> None:
    bands = {"wmape/total": (0.0, 0.1), "wmape/location": (0.0, 0.2)}
    reading = _worst_level(DAY, {"total": 0.15, "location": 0.25, "sku_location": 0.9}, bands)
    assert reading.broken
    assert "total" in reading.detail
    assert not _worst_level(DAY, {"total": 0.05}, bands).broken
    assert _worst_level(DAY, {"total": 0.9}, {}).value is None


def test_a_location_that_is_served_worse_is_named_and_chance_is_not() -> None:
    rng = np.random.default_rng(0)
    rows = []
    for place in range(6):
        for sku in range(60):
            wide = 12.0 if place == 3 else 1.5
            rows += [
                {"location": f"S{place}", "sku": f"P{sku}", "quantity": 10 + wide * rng.normal()}
                for _ in range(14)
            ]
    frame = pl.DataFrame(rows).with_columns(
        pl.lit(5.0).alias(column_of(0.05)), pl.lit(15.0).alias(column_of(0.95))
    )
    assert unfair_locations(frame) == ["S3"]
    assert unfair_locations(frame.filter(pl.col("location") != "S3")) == []


class Hook:
    """A webhook on loopback that keeps what it is told."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, str]] = []
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["content-length"])
                hook.bodies.append(json.loads(self.rfile.read(length)))
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *arguments: object) -> None: ...  # noqa: A002 - its name

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def hook() -> Iterator[Hook]:
    opened = Hook()
    yield opened
    opened.close()


ALERT = Alert("forecast/coverage", "warning", "forecast: watch", "intervals are narrow", DAY)


def test_an_alert_is_told_once_while_it_lasts_and_again_when_it_returns(
    tmp_path: Path, hook: Hook
) -> None:
    webhook = Webhook(hook.url, "json", tmp_path / "told.json")
    later = replace(ALERT, date=DAY + dt.timedelta(days=1))
    assert webhook.send([ALERT, ALERT]) == [ALERT]
    assert webhook.send([later]) == []
    weeks_on = replace(ALERT, date=DAY + dt.timedelta(days=REPEAT_DAYS))
    assert Webhook(hook.url, "json", tmp_path / "told.json").send([weeks_on]) == [weeks_on]
    assert webhook.send([]) == []
    assert webhook.send([replace(weeks_on, date=DAY + dt.timedelta(days=8))]) != []
    assert len(hook.bodies) == 3
    assert hook.bodies[0] == {
        "key": "forecast/coverage",
        "severity": "warning",
        "title": "forecast: watch",
        "detail": "intervals are narrow",
        "date": "2026-06-01",
    }


def test_the_slack_form_is_a_text(tmp_path: Path, hook: Hook) -> None:
    Webhook(hook.url, "slack", tmp_path / "told.json").send([ALERT])
    assert hook.bodies == [{"text": ":warning: *forecast: watch*\nintervals are narrow"}]


def test_an_alert_that_was_not_taken_is_sent_the_next_time(tmp_path: Path, hook: Hook) -> None:
    with pytest.raises(InvalidField, match="does not take alerts"):
        Webhook("http://127.0.0.1:9/", "json", tmp_path / "told.json").send([ALERT])
    assert Webhook(hook.url, "json", tmp_path / "told.json").send([ALERT]) == [ALERT]
    with pytest.raises(InvalidField, match="http"):
        Webhook("file:///etc/hosts", "json", tmp_path / "told.json")


def test_each_rule_that_fires_is_an_alert() -> None:
    readings = [
        Reading(DAY + dt.timedelta(days=place), rule, 0.3, 0.25, broken=True, detail=rule)
        for place in range(7)
        for rule in ("wmape_category_location", "backtest_band")
    ]
    alerts = alerts_of("forecast", decide(readings))
    keys = {"forecast/wmape_category_location", "forecast/backtest_band"}
    assert {alert.key for alert in alerts} == keys
    assert {alert.severity for alert in alerts} == {"critical"}
    assert alerts_of("forecast", decide(readings[:2])) == []


def test_who_reports_nothing_for_weeks_has_a_gap_and_a_closed_weekend_is_none() -> None:
    days = [DAY + dt.timedelta(days=place) for place in range(60)]
    rows = [{"location": "S1", "date": day} for day in days]
    rows += [{"location": "S2", "date": day} for day in days if not 10 <= (day - DAY).days < 40]
    rows += [{"location": "S3", "date": day} for day in days if day.weekday() < 5]
    rows += [{"location": "S4", "date": day} for day in days[:20]]
    gaps = reporting_gaps(pl.DataFrame(rows)).sort("first_day")
    assert gaps.select("first_day", "last_day", "days", "locations").rows() == [
        (days[10], days[39], 30, 1),
        (days[20], days[59], 40, 1),
    ]
    assert gaps["names"].to_list() == [["S2"], ["S4"]]
