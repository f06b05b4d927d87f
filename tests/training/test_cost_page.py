"""The cost report page."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import polars as pl
import pytest

from serving.errors import MissingInput
from training.cost.page import CostReport, cost_page

if TYPE_CHECKING:
    from pathlib import Path

DAY = dt.date(2026, 6, 1)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return a folder of one part of one commodity, quoted at half as much again."""
    made = {
        "bills_of_material": {
            "sku": "A",
            "component": "C",
            "quantity": 2.0,
            "commodity": "steel",
            "mass_kg": 3.0,
            "labor_minutes": 6.0,
        },
        "commodity_prices": {"date": DAY, "commodity": "steel", "price": 1.5, "currency": "USD"},
        "plants": {
            "plant_id": "P",
            "country": "US",
            "labor_rate_hourly": 30.0,
            "overhead_rate": 0.5,
            "currency_code": "USD",
        },
        "sourcing": {"sku": "A", "supplier_id": "S", "plant_id": "P", "incoterm": "EXW"},
        "quotes": {
            "quote_id": "Q",
            "date": DAY,
            "sku": "A",
            "supplier_id": "S",
            "quantity": 10.0,
            "unit_price": 27.0,
            "currency_code": "USD",
        },
    }
    for name, row in made.items():
        pl.DataFrame([row]).write_parquet(tmp_path / f"{name}.parquet")
    return tmp_path


def test_a_page_draws_the_dearest_quote_and_says_what_is_missing(data: Path) -> None:
    html = cost_page(CostReport(data, data / "releases")).html()
    # 2 x 3 kg x 1.5 and 12 minutes at 30 an hour with half as much overhead: 9 + 6 + 3.
    assert "18 USD a unit" in html
    assert "It is quoted at 27." in html
    assert "50.0 %" in html
    assert "no cost model serves" in html
    assert "There is no table cost_transactions." in html


def test_a_part_may_be_named(data: Path) -> None:
    assert "Should-cost of A" in cost_page(CostReport(data, data / "releases", sku="A")).html()


def test_without_any_cost_table_the_command_says_what_to_import(tmp_path: Path) -> None:
    with pytest.raises(MissingInput, match="quotes"):
        cost_page(CostReport(tmp_path, tmp_path / "releases"))
