"""Drift on public data: a change that is there is found in time, a gap is missing data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

from serving.domain.drift import Column, DriftQuery, DriftReport, DriftVerdict, Sample
from serving.domain.drift_check import check, profile_of
from serving.settings import load
from training.gaps import reporting_gaps

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.real_data
CHANGE, PER_DAY = 17_424, 48  # row at which the neighbouring state joined the market; rows a day


def folder(name: str) -> Path:
    found = load().real_data
    if found is None or not (found / name).is_dir():
        pytest.skip(f"PARLEVEL_REAL_DATA names no folder with {name}")
    return found / name


def market(rows: slice) -> Sample:
    frame = pl.read_parquet(folder("elec2") / "elec.parquet")[rows]
    names = ["nswprice", "nswdemand", "vicprice", "vicdemand", "transfer"]
    columns = tuple(Column(name, frame[name].cast(pl.Float64).to_numpy()) for name in names)
    return Sample(columns, np.arange(frame.height) // PER_DAY)


def check_week(end: int) -> DriftReport:
    """Check the 336 rows before a row against the eight weeks before them, by days."""
    now, past = slice(end - 336, end), slice(end - 336 - 56 * PER_DAY, end - 336)
    reference = profile_of(market(past))
    query = DriftQuery(market(past), market(now))
    return check(reference, profile_of(market(now), reference), query)


def test_the_change_of_a_market_is_found_within_a_week() -> None:
    report = check_week(CHANGE + 336)
    drifted = {one.name for one in report.features if one.verdict is DriftVerdict.DRIFTED}
    assert {"vicprice", "vicdemand", "transfer"} <= drifted
    before = check_week(CHANGE)
    quiet = {one.name for one in before.features if one.verdict is DriftVerdict.DRIFTED}
    assert quiet.isdisjoint({"vicprice", "vicdemand", "transfer"})


def test_shops_that_reported_nothing_for_half_a_year_are_missing_data() -> None:
    frame = pl.read_parquet(folder("rossmann") / "to_2015-06-19.parquet")
    names = {name.lower(): name for name in frame.columns}
    sales = frame.select(
        location=pl.col(names["store"]).cast(pl.String), date=pl.col(names["date"]).cast(pl.Date)
    )
    gap = reporting_gaps(sales).row(0, named=True)
    assert (str(gap["first_day"]), str(gap["last_day"])) == ("2014-07-01", "2014-12-31")
    assert gap["locations"] == 180
