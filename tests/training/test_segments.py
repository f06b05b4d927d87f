"""Segments: classes from sums done by hand, segments that are planted, and the command."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

from serving.errors import InvalidField, MissingInput
from training.cli import main
from training.segments.classes import classify, default_policies, read_policies
from training.segments.likeness import NOISE, segment
from training.segments.measures import measure
from training.segments.page import page_of

if TYPE_CHECKING:
    from pathlib import Path

    from serving.settings import Settings

FIRST = dt.date(2026, 1, 5)  # a Monday


def sales(folder: Path, series: dict[str, list[float]], price: float | None = 2.0) -> Path:
    """Write a sales table: units of each day, 0 being a day without a row."""
    rows = [
        {"date": FIRST + dt.timedelta(days=day), "sku": sku, "location": "x", "quantity": units}
        for sku, sold in series.items()
        for day, units in enumerate(sold)
        if units
    ]
    frame = pl.DataFrame(rows)
    if price is not None:
        frame = frame.with_columns(price=pl.lit(price))
    folder.mkdir(parents=True, exist_ok=True)
    frame.write_parquet(folder / "sales.parquet")
    return folder


STEADY, WILD = [4.0] * 28, [0.0] * 13 + [9.0] + [0.0] * 13 + [60.0]
SERIES = {"a": [40.0] * 28, "b": STEADY, "c": [1.0] * 28, "d": WILD}


def test_measures_are_those_of_sums_done_by_hand(tmp_path: Path) -> None:
    found = measure(sales(tmp_path, SERIES), None)
    by_sku = {row["sku"]: row for row in found.iter_rows(named=True)}
    assert by_sku["b"]["units"] == 112.0
    assert by_sku["b"]["value"] == 224.0
    assert by_sku["b"]["daily_mean"] == 4.0
    assert by_sku["b"]["weekly_cv"] == pytest.approx(0.0)
    assert by_sku["b"]["weekend_share"] == pytest.approx(2 / 7)
    # The lumpy one sells first on the 14th day: 15 days, 2 sales, weeks of 60, 0 and 9 units.
    assert by_sku["d"]["interval"] == pytest.approx(15 / 2)
    assert by_sku["d"]["weekly_cv"] == pytest.approx(np.std([60.0, 0.0, 9.0], ddof=1) / 23.0)
    assert by_sku["d"]["size_cv2"] == pytest.approx((np.std([9.0, 60.0], ddof=1) / 34.5) ** 2)


def test_classes_follow_value_variability_speed_and_pattern(tmp_path: Path) -> None:
    found = classify(measure(sales(tmp_path, SERIES), None))
    assert dict(found.select("sku", "abc").rows()) == {"a": "A", "b": "B", "c": "C", "d": "B"}
    assert dict(found.select("sku", "xyz").rows()) == {"a": "X", "b": "X", "c": "X", "d": "Z"}
    assert dict(found.select("sku", "mover").rows())["a"] == "fast"
    assert dict(found.select("sku", "pattern").rows()) == {
        "a": "smooth",
        "b": "smooth",
        "c": "smooth",
        "d": "lumpy",
    }


def test_without_a_price_units_are_the_value(tmp_path: Path) -> None:
    found = measure(sales(tmp_path, SERIES, price=None), None)
    assert found["value"].to_list() == found["units"].to_list()


def test_days_after_the_last_one_asked_for_do_not_count(tmp_path: Path) -> None:
    found = measure(sales(tmp_path, SERIES), FIRST + dt.timedelta(days=6))
    assert found["sku"].to_list() == ["a", "b", "c"]
    assert found["units"].to_list() == [280.0, 28.0, 7.0]
    with pytest.raises(InvalidField):
        measure(tmp_path, FIRST - dt.timedelta(days=1))


def test_a_folder_without_sales_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingInput):
        measure(tmp_path, None)


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> pl.DataFrame:
    """Return forty steady fast series and forty lumpy slow ones."""
    random = np.random.default_rng(1)
    steady = {f"s{n:02}": list(random.poisson(30, 56).astype(float) + 1) for n in range(40)}
    lumpy = {
        f"t{n:02}": [1.0, *(random.random(55) < 0.08) * random.integers(1, 9, 55).astype(float)]
        for n in range(40)
    }
    return measure(sales(tmp_path_factory.mktemp("planted"), steady | lumpy), None)


def test_planted_segments_are_found(planted: pl.DataFrame) -> None:
    found = segment(planted)
    steady = planted["sku"].str.starts_with("s").to_numpy()
    assert len(set(found.kmeans[steady].tolist())) == 1
    assert set(found.kmeans[steady].tolist()).isdisjoint(found.kmeans[~steady].tolist())
    kept = found.dbscan != NOISE
    assert set(found.dbscan[steady & kept].tolist()).isdisjoint(found.dbscan[~steady & kept])
    assert found.picture.shape == (80, 2)
    assert 0 < found.silhouette <= 1


def test_segments_have_the_same_numbers_again(planted: pl.DataFrame) -> None:
    once, again = segment(planted), segment(planted)
    assert (once.kmeans == again.kmeans).all()
    assert (once.dbscan == again.dbscan).all()


def test_too_few_series_are_refused(planted: pl.DataFrame) -> None:
    with pytest.raises(InvalidField):
        segment(planted.head(5))


def test_an_edited_table_of_policies_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "policies.csv"
    edited = default_policies().with_columns(service_target=pl.lit(0.9))
    edited.write_csv(path)
    assert read_policies(path).equals(edited)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda table: table.drop("policy"), "policies"),
        (lambda table: table.head(8), "policies"),
        (lambda table: table.with_columns(policy=pl.lit("hope")), "policies[0].policy"),
        (lambda table: table.with_columns(target_kind=pl.lit("x")), "policies[0].target_kind"),
        (
            lambda table: table.with_columns(service_target=pl.lit(1.0)),
            "policies[0].service_target",
        ),
        (lambda table: table.with_columns(review_days=pl.lit(-1.0)), "policies[0].review_days"),
    ],
)
def test_a_table_of_policies_that_breaks_a_rule_is_refused(
    tmp_path: Path, change: object, field: str
) -> None:
    assert callable(change)
    path = tmp_path / "policies.csv"
    change(default_policies()).write_csv(path)
    with pytest.raises(InvalidField) as refused:
        read_policies(path)
    assert refused.value.field == field


def test_the_page_says_what_was_found(planted: pl.DataFrame) -> None:
    classed = classify(planted)
    html = page_of(classed, segment(planted), default_policies()).html()
    assert "80 series" in html
    assert html.count("<img") == 3
    assert "<td>AX</td>" in html.replace(' class="text"', "")


def test_the_command_writes_table_policies_and_page(
    home: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, report, policies = tmp_path / "s.parquet", tmp_path / "s.html", tmp_path / "p.csv"
    arguments = ["segments", "--data", str(home.tables), "--out", str(out)]
    with pytest.raises(SystemExit) as left:
        main([*arguments, "--report", str(report), "--write-policies", str(policies)])
    assert left.value.code == 0
    found = pl.read_parquet(out)
    assert {"abc", "xyz", "kmeans_segment", "policy", "service_target"} <= set(found.columns)
    assert found["policy"].null_count() == 0
    assert report.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert "Series by value and variability" in " ".join(capsys.readouterr().out.split())
    with pytest.raises(SystemExit) as left:
        main([*arguments, "--policies", str(policies)])
    assert left.value.code == 0
    with pytest.raises(SystemExit) as left:
        main(["segments", "--data", str(home.tables), "--out", str(tmp_path / "s.csv")])
    assert left.value.code == 2
