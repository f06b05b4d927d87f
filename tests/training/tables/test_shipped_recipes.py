from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest

from training.tables import Dataset, dataset, exists, read
from training.tables.importing import Order
from training.tables.recipes import load_recipe

if TYPE_CHECKING:
    from collections.abc import Callable

    from training.tables.importing import Outcome

    Bring = Callable[[Order], tuple[Outcome, ...]]

RECIPES = Path(__file__).parents[3] / "training" / "recipes"


# Every source here is made up, in the shape of the real set its recipe is for.
def fresh_retail() -> pl.DataFrame:
    frame = pl.DataFrame(
        {
            "date": [datetime(2024, 5, day, tzinfo=UTC) for day in (1, 4, 6)],
            "sale_amount": [0.9, 2.0, None],
            "stockout_hours_6_22": [8, 0, 0],
            "discount": [0.75, 1.088, 0.5],
            "holiday_flag": [1, 1, 0],
            "activity_flag": [1, 0, 1],
            "avg_temperature": [20.0, 21.0, 22.0],
            "precpt": [0.5, 0.0, 1.0],
        }
    ).with_columns(pl.col("date").dt.replace_time_zone(None), pl.col("discount").cast(pl.Float32))
    categories = ("first_category_id", "second_category_id", "third_category_id")
    ids = ("city_id", "store_id", *categories, "product_id")
    return frame.with_columns(pl.lit(n, dtype=pl.Int16).alias(name) for n, name in enumerate(ids))


def test_the_recipe_of_fresh_retail_makes_six_tables(
    bring: Bring, tmp_path: Path, data_dir: Path
) -> None:
    fresh_retail().write_parquet(tmp_path / "fresh.parquet")

    bring(Order(tmp_path / "fresh.parquet", recipe=load_recipe(RECIPES / "freshretailnet50k.toml")))

    sales = read(data_dir, "sales")
    assert sales["sku"].to_list() == ["5", "5"]
    assert sales["quantity"].to_list() == pytest.approx([0.9, 2.0])
    assert sales["discount"].to_list() == pytest.approx([0.25, 0.0])
    assert sales["available_fraction"].to_list() == [0.5, 1.0]
    assert sales["promoted"].to_list() == [True, False]
    plan = read(data_dir, "plan")
    assert plan.select("date", "discount").rows() == [(date(2024, 5, 6), 0.5)]
    calendar = read(data_dir, "calendar").sort("date")
    assert calendar["holiday_name"].to_list() == ["public holiday", None, None]
    assert calendar["day_off"].to_list() == [1.0, 1.0, 0.0]
    assert read(data_dir, "products").rows() == [("5", "2", "4")]
    assert read(data_dir, "locations", columns=["location", "city"]).rows() == [("1", "0")]
    assert read(data_dir, "weather")["temperature_avg"].to_list() == [20.0, 21.0, 22.0]
    assert dataset(data_dir) == Dataset("day", "missing", "CNY")


def test_the_recipe_of_invoice_lines_nets_returns_and_leaves_fees_out(
    bring: Bring, tmp_path: Path, data_dir: Path
) -> None:
    pl.DataFrame(
        {
            "InvoiceNo": [1, 1, 2, 3],
            "StockCode": ["85123A", "POST", "85123A", "85123A"],
            "Description": "a holder",
            "Quantity": [6, 1, 2, -3],
            "InvoiceDate": ["2010-12-01 08:26:00"] * 4,
            "UnitPrice": [2.0, 18.0, 4.0, 2.0],
            "CustomerID": [17850.0, 17850.0, None, 17850.0],
            "Country": "France",
        }
    ).write_parquet(tmp_path / "lines.parquet")

    bring(Order(tmp_path / "lines.parquet", recipe=load_recipe(RECIPES / "online_retail.toml")))

    row = read(data_dir, "sales").row(0, named=True)
    assert (row["sku"], row["location"], row["date"]) == ("85123A", "France", date(2010, 12, 1))
    assert (row["quantity"], row["price"], row["revenue"]) == (5.0, 2.5, 14.0)


