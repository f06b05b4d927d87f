"""The forecast questions, through both clients."""

from __future__ import annotations

import datetime as dt
from typing import Any

import grpc
import pandas as pd
import polars as pl
import pytest

from parlevel.client import (
    DemandObservation,
    DemandTarget,
    ForecastBatch,
    ForecastRoute,
    Limits,
    LocationAttributes,
    PlanDay,
    PlanSource,
    ProductAttributes,
    RowStatus,
    errors,
)
from parlevel.v1 import demand_pb2
from tests.clients.conftest import Asker, call
from tests.clients.fake_server import TRAINED_LEVELS, Script, status

JULY_1, JULY_2 = dt.date(2025, 7, 1), dt.date(2025, 7, 2)


def test_a_forecast_is_a_typed_value(ask: Asker) -> None:
    forecast = ask.one(call("forecast", "S10", "L1", 2, quantile_levels=[0.25, 0.5]))
    assert (forecast.sku, forecast.location) == ("S10", "L1")
    assert forecast.origin_date == dt.date(2025, 6, 30)
    assert forecast.dates == (JULY_1, JULY_2)
    assert forecast.target is DemandTarget.DEMAND
    assert forecast.route is ForecastRoute.GLOBAL_MODEL
    assert forecast.mean == (10.0, 11.0)
    assert forecast.quantiles == ((2.5, 5.0), (2.75, 5.5))
    assert forecast.quantile(0.5) == (5.0, 5.5)
    assert forecast.plan_sources == (PlanSource.LAST_REGIME,) * 2
    assert forecast.provenance.model_version == "3"
    assert forecast.provenance.features_age_seconds == 0
    assert forecast.provenance.warnings == ("a holiday is near",)


def test_a_level_that_was_not_forecast_is_refused(ask: Asker) -> None:
    forecast = ask.one(call("forecast", "S10", "L1", 1))
    with pytest.raises(ValueError, match="not in tuple"):
        forecast.quantile(0.333)


def test_plan_history_and_attributes_are_sent(ask: Asker, script: Script) -> None:
    forecast = ask.one(
        call(
            "forecast",
            "S1",
            "L1",
            2,
            target="sales",
            plan=[PlanDay(date=JULY_2, discount=0.0, promoted=False)],
            history=[DemandObservation(date=dt.date(2025, 6, 30), quantity=None, price=2.5)],
            product=ProductAttributes(category="dairy"),
            location_attributes=LocationAttributes(region="north"),
        )
    )
    assert script.seen[0].request == demand_pb2.ForecastDemandRequest(
        sku="S1",
        location="L1",
        horizon_days=2,
        target=demand_pb2.DEMAND_TARGET_SALES,
        plan=[demand_pb2.PlanDay(date="2025-07-02", discount=0.0, promoted=False)],
        history=[demand_pb2.DemandObservation(date="2025-06-30", price=2.5)],
        product=demand_pb2.ProductAttributes(category="dairy"),
        location_attributes=demand_pb2.LocationAttributes(region="north"),
    )
    assert forecast.route is ForecastRoute.REQUEST_HISTORY
    assert forecast.target is DemandTarget.SALES
    assert forecast.plan_sources == (PlanSource.LAST_REGIME, PlanSource.REQUEST)


def test_an_unknown_target_is_refused_before_anything_is_sent(ask: Asker, script: Script) -> None:
    with pytest.raises(errors.InvalidArgument) as caught:
        ask.one(call("forecast", "S1", "L1", 2, target="profit"))
    assert caught.value.failure.violations[0].field == "target"
    assert "must be one of demand, sales, got 'profit'" in str(caught.value)
    assert script.seen == []


def test_a_timeout_that_is_not_positive_is_refused(ask: Asker) -> None:
    with pytest.raises(errors.InvalidArgument, match="timeout_seconds must be above 0"):
        ask.one(call("forecast", "S1", "L1", 2, timeout_seconds=0.0))


def test_a_misspelt_option_is_a_type_error(ask: Asker) -> None:
    with pytest.raises(TypeError, match="no option 'quantiles'"):
        ask.one(call("forecast", "S1", "L1", 2, quantiles=[0.5]))


