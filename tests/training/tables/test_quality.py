from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from training.tables.quality import check_folder

if TYPE_CHECKING:
    from pathlib import Path

TODAY = date(2024, 1, 10)
SALES = (
    "date,sku,location,quantity\n"
    "2024-01-01,A,x,1\n"  # good
    "2024-01-02,A,x,\n"  # incomplete
    "2024-01-03,A,x,-1\n"  # invalid
    "2024-01-01,A,x,1\n"  # repeats the first
    "2024-02-01,B,x,1\n"  # dated after today
)


@pytest.fixture
def folder(data_dir: Path) -> Path:
    data_dir.mkdir()
    (data_dir / "sales.csv").write_text(SALES)
    (data_dir / "products.csv").write_text("sku\nA\n")
    return data_dir


def test_each_expectation_has_the_share_of_rows_that_meet_it(folder: Path) -> None:
    report = check_folder(folder, today=TODAY).tables[0]

    assert report.shares == pytest.approx((0.8, 0.8, 0.8, 0.8))
    assert report.score == pytest.approx(0.2)
    assert (report.rows, report.violations) == (5, 3)
    assert (report.first, report.last) == (date(2024, 1, 1), date(2024, 2, 1))


def test_values_another_table_does_not_know_are_a_warning(folder: Path) -> None:
    report = check_folder(folder, today=TODAY)

    assert report.warnings == ("sales: 1 sku value not in products (B)",)


def test_a_table_with_a_wrong_header_scores_nothing_and_the_others_are_judged(folder: Path) -> None:
    (folder / "products.csv").write_text("article\nA\n")

    report = check_folder(folder, today=TODAY)

    assert [(each.table, each.score) for each in report.tables][1] == ("products", 0.0)
    assert report.tables[1].violations == 2


def test_a_plan_may_look_ahead(data_dir: Path) -> None:
    data_dir.mkdir()
    (data_dir / "plan.csv").write_text("date,sku,location\n2030-01-01,A,x\n")

    assert check_folder(data_dir, today=TODAY).tables[0].score == 1.0