def test_the_recipe_of_stores_leaves_closed_days_out(
    bring: Bring, tmp_path: Path, data_dir: Path
) -> None:
    pl.DataFrame(
        {
            "Store": [1, 1],
            "DayOfWeek": [2, 3],
            "Date": [datetime(2013, 1, 1), datetime(2013, 1, 2)],  # noqa: DTZ001  as in the set
            "Sales": [0, 5530],
            "Customers": [0, 668],
            "Open": [0, 1],
            "Promo": [0, 1],
            "StateHoliday": ["a", "0"],
            "SchoolHoliday": [1, 1],
        }
    ).write_parquet(tmp_path / "stores.parquet")

    bring(Order(tmp_path / "stores.parquet", recipe=load_recipe(RECIPES / "rossmann.toml")))

    assert read(data_dir, "sales")["quantity"].to_list() == [5530.0]
    calendar = read(data_dir, "calendar").sort("date")
    assert calendar["holiday_name"].to_list() == ["public holiday", None]
    assert not exists(data_dir, "plan")
    assert dataset(data_dir).absent_days == "missing"


def test_the_recipe_of_monthly_parts_makes_months(
    bring: Bring, tmp_path: Path, data_dir: Path
) -> None:
    (tmp_path / "parts.csv").write_text("Part,Jan-98,Feb-98\n21029627,0,2\n21029628,1,\n")

    bring(Order(tmp_path / "parts.csv", recipe=load_recipe(RECIPES / "carparts.toml")))

    assert read(data_dir, "sales").rows() == [
        (date(1998, 1, 1), "21029627", "all", 0.0),
        (date(1998, 2, 1), "21029627", "all", 2.0),
        (date(1998, 1, 1), "21029628", "all", 1.0),
    ]
    assert dataset(data_dir).frequency == "month"


def test_the_recipe_of_store_items_renames(bring: Bring, tmp_path: Path, data_dir: Path) -> None:
    (tmp_path / "items.csv").write_text("date,store,item,sales\n2013-01-01,1,2,13\n")

    bring(Order(tmp_path / "items.csv", recipe=load_recipe(RECIPES / "store_item_demand.toml")))

    assert read(data_dir, "sales").rows() == [(date(2013, 1, 1), "2", "1", 13.0)]


def test_the_recipes_of_caterpillar_make_parts_bills_and_quotes(
    bring: Bring, tmp_path: Path, data_dir: Path
) -> None:
    quotes = {
        "tube_assembly_id": ["TA-1", "TA-1"],
        "supplier": ["S-1", "S-1"],
        "quote_date": ["2013-07-07", "2013-07-07"],
        "annual_usage": [0, 0],
        "min_order_quantity": [0, 0],
        "bracket_pricing": ["Yes", "Yes"],
        "quantity": [1, 5],
        "cost": [21.9, 6.7],
    }
    bill = {"tube_assembly_id": ["TA-1", "TA-2"]}
    for number in range(1, 9):
        bill[f"component_id_{number}"] = ["C-9", "C-7"] if number < 3 else ["NA", ""]
        bill[f"quantity_{number}"] = ["2", "NA"] if number < 3 else ["NA", ""]
    tubes = {
        "tube_assembly_id": ["TA-1"],
        "material_id": ["SP-1"],
        "diameter": ["10"],
        "wall": ["2"],
        "length": ["3"],
    }
    specs = {"tube_assembly_id": ["TA-1"], "spec1": ["SP-7"], "spec2": ["SP-7"], "spec3": [None]}
    nuts = {"component_id": ["C-9"], "hex_nut_size": ["20.6"], "blind_hole": ["NA"]}
    sources = (
        ("quotes", quotes, False),
        ("bills", bill, False),
        ("parts", tubes, False),
        ("specs", specs, True),
        ("components", nuts, True),
    )
    for name, columns, append in sources:
        path = tmp_path / f"{name}.csv"
        pl.DataFrame(columns).write_csv(path)
        recipe = load_recipe(RECIPES / f"caterpillar_{name}.toml")
        bring(Order(path, recipe=recipe, append=append))

    assert read(data_dir, "quotes").select("sku", "quantity", "bracket_pricing").rows() == [
        ("TA-1", 1.0, True),
        ("TA-1", 5.0, True),
    ]
    lines = read(data_dir, "bills_of_material").select("sku", "component", "quantity")
    assert lines.rows() == [("TA-1", "C-9", 4.0)]
    said = set(read(data_dir, "part_attributes").rows())
    assert ("TA-1", "diameter_wall_length", "60.0") in said
    assert ("TA-1", "spec", "SP-7") in said
    assert ("C-9", "hex_nut_size", "20.6") in said
    assert len(said) == 7