def test_a_batch_answers_in_order_and_row_by_row(ask: Asker) -> None:
    asked = [("S2", "L1"), ("unknown", "L1"), ("S1", "L1"), ("stale", "L2"), ("young", "L2")]
    batch = ask.one(call("forecast_batch", asked, 2, quantile_levels=[0.5]))
    rows = list(batch)
    assert len(batch) == 5
    assert [(row.sku, row.location) for row in rows] == asked
    assert batch.statuses == (
        RowStatus.OK,
        RowStatus.UNKNOWN_SERIES,
        RowStatus.OK,
        RowStatus.STALE_FEATURES,
        RowStatus.OTHER,
    )
    assert rows[0].figures.mean == (2.0, 3.0)
    assert rows[2].figures.quantiles == ((0.5,), (1.0,))
    assert rows[1].figures is None
    assert batch.failures == (
        ("unknown", "L1", RowStatus.UNKNOWN_SERIES),
        ("stale", "L2", RowStatus.STALE_FEATURES),
        ("young", "L2", RowStatus.OTHER),
    )


@pytest.mark.parametrize(
    ("limits", "calls"),
    [
        (Limits(batch_rows=3), 4),
        # 2 days x (9 trained levels and the mean) are 20 values a row.
        (Limits(batch_values=40), 5),
        (Limits(batch_values=1), 10),
        (Limits(), 1),
    ],
)
def test_a_split_batch_equals_a_whole_one(
    ask: Asker, script: Script, limits: Limits, calls: int
) -> None:
    asked = [(f"S{number}", "L1") for number in range(9)]
    asked.insert(4, ("unknown", "L1"))
    question = call("forecast_batch", iter(asked), 2)
    split = ask.one(question, limits=limits)
    assert len(script.seen) == calls
    whole = ask.one(call("forecast_batch", asked, 2))
    assert len(split.provenances) == calls
    assert list(split) == list(whole)
    assert split.to_polars().equals(whole.to_polars())


def test_one_call_holds_what_the_server_takes(ask: Asker, script: Script) -> None:
    asked = [(f"S{number}", "L1") for number in range(10_001)]
    batch = ask.one(call("forecast_batch", asked, 1, quantile_levels=[0.5]))
    sizes = [len(seen.request.skus) for seen in script.seen]  # type: ignore[attr-defined]
    assert sizes == [10_000, 1]
    assert batch.mean[10_000] == 10_000.0


def test_a_failed_part_fails_the_batch(ask: Asker, script: Script) -> None:
    script.failures.append(status(grpc.StatusCode.INTERNAL, "an invariant is broken"))
    asked = call("forecast_batch", [("S1", "L1"), ("S2", "L1")], 1)
    with pytest.raises(errors.Internal, match="an invariant is broken"):
        ask.one(asked, limits=Limits(batch_rows=1))


def test_an_answer_larger_than_the_limit_is_refused(ask: Asker) -> None:
    with pytest.raises(errors.ResourceExhausted):
        ask.one(call("forecast", "S1", "L1", 90), limits=Limits(message_bytes=1000))


FRAME = {"sku": ["S3", "unknown", "S4"], "location": ["L1", "L1", "L2"], "other": [1, 2, 3]}


@pytest.mark.parametrize(
    "frame", [pd.DataFrame(FRAME), pl.DataFrame(FRAME)], ids=["pandas", "polars"]
)
def test_a_frame_goes_in(ask: Asker, frame: Any) -> None:  # noqa: ANN401 - either library
    batch = ask.one(call("forecast_batch", frame, 1))
    assert (batch.skus, batch.locations) == (("S3", "unknown", "S4"), ("L1", "L1", "L2"))


def test_a_long_frame_comes_out_alike_of_either_library(ask: Asker) -> None:
    batch: ForecastBatch = ask.one(call("forecast_batch", pl.DataFrame(FRAME), 2))
    long = batch.to_polars()
    names = [f"q{level}" for level in TRAINED_LEVELS]
    assert long.columns == ["sku", "location", "date", "mean", *names]
    assert long.schema["date"] == pl.Date
    assert set(long.select("mean", *names).dtypes) == {pl.Float64}
    assert long.select("sku", "location", "date", "mean", "q0.5").rows() == [
        ("S3", "L1", JULY_1, 3.0, 1.5),
        ("S3", "L1", JULY_2, 4.0, 2.0),
        ("S4", "L2", JULY_1, 4.0, 2.0),
        ("S4", "L2", JULY_2, 5.0, 2.5),
    ]
    wide = batch.to_pandas()
    assert set(wide.dtypes[["mean", *names]].astype(str)) == {"float64"}
    assert wide.to_dict("list") == long.to_dict(as_series=False)


def test_one_forecast_is_a_frame_too(ask: Asker) -> None:
    forecast = ask.one(call("forecast", "S3", "L1", 2, quantile_levels=[0.5]))
    assert forecast.to_polars().rows() == [
        ("S3", "L1", JULY_1, 3.0, 1.5),
        ("S3", "L1", JULY_2, 4.0, 2.0),
    ]
    assert forecast.to_pandas().to_dict("list") == forecast.to_polars().to_dict(as_series=False)
