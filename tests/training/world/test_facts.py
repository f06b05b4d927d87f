"""The facts a world must reproduce hold on the profiles that promise them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest

from training.world.facts import Fact

if TYPE_CHECKING:
    from training.world import WorldSummary

PROMISED = ("demo_world", "full_world")


@pytest.mark.parametrize("world", PROMISED)
def test_every_fact_is_measured_and_holds(world: str, request: pytest.FixtureRequest) -> None:
    summary: WorldSummary = request.getfixturevalue(world)
    failed = [fact for fact in summary.facts if not fact.holds]
    assert not failed
    assert len(summary.facts) == 14


@pytest.mark.parametrize("world", PROMISED)
def test_measured_facts_agree_with_the_files(world: str, request: pytest.FixtureRequest) -> None:
    summary: WorldSummary = request.getfixturevalue(world)
    measured = {fact.name: fact.measured for fact in summary.facts}
    last = (
        pl.scan_parquet(summary.out / "sales.parquet").select(pl.col("date").max()).collect().item()
    )
    demand = pl.read_parquet(summary.truth / "demand.parquet").filter(pl.col("date") <= last)
    assert demand.height == summary.rows["sales"]
    assert (demand["demand"] == 0).mean() == pytest.approx(measured["zero SKU-days"])
    series = demand.group_by("sku", "location").agg(
        cv=pl.col("demand").std(ddof=0) / pl.col("demand").mean()
    )
    # A series nobody ever asked for has no coefficient of variation.
    series = series.filter(pl.col("cv").is_not_nan())
    assert series["cv"].median() == pytest.approx(measured["median CV of series"])
    assert (series["cv"] > 1).mean() == pytest.approx(measured["series with CV > 1"])
    stockouts = pl.read_parquet(summary.truth / "stockouts.parquet").height
    assert stockouts / demand.height == pytest.approx(measured["SKU-days with a stock-out"])


def test_a_short_history_leaves_yearly_facts_open(tiny_world: WorldSummary) -> None:
    measured = {fact.name: fact for fact in tiny_world.facts}
    assert measured["growth a year"].measured is None
    assert measured["growth a year"].holds is None
    assert measured["Q4 over Q2"].measured is None


def test_a_fact_holds_within_its_limits_only() -> None:
    assert Fact("a", "demand", "1", 0.9, 1.1, 1.1).holds
    assert not Fact("a", "demand", "1", 0.9, 1.1, 1.2).holds


@pytest.mark.parametrize(
    ("world", "skus", "locations", "days"),
    [("demo_world", 200, 10, 730), ("full_world", 500, 5, 1095)],
)
def test_counts_are_exact(
    world: str, skus: int, locations: int, days: int, request: pytest.FixtureRequest
) -> None:
    summary: WorldSummary = request.getfixturevalue(world)
    sales = pl.scan_parquet(summary.out / "sales.parquet")
    counts = sales.select(pl.col("sku", "location", "date").n_unique()).collect().row(0)
    assert counts == (skus, locations, days)
    assert summary.rows["suppliers"] == 5
    assert summary.rows["products"] == skus
