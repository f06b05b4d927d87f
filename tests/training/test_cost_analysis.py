"""Why cost moved, from the tables."""

from __future__ import annotations

import datetime as dt
import math
from typing import TYPE_CHECKING

import polars as pl
import pytest

from serving.errors import InvalidField, MissingInput
from training.cost.analytics import QUERIES, analyse
from training.cost.variance import ALL, monthly_variance

if TYPE_CHECKING:
    from pathlib import Path

MAY, JUNE = dt.date(2026, 5, 1), dt.date(2026, 6, 1)


def transactions() -> pl.DataFrame:
    """Return the textbook's two lines in May, and the same as planned in June."""
    may = {"date": MAY, "budget_volume": [100.0, 100.0], "volume": [120.0, 60.0]}
    june = {"date": JUNE, "budget_volume": [100.0, 100.0], "volume": [100.0, 100.0]}
    months = []
    for month, prices in ((may, [11.0, 20.0]), (june, [10.0, 20.0])):
        months.append(
            pl.DataFrame(
                {
                    **month,
                    "sku": ["A", "B"],
                    "plant_id": ["P", "Q"],
                    "raw_material_price": prices,
                    "raw_material_usage": [1.0, 1.0],
                    "budget_raw_material_price": [10.0, 20.0],
                    "budget_raw_material_usage": [1.0, 1.0],
                    "total_unit_cost": prices,
                    "budget_unit_cost": [10.0, 20.0],
                }
            )
        )
    return pl.concat(months)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    transactions().write_parquet(tmp_path / "cost_transactions.parquet")
    pl.DataFrame({"sku": ["A", "B"], "category": ["x", "x"]}).write_parquet(
        tmp_path / "products.parquet"
    )
    return tmp_path


def test_a_month_is_split_as_the_textbook_splits_it(data: Path) -> None:
    found = monthly_variance(data, "category", months=(MAY, MAY))
    total = found.filter(group=ALL).row(0, named=True)
    assert (total["volume"], total["mix"], total["price"]) == (-300.0, -300.0, 120.0)
    assert (total["variance"], total["alert"]) == (-480.0, True)


def test_a_month_as_planned_has_no_variance(data: Path) -> None:
    found = monthly_variance(data, "plant_id", months=(JUNE, JUNE))
    assert found["variance"].to_list() == [0.0, 0.0, 0.0]
    assert not found["alert"].any()


def test_groups_of_every_month_add_up(data: Path) -> None:
    found = monthly_variance(data, "sku")
    for month in (MAY, JUNE):
        rows = found.filter(month=month)
        parts = rows.filter(pl.col("group") != ALL)["variance"].sum()
        assert math.isclose(parts, rows.filter(group=ALL)["variance"][0], abs_tol=1e-9)


def test_without_elements_the_unit_cost_is_split(data: Path) -> None:
    plain = transactions().drop(name for name in transactions().columns if "raw" in name)
    plain.write_parquet(data / "cost_transactions.parquet")
    total = monthly_variance(data, "sku", months=(MAY, MAY)).filter(group=ALL)
    assert (total["rate"][0], total["variance"][0]) == (120.0, -480.0)


def test_a_missing_rate_is_named_and_never_taken_as_zero(data: Path) -> None:
    lacking = transactions().with_columns(
        raw_material_price=pl.when(pl.col("sku") != "B").then("raw_material_price")
    )
    lacking.write_parquet(data / "cost_transactions.parquet")
    with pytest.raises(InvalidField, match="2026-05-01 of B at Q"):
        monthly_variance(data, "sku")


def in_euros(fx_rates: list[float | None]) -> pl.DataFrame:
    """Return the textbook's lines booked in euros, planned at a dollar each."""
    return transactions().with_columns(
        currency_code=pl.lit("EUR"), fx_rate=pl.Series(fx_rates), budget_fx_rate=pl.lit(1.0)
    )


def test_a_dearer_currency_is_a_variance_of_its_own_and_the_total_stays_exact(data: Path) -> None:
    (data / "dataset.toml").write_text('currency_code = "USD"\n')
    in_euros([1.1, 1.1, 1.0, 1.0]).write_parquet(data / "cost_transactions.parquet")
    total = monthly_variance(data, "sku", months=(MAY, MAY)).filter(group=ALL).row(0, named=True)
    assert total["currency"] == pytest.approx(0.1 * (120 * 11.0 + 60 * 20.0))
    effects = ("volume", "mix", "price", "rate", "usage", "currency")
    assert sum(total[name] for name in effects) == pytest.approx(total["variance"], abs=1e-9)
    assert analyse(data, "variance")["variance"].sum() == pytest.approx(total["variance"])


def test_another_currency_without_a_rate_is_refused_by_its_line(data: Path) -> None:
    (data / "dataset.toml").write_text('currency_code = "USD"\n')
    in_euros([1.1, None, 1.0, 1.0]).write_parquet(data / "cost_transactions.parquet")
    with pytest.raises(InvalidField, match="2026-05-01 of B at Q, as its costs are in EUR"):
        monthly_variance(data, "sku")


def test_an_unknown_dimension_is_refused(data: Path) -> None:
    with pytest.raises(InvalidField, match="plant_id, category"):
        monthly_variance(data, "colour")


def test_without_transactions_the_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingInput, match="cost_transactions"):
        monthly_variance(tmp_path, "sku")
    for name in QUERIES:
        with pytest.raises(MissingInput):
            analyse(tmp_path, name)


def test_an_unknown_query_is_refused(data: Path) -> None:
    with pytest.raises(InvalidField, match="cost-anomaly"):
        analyse(data, "anything")


def test_the_variance_query_agrees_with_the_split(data: Path) -> None:
    found = analyse(data, "variance")
    assert found["variance"].sum() == pytest.approx(-480.0)


def test_an_odd_cost_is_measured_by_the_ones_before_it_alone(data: Path) -> None:
    costs = [10.0, 10.1, 9.9, 10.0, 10.1, 9.9, 10.0, 15.0, 10.0]
    days = [MAY + dt.timedelta(day) for day in range(len(costs))]
    rows = {"sku": "A", "plant_id": "P", "volume": 1.0}
    pl.DataFrame({"date": days, "total_unit_cost": costs, **rows}).write_parquet(
        data / "cost_transactions.parquet"
    )
    found = analyse(data, "cost-anomaly")
    assert found.filter("flag")["date"].to_list() == [days[7]]
    # Had the row itself counted, no z could pass (n - 1) / sqrt(n).
    assert found["z"][0] > 8 / math.sqrt(9)


def test_a_quote_above_what_was_paid_is_flagged(data: Path) -> None:
    pl.DataFrame(
        {
            "quote_id": ["fair", "dear"],
            "date": [JUNE, JUNE],
            "sku": ["B", "B"],
            "supplier_id": ["S", "S"],
            "quantity": [1.0, 1.0],
            "unit_price": [20.5, 26.0],
        }
    ).write_parquet(data / "quotes.parquet")
    found = analyse(data, "should-cost-gap")
    assert found.select("quote_id", "flag").rows() == [("dear", True), ("fair", False)]
