"""The cost side of a world: bills, rates and quotes agree with one another and with the truth."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

from serving.errors import MissingInput
from training.cost.judging import Judgement, judge_quotes
from training.cost.margins import told_apart
from training.cost.variance import monthly_variance
from training.world import LAST_DAY, WorldSummary
from training.world.costs import ELEMENTS

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def truth(demo_world: WorldSummary) -> dict[str, pl.DataFrame]:
    return {path.stem: pl.read_parquet(path) for path in demo_world.truth.glob("*.parquet")}


@pytest.fixture(scope="module")
def judged(demo_world: WorldSummary, tmp_path_factory: pytest.TempPathFactory) -> pl.DataFrame:
    folder: Path = tmp_path_factory.mktemp("judged")
    asked = Judgement(demo_world.out, folder / "judged.parquet", folder / "no releases")
    return judge_quotes(asked, lambda *_: None).judged


def table(world: WorldSummary, name: str) -> pl.DataFrame:
    return pl.read_parquet(world.out / f"{name}.parquet")


def test_the_rates_are_those_of_twelve_plants_in_seven_countries(demo_world: WorldSummary) -> None:
    plants = table(demo_world, "plants")
    assert (plants.height, plants["country"].n_unique()) == (12, 7)
    prices = table(demo_world, "commodity_prices")
    assert prices["commodity"].n_unique() == 5
    assert prices.height == 5 * demo_world.profile.days


def test_element_shares_of_every_bill_sum_to_one(truth: dict[str, pl.DataFrame]) -> None:
    shares = truth["cost_elements"].select(f"{name}_share" for name in ELEMENTS)
    total = shares.sum_horizontal()
    assert np.allclose(total, 1.0, rtol=0.0, atol=1e-12)
    assert shares.to_numpy().min() >= 0.0


def test_the_roll_up_of_a_bill_is_the_cost_behind_the_world(
    demo_world: WorldSummary, truth: dict[str, pl.DataFrame], judged: pl.DataFrame
) -> None:
    dated = table(demo_world, "quotes").select("quote_id", "quantity", "date")
    last = judged.join(dated, on=["quote_id", "quantity"]).filter(pl.col("date") == LAST_DAY)
    found = last.join(truth["cost_elements"], on="sku", suffix="_true").unique("sku")
    assert found.height > 0
    np.testing.assert_allclose(found["should_cost"], found["should_cost_true"], rtol=1e-6)


def test_the_plain_rule_tells_greedy_suppliers_from_honest_ones(
    demo_world: WorldSummary, truth: dict[str, pl.DataFrame], judged: pl.DataFrame
) -> None:
    margins = truth["supplier_margins"]["margin"]
    assert ((margins <= 0.05) | (margins >= 0.15)).all()
    rule, flagged, precision, recall = told_apart(judged, demo_world.truth).row(0)
    assert rule == "gap above 10 %"
    assert flagged > 0
    assert precision > 0.9
    assert recall > 0.9


def test_margins_nobody_knows_are_asked_for(judged: pl.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(MissingInput, match="supplier_margins"):
        told_apart(judged, tmp_path)


def test_every_quote_has_a_duty_and_a_freight_rate_on_its_day(judged: pl.DataFrame) -> None:
    assert judged["method"].to_list() == ["bill"] * judged.height
    assert (judged["p10"] < judged["p50"]).all()


def test_a_duty_holds_on_one_row_a_day(demo_world: WorldSummary) -> None:
    tariffs = table(demo_world, "tariffs")
    for day in (demo_world.profile.first_day, LAST_DAY - dt.timedelta(399), LAST_DAY):
        held = tariffs.filter(
            (pl.col("valid_from") <= day) & (pl.col("valid_to").fill_null(LAST_DAY) >= day)
        )
        assert held["origin_country"].n_unique() == held.height == 6


def test_unit_costs_are_what_their_elements_sum_to(demo_world: WorldSummary) -> None:
    rows = table(demo_world, "cost_transactions")
    for prefix, total in (("", "total_unit_cost"), ("budget_", "budget_unit_cost")):
        parts = [
            pl.col(f"{prefix}{name}_{'price' if name == 'raw_material' else 'rate'}")
            * pl.col(f"{prefix}{name}_usage")
            for name in ELEMENTS
        ]
        gap = rows.select((pl.sum_horizontal(parts) / pl.col(total) - 1.0).abs().max()).item()
        assert gap < 1e-9


def test_plants_keep_their_books_in_their_own_currency(demo_world: WorldSummary) -> None:
    found = monthly_variance(demo_world.out, "plant_id")
    effects = ("volume", "mix", "price", "rate", "usage", "currency")
    gap = (found.select(effects).sum_horizontal() - found["variance"]).abs()
    assert (gap <= 1e-9 * found["budget"]).all()
    moved = found.group_by("group").agg(pl.col("currency").abs().sum())
    at_home = moved["group"].str.contains("-US-")
    assert (moved.filter(at_home)["currency"] == 0.0).all()
    assert (moved.filter(~at_home)["currency"] > 0.0).all()


def test_actions_save_what_their_kind_realises(
    demo_world: WorldSummary, truth: dict[str, pl.DataFrame]
) -> None:
    actions = table(demo_world, "cost_actions")
    assert actions["action_type"].n_unique() == 8
    realised = actions.group_by("action_type").agg(
        share=pl.col("actual_saving").sum() / pl.col("projected_saving").sum()
    )
    both = realised.join(truth["action_realisation"], on="action_type")
    assert (both["share"] - both["realisation"]).abs().to_numpy().max() < 0.25


def test_least_squares_is_biased_where_prices_answer_to_demand(demo_world: WorldSummary) -> None:
    folder = demo_world.out / "endogenous"
    sales = pl.read_parquet(folder / "sales.parquet")
    costs = pl.read_parquet(folder / "cost_transactions.parquet")
    true = pl.read_parquet(demo_world.truth / "endogenous" / "elasticities.parquet")
    naive, instrumented = [], []
    for (_,), rows in sales.join(costs, on=["date", "sku"]).group_by("sku", maintain_order=True):
        price, units, cost = (
            np.log(rows[name].to_numpy()) for name in ("price", "quantity", "total_unit_cost")
        )
        naive.append(np.cov(price, units)[0, 1] / np.var(price, ddof=1))
        instrumented.append(np.cov(cost, units)[0, 1] / np.cov(cost, price)[0, 1])
    errors = [np.array(found) - true["elasticity"].to_numpy() for found in (naive, instrumented)]
    assert errors[0].mean() > 0.5
    assert abs(errors[1].mean()) < 0.1
