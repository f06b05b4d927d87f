"""Trouble in a world: labelled apart, dated, and only where it was asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

from training.gaps import reporting_gaps
from training.world import generate
from training.world.profiles import Profile
from training.world.trouble import GAP_DAYS, PRICE_FACTOR, STEP_FACTOR

if TYPE_CHECKING:
    from pathlib import Path

SMALL = Profile(name="small", skus=60, locations=6, days=120)


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("worlds")
    generate(SMALL, 3, folder / "plain")
    generate(replace(SMALL, trouble=True), 3, folder / "trouble")
    return folder / "plain", folder / "trouble"


def table(folder: Path, name: str, *, truth: bool = False) -> pl.DataFrame:
    place = folder.with_name(f"{folder.name}-truth") if truth else folder
    return pl.read_parquet(place / f"{name}.parquet")


def test_a_world_without_trouble_has_no_truth_of_it(worlds: tuple[Path, Path]) -> None:
    plain, _ = worlds
    for name in ("anomalies", "drift", "reporting_gaps"):
        assert not (plain.with_name("plain-truth") / f"{name}.parquet").exists()


def test_what_is_not_labelled_is_as_it_was(worlds: tuple[Path, Path]) -> None:
    before, after = (table(world, "purchase_orders") for world in worlds)
    labels = table(worlds[1], "anomalies", truth=True)
    touched = set(labels.filter(pl.col("kind") != "demand")["entity"])
    same = pl.col("po_id").is_in(touched).not_()
    assert before.filter(same).equals(after.filter(same))
    assert before.height == after.height
    dear = labels.filter(pl.col("kind") == "cost")
    paid = after.join(before, on="po_id", suffix="_before").join(
        dear.select(po_id="entity", factor="factor"), on="po_id"
    )
    ratio = paid["unit_price"] / paid["unit_price_before"]
    assert ((ratio - paid["factor"]).abs() < 0.01).all()
    assert paid.height == dear.height > 0


def test_every_kind_of_anomaly_is_labelled_and_nothing_else_reaches_the_tables(
    worlds: tuple[Path, Path],
) -> None:
    labels = table(worlds[1], "anomalies", truth=True)
    assert set(labels["kind"]) == {"cost", "demand", "supplier_delay"}
    plain, trouble = (table(world, "sales") for world in worlds)
    assert trouble.columns == plain.columns


def test_each_drift_starts_on_its_day_at_its_place(worlds: tuple[Path, Path]) -> None:
    drift = {row["kind"]: row for row in table(worlds[1], "drift", truth=True).to_dicts()}
    assert set(drift) == {"sudden", "gradual", "spread", "price"}
    plain, trouble = (table(world, "sales") for world in worlds)
    both = trouble.join(plain, on=["date", "sku", "location"], suffix="_plain")

    def ratio(kind: str, column: str, *, after: bool) -> float:
        side = pl.col("date") >= drift[kind]["onset_date"]
        here = both.filter((pl.col("location") == drift[kind]["location"]) & (side == after))
        medians = [np.median(here[name].to_numpy()) for name in (column, f"{column}_plain")]
        return float(medians[0] / medians[1])

    assert ratio("price", "price", after=False) == 1.0
    assert ratio("price", "price", after=True) == pytest.approx(PRICE_FACTOR, rel=0.02)
    place = drift["sudden"]
    here = both.filter(
        (pl.col("location") == place["location"]) & (pl.col("date") >= place["onset_date"])
    )
    grown = float(here["quantity"].to_numpy().sum() / here["quantity_plain"].to_numpy().sum())
    assert grown == pytest.approx(STEP_FACTOR, rel=0.15)


def test_the_gap_is_found_as_missing_data(worlds: tuple[Path, Path]) -> None:
    (gap,) = table(worlds[1], "reporting_gaps", truth=True).to_dicts()
    (found,) = reporting_gaps(table(worlds[1], "sales")).to_dicts()
    assert found["names"] == [gap["location"]]
    assert (found["first_day"], found["days"]) == (gap["first_day"], GAP_DAYS)
