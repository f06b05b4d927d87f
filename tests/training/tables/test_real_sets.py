from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest

from serving import settings
from training.tables import read
from training.tables.importing import Order
from training.tables.recipes import load_recipe

if TYPE_CHECKING:
    from collections.abc import Callable

    from training.tables.importing import Outcome

    Bring = Callable[[Order], tuple[Outcome, ...]]

RECIPES = Path(__file__).parents[3] / "training" / "recipes"


@pytest.fixture
def real() -> Path:
    folder = settings.load().real_data
    if folder is None:
        pytest.skip("PARLEVEL_REAL_DATA names no folder")
    return folder


@pytest.fixture
def subset(real: Path, tmp_path: Path) -> Callable[[str, pl.Expr], Path]:
    """Write the rows of a real parquet file for which an expression holds."""

    def write(name: str, rows: pl.Expr) -> Path:
        path = tmp_path / "subset.parquet"
        pl.scan_parquet(real / name).filter(rows).collect().write_parquet(path)
        return path

    return write


def test_fresh_retail_of_some_stores_is_taken_whole(
    bring: Bring, subset: Callable[[str, pl.Expr], Path], data_dir: Path
) -> None:
    path = subset("freshretailnet50k/dev.parquet", pl.col("store_id") < 20)
    source = pl.read_parquet(path)

    bring(Order(path, recipe=load_recipe(RECIPES / "freshretailnet50k.toml")))

    sales = read(data_dir, "sales")
    assert len(sales) == len(source)
    assert sales["quantity"].sum() == pytest.approx(source["sale_amount"].cast(pl.Float64).sum())
    assert read(data_dir, "products").height == source["product_id"].n_unique()
    assert read(data_dir, "calendar")["holiday_name"].drop_nulls().len() == 6


def test_invoice_lines_of_one_country_keep_their_net_revenue(
    bring: Bring, subset: Callable[[str, pl.Expr], Path], data_dir: Path
) -> None:
    path = subset("online_retail/online_retail.parquet", pl.col("Country") == "France")
    goods = pl.col("StockCode").str.contains("^[0-9]{5}") & (pl.col("UnitPrice") > 0)
    source = pl.read_parquet(path).filter(goods)

    bring(Order(path, recipe=load_recipe(RECIPES / "online_retail.toml")))

    revenue = (source["Quantity"] * source["UnitPrice"]).sum()
    assert read(data_dir, "sales")["revenue"].sum() == pytest.approx(revenue)


def test_store_sales_of_some_stores_are_taken(
    bring: Bring, subset: Callable[[str, pl.Expr], Path], data_dir: Path
) -> None:
    path = subset("rossmann/to_2015-06-19.parquet", pl.col("Store") < 10)

    bring(Order(path, recipe=load_recipe(RECIPES / "rossmann.toml")))

    assert read(data_dir, "sales")["quantity"].sum() == pl.read_parquet(path)["Sales"].sum()


def test_complete_store_item_series_are_taken(
    bring: Bring, subset: Callable[[str, pl.Expr], Path], data_dir: Path
) -> None:
    path = subset("store_item_demand/train_82series.parquet", pl.col("item") < 5)

    bring(Order(path, recipe=load_recipe(RECIPES / "store_item_demand.toml")))

    assert read(data_dir, "sales")["quantity"].sum() == pl.read_parquet(path)["sales"].sum()


def test_car_parts_are_monthly_and_mostly_zero(bring: Bring, real: Path, data_dir: Path) -> None:
    path = real / "carparts" / "first39m.csv.gz"

    bring(Order(path, recipe=load_recipe(RECIPES / "carparts.toml")))

    sales = read(data_dir, "sales")
    assert sales["sku"].n_unique() == 2674
    assert (sales["quantity"] == 0).mean() == pytest.approx(0.71, abs=0.03)
