"""The tables of a world agree with one another and with the truth."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pytest

from training.world import LAST_DAY, WorldSummary

SERIES = ["sku", "location"]
KEYS = ["date", "sku", "location"]


@pytest.fixture(scope="module")
def tables(demo_world: WorldSummary) -> dict[str, pl.DataFrame]:
    return {path.stem: pl.read_parquet(path) for path in demo_world.out.glob("*.parquet")}


@pytest.fixture(scope="module")
def truth(demo_world: WorldSummary) -> dict[str, pl.DataFrame]:
    return {path.stem: pl.read_parquet(path) for path in demo_world.truth.glob("*.parquet")}


def test_stock_is_conserved_at_every_location(
    tables: dict[str, pl.DataFrame], truth: dict[str, pl.DataFrame]
) -> None:
    received = truth["receipts"].group_by(KEYS).agg(received=pl.col("quantity").sum())
    flows = (
        tables["inventory"]
        .join(tables["sales"].select(*KEYS, "quantity"), on=KEYS)
        .join(received, on=KEYS, how="left")
        .sort(*SERIES, "date")
        .with_columns(before=pl.col("on_hand").shift(1).over(SERIES))
        .drop_nulls("before")
    )
    balance = flows.select(
        pl.col("before") + pl.col("received").fill_null(0) - pl.col("quantity") - pl.col("on_hand")
    ).to_series()
    assert balance.abs().max() == 0.0
    assert tables["inventory"]["on_hand"].min() == 0.0


def test_stock_is_conserved_by_what_a_company_sees(tables: dict[str, pl.DataFrame]) -> None:
    received = (
        tables["purchase_orders"]
        .drop_nulls("delivered_date")
        .group_by("sku", date="delivered_date")
        .agg(received=pl.col("quantity").sum())
    )
    by_sku = (
        tables["inventory"]
        .join(tables["sales"].select(*KEYS, "quantity"), on=KEYS)
        .group_by("sku", "date")
        .agg(pl.col("on_hand", "quantity").sum())
        .join(received, on=["sku", "date"], how="left")
        .sort("sku", "date")
        .with_columns(before=pl.col("on_hand").shift(1).over("sku"))
        .drop_nulls("before")
    )
    balance = by_sku.select(
        pl.col("before") + pl.col("received").fill_null(0) - pl.col("quantity") - pl.col("on_hand")
    ).to_series()
    assert balance.abs().max() == 0.0


def test_stock_on_order_is_what_open_orders_hold(tables: dict[str, pl.DataFrame]) -> None:
    orders = tables["purchase_orders"]
    open_units = orders.filter(pl.col("delivered_date").is_null())["quantity"].sum()
    last = tables["inventory"].filter(pl.col("date") == LAST_DAY)
    assert last["on_order"].sum() == open_units
    assert open_units > 0


def test_sales_never_exceed_demand_and_fall_short_only_without_stock(
    tables: dict[str, pl.DataFrame], truth: dict[str, pl.DataFrame]
) -> None:
    days = tables["sales"].join(truth["demand"], on=KEYS).join(tables["inventory"], on=KEYS)
    assert days.height == tables["sales"].height
    assert (days["quantity"] <= days["demand"]).all()
    short = days.filter(pl.col("quantity") < pl.col("demand"))
    assert short.height > 0
    assert (short["on_hand"] == 0).all()
    assert ((days["available_fraction"] < 1) == (days["on_hand"] == 0)).all()
    assert days["available_fraction"].is_between(0, 1).all()


def test_stockouts_name_exactly_the_lost_units(
    tables: dict[str, pl.DataFrame], truth: dict[str, pl.DataFrame]
) -> None:
    history = truth["demand"].filter(pl.col("date") <= LAST_DAY)
    lost = history["demand"].to_numpy().sum() - tables["sales"]["quantity"].to_numpy().sum()
    assert truth["stockouts"]["lost_units"].sum() == lost


def test_latent_mean_is_the_mean_of_demand(truth: dict[str, pl.DataFrame]) -> None:
    by_size = (
        truth["demand"]
        .filter(pl.col("latent_mean") > 0)
        .with_columns(size=pl.col("latent_mean").log().floor().clip(-2, 7))
        .group_by("size")
        .agg(ratio=pl.col("demand").mean() / pl.col("latent_mean").mean())
    )
    assert by_size.height == 10
    assert by_size["ratio"].to_list() == pytest.approx([1.0] * 10, abs=0.05)


def test_rows_are_dense_from_launch_on(tables: dict[str, pl.DataFrame]) -> None:
    first_day = tables["sales"]["date"].min()
    spans = (
        tables["sales"]
        .group_by(SERIES)
        .agg(first=pl.col("date").min(), last=pl.col("date").max(), rows=pl.len())
    )
    days = (spans["last"] - spans["first"]).dt.total_days() + 1
    assert (days == spans["rows"]).all()
    assert (spans["last"] == LAST_DAY).all()
    launch = spans.join(tables["products"].select("sku", "launch_date"), on="sku")
    expected = launch.select(pl.max_horizontal("launch_date", pl.lit(first_day))).to_series()
    assert (launch["first"] == expected).all()
    assert (launch["first"] > first_day).any()


def test_revenue_is_units_times_price_paid(tables: dict[str, pl.DataFrame]) -> None:
    paid = pl.col("quantity") * pl.col("price") * (1 - pl.col("discount"))
    error = tables["sales"].select((pl.col("revenue") - paid).abs().max()).item()
    assert error <= 0.0051


@pytest.mark.parametrize("name", ["sales", "plan"])
def test_promotions_are_what_campaigns_say(tables: dict[str, pl.DataFrame], name: str) -> None:
    rows = tables[name].select(*KEYS, "discount", "promoted")
    rows = rows.join(tables["locations"].select("location", "region"), on="location")
    campaigns = (
        tables["campaigns"]
        .with_columns(date=pl.date_ranges("start_date", "end_date"))
        .explode("date")
    )
    everywhere = campaigns.with_columns(
        pl.col("region").fill_null(pl.lit("us-east,us-west,europe,mexico")).str.split(",")
    ).explode("region")
    own = (
        everywhere.drop_nulls("sku")
        .group_by("date", "sku", "region")
        .agg(own=pl.col("discount_percent").max())
    )
    sale = (
        everywhere.filter(pl.col("sku").is_null())
        .group_by("date", "region")
        .agg(sale=pl.col("discount_percent").max())
    )
    joined = rows.join(own, on=["date", "sku", "region"], how="left")
    joined = joined.join(sale, on=["date", "region"], how="left")
    expected = joined.select(pl.max_horizontal("own", "sale")).to_series()
    assert (expected.is_not_null() == joined["promoted"]).all()
    assert np.allclose(expected.fill_null(0.0) / 100.0, joined["discount"])
    assert 0.05 < np.mean(joined["promoted"].to_numpy()) < 0.25


def test_plan_follows_history_without_a_gap(tables: dict[str, pl.DataFrame]) -> None:
    plan = tables["plan"]
    assert plan["date"].min() == LAST_DAY + dt.timedelta(days=1)
    assert plan["date"].max() == LAST_DAY + dt.timedelta(days=90)
    assert plan.height == 200 * 10 * 90
    last = tables["sales"].filter(pl.col("date") == LAST_DAY).select(*SERIES, "price")
    joined = plan.join(last, on=SERIES, suffix="_before")
    assert (joined["price"] == joined["price_before"]).all()


def test_calendar_covers_history_and_a_third_of_a_year_more(
    tables: dict[str, pl.DataFrame],
) -> None:
    calendar, countries = tables["calendar"], set(tables["locations"]["country"])
    assert set(calendar["country"]) == countries
    assert calendar["date"].min() == tables["sales"]["date"].min()
    assert calendar["date"].max() == LAST_DAY + dt.timedelta(days=120)
    assert calendar.height == (730 + 120) * len(countries)
    per_year = calendar["holiday_name"].drop_nulls().len() / len(countries) / (850 / 365)
    assert 9 <= per_year <= 13


def test_a_forecast_is_issued_before_its_day_and_errs(tables: dict[str, pl.DataFrame]) -> None:
    weather = tables["weather"]
    realised = weather.filter(pl.col("issued_date").is_null())
    forecast = weather.drop_nulls("issued_date")
    assert realised["date"].max() == LAST_DAY
    assert (forecast["issued_date"] < forecast["date"]).all()
    assert (forecast["issued_date"] <= LAST_DAY).all()
    assert (forecast["date"] > LAST_DAY).any()
    both = forecast.join(realised, on=["date", "city"], suffix="_realised").with_columns(
        ahead=(pl.col("date") - pl.col("issued_date")).dt.total_days(),
        error=(pl.col("temperature_avg") - pl.col("temperature_avg_realised")).abs(),
    )
    errors = both.group_by("ahead").agg(pl.col("error").mean()).sort("ahead")["error"].to_list()
    assert 0.0 < errors[0] < errors[-1]
    assert np.mean(both["extreme"].to_numpy()) < 0.05


def test_lead_times_are_drawn_from_the_true_distribution(
    tables: dict[str, pl.DataFrame], truth: dict[str, pl.DataFrame]
) -> None:
    # Orders of the last weeks are left out: those still open would bias the mean downwards.
    settled = tables["purchase_orders"].filter(
        pl.col("order_date") < LAST_DAY - dt.timedelta(days=90)
    )
    observed = settled.group_by("supplier_id").agg(
        mean=(pl.col("delivered_date") - pl.col("order_date")).dt.total_days().mean(),
        late=(pl.col("delivered_date") > pl.col("promised_date")).mean(),
    )
    joined = observed.join(truth["lead_times"], on="supplier_id").join(
        tables["suppliers"], on="supplier_id"
    )
    assert joined.height == 5
    assert (joined["mean"] / joined["mean_days"]).to_list() == pytest.approx([1.0] * 5, abs=0.05)
    assert (1 - joined["late"]).to_list() == pytest.approx(
        joined["on_time_rate"].to_list(), abs=0.06
    )


def test_orders_are_whole_packs_of_at_least_the_minimum(tables: dict[str, pl.DataFrame]) -> None:
    orders = tables["purchase_orders"].join(tables["products"], on="sku")
    assert (orders["quantity"] % orders["pack_size"] == 0).all()
    assert (orders["quantity"] >= orders["minimum_order_quantity"]).all()
    assert orders["po_id"].is_unique().all()
    bought = tables["purchase_orders"].join(tables["sourcing"], on=["sku", "supplier_id"])
    assert bought.height == orders.height


def test_stock_fits_into_every_location(tables: dict[str, pl.DataFrame]) -> None:
    held = tables["inventory"].group_by("date", "location").agg(pl.col("on_hand").sum())
    joined = held.join(tables["locations"], on="location")
    assert (joined["on_hand"] <= joined["capacity_units"]).all()


def test_elasticity_can_be_found_again_in_the_latent_mean(truth: dict[str, pl.DataFrame]) -> None:
    # Within a week of a price change only the price has moved much.
    elasticity = truth["elasticities"]["elasticity"]
    assert elasticity.is_between(-3.5, -0.5).all()
    prices = (
        truth["prices"]
        .sort("sku", "date")
        .with_columns(step=pl.col("price").log().diff().over("sku"))
    )
    slopes = (
        truth["demand"]
        .sort(*SERIES, "date")
        .with_columns(moved=pl.col("latent_mean").log().diff(7).over(SERIES))
        .join(prices, on=["sku", "date"])
        .filter(pl.col("step").abs() > 0.05, pl.col("moved").is_finite())
        .group_by("sku")
        .agg(slope=(pl.col("moved") * pl.col("step")).sum() / pl.col("step").pow(2).sum())
        .join(truth["elasticities"], on="sku")
    )
    assert (slopes["slope"] - slopes["elasticity"]).median() == pytest.approx(0.0, abs=0.15)


def test_cost_shocks_move_prices(truth: dict[str, pl.DataFrame]) -> None:
    prices = truth["prices"].with_columns(
        relative=pl.col("price").log() - pl.col("price").log().mean().over("sku")
    )
    assert prices.select(pl.corr("relative", "cost_shock")).item() > 0.95


def test_truth_covers_the_planned_days(
    tables: dict[str, pl.DataFrame], truth: dict[str, pl.DataFrame]
) -> None:
    coming = truth["demand"].filter(pl.col("date") > LAST_DAY)
    assert coming.height == tables["plan"].height
    assert coming["demand"].sum() > 0
